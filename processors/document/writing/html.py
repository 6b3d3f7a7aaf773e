"""Pages as HTML5: structure alone, without style, script or anything that is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

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
)
from processors.document.writing.links import is_beside, is_safe
from processors.document.writing.places import Titles


def html(
    pages: Iterable[Page], *, title: str = "", language: str | None = None, page_markers: bool = False
) -> Iterator[str]:
    """Write pages, in pieces: one document.

    Args:
        language: of the text, as `en`, where that is known.
        page_markers: whether each page is a section of its own, with the anchor `page-N`.
    """
    lang = f' lang="{escape(language)}"' if language else ""
    yield f'<!doctype html>\n<html{lang}>\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n</head>\n'
    yield '<body dir="auto">\n'
    lists, titles = _Lists(), Titles()
    for page in pages:
        if page_markers and page.number is not None:
            yield f'{lists.end()}<section id="page-{page.number}" data-page="{page.number}">\n'
        for block in page.blocks:
            yield lists.step(block) if isinstance(block, ListItem) else lists.end() + _block(block, titles)
        if page_markers and page.number is not None:
            yield f"{lists.end()}</section>\n"
    yield f"{lists.end()}</body>\n</html>\n"


class _Lists:
    """The lists that are open, from the outer to the inner."""

    def __init__(self) -> None:
        self._open: list[str] = []

    def step(self, item: ListItem) -> str:
        tag = "ul" if item.number is None else "ol"
        text = ""
        while len(self._open) > item.depth + 1:
            text += f"</{self._open.pop()}>\n"
        if self._open and len(self._open) == item.depth + 1 and self._open[-1] != tag:
            text += f"</{self._open.pop()}>\n"
        while len(self._open) < item.depth + 1:
            self._open.append(tag)
            text += f"<{tag}>\n"
        box = "" if item.checked is None else f'<input type="checkbox" disabled{" checked" if item.checked else ""}> '
        number = re.fullmatch(r"(\d{1,9})[.)]", item.number or "")
        value = f' value="{number[1]}"' if number else ""
        label = f"{escape(item.number)} " if item.number and not number else ""
        return f'{text}<li dir="auto"{value}>{box}{label}{_inline(item.spans)}</li>\n'

    def end(self) -> str:
        text = "".join(f"</{tag}>\n" for tag in reversed(self._open))
        self._open.clear()
        return text


def _block(block: Block, titles: Titles) -> str:
    match block:
        case Heading():
            name = titles.name(block)
            named = f' id="{escape(name)}"' if name else ""
            return f'<h{block.level}{named} dir="auto">{_inline(block.spans)}</h{block.level}>\n'
        case Paragraph():
            tag = block.role or "p"
            return f'<{tag} dir="auto">{_inline(block.spans)}</{tag}>\n'
        case Code():
            language = f' class="language-{escape(block.language)}"' if block.language else ""
            return f"<pre><code{language}>{escape(block.text)}</code></pre>\n"
        case Table():
            return _table(block)
        case Figure():
            if block.path is None or not is_beside(block.path):
                return f"<!-- image -->\n<p>{escape(block.alternative)}</p>\n" if block.alternative else ""
            source, alternative = escape(block.path), escape(block.alternative)
            return f'<figure><img src="{source}" alt="{alternative}"></figure>\n'
        case Caption():
            return f'<p dir="auto"><em>{_inline(block.spans)}</em></p>\n'
        case Footnote():
            label = f"<sup>{escape(block.label)}</sup>"
            return f'<aside role="doc-footnote" dir="auto">{label} {_inline(block.spans)}</aside>\n'
        case ListItem():
            return f"<p>{_inline(block.spans)}</p>\n"


def _table(table: Table) -> str:
    lines = ["<table>"]
    for row in table.rows:
        lines.append("<tr>")
        for cell in row:
            tag = "th" if cell.header else "td"
            spans = f' colspan="{cell.columns}"' if cell.columns > 1 else ""
            spans += f' rowspan="{cell.rows}"' if cell.rows > 1 else ""
            lines.append(f'<{tag}{spans} dir="auto">{_inline(cell.spans)}</{tag}>')
        lines.append("</tr>")
    return "\n".join([*lines, "</table>\n"])


def _inline(spans: Iterable[Span]) -> str:
    return "".join(map(_span, spans)).strip()


def _span(span: Span) -> str:
    text = escape(span.text)
    for is_so, tag in ((span.code, "code"), (span.italic, "em"), (span.bold, "strong"), (span.raised, "sup")):
        if is_so:
            text = f"<{tag}>{text}</{tag}>"
    if span.link and is_safe(span.link):
        text = f'<a href="{escape(span.link)}" rel="noreferrer">{text}</a>'
    return text
