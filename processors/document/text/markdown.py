"""Markdown: CommonMark with GitHub's tables, struck text and lists of tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from processors.document.model import Block, Cell, Code, Figure, Heading, ListItem, Page, Paragraph, Span, Table

_DEEPEST = 100
_TASK = re.compile(r"^\[([ xX])\]\s+")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)


def page_of(text: str) -> Page | None:
    """Read a text; None where more is in each other than is read."""
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _DEEPEST}).enable(["table", "strikethrough"])
    tokens = parser.parse(_FRONT_MATTER.sub("", text.replace("\r\n", "\n")))
    if any(token.level >= _DEEPEST - 1 for token in tokens):  # the parser has left out what is in there
        return None
    return Page(None, tuple(_Reader().read(tokens)))


class _Reader:
    """Goes through the tokens."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._lists: list[int | None] = []  # of each that is open the next number; None of bullets
        self._number: str | None = None
        self._begins_item = False
        self._rows: list[list[Cell]] = []

    def read(self, tokens: Sequence[Token]) -> list[Block]:
        level = 0
        in_cell = False
        for token in tokens:
            match token.type:
                case "bullet_list_open":
                    self._lists.append(None)
                case "ordered_list_open":
                    self._lists.append(int(token.attrGet("start") or 1))
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                case "list_item_open":
                    self._begin_item(token.markup)
                case "heading_open":
                    level = int(token.tag[1])
                case "heading_close":
                    level = 0
                case "table_open":
                    self._rows = []
                case "tr_open":
                    self._rows.append([])
                case "th_open" | "td_open":
                    in_cell = True
                    self._rows[-1].append(Cell((), header=token.type == "th_open"))
                case "th_close" | "td_close":
                    in_cell = False
                case "table_close":
                    self._blocks.append(Table(tuple(map(tuple, self._rows))))
                case "fence" | "code_block":
                    language = token.info.split()[0] if token.info.split() else None
                    self._blocks.append(Code(token.content.rstrip("\n"), language))
                case "html_block":
                    words = " ".join(_TAG.sub(" ", token.content).split())
                    if words:
                        self._blocks.append(Paragraph((Span(words),)))
                case "inline":
                    self._add(_spans(token.children or ()), token, level, in_cell)
                case _:
                    pass
        return self._blocks

    def _begin_item(self, markup: str) -> None:
        number = self._lists[-1]
        self._number = None if number is None else f"{number}{markup or '.'}"
        if number is not None:
            self._lists[-1] = number + 1
        self._begins_item = True

    def _add(self, spans: tuple[Span, ...], token: Token, level: int, in_cell: bool) -> None:
        if in_cell:
            cell = self._rows[-1][-1]
            self._rows[-1][-1] = Cell(spans, header=cell.header)
        elif level:
            self._blocks.append(Heading(level, spans))
        elif self._lists and self._begins_item:
            self._begins_item = False
            task = _TASK.match(spans[0].text) if spans else None
            if task is not None:
                spans = (Span(spans[0].text[task.end() :]), *spans[1:])
            checked = None if task is None else task[1] != " "
            self._blocks.append(ListItem(spans, len(self._lists) - 1, self._number, checked))
        else:
            self._blocks += _pictures(token.children or ())
            if spans:
                self._blocks.append(Paragraph(spans))


def _pictures(tokens: Sequence[Token]) -> list[Block]:
    return [Figure(str(token.attrGet("src") or ""), token.content) for token in tokens if token.type == "image"]


def _spans(tokens: Sequence[Token]) -> tuple[Span, ...]:
    found: list[Span] = []
    bold = italic = 0
    links: list[str] = []
    for token in tokens:
        link = links[-1] if links else None
        match token.type:
            case "text":
                if token.content:
                    found.append(Span(token.content, bold > 0, italic > 0, link=link))
            case "code_inline":
                found.append(Span(token.content, bold > 0, italic > 0, code=True, link=link))
            case "softbreak" | "hardbreak":
                found.append(Span(" ", bold > 0, italic > 0, link=link))
            case "strong_open" | "strong_close":
                bold += token.nesting
            case "em_open" | "em_close":
                italic += token.nesting
            case "link_open":
                links.append(str(token.attrGet("href") or ""))
            case "link_close":
                links.pop()
            case _:
                pass
    return tuple(found)
