"""Places within what is written, which links may lead to; a link to any other place is text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import unquote

from processors.document.model import Block, Code, Figure, Heading, Page, Span, Table, plain

_PAGE = re.compile(r"#page-(\d{1,9})(?:@(\d{1,9}))?")
_NEAR = 72.0  # points: a link leads that much above or below the heading that it means, at most


class Titles:
    """Names of headings one after the other, as readers of Markdown give them (GitHub's rule)."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def name(self, heading: Heading) -> str:
        """In lower case, without signs, hyphens for spaces, with a number where it was there before; or nothing."""
        name = re.sub(r"[^\w\- ]", "", plain(heading.spans).strip().lower()).replace(" ", "-")
        before = self._seen.get(name, 0)
        self._seen[name] = before + 1
        return f"{name}-{before}" if name and before else name


@dataclass(slots=True)
class _Found:
    """What there is."""

    titles: set[str] = field(default_factory=set)
    named: dict[str, str] = field(default_factory=dict)  #: by what the document itself calls a heading
    tops: dict[int, list[tuple[float, str]]] = field(default_factory=dict)  #: headings of a page, and where they begin
    pages: set[int] = field(default_factory=set)


class Places:
    """What a link within a document may name. Pages are gone through for it when the first such link comes."""

    def __init__(self, pages: Callable[[], Iterable[Page]], *, page_markers: bool = False) -> None:
        """Look at pages.

        Args:
            pages: gives them anew each time.
            page_markers: whether `page-3` is a place.
        """
        self._pages = pages
        self._page_markers = page_markers

    @cached_property
    def _found(self) -> _Found:
        found, titles = _Found(), Titles()
        for page in self._pages():
            if page.number is not None:
                found.pages.add(page.number)
            for block in page.blocks:
                if isinstance(block, Heading) and (title := titles.name(block)):
                    found.titles.add(title)
                    for name in block.names:
                        found.named.setdefault(name, title)
                    if page.number is not None and block.box is not None:
                        found.tops.setdefault(page.number, []).append((block.box.top, title))
        return found

    def target(self, link: str) -> str | None:
        """Where a link of the document leads in what is written; None where that is not there."""
        if not link.startswith("#"):
            return link
        found, name = self._found, unquote(link[1:])
        if name in found.named:
            return f"#{found.named[name]}"
        if name in found.titles:
            return f"#{name}"
        if (place := _PAGE.fullmatch(link)) is None:
            return None
        page, top = int(place[1]), None if place[2] is None else float(place[2])
        if top is not None and (title := _nearest(found.tops.get(page, []), top)):
            return f"#{title}"
        return f"#page-{page}" if self._page_markers and page in found.pages else None

    def alive(self, page: Page) -> Page:
        """A page whose links within the document lead to what is there."""
        return replace(page, blocks=tuple(map(self._block, page.blocks)))

    def _block(self, block: Block) -> Block:
        match block:
            case Code() | Figure():
                return block
            case Table():
                rows = (tuple(replace(cell, spans=self._spans(cell.spans)) for cell in row) for row in block.rows)
                return replace(block, rows=tuple(rows))
            case _:
                return replace(block, spans=self._spans(block.spans))

    def _spans(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        if not any(span.link and span.link.startswith("#") for span in spans):
            return spans
        return tuple(replace(span, link=self.target(span.link)) if span.link else span for span in spans)


def _nearest(headings: list[tuple[float, str]], top: float) -> str | None:
    if not headings:
        return None
    at, title = min(headings, key=lambda each: abs(each[0] - top))
    return title if abs(at - top) <= _NEAR else None
