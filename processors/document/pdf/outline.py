"""The outline of a PDF: the titles that a reader shows beside it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pypdfium2.raw as raw

from processors.document.pdf.strings import text

MOST_ENTRIES = 20_000
_LONGEST_TITLE = 1000


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
        yield Entry(entry.level + 1, " ".join(_title(entry).split()), None if index is None else index + 1)


def _title(entry: Any) -> str:
    return text(partial(raw.FPDFBookmark_GetTitle, entry.raw), ctypes.c_void_p, _LONGEST_TITLE)
