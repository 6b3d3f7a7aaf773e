"""Where a document is cut into several. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.document.pdf.outline import Entry
from processors.document.ranges import pages_of
from processors.specs.document import Split
from processors.worker.context import Rejected

MOST_PARTS = 2000  # of one job


@dataclass(frozen=True, slots=True)
class Cut:
    """A part."""

    pages: tuple[int, ...]  #: counted from 0
    title: str | None = None  #: that of its chapter
    more: tuple[str, ...] = ()  #: titles of other chapters that begin on the same page


def cuts_of(split: Split, indexes: Sequence[int], count: int, outline: Sequence[Entry], name: str) -> list[Cut]:
    """Say which pages each part has.

    Args:
        indexes: the pages that the job is about, counted from 0, in their order.
        count: those of the whole document.

    Raises:
        Rejected: there are no such pages or chapters, or too many parts.
    """
    if split.every is not None:
        cuts = [Cut(tuple(indexes[start : start + split.every])) for start in range(0, len(indexes), split.every)]
    elif split.ranges is not None:
        cuts = [Cut(tuple(pages_of(text, count, name))) for text in split.ranges.split(",")]
    else:
        cuts = _chapters(split.chapters or 1, indexes, outline, name)
    if len(cuts) > MOST_PARTS:
        hint = "Cut it less often, or choose pages."
        raise Rejected("too_many_parts", f"{name} would become {len(cuts)} files, more than {MOST_PARTS}.", hint)
    return cuts


def _chapters(level: int, indexes: Sequence[int], outline: Sequence[Entry], name: str) -> list[Cut]:
    """Cut before each page where a chapter begins; of several on one page the first gives the title."""
    titles: dict[int, list[str]] = {}
    for entry in outline:
        if entry.level <= level and entry.page is not None:
            titles.setdefault(entry.page - 1, []).append(entry.title)
    if not titles:
        hint = "Cut it with split.every or split.ranges."
        raise Rejected("no_chapters", f"{name} has no outline with titles that lead to pages.", hint)
    parts: list[tuple[list[str], list[int]]] = []
    for index in indexes:
        begun = [page for page in sorted(titles) if (parts[-1][1][-1] if parts else -1) < page <= index]
        if begun or not parts:
            parts.append((titles[begun[-1]] if begun else [], []))
        parts[-1][1].append(index)
    return [Cut(tuple(pages), named[0] if named else None, tuple(named[1:])) for named, pages in parts]
