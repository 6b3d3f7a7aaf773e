"""Pages as Markdown: CommonMark with GitHub's tables, task lists and footnotes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

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
    grid,
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
_NO_LABEL = re.compile(r"[^\w.*-]")


def markdown(pages: Iterable[Page], *, page_markers: bool = False) -> Iterator[str]:
    """Write pages, in pieces.

    Args:
        page_markers: whether a comment says where each page begins, with the anchor `page-N`.
    """
    before: Block | None = None
    for page in pages:
        if page_markers and page.number is not None:
            lead = "" if before is None and page.number == 1 else "\n"
            yield f'{lead}<!-- page {page.number} --><a id="page-{page.number}"></a>\n'
            before = before or Paragraph(())
        for block in page.blocks:
            text = _block(block)
            if text:
                yield _between(before, block) + text + "\n"
                before = block


def _between(before: Block | None, block: Block) -> str:
    is_list = isinstance(before, ListItem) and isinstance(block, ListItem)
    return "" if before is None or is_list else "\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            text = " ".join(inline(block.spans, emphasis=False).split("\n"))
            text = _ENDS_HEADING.sub(r"\1\\\2", text)
            return f"{'#' * block.level} {text}" if text else ""
        case Paragraph():
            return _lines(block.spans)
        case ListItem():
            return _item(block)
        case Code():
            fence = "`" * max(3, _longest_run(block.text) + 1)
            language = re.sub(r"[^\w+#.-]", "", block.language or "")
            return f"{fence}{language}\n{block.text.rstrip()}\n{fence}"
        case Table():
            return _table(block)
        case Figure():
            alternative = _escaped(" ".join(block.alternative.split()))
            if block.path is not None and is_beside(block.path):
                return f"![{alternative}]({_target(block.path)})"
            return f"<!-- image {_in_comment(block.alternative)}".rstrip() + " -->"
        case Caption():
            return _lines(block.spans)
        case Footnote():
            return f"[^{_NO_LABEL.sub('', block.label)}]: {_lines(block.spans)}"


def _lines(spans: Iterable[Span]) -> str:
    """Running text, each of whose lines stays text: a mark of a block ends a paragraph wherever it stands."""
    return "\n".join(_BEGINS_BLOCK.sub(_escaped_begin, line.lstrip()) for line in inline(spans).split("\n"))


def _longest_run(text: str) -> int:
    """How many backticks stand side by side: what is to hold them begins and ends with more."""
    return max(map(len, re.findall("`+", text)), default=0)


def _escaped_begin(found: re.Match[str]) -> str:
    return f"{found[2]}\\" if found[2] else "\\" + found[0]


def _item(item: ListItem) -> str:
    box = "" if item.checked is None else "[x] " if item.checked else "[ ] "
    # Other numbers than 1. and 1) are no list in Markdown: they stay what they are, in a list of bullets.
    is_number = item.number is not None and re.fullmatch(r"\d{1,9}[.)]", item.number)
    mark = item.number if is_number else "-" if item.number is None else f"- {item.number}"
    return f"{'   ' * item.depth}{mark} {box}{_lines(item.spans)}".rstrip()


def _table(table: Table) -> str:
    rows = [[_cell(text) for text in row] for row in grid(table)]
    if not rows:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split())).replace("|", "\\|")


def inline(spans: Iterable[Span], *, emphasis: bool = True) -> str:
    """Write running text, with its emphasis and links."""
    text = ""
    for span in spans:
        piece = _span(span, emphasis)
        # Before a link an exclamation mark would make a picture of it, which is fetched.
        text = f"{text[:-1]}\\!{piece}" if text.endswith("!") and piece.startswith("[") else text + piece
    return text.strip()


def _span(span: Span, emphasis: bool) -> str:
    whole = _ENDS_LINE.sub("\n", span.text)
    core = whole.strip()
    if not core:
        return whole
    lead, tail = whole[: len(whole) - len(whole.lstrip())], whole[len(whole.rstrip()) :]
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
    return f"{lead}{text}{tail}"


def _target(link: str) -> str:
    """A target as it stands in parentheses."""
    return re.sub(r"[\s<>()]", lambda found: f"%{ord(found[0]):02X}", link)


def _in_comment(text: str) -> str:
    """A text in a comment of HTML, which `-->` would end."""
    return " ".join(re.sub(r"--+|>", "-", text).split())


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
