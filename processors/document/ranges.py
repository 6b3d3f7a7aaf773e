"""Pages as people write them: `1-3,7,12-`."""

from __future__ import annotations

from itertools import pairwise

from processors.worker.context import Rejected


def pages_of(text: str | None, count: int, name: str) -> list[int]:
    """The pages that are meant, counted from 0, in the document's order and each once.

    Args:
        text: as `1-3,7,12-`, counted from 1; None for all.
        count: pages that the document has.

    Raises:
        Rejected: it has none of these, or one that is named goes beyond its end.
    """
    if text is None:
        return list(range(count))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start, end = int(first), (int(last) if last else count if dash else int(first))
        if start > count or (last and end > count):
            pages = "1 page" if count == 1 else f"{count} pages"
            raise Rejected("no_such_page", f"{name} has {pages}, and no page {max(start, end)}.")
        if end < start:
            raise Rejected("no_such_page", f"The pages {part} go backwards.")
        found.update(range(start - 1, end))
    return sorted(found)


def in_words(pages: list[int]) -> str:
    """Write pages, counted from 0, as a person would: `1-3,7`."""
    ends = [index for index, (a, b) in enumerate(pairwise(pages), 1) if b != a + 1]
    parts = []
    for start, end in pairwise([0, *ends, len(pages)]):
        first, last = pages[start] + 1, pages[end - 1] + 1
        parts.append(str(first) if first == last else f"{first}-{last}")
    return ",".join(parts)
