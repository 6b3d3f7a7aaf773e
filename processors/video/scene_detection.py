"""Pure: where scenes begin, from small pictures of all frames.

A cut is a frame that differs from the one before it by far more than its neighbours differ from theirs: motion and
camera work differ much, but do so for longer than one frame. Frames that only repeat the one before (animation on twos
and threes, screen recordings, telecine) are no neighbours. Between two shots that fade into black or white and out of
it, the boundary is the middle of what is blank. A scene that is too short goes: altogether when what comes after it is
like what was before (a flash), and else with the weaker of its two boundaries.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import sub
from statistics import fmean
from typing import Literal

WIDTH, HEIGHT = 32, 18  #: of the small pictures, in yuv420p: limited range, colours at half the size

_REACH_FRAMES = 8  # so far away, neighbours are looked for ...
_NEIGHBOURS = 2  # ... so many on either side
_QUIET = 0.5  # a smaller difference is a repeated frame; the floor of what a cut is compared with, too
_HELD = 8.0  # what a picture that was held is compared with at most: by three times as much, nothing moves
_LEAST_DIFFERENCE = 6.0  # of 255: a change of shots is never less; grain, noise and hard compression stay below
_ALIKE = 0.35  # shots whose difference is less than this share of the cut between them are one
_DARKEST, _BRIGHTEST = 32, 220  # brightness beyond which all of a picture is blank


@dataclass(frozen=True, slots=True)
class Boundary:
    """The first frame of a scene."""

    frame: int
    kind: Literal["cut", "fade"]
    score: float  #: how many times more the frame differs than its neighbours; of a fade 0


class Watch:
    """Takes the frames of a video, one after the other, and remembers little of each."""

    def __init__(self) -> None:
        self.times = array("d")  #: seconds of the file, of each frame
        self._differences = array("f")
        self._is_blank = array("b")
        self._around: dict[int, tuple[bytes, bytes]] = {}  # of frames that may be cuts: the one before, and itself
        self._last: bytes | None = None

    def add(self, small: bytes, at_seconds: float) -> None:
        """Take the next frame."""
        last = small if self._last is None else self._last
        found = difference(last, small)
        if found >= _LEAST_DIFFERENCE:
            self._around[len(self.times)] = last, small
        luma = small[: WIDTH * HEIGHT]
        self.times.append(at_seconds)
        self._differences.append(found)
        self._is_blank.append(max(luma) <= _DARKEST or min(luma) >= _BRIGHTEST)
        self._last = small

    def boundaries(self, threshold: float, min_seconds: float) -> list[Boundary]:
        """Say where scenes begin, the first one left out.

        Args:
            threshold: how many times more a cut differs than its neighbours.
            min_seconds: no scene is shorter.
        """
        cuts = [
            Boundary(frame, "cut", round(score, 2))
            for frame in self._around
            if (score := prominence(self._differences, frame)) >= threshold
        ]
        found = sorted(cuts + fades(self._is_blank, {cut.frame for cut in cuts}), key=lambda each: each.frame)
        return self._long_enough(found, min_seconds)

    def _long_enough(self, found: Sequence[Boundary], min_seconds: float) -> list[Boundary]:
        kept: list[Boundary] = []
        for each in found:
            start = self.times[kept[-1].frame if kept else 0]
            if self.times[each.frame] - start >= min_seconds:
                kept.append(each)
            elif kept and self._is_flash(kept[-1].frame, each.frame):
                kept.pop()
            elif kept and each.score > kept[-1].score:
                kept[-1] = each
        while kept and len(self.times) > 1 and self._end() - self.times[kept[-1].frame] < min_seconds:
            kept.pop()
        return kept

    def _is_flash(self, first: int, last: int) -> bool:
        if first not in self._around or last not in self._around:
            return False
        before, after = self._around[first][0], self._around[last][1]
        return difference(before, after) < _ALIKE * min(self._differences[first], self._differences[last])

    def _end(self) -> float:
        """When the last frame ends, if it stands for as long as the one before."""
        return 2 * self.times[-1] - self.times[-2]


def difference(one: bytes, other: bytes) -> float:
    """The mean step between two small pictures, from 0 to 255."""
    steps: int = sum(map(abs, map(sub, one, other)))
    return steps / len(one)


def prominence(differences: Sequence[float], frame: int) -> float:
    """How many times more a frame differs from the one before than its neighbours do."""
    before = differences[max(1, frame - _REACH_FRAMES) : frame][::-1]
    after = differences[frame + 1 : frame + 1 + _REACH_FRAMES]
    neighbours: list[float] = []
    for side in (before, after):
        moving = [place for place, value in enumerate(side) if value > _QUIET][:_NEIGHBOURS]
        # Beyond repeated frames may be the motion of an animation, or the cut at the other end of a short still shot.
        neighbours += [side[at] if at == number else min(side[at], _HELD) for number, at in enumerate(moving)]
        if len(side) == _REACH_FRAMES:  # else the video begins or ends here, and nobody knows how it would go on
            neighbours += [_QUIET] * (_NEIGHBOURS - len(moving))
    return differences[frame] / fmean(neighbours or [_QUIET])


def fades(is_blank: Sequence[int], cuts: set[int]) -> list[Boundary]:
    """Find the middles of what is blank between two shots, where neither begins or ends with a cut."""
    found: list[Boundary] = []
    for blank, numbers in groupby(range(len(is_blank)), key=lambda number: bool(is_blank[number])):
        run = list(numbers)
        start, end = run[0], run[-1] + 1
        if blank and start > 0 and end < len(is_blank) and cuts.isdisjoint((start, end)):
            found.append(Boundary((start + end) // 2, "fade", 0.0))
    return found
