"""Pages as DOCX (ECMA-376, part 1): headings, lists, tables, pictures and links, in the styles that all know.

Written page by page, so that the longest document takes no more memory than its longest page.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from PIL import Image

from processors.document.model import (
    Block,
    Caption,
    Cell,
    Code,
    Figure,
    Footnote,
    Heading,
    ListItem,
    Page,
    Paragraph,
    Span,
    Table,
    plain,
)
from processors.document.writing import docx_parts as parts
from processors.document.writing.links import leads_to_the_web

_EMU = 9525  # of a pixel at 96 to the inch
_MOST_EMU = (5_760_000, 8_200_000)  # 16 by 22.8 cm: what A4 has between its margins
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NUMBER = re.compile(r"^(\d{1,9})([.)])$")
_LETTER = re.compile(r"^([a-zA-Z])([.)])$")
_MEDIA = {".png": "image/png", ".jpg": "image/jpeg"}
MOST_COLUMNS = 63  # that Word opens
MOST_COLUMNS_SHOWN = 24  # that have room for words on a page
_DEEPEST = 8
_COPY_BYTES = 1024 * 1024


def write(
    target: Path,
    pages: Iterable[Page],
    *,
    title: str = "",
    author: str = "",
    folder: Path | None = None,
    breaks: bool = False,
    most_columns: int = MOST_COLUMNS,
) -> None:
    """Write pages as one DOCX.

    Args:
        most_columns: of a table; one that has more becomes several below each other.
        folder: what the paths of pictures are relative to; without it pictures are named by what they show.
        breaks: whether each page begins on a new one.
    """
    # The text waits beside the archive, into which pictures go meanwhile: it takes one part at a time.
    with (
        tempfile.TemporaryFile(dir=target.parent) as body,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        writer = _Writer(archive, body, folder, most_columns)
        for page in pages:
            writer.page(page, breaks=breaks)
        writer.end(title, author)


@dataclass(slots=True)
class _List:
    number: int  #: of the list in numbering.xml
    form: str
    last: int


@dataclass(slots=True)
class _Writer:
    archive: zipfile.ZipFile
    body: IO[bytes]
    folder: Path | None
    most_columns: int
    _links: dict[str, str] = field(default_factory=dict)
    _media: dict[str, str] = field(default_factory=dict)
    _numbers: list[tuple[str, int, int]] = field(default_factory=list)  # of each list: its form, depth and start
    _open: dict[int, _List] = field(default_factory=dict)  # by depth
    _drawings: int = 0
    _has_begun: bool = False

    def page(self, page: Page, *, breaks: bool) -> None:
        if breaks and self._has_begun:
            self.body.write(b'<w:p><w:r><w:br w:type="page"/></w:r></w:p>')
        for block in page.blocks:
            self._has_begun = True
            if not isinstance(block, ListItem):
                self._open.clear()
            self.body.write(self._block(block).encode("utf-8", "replace"))

    def end(self, title: str, author: str) -> None:
        self.body.seek(0)
        with self.archive.open("word/document.xml", "w", force_zip64=True) as document:
            document.write(parts.DOCUMENT_BEGIN)
            shutil.copyfileobj(self.body, document, _COPY_BYTES)
            document.write(parts.DOCUMENT_END)
        self.archive.writestr("word/numbering.xml", parts.numbering(self._numbers))
        self.archive.writestr("word/styles.xml", parts.STYLES)
        self.archive.writestr("word/_rels/document.xml.rels", parts.relations(self._links, self._media))
        self.archive.writestr("[Content_Types].xml", parts.CONTENT_TYPES)
        self.archive.writestr("_rels/.rels", parts.PACKAGE)
        self.archive.writestr("docProps/core.xml", parts.core(_text(title), _text(author)))

    def _block(self, block: Block) -> str:
        match block:
            case Heading():
                return self._paragraph(block.spans, f"Heading{block.level}")
            case Paragraph():
                return self._paragraph(block.spans)
            case ListItem():
                return self._item(block)
            case Code():
                return self._paragraph((Span(block.text),), "Code")
            case Caption():
                return self._paragraph(block.spans, "Caption")
            case Footnote():
                return self._paragraph((Span(block.label, raised=True), Span(" "), *block.spans), "FootnoteText")
            case Figure():
                return self._figure(block)
            case Table():
                return self._table(block)

    def _paragraph(self, spans: Iterable[Span], style: str = "", properties: str = "") -> str:
        spans = tuple(spans)
        named = f'<w:pStyle w:val="{style}"/>' if style else ""
        bidi = "<w:bidi/>" if _is_from_right(plain(spans)) else ""
        return f"<w:p><w:pPr>{named}{properties}{bidi}</w:pPr>{self._runs(spans)}</w:p>"

    def _runs(self, spans: Iterable[Span]) -> str:
        return "".join(map(self._run, spans))

    def _run(self, span: Span) -> str:
        look = '<w:rStyle w:val="CodeText"/>' if span.code else ""
        look += "<w:b/>" if span.bold else ""
        look += "<w:i/>" if span.italic else ""
        is_link = leads_to_the_web(span.link)
        look += '<w:color w:val="0563C1"/><w:u w:val="single"/>' if is_link else ""
        look += '<w:vertAlign w:val="superscript"/>' if span.raised else ""
        look += "<w:rtl/>" if _is_from_right(span.text) else ""
        lines = "<w:br/>".join(f'<w:t xml:space="preserve">{_text(line)}</w:t>' for line in span.text.split("\n"))
        run = f"<w:r>{f'<w:rPr>{look}</w:rPr>' if look else ''}{lines}</w:r>"
        if not is_link or span.link is None:
            return run
        identifier = self._links.setdefault(_NOT_XML.sub("", span.link), f"rLink{len(self._links) + 1}")
        return f'<w:hyperlink r:id="{identifier}">{run}</w:hyperlink>'

    def _item(self, item: ListItem) -> str:
        depth = min(_DEEPEST, item.depth)
        spans = item.spans if item.checked is None else (Span("☒ " if item.checked else "☐ "), *item.spans)
        for deeper in [each for each in self._open if each > depth]:
            del self._open[deeper]
        if item.number is None:
            self._open.pop(depth, None)
            return self._paragraph(spans, "ListParagraph", _listed(parts.BULLETS, depth))
        if (found := _counted(item.number)) is None:  # a label that nothing counts: it stays what it is
            indent = f'<w:ind w:left="{720 * (depth + 1)}" w:hanging="360"/>'
            return self._paragraph((Span(f"{item.number} "), *spans), "ListParagraph", indent)
        form, value = found
        known = self._open.get(depth)
        if known is None or known.form != form or known.last + 1 != value:
            self._numbers.append((form, depth, value))
            known = self._open[depth] = _List(parts.BULLETS + len(self._numbers), form, value)
        known.last = value
        return self._paragraph(spans, "ListParagraph", _listed(known.number, depth))

    def _figure(self, figure: Figure) -> str:
        drawn = self._drawn(figure)
        if drawn is None:
            return self._paragraph((Span(figure.alternative, italic=True),)) if figure.alternative else ""
        return f"<w:p><w:r>{drawn}</w:r></w:p>"

    def _drawn(self, figure: Figure) -> str | None:
        path = self.folder / figure.path if self.folder is not None and figure.path else None
        if path is None or path.suffix not in _MEDIA or not path.is_file():
            return None
        try:
            with Image.open(path) as picture:
                width, height = picture.size
        except (OSError, ValueError, Image.DecompressionBombError):
            return None
        if path.name not in self._media:
            self.archive.write(path, f"word/media/{path.name}", zipfile.ZIP_STORED)
            self._media[path.name] = f"rPicture{len(self._media) + 1}"
        self._drawings += 1
        scale = min(1.0, _MOST_EMU[0] / (width * _EMU), _MOST_EMU[1] / (height * _EMU))
        size = (max(1, int(width * _EMU * scale)), max(1, int(height * _EMU * scale)))
        return parts.picture(self._media[path.name], self._drawings, size, quoteattr(_text(figure.alternative)))

    def _table(self, table: Table) -> str:
        """A table; one that is too wide as several below each other."""
        return "".join(map(self._part, _parts(_placed(table), self.most_columns)))

    def _part(self, rows: list[list[_Placed]]) -> str:
        width = max((sum(cell.columns for cell, _ in row) for row in rows), default=0)
        if not width:
            return ""
        grid = f'<w:gridCol w:w="{9000 // width}"/>' * width
        made = [f"<w:tbl>{parts.table(width)}<w:tblGrid>{grid}</w:tblGrid>"]
        for row in rows:
            is_header = all(cell.header for cell, _ in row) and bool(row)
            made.append("<w:tr><w:trPr><w:tblHeader/></w:trPr>" if is_header else "<w:tr>")
            left = width
            for cell, merge in row:
                left -= cell.columns
                made.append(self._cell(cell, merge))
            if left:
                made.append(self._cell(Cell((), left), ""))
            made.append("</w:tr>")
        # Word wants a paragraph between two tables, and after the last.
        return "".join([*made, "</w:tbl><w:p/>"])

    def _cell(self, cell: Cell, merge: str) -> str:
        span = f'<w:gridSpan w:val="{cell.columns}"/>' if cell.columns > 1 else ""
        spans = (
            tuple(Span(span.text, True, span.italic, span.code, span.raised, span.link) for span in cell.spans)
            if cell.header
            else cell.spans
        )
        return f"<w:tc><w:tcPr>{span}{merge}</w:tcPr>{self._paragraph(spans)}</w:tc>"


_Placed = tuple[Cell, str]  # a cell, and what is said of its being merged with others below each other


def _parts(rows: list[list[_Placed]], most_columns: int) -> Iterator[list[list[_Placed]]]:
    """Rows by as many columns as a table may have; a cell that reaches into the next part has its text in the first."""
    while True:
        ahead: list[list[_Placed]] = []
        for y, row in enumerate(rows):
            left, here, beyond = most_columns, [], []
            for cell, merge in row:
                fits = min(cell.columns, left)
                left -= fits
                if fits:
                    here.append((replace(cell, columns=fits), merge))
                if cell.columns > fits:
                    rest = replace(cell, columns=cell.columns - fits, spans=() if fits else cell.spans)
                    beyond.append((rest, merge))
            rows[y] = here
            ahead.append(beyond)
        yield rows
        if not any(ahead):
            return
        rows = ahead


def _placed(table: Table) -> list[list[_Placed]]:
    """The rows with what a cell from above covers as cells of their own, which is how DOCX says it."""
    made: list[list[_Placed]] = []
    reaching: dict[int, tuple[int, int]] = {}  # by column: rows left, and columns
    for row in table.rows:
        cells = iter(row)
        column = 0
        placed: list[_Placed] = []
        while True:
            if column in reaching and reaching[column][0] > 0:
                left, columns = reaching[column]
                reaching[column] = (left - 1, columns)
                placed.append((Cell((), columns), "<w:vMerge/>"))
                column += columns
                continue
            cell = next(cells, None)
            if cell is None:
                if not any(at > column and left > 0 for at, (left, _) in reaching.items()):
                    break
                cell = Cell(())
            if cell.rows > 1:
                reaching[column] = (cell.rows - 1, cell.columns)
            placed.append((cell, '<w:vMerge w:val="restart"/>' if cell.rows > 1 else ""))
            column += cell.columns
        made.append(placed)
    return made


def _listed(number: int, depth: int) -> str:
    return f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'


def _counted(label: str) -> tuple[str, int] | None:
    """How a label counts, as `decimal.`, and where it is."""
    if found := _NUMBER.match(label):
        return f"decimal{found[2]}", int(found[1])
    if found := _LETTER.match(label):
        form = "lowerLetter" if found[1].islower() else "upperLetter"
        return f"{form}{found[2]}", ord(found[1].lower()) - ord("a") + 1
    return None


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("", text))


def _is_from_right(text: str) -> bool:
    """Whether the first letter is of a script that is written from the right."""
    for char in text[:200]:
        if (direction := unicodedata.bidirectional(char)) in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False
