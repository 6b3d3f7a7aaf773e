"""HTML: what a browser would show, without running a script or loading anything.

Lexbor parses as the standard says, so what is nested wrongly is set right as in browsers. The tree is walked to a
bounded depth: below that only its text counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree.ElementTree import Element

from selectolax.lexbor import LexborHTMLParser, LexborNode

from processors.document.formulas import DEEPEST, linear
from processors.document.model import (
    Block,
    Caption,
    Cell,
    Code,
    Figure,
    Heading,
    ListItem,
    Page,
    Paragraph,
    Span,
    Table,
    plain,
)

_DEEPEST = 150  # of the tree that is walked
_MOST_OPEN = 5000  # elements in each other: the time of parsing grows with their square
_TABLE_DEPTH = 4  # of a cell in its table
_MOST_SPAN = 1000  # columns or rows; browsers stop there as well
_MOST_CELLS = 200_000
_UNSEEN = frozenset(
    "head script style noscript template svg math iframe object embed canvas audio video select option datalist "
    "dialog map area link meta title input textarea button".split()
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q rp rt ruby s samp small "
    "span strike strong sub sup time tt u var wbr br".split()
)
_SMALL_NUMBER = re.compile(r"^\s*[0-9]{1,6}\s*$")
_OPENING = re.compile(
    r"<(/?)(?:div|span|a|b|i|u|s|em|strong|font|big|small|code|table|section|article|blockquote|ul|ol|dl|center|form)\b",
    re.IGNORECASE,
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def page_of(text: str) -> tuple[Page, str, str | None]:
    """Read a text: its page, its title, its language."""
    tree = LexborHTMLParser(text)
    title = tree.css_first("title")
    root = tree.root
    language = root.attributes.get("lang") if root is not None else None
    reader = _Reader()
    if tree.body is not None:
        reader.children(tree.body, 0)
    reader.flush()
    words = " ".join(title.text().split()) if title is not None else ""
    return Page(None, tuple(reader.blocks)), words, language


def is_bottomless(text: str) -> bool:
    """Whether more elements are open at a time than any page of a person's has."""
    deepest = depth = 0
    for found in _OPENING.finditer(text):
        depth += -1 if found[1] else 1
        deepest = max(deepest, depth)
    return deepest > _MOST_OPEN


@dataclass(slots=True)
class _List:
    number: int | None  #: of the next item; None of bullets


@dataclass(slots=True)
class _Reader:
    """Walks the tree."""

    blocks: list[Block] = field(default_factory=list)
    look: Span = field(default_factory=lambda: Span(""))
    _spans: list[Span] = field(default_factory=list)
    _lists: list[_List] = field(default_factory=list)
    _item: tuple[str | None, bool | None] | None = None  # of the item that begins: number and tick
    _cells: int = 0

    def children(self, node: LexborNode, depth: int) -> None:
        child = node.first_child
        while child is not None:
            self._node(child, depth)
            child = child.next

    def flush(self) -> None:
        """End the paragraph that is open."""
        spans = _tidy(self._spans)
        self._spans = []
        if not spans:
            return
        if self._item is not None:
            number, checked = self._item
            self._item = None
            self.blocks.append(ListItem(spans, min(5, max(0, len(self._lists) - 1)), number, checked))
        else:
            self.blocks.append(Paragraph(spans))

    def _node(self, node: LexborNode, depth: int) -> None:
        tag = node.tag
        if tag == "-text":
            text = re.sub(r"[ \t\r\n\f]+", " ", node.text_content or "")
            if text:
                self._spans.append(replace(self.look, text=text))
        elif tag is None or tag.startswith("-") or tag == "_comment" or _is_unseen(node, tag):
            if tag == "input":
                self._tick(node)
            elif tag == "math" and not _is_hidden(node):
                self._spans.append(replace(self.look, text=linear(_as_xml(node, 0))))
        elif depth > _DEEPEST:
            self._spans.append(replace(self.look, text=" ".join(node.text().split())))
        elif tag in _INLINE:
            self._inline(node, tag, depth)
        else:
            self._block(node, tag, depth)

    def _tick(self, node: LexborNode) -> None:
        if self._item is not None and node.attributes.get("type") == "checkbox":
            self._item = (self._item[0], "checked" in node.attributes)

    def _inline(self, node: LexborNode, tag: str, depth: int) -> None:
        if tag == "br":
            self._spans.append(replace(self.look, text="\n"))
            return
        if tag == "img":
            self._picture(node)
            return
        before = self.look
        match tag:
            case "b" | "strong":
                self.look = replace(before, bold=True)
            case "i" | "em" | "cite" | "var" | "dfn":
                self.look = replace(before, italic=True)
            case "code" | "kbd" | "samp" | "tt":
                self.look = replace(before, code=True)
            case "sup":
                self.look = replace(before, raised=True)
            case "a":
                self.look = replace(before, link=(node.attributes.get("href") or "").strip() or before.link)
            case _:
                pass
        self.children(node, depth + 1)
        self.look = before

    def _picture(self, node: LexborNode) -> None:
        source, alternative = (node.attributes.get(name) or "" for name in ("src", "alt"))
        is_in_text = self._item is not None or any(span.text.strip() for span in self._spans)
        if is_in_text:  # there it is what it says
            if alternative:
                self._spans.append(replace(self.look, text=alternative))
            return
        self.blocks.append(Figure(None if source.startswith("data:") else source or None, alternative.strip()))

    def _block(self, node: LexborNode, tag: str, depth: int) -> None:
        if tag not in ("p", "div", "span") or self._item is None or self._spans:
            self.flush()
        if tag in _HEADINGS:
            spans = self._apart(node, depth)
            if spans:
                self.blocks.append(Heading(int(tag[1]), tuple(replace(span, bold=False) for span in spans)))
        elif tag in ("ul", "ol", "menu"):
            start = node.attributes.get("start") or "1"
            self._lists.append(_List((int(start) if _SMALL_NUMBER.match(start) else 1) if tag == "ol" else None))
            self.children(node, depth + 1)
            self.flush()
            self._lists.pop()
            self._item = None
        elif tag == "li":
            self._begin_item()
            self.children(node, depth + 1)
            self.flush()
            self._item = None
        elif tag == "pre":
            self.blocks.append(Code(node.text(deep=True).strip("\n"), _language(node)))
        elif tag == "table":
            self._table(node, depth)
        elif tag in ("figcaption", "caption"):
            spans = self._apart(node, depth)
            if spans:
                self.blocks.append(Caption(spans))
        else:
            self.children(node, depth + 1)
            self.flush()

    def _begin_item(self) -> None:
        current = self._lists[-1] if self._lists else None
        if current is not None and current.number is not None:
            self._item = (f"{current.number}.", None)
            current.number += 1
        else:
            self._item = (None, None)

    def _apart(self, node: LexborNode, depth: int) -> tuple[Span, ...]:
        """The text of a part that is no paragraph of its own."""
        inner = _Reader(look=self.look)
        inner.children(node, depth + 1)
        inner.flush()
        found: list[Span] = []
        for block in inner.blocks:
            spans = getattr(block, "spans", ()) or ((Span(block.alternative),) if isinstance(block, Figure) else ())
            if isinstance(block, Code):
                spans = (Span(block.text, code=True),)
            if isinstance(block, Table):
                spans = (Span(" ".join(plain(cell.spans) for row in block.rows for cell in row)),)
            if found and plain(spans).strip():
                found.append(Span(" "))
            found += spans
        return _tidy(found)

    def _table(self, node: LexborNode, depth: int) -> None:
        rows: list[tuple[Cell, ...]] = []
        for part in _rows(node, self, depth):
            cells = []
            for cell in _those(part, "td", "th"):
                self._cells += 1
                if self._cells > _MOST_CELLS:
                    break
                attributes = cell.attributes
                cells.append(
                    Cell(
                        self._apart(cell, depth + _TABLE_DEPTH),
                        _count(attributes.get("colspan")),
                        _count(attributes.get("rowspan")),
                        header=cell.tag == "th",
                    )
                )
            if cells:
                rows.append(tuple(cells))
        if rows:
            self.blocks.append(Table(tuple(rows)))


