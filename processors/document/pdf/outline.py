"""The outline of a PDF: the titles that a reader shows beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MOST_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A title."""

    level: int  #: from 1
    title: str
    page: int | None  #: from 1


def outline_of(document: Any) -> Iterator[Entry]:
    """Read it.

    Args:
        document: of pypdfium2's.
    """
    for count, entry in enumerate(document.get_toc(max_depth=15)):
        if count >= MOST_ENTRIES:
            return
        destination = entry.get_dest()
        index = destination.get_index() if destination is not None else None
        yield Entry(entry.level + 1, " ".join(entry.get_title().split()), None if index is None else index + 1)
