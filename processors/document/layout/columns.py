"""In which order what stands on a page is read.

The order of the file is nearly always right, because programs write as people read: it is kept unless it contradicts
the page. Then the page is cut along its white space: columns side by side, and between them what spans them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from processors.document.model import Box

T = TypeVar("T")

_STEP = 2.0  # points between the places where a gutter is looked for
_LEAST_GUTTER = 6.0  # points
_MOST_CROSSING = 0.2  # of what is there may cross a gutter: titles, wide pictures
_LEAST_LINES = 4  # on each side
_LONG = 7.0  # times its height is a line of text long at least, and ...
_FILLED = 0.5  # ... fills so much of its column; the cells of a table do not
_TEXT = 0.6  # of the width of all that stands in a column is of such lines
_MOST_ACROSS = 2  # steps along a line over a gutter, that captions and numbers make
_MOST_PARTED = 2  # times: a page has up to eight columns
_MOST_GAPS = 12  # of a page with columns of running text, where lines are ragged
_STRIP = 10.0  # points
_JUMP = 2.0  # of its height, that something stands above what comes before it


Gap = tuple[float, float]  #: its left and its right edge, in points
_Known = dict[tuple[int, int, float, float], Gap | None]


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A thing with its place."""

    thing: T
    box: Box
    order: int  #: in the file


@dataclass(frozen=True, slots=True)
class Gutter:
    """White space between two columns, from a height on down to another."""

    left: float
    right: float
    top: float
    bottom: float

    def parts(self, one: Box, other: Box) -> bool:
        """Whether it stands between two things."""
        middle = (self.left + self.right) / 2
        y = (one.top + one.bottom) / 2
        return self.top <= y <= self.bottom and (one.right <= middle <= other.left or other.right <= middle <= one.left)


def reading_order(things: Sequence[Placed[T]], *, right_to_left: bool = False) -> tuple[list[Placed[T]], list[Gutter]]:
    """Put things in order, and say where the gutters between columns are."""
    gutters: list[Gutter] = []
    by_file = sorted(things, key=lambda placed: placed.order)
    cut = [placed for region in _cut(by_file, gutters, right_to_left, depth=0) for placed in region]
    return (cut if _contradicts(by_file, gutters) else by_file), gutters


def regions(things: Sequence[Placed[T]]) -> list[list[Placed[T]]]:
    """Part what stands in different columns."""
    return _cut(list(things), [], False, depth=0)


def _contradicts(things: Sequence[Placed[T]], gutters: Sequence[Gutter]) -> bool:
    """Whether the order of the file is not how one reads: it goes up again, or changes columns at every line."""
    across = 0
    for before, after in pairwise(things):
        level = abs((before.box.top + before.box.bottom) - (after.box.top + after.box.bottom)) / 2
        if level < min(before.box.height, after.box.height) / 2 and any(
            gutter.parts(before.box, after.box) for gutter in gutters
        ):
            across += 1
    return across > _MOST_ACROSS or _goes_up(things)


def _goes_up(things: Sequence[Placed[T]]) -> bool:
    """Whether something stands above what comes before it in the file, and not only beside it."""
    lowest: dict[int, float] = {}  # by strip of the page: the lowest top so far
    for placed in things:
        box = placed.box
        strips = range(int(box.left / _STRIP), int(box.right / _STRIP) + 1)
        below = sum(lowest.get(strip, 0.0) > box.bottom + _JUMP * box.height for strip in strips)
        if below > len(strips) / 2:
            return True
        for strip in strips:
            lowest[strip] = max(lowest.get(strip, 0.0), box.top)
    return False


