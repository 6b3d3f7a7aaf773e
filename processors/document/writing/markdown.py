"""Pages as Markdown: CommonMark with GitHub's tables, task lists and footnotes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from processors.document.model import (
    Block,
    Caption,
    Code,
    Figure,
    Footnote,
    Heading,
    ListItem,
    Page,
    Paragraph,
    Span,
    Table,
    spread,
)
from processors.document.writing.links import is_beside, is_safe

_SPECIAL = re.compile(
    r"([\\`*\[\]<]|&(?=#?\w+;)|~(?=~)|(?<![^\W_])_|_(?![^\W_]))"
)  # an underscore inside of a word emphasizes nothing
_BEGINS_BLOCK = re.compile(
    r"^(#{1,6}(?=\s|$)|[-+](?=\s|$)|>|(\d{1,9})(?=[.)](?:\s|$))|=+\s*$|-+\s*$|~~~"
    r"|-(?=[\s|:-]+$)|[|:](?=[\s|:-]*-[\s|:-]*$))"  # the last two: rules, and what makes the line above a table's head
)
_ENDS_LINE = re.compile(r"\r\n?")
_ENDS_HEADING = re.compile(r"((?:^|\s)#*)(#)$")  # which it would lose


def markdown(pages: Iterable[Page], *, page_markers: bool = False) -> Iterator[str]:
    """Write pages, in pieces.

    Args:
        page_markers: whether a comment says where each page begins, with the anchor `page-N`.
    """
    writer = _Writer()
    before: Block | None = None
    for page in pages:
        writer.begin(page)
        if page_markers and page.number is not None:
            lead = "" if before is None and page.number == 1 else "\n"
            yield f'{lead}<!-- page {page.number} --><a id="page-{page.number}"></a>\n'
            before = before or Paragraph(())
            writer.marks.clear()
        for block in page.blocks:
            text = writer.block(block)
            if text:
                yield _between(before, block) + text + "\n"
                before = block


def _between(before: Block | None, block: Block) -> str:
    is_list = isinstance(before, ListItem) and isinstance(block, ListItem)
    return "" if before is None or is_list else "\n"


@dataclass(slots=True)
class _Writer:
    marks: list[int] = field(default_factory=list)  #: of the items that are open, by depth: how wide their marks are
    _notes: dict[str, str] = field(default_factory=dict)  # of the page: by label, as a reference calls it
    _said: set[str] = field(default_factory=set)  # labels of the page whose note is written
    _named: set[str] = field(default_factory=set)  # notes of all pages

    def begin(self, page: Page) -> None:
        """Begin a page: a note is one of Markdown's where its page refers to it, else nobody would show it."""
        labels = {block.label: "" for block in page.blocks if isinstance(block, Footnote)}
        self._notes, self._said = {}, set()
        if not labels:
            return
        for span in _spans(page.blocks):
            label = span.text.strip()
            if span.raised and label in labels and label not in self._notes:
                name = label if re.fullmatch(r"\w+", label) and label not in self._named else f"n{len(self._named) + 1}"
                while name in self._named:
                    name += "-"
                self._notes[label] = name
                self._named.add(name)

    def block(self, block: Block) -> str:
        if not isinstance(block, ListItem):
            self.marks.clear()
        match block:
            case Heading():
                text = " ".join(self.inline(block.spans, emphasis=False).split("\n"))
                text = _ENDS_HEADING.sub(r"\1\\\2", text)
                return f"{'#' * block.level} {text}" if text else ""
            case Paragraph() | Caption():
                return self._lines(block.spans)
            case ListItem():
                return self._item(block)
            case Code():
                fence = "`" * max(3, _longest_run(block.text) + 1)
                language = re.sub(r"[^\w+#.-]", "", block.language or "")
                return f"{fence}{language}\n{block.text.rstrip()}\n{fence}"
            case Table():
                return self._table(block)
            case Figure():
                alternative = _escaped(" ".join(block.alternative.split()))
                if block.path is not None and is_beside(block.path):
                    return f"![{alternative}]({_target(block.path)})"
                return f"<!-- image {_in_comment(block.alternative)}".rstrip() + " -->"
            case Footnote():
                name = "" if block.label in self._said else self._notes.get(block.label, "")
                self._said.add(block.label)  # another of that label is another
                mark = f"[^{name}]:" if name else f"<sup>{_escaped(' '.join(block.label.split()))}</sup>"
                return f"{mark} {self._lines(block.spans)}"

    def _lines(self, spans: Iterable[Span]) -> str:
        """Running text, each of whose lines stays text: a mark of a block ends a paragraph wherever it stands."""
        lines = self.inline(spans).split("\n")
        return "\n".join(_BEGINS_BLOCK.sub(_escaped_begin, line.lstrip()) for line in lines)

    def _item(self, item: ListItem) -> str:
        box = "" if item.checked is None else "[x] " if item.checked else "[ ] "
        # Other numbers than 1. and 1) are no list in Markdown: they stay what they are, in a list of bullets.
        is_number = item.number is not None and re.fullmatch(r"\d{1,9}[.)]", item.number)
        mark = f"{item.number} " if is_number else "- "
        label = f"{item.number} " if item.number is not None and not is_number else ""
        self.marks = self.marks[: item.depth]
        indent = " " * sum(self.marks)
        self.marks += [0] * (item.depth - len(self.marks)) + [len(mark)]
        return f"{indent}{mark}{label}{box}{self._lines(item.spans)}".rstrip()

    def _table(self, table: Table) -> str:
        rows = [[self._cell(spans, is_header=y == 0) for spans in row] for y, row in enumerate(spread(table))]
        if not rows:
            return ""
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])

    def _cell(self, spans: Iterable[Span], *, is_header: bool) -> str:
        if is_header:  # which is bold wherever Markdown is shown
            spans = (replace(span, bold=False) for span in spans)
        return " ".join(self.inline(spans).split()).replace("|", "\\|")

    def inline(self, spans: Iterable[Span], *, emphasis: bool = True) -> str:
        """Write running text, with its emphasis and links."""
        text = ""
        for span in spans:
            piece = self._span(span, emphasis)
            # Before a link an exclamation mark would make a picture of it, which is fetched.
            text = f"{text[:-1]}\\!{piece}" if text.endswith("!") and piece.startswith("[") else text + piece
        return text.strip()

    def _span(self, span: Span, emphasis: bool) -> str:
        whole = _ENDS_LINE.sub("\n", span.text)
        core = whole.strip()
        if not core:
            return whole
        lead, tail = whole[: len(whole) - len(whole.lstrip())], whole[len(whole.rstrip()) :]
        if span.raised and core in self._notes:
            return f"{lead}[^{self._notes[core]}]{tail}"
        return f"{lead}{_shown(span, core, emphasis)}{tail}"


