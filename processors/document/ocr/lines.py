"""A page that was read from its picture as plain text, line by line as it stands."""

from __future__ import annotations

from collections.abc import Iterable

from processors.document.layout.drafts import Draft
from processors.document.model import Box, Figure, Table, grid

_CLOSE = 0.6  # of the size, between two lines of which none is left out


def lines(items: Iterable[Draft | Table | Figure]) -> str:
    """Write what was read in its order; an empty line stands where the page has room between two."""
    written: list[str] = []
    above: Box | None = None
    size = 0.0
    for item in items:
        rows = _rows(item)
        if not rows:
            continue
        if written and not _follows(above, item.box, size):
            written.append("")
        written += rows
        above, size = item.box, item.size if isinstance(item, Draft) else 0.0
    return "".join(f"{row}\n" for row in written)


def _rows(item: Draft | Table | Figure) -> list[str]:
    match item:
        case Draft():
            return list(item.rows)
        case Table():
            return ["\t".join(" ".join(cell.split()) for cell in row) for row in grid(item)]
        case Figure():
            return []


def _follows(above: Box | None, below: Box | None, size: float) -> bool:
    """Whether one thing stands right below another."""
    return above is not None and below is not None and -size <= below.top - above.bottom <= _CLOSE * size