def _rows(table: LexborNode, reader: _Reader, depth: int) -> list[LexborNode]:
    found: list[LexborNode] = []
    for part in _those(table, "caption", "thead", "tbody", "tfoot", "tr"):
        if part.tag == "caption":
            spans = reader._apart(part, depth + _TABLE_DEPTH)
            if spans:
                reader.blocks.append(Caption(spans))
        elif part.tag == "tr":
            found.append(part)
        else:
            found += _those(part, "tr")
    return found


def _those(node: LexborNode, *tags: str) -> list[LexborNode]:
    found = []
    child = node.first_child
    while child is not None:
        if child.tag in tags and not _is_unseen(child, child.tag):
            found.append(child)
        child = child.next
    return found


def _is_unseen(node: LexborNode, tag: str) -> bool:
    return tag in _UNSEEN or _is_hidden(node)


def _as_xml(node: LexborNode, depth: int) -> Element:
    """MathML out of the tree of HTML, as deep as formulas go."""
    made = Element(str(node.tag))
    made.attrib.update({name: value or "" for name, value in node.attributes.items()})
    last: Element | None = None
    for child in node.iter(include_text=True):
        if child.tag == "-text":
            text = child.text_content or ""
            if last is None:
                made.text = (made.text or "") + text
        elif depth < DEEPEST:
            last = _as_xml(child, depth + 1)
            made.append(last)
    return made


def _is_hidden(node: LexborNode) -> bool:
    attributes: Any = node.attributes
    return "hidden" in attributes or bool(_HIDDEN.search(attributes.get("style") or ""))


def _count(value: str | None) -> int:
    return min(_MOST_SPAN, max(1, int(value))) if value and _SMALL_NUMBER.match(value) else 1


def _language(node: LexborNode) -> str | None:
    code = node.css_first("code")
    classes = ((code if code is not None else node).attributes.get("class") or "").split()
    return next((name.partition("-")[2] for name in classes if name.startswith(("language-", "lang-"))), None)


def _tidy(spans: list[Span]) -> tuple[Span, ...]:
    """Join what looks the same, and leave out white space that is not shown."""
    made: list[Span] = []
    for span in spans:
        text = span.text
        if not made or made[-1].text.endswith((" ", "\n")):
            text = text.lstrip(" ") if span.text != "\n" or made else ""
        if not text:
            continue
        if made and replace(made[-1], text="") == replace(span, text=""):
            made[-1] = replace(span, text=made[-1].text + text)
        else:
            made.append(replace(span, text=text))
    while made and not made[-1].text.rstrip():
        made.pop()
    if made:
        made[-1] = replace(made[-1], text=made[-1].text.rstrip())
    return tuple(made)
