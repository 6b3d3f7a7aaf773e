"""How long things took, kept in few rows: exact while they are few, in groups of nearly equal ones when they are many.

Pure. Pick-ups may come by the thousand in a second, so times that differ by less than five per cent share a row when a
daemon hands down more than a few. A row has the longest of its group: the longest of all is exact, and the median too
long by five per cent at most.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from pitchey_cli.domain.observation import Measurement
from pitchey_cli.values import dataclass

_EXACT = 20  # times that are handed down one by one
_GROWTH = 1.05
_LEAST_SECONDS = 1e-4  # what is shorter shares a row
_LATELY = 100  # times that are enough for a median


@dataclass(frozen=True)
class Timing:
    """How long something took lately."""

    times: int
    median: float
    longest: float


def grouped(seconds: Sequence[float]) -> list[tuple[float, int]]:
    """The rows of some times: how long, and how many took about that long."""
    if len(seconds) <= _EXACT:
        return [(each, 1) for each in seconds]
    longest: dict[int, float] = {}
    counts = Counter[int]()
    for each in seconds:
        group = math.ceil(math.log(max(each, _LEAST_SECONDS) / _LEAST_SECONDS, _GROWTH))
        longest[group] = max(each, longest.get(group, 0.0))
        counts[group] += 1
    return [(longest[group], counts[group]) for group in sorted(counts)]


def lately(found: Iterable[Measurement]) -> Timing | None:
    """Sum up the newest rows: as many hand-downs, each as a whole, as have enough times; None where there are none.

    Args:
        found: the newest first.
    """
    rows: list[Measurement] = []
    times = 0
    for each in found:
        # Those of one moment are in the order of their length: a part of them would tell something else.
        if times >= _LATELY and each.at != rows[-1].at:
            break
        rows.append(each)
        times += each.count
    if not rows:
        return None
    rows.sort(key=lambda each: each.seconds)
    return Timing(times, (_at(rows, (times - 1) // 2) + _at(rows, times // 2)) / 2, rows[-1].seconds)


def _at(rows: Sequence[Measurement], place: int) -> float:
    """The time at a place, counted from the shortest."""
    for each in rows:
        place -= each.count
        if place < 0:
            return each.seconds
    raise IndexError(place)