def _spans(blocks: Iterable[Block]) -> Iterator[Span]:
    """The running text of blocks, but for that of notes."""
    for block in blocks:
        match block:
            case Heading() | Paragraph() | Caption() | ListItem():
                yield from block.spans
            case Table():
                yield from (span for row in block.rows for cell in row for span in cell.spans)
            case _:
                pass


def _longest_run(text: str) -> int:
    """How many backticks stand side by side: what is to hold them begins and ends with more."""
    return max(map(len, re.findall("`+", text)), default=0)


def _escaped_begin(found: re.Match[str]) -> str:
    return f"{found[2]}\\" if found[2] else "\\" + found[0]


def _shown(span: Span, core: str, emphasis: bool) -> str:
    """A span without the space around it."""
    text = _escaped(core)
    if span.code:
        core = " ".join(core.split())
        mark = "`" * (_longest_run(core) + 1)
        text = f"{mark} {core} {mark}" if core[0] == "`" or core[-1] == "`" else f"{mark}{core}{mark}"
    if emphasis and not span.code:
        text = f"*{text}*" if span.italic else text
        text = f"**{text}**" if span.bold else text
    if span.raised:
        text = f"<sup>{text}</sup>"
    if span.link and is_safe(span.link):
        target = _target(span.link)
        text = f"<{target}>" if target == core and ":" in target else f"[{text}]({target})"
    return text


def _target(link: str) -> str:
    """A target as it stands in parentheses."""
    return re.sub(r"[\s<>()]", lambda found: f"%{ord(found[0]):02X}", link)


def _in_comment(text: str) -> str:
    """A text in a comment of HTML, which `-->` would end."""
    return " ".join(re.sub(r"--+|>", "-", text).split())


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
