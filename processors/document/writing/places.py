"""Places within what is written, which links may lead to; a link to any other place is text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property

from processors.document.model import Block, Code, Figure, Heading, Page, Span, Table, plain


class Places:
    """What a link within a document may name. Pages are gone through for it when the first such link comes."""

    def __init__(
        self, pages: Callable[[], Iterable[Page]], *, page_markers: bool = False, titles: bool = False
    ) -> None:
        """Look at pages.

        Args:
            pages: gives them anew each time.
            page_markers: whether `page-3` is a place.
            titles: whether headings are, by the names that readers of Markdown give them.
        """
        self._pages = pages
        self._page_markers = page_markers
        self._titles = titles

    @cached_property
    def names(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self._found()) if self._page_markers or self._titles else frozenset()

    def _found(self) -> Iterator[str]:
        for page in self._pages():
            if self._page_markers and page.number is not None:
                yield f"page-{page.number}"
            if self._titles:
                yield from (_title(block) for block in page.blocks if isinstance(block, Heading))

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
        return tuple(replace(span, link=None) if self._is_dead(span.link) else span for span in spans)

    def _is_dead(self, link: str | None) -> bool:
        return link is not None and link.startswith("#") and link[1:] not in self.names


def _title(heading: Heading) -> str:
    """GitHub's name for a heading: lower case, without signs, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", plain(heading.spans).strip().lower()).replace(" ", "-")
