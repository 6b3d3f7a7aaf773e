"""The body of a DOCX as blocks, with its notes at the end and its headers and footers around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from xml.etree.ElementTree import Element

from processors.document.model import (
    Block,
    Caption,
    Cell,
    Code,
    Footnote,
    Heading,
    ListItem,
    Page,
    Paragraph,
    Role,
    Span,
    Table,
    plain,
)
from processors.document.office.docx.numbering import Numbering
from processors.document.office.docx.runs import Line, Runs
from processors.document.office.docx.styles import PLAIN, Style, Styles, is_on, with_outline
from processors.document.office.package import Package
from processors.document.office.pictures import Pictures

_MOST_SPAN = 1000
_MOST_DEPTH = 8
_TITLE = 0  # a level above those of headings


@dataclass(frozen=True, slots=True)
class Read:
    """What a DOCX holds."""

    page: Page
    headers: list[str]  #: the texts of headers, each once; they belong to pages, which the text has none of
    footers: list[str]


def read(package: Package, pictures: Pictures) -> Read:
    """Read a DOCX.

    Raises:
        Rejected: it is damaged.
    """
    main = main_part(package)
    document = _Document(package, pictures, main)
    body = package.xml(main).find("w-body")
    blocks = document.part(main).blocks(body) if body is not None else []
    page = Page(None, tuple(_levelled([*blocks, *document.notes()])))
    return Read(page, document.edges("header"), document.edges("footer"))


def main_part(package: Package) -> str:
    """The name of the part that is the document itself."""
    found = (each.target for each in package.relations("").values() if each.kind == "officeDocument")
    return next((target for target in found if package.has(target)), "word/document.xml")


class _Document:
    def __init__(self, package: Package, pictures: Pictures, main: str) -> None:
        self._package = package
        self._pictures = pictures
        self._relations = package.relations(main)
        self.styles = Styles(self._side("styles"))
        self.numbering = Numbering(self._side("numbering"))
        self.labels: dict[tuple[str, str], str] = {}

    def _side(self, kind: str) -> Element | None:
        part = self._part_of(kind)
        return self._package.xml(part) if part else None

    def _part_of(self, kind: str) -> str | None:
        found = (each.target for each in self._relations.values() if each.kind == kind and not each.is_outside)
        return next((target for target in found if self._package.has(target)), None)

    def part(self, part: str) -> _Part:
        """What reads a part."""

        def picture_at(target: str) -> str | None:
            return self._pictures.path_of(target, self._package.read) if self._package.has(target) else None

        return _Part(self, Runs(self.styles, self._package.relations(part), picture_at, self.labels))

    def notes(self) -> Iterator[Footnote]:
        """Those that the text refers to; there may be more in notes."""
        for where in ("footnotes", "endnotes"):
            wanted = [key for key in self.labels if key[0] == where]
            part = self._part_of(where)
            if not wanted or part is None:
                continue
            by_number = {each.get("w-id", ""): each for each in self._package.xml(part)}
            reader = self.part(part)
            for key in wanted:
                if (element := by_number.get(key[1])) is not None:
                    yield Footnote(self.labels[key], spans_of(reader.blocks(element)))

    def edges(self, role: Role) -> list[str]:
        """The texts of headers or footers, each once."""
        found: dict[str, None] = {}
        for relation in self._relations.values():
            if relation.kind != role or not self._package.has(relation.target):
                continue
            for block in self.part(relation.target).blocks(self._package.xml(relation.target)):
                if text := plain(spans_of([block])).strip():
                    found[text] = None
        return list(found)


class _Part:
    """Reads one part: the body, the notes, a header."""

    def __init__(self, document: _Document, runs: Runs) -> None:
        self._document = document
        self._runs = runs

    def blocks(self, container: Element) -> list[Block]:
        """What a container holds, in order."""
        made: list[Block] = []
        names: list[str] = []  # of bookmarks before the paragraph that they are for
        for element in container:
            match element.tag:
                case "w-p":
                    _add(made, self._paragraph(element, names))
                    names = []
                case "w-bookmarkStart":
                    names.append(element.get("w-name", ""))
                case "w-tbl":
                    _add(made, self._table(element))
                case "w-del" | "w-moveFrom" | "w-sectPr" | "w-sdtPr":
                    pass
                case _:
                    _add(made, self.blocks(element))
        return made

    def _paragraph(self, element: Element, names: Iterable[str] = ()) -> Iterator[Block]:
        properties = element.find("w-pPr")
        style = self._style(properties)
        line = self._runs.line(element, hidden=style.hidden)
        line.names += names
        if line.spans:
            yield self._block(line, style)
        yield from line.figures
        yield from chain.from_iterable(self.blocks(box) for box in line.boxes)

    def _style(self, properties: Element | None) -> Style:
        named = properties.find("w-pStyle") if properties is not None else None
        styles = self._document.styles
        style = styles.of(named.get("w-val") if named is not None else styles.default)
        if properties is None:
            return style
        level = properties.find("w-outlineLvl")
        if level is not None:
            style = with_outline(style, level.get("w-val", ""))
        number, depth = properties.find("w-numPr/w-numId"), properties.find("w-numPr/w-ilvl")
        if number is not None:
            style = replace(style, number=number.get("w-val"))
        if depth is not None and depth.get("w-val", "").isdecimal():
            style = replace(style, depth=int(depth.get("w-val", "0")))
        return style

    def _block(self, line: Line, style: Style = PLAIN) -> Block:
        spans = tuple(line.spans)
        label: str | None = ""
        is_item = style.number is not None and style.number != "0" and self._document.numbering.has(style.number)
        depth = min(_MOST_DEPTH, style.depth or 0)
        if is_item and style.number is not None:
            label = self._document.numbering.label(style.number, depth)
        match style.look:
            case "heading" | "title":
                # What Word numbers by itself belongs to what is read there.
                lead = (Span(f"{label} "),) if label else ()
                level = _TITLE if style.look == "title" else style.level or 1
                shown = (*lead, *(replace(span, bold=False) for span in spans))
                return Heading(level, shown, names=tuple(line.names))
            case "caption":
                return Caption(spans)
            case "code" if not is_item:
                return Code(plain(spans))
            case _ if is_item and label != "":
                return ListItem(spans, depth, label, line.checked)
            case _ if line.checked is not None:
                return ListItem(spans, 0, None, line.checked)
            case _:
                return Paragraph(spans)

    def _table(self, table: Element) -> Iterator[Block]:
        rows = [row for row in _inner(table, "w-tr") if not _is_gone(row)]
        cells = [(row, list(_inner(row, "w-tc"))) for row in rows]
        if len(cells) == 1 and len(cells[0][1]) == 1:
            yield from self.blocks(cells[0][1][0])  # a table of one cell is a frame around something
            return
        made: list[list[Cell]] = []
        open_cells: dict[int, tuple[int, int]] = {}  # by column: where the cell is that goes on below
        for row, elements in cells:
            repeated = row.find("w-trPr/w-tblHeader")
            is_header = repeated is not None and is_on(repeated)
            column = _value(row, "w-trPr/w-gridBefore", 0)
            made.append([Cell(()) for _ in range(column)])
            for element in elements:
                width = _value(element, "w-tcPr/w-gridSpan", 1)
                merge = element.find("w-tcPr/w-vMerge")
                if merge is not None and merge.get("w-val", "continue") != "restart" and column in open_cells:
                    y, x = open_cells[column]
                    made[y][x] = replace(made[y][x], rows=made[y][x].rows + 1)
                else:
                    open_cells.pop(column, None)
                    if merge is not None:
                        open_cells[column] = (len(made) - 1, len(made[-1]))
                    made[-1].append(Cell(spans_of(self.blocks(element)), width, header=is_header))
                column += width
        if any(made):
            yield Table(tuple(tuple(row) for row in made))


def _is_gone(row: Element) -> bool:
    """Whether a row is deleted or hidden."""
    hidden = row.find("w-trPr/w-hidden")
    return row.find("w-trPr/w-del") is not None or (hidden is not None and is_on(hidden))


def _inner(parent: Element, tag: str) -> Iterator[Element]:
    """The rows of a table or the cells of a row, also those in wrappers."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in ("w-sdt", "w-sdtContent", "w-customXml", "w-ins", "w-moveTo"):
            yield from _inner(child, tag)