def _cut(things: list[Placed[T]], gutters: list[Gutter], right_to_left: bool, depth: int) -> list[list[Placed[T]]]:
    """Cut into columns and what lies between them, in the order of reading."""
    found = _gutter(things) if depth < 6 and len(things) >= 2 * _LEAST_LINES else None
    if found is None:
        return [_by_rows(things, right_to_left)]
    left_edge, right_edge = found
    middle = (left_edge + right_edge) / 2
    spanning = sorted(
        (placed for placed in things if placed.box.left < middle < placed.box.right), key=lambda placed: placed.box.top
    )
    rest = [placed for placed in things if not placed.box.left < middle < placed.box.right]
    ordered: list[list[Placed[T]]] = []
    limits = [*[(placed.box.top + placed.box.bottom) / 2 for placed in spanning], float("inf")]
    top = float("-inf")
    for index, limit in enumerate(limits):
        band = [placed for placed in rest if top <= (placed.box.top + placed.box.bottom) / 2 < limit]
        sides = (
            [placed for placed in band if placed.box.right <= middle],
            [placed for placed in band if placed.box.left >= middle],
        )
        if all(sides):
            box_top, box_bottom = min(p.box.top for p in band), max(p.box.bottom for p in band)
            gutters.append(Gutter(left_edge, right_edge, box_top, box_bottom))
        for side in reversed(sides) if right_to_left else sides:
            ordered += _cut(side, gutters, right_to_left, depth + 1)
        if index < len(spanning):
            ordered.append([spanning[index]])
        top = limit
    return ordered


def _gutter(things: Sequence[Placed[T]], depth: int = 0, known: _Known | None = None) -> Gap | None:
    """Find the widest gap between two columns of running text, or between several on a side.

    Args:
        depth: how often a page was parted to come here.
        known: what was found before, of what stands between two edges: most ways of parting lead to the same parts.
    """
    known = {} if known is None else known
    left, right = min(p.box.left for p in things), max(p.box.right for p in things)
    key = (depth, len(things), left, right)
    if key not in known:
        gaps = _gaps(things, left, right)
        best = None
        for gap in gaps if len(gaps) <= _MOST_GAPS else ():  # else it is a table
            best = _better(best, gap, things, depth, known)
        known[key] = best
    return known[key]


def _gaps(things: Sequence[Placed[T]], left: float, right: float) -> list[Gap]:
    """Where few things stand, from the left to the right, between two edges."""
    count = int((right - left) / _STEP)
    if count < 10:
        return []
    found: list[Gap] = []
    crossing = [0] * (count + 2)
    for placed in things:
        first = max(0, int((placed.box.left - left) / _STEP) + 1)
        last = min(count, int((placed.box.right - left) / _STEP))
        if first < last:
            crossing[first] += 1
            crossing[last] -= 1
    total = 0
    start: int | None = None
    limit = _MOST_CROSSING * len(things)
    lowest = float("inf")
    for index in range(count + 1):
        total += crossing[index]
        if total <= limit and total <= lowest:
            if start is None or total < lowest:
                start, lowest = index, total
            continue
        if start is not None:
            found.append((left + start * _STEP, left + index * _STEP))
        start, lowest = (index, total) if total <= limit else (None, float("inf"))
    return [gap for gap in found if gap[1] - gap[0] >= _LEAST_GUTTER]


def _better(best: Gap | None, gap: Gap, things: Sequence[Placed[T]], depth: int, known: _Known) -> Gap | None:
    if best is not None and gap[1] - gap[0] <= best[1] - best[0]:
        return best
    middle = (gap[0] + gap[1]) / 2
    for side in (
        [placed for placed in things if placed.box.right <= middle],
        [placed for placed in things if placed.box.left >= middle],
    ):
        if len(side) < _LEAST_LINES:
            return best
        boxes = [placed.box for placed in side]
        extent = max(box.right for box in boxes) - min(box.left for box in boxes)
        whole = sum(box.width for box in boxes)
        text = sum(box.width for box in boxes if box.width >= max(_LONG * box.height, _FILLED * extent))
        if text < _TEXT * whole and (depth >= _MOST_PARTED or _gutter(side, depth + 1, known) is None):
            return best
    return gap


def _by_rows(things: list[Placed[T]], right_to_left: bool) -> list[Placed[T]]:
    """From top to bottom, and what stands on one line in the direction of the text."""
    ordered: list[Placed[T]] = []
    row: list[Placed[T]] = []
    bottom = 0.0
    for placed in sorted(things, key=lambda placed: (placed.box.top + placed.box.bottom) / 2):
        middle = (placed.box.top + placed.box.bottom) / 2
        if row and middle > bottom:
            ordered += sorted(row, key=lambda p: -p.box.right if right_to_left else p.box.left)
            row = []
        bottom = (
            max(bottom, placed.box.bottom - 0.3 * placed.box.height)
            if row
            else (placed.box.bottom - 0.3 * placed.box.height)
        )
        row.append(placed)
    return ordered + sorted(row, key=lambda p: -p.box.right if right_to_left else p.box.left)
