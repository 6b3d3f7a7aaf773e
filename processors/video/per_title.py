"""Pure: the rungs that suit one video, from short trials of it.

Each trial is a size at a constant quality, with the rate that it cost and how good it looked at the size of the source.
The best of them at each rate form a hull: a small picture looks better than a starved large one, and where the curves
cross is different for each video. The rungs lie on the hull, at even steps of rate. (The way is that of J. De Cock,
Z. Li, M. Manohara and A. Aaron, "Complexity-based consistent-quality encoding in the cloud", ICIP 2016.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from processors.video.ladder import Rung

#: of the rate of a rung by the next worse one; less would hardly be seen, and more is seen as a jump
STEP = 1.7
#: a rung may cost so much more than its trials, where the video is harder than they were
HEADROOM = 1.5
_LEAST_CRF, _MOST_CRF = 1.0, 51.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What a size at a constant quality came to."""

    width: int
    height: int
    crf: float
    bitrate: float  #: bits per second
    quality: float  #: the more the better, on a scale where differences add up; see `decibels`

    @property
    def size(self) -> tuple[int, int]:
        """Its width and height."""
        return self.width, self.height


def decibels(similarity: float) -> float:
    """SSIM on a scale on which equal differences look about equal: 10 is .9, 20 is .99."""
    return -10 * math.log10(max(1e-6, 1 - similarity))


def hull(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that no other one, and no mixture of two others, is better than; from the lowest rate on."""
    best: list[Trial] = []
    for trial in sorted(trials, key=lambda each: (each.bitrate, -each.quality)):
        if best and trial.quality <= best[-1].quality:
            continue
        while len(best) > 1 and _slope(best[-2], best[-1]) <= _slope(best[-1], trial):
            best.pop()
        best.append(trial)
    return best


def per_title(
    trials: Sequence[Trial], framerate: float, *, most_rungs: int, most_bitrate: float, least_bitrate: float
) -> tuple[Rung, ...]:
    """Choose rungs, the best first.

    Args:
        trials: at least one.
        most_bitrate: no rung costs more, on the average of the trials; the best may be on the hull below it.
        least_bitrate: none costs less, where the hull goes so low.
    """
    edge = hull(trials)
    top = min(edge[-1].bitrate, most_bitrate)
    bottom = min(top, max(edge[0].bitrate, least_bitrate))
    count = max(1, min(most_rungs, 1 + math.floor(math.log(top / bottom, STEP) + 1e-9)))
    step = (top / bottom) ** (1 / (count - 1)) if count > 1 else 1.0
    rungs: list[Rung] = []
    for number in range(count):
        rate = top / step**number
        width, height = _nearest(edge, rate).size
        if rungs and width * height > rungs[-1].pixels:
            width, height = rungs[-1].width, rungs[-1].height
        crf = _crf_for([trial for trial in trials if trial.size == (width, height)], rate)
        limit = round(min(rate * HEADROOM, max(most_bitrate, rate)))
        if not rungs or limit < rungs[-1].bitrate:
            rungs.append(Rung(width, height, framerate, limit, crf=crf))
    return tuple(rungs)


def _slope(one: Trial, other: Trial) -> float:
    return (other.quality - one.quality) / max(1e-9, math.log(other.bitrate) - math.log(one.bitrate))


def _nearest(edge: Sequence[Trial], rate: float) -> Trial:
    return min(edge, key=lambda each: abs(math.log(each.bitrate) - math.log(rate)))


def _crf_for(trials: Sequence[Trial], rate: float) -> float:
    """Find the quality that gives a rate: rates fall by a constant factor per step of it, and on beyond the trials."""
    known = sorted(trials, key=lambda each: each.crf)
    if len(known) < 2:
        return known[0].crf
    pairs = list(pairwise(known))
    low, high = next((pair for pair in pairs if pair[1].bitrate <= rate), pairs[-1])
    fall = math.log(low.bitrate) - math.log(high.bitrate)
    if fall <= 0:
        return low.crf
    crf = low.crf + (high.crf - low.crf) * (math.log(low.bitrate) - math.log(rate)) / fall
    return round(min(_MOST_CRF, max(_LEAST_CRF, crf)), 1)