def _value(element: Element, path: str, otherwise: int) -> int:
    found = element.find(path)
    value = found.get("w-val", "") if found is not None else ""
    return min(_MOST_SPAN, int(value)) if value.isdecimal() and len(value) < 10 else otherwise


def _add(made: list[Block], blocks: Iterable[Block]) -> None:
    for block in blocks:
        if isinstance(block, Code) and made and isinstance(made[-1], Code):
            made[-1] = replace(made[-1], text=f"{made[-1].text}\n{block.text}")
        else:
            made.append(block)


def spans_of(blocks: Iterable[Block]) -> tuple[Span, ...]:
    """Blocks as the text of a cell or a note, each on a line of its own."""
    made: list[Span] = []
    for block in blocks:
        match block:
            case Table():
                inner: tuple[Span, ...] = (Span(" ".join(plain(cell.spans) for row in block.rows for cell in row)),)
            case Code():
                inner = (Span(block.text, code=True),)
            case ListItem():
                mark = "" if block.checked is None else "☒ " if block.checked else "☐ "
                lead = f"{block.number or ''} ".lstrip() + mark
                inner = ((Span(lead),) if lead else ()) + block.spans
            case Heading() | Paragraph() | Caption() | Footnote():
                inner = block.spans
            case _:
                continue
        if made and inner:
            made.append(Span("\n"))
        made += inner
    return tuple(made)


def _levelled(blocks: list[Block]) -> Iterator[Block]:
    """Headings from level 1: where there is a title, it has that, and the others come below it."""
    shift = int(any(isinstance(block, Heading) and block.level == _TITLE for block in blocks))
    for block in blocks:
        yield replace(block, level=min(6, block.level + shift)) if isinstance(block, Heading) else block
