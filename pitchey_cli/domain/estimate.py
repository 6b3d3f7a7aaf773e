"""How long a job will take, from those like it that have completed. Pure.

The time is a line over the bytes of the input: the slope is the median of the slopes between all pairs, the height the
median of what is left (H. Theil 1950, P. K. Sen 1968), so that a few odd jobs move neither. How wrong the line is has
been tried on the same jobs, each time without the one that was asked for: the range and the error come from that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from pitchey_cli.domain.spot import Spot
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

LEAST = 5  #: jobs that an estimate stands on
MOST = 64  #: the newest of them count; trying the line on each of them takes 0.02 s
_FAR = 2.0  # times the largest input that is known: beyond it a line is a guess
_LOW, _HIGH = 0.1, 0.9


class Past(NamedTuple):
    """A job that has completed."""

    features: tuple[str, ...]
    input_bytes: int | None  #: None where nobody knows
    seconds: float  #: that its attempt held its slots


@dataclass(frozen=True)
class Estimate:
    """What a job is expected to take."""

    seconds: float
    low_seconds: float  #: one in ten is quicker,
    high_seconds: float  #: and one in ten slower
    jobs: int  #: that it stands on
    alike: tuple[str, ...]  #: the features that they have in common with it
    error: float  #: by how much the same rule was wrong on them, as a share of the truth: the median
    is_by_size: bool  #: whether the input's size is in it
    is_far: bool  #: the input is far larger than any of theirs

    def times(self, spot: Spot | None) -> tuple[float, float, float]:
        """What it is expected to take, and the ends of the range; each with the interruptions of a spot node."""
        plain = (self.seconds, self.low_seconds, self.high_seconds)
        if spot is None:
            return plain
        expected, low, high = map(spot.expected_seconds, plain)
        return expected, low, high


@dataclass(frozen=True)
class Expectation:
    """One job that has not been submitted."""

    name: str
    input_bytes: int | None  #: None of a URL: nobody has asked there
    estimate: Estimate | None  #: None when too few jobs like it have completed
    nanodollars_per_second: float  #: of the slots that it takes
    spot: Spot | None = None  #: what is set of the node, where it may be taken away

    def times(self) -> tuple[float, float, float]:
        """What it is expected to take, and the ends of the range; each with the interruptions of a spot node."""
        assert self.estimate is not None
        return self.estimate.times(self.spot)

    def cost(self, seconds: float) -> int:
        """Nanodollars for so long."""
        return round(seconds * self.nanodollars_per_second)


@dataclass(frozen=True)
class _Line:
    height: float
    slope: float
    floor: float  # nothing takes less than the quickest of them

    def at(self, input_bytes: float) -> float:
        return max(self.floor, self.height + self.slope * input_bytes)


def features_of(service: Service, kind: str, spec: Mapping[str, Any]) -> tuple[str, ...]:
    """What decides how long jobs of one size take, the weightiest first."""
    if service is Service.VIDEO:
        return kind, str(spec.get("quality", "")), str(spec.get("resolution") or "own resolution")
    return (kind,)


@dataclass(frozen=True)
class Experience:
    """What is known of jobs that are alike. It is made once, and asked for each input."""

    line: _Line
    low: float  #: what jobs took, as a share of what was expected: one in ten less,
    high: float  #: and one in ten more
    jobs: int
    alike: tuple[str, ...]
    error: float
    largest: int | None  #: the largest input; None where the size is not in it

    def estimate(self, input_bytes: int | None) -> Estimate:
        """Say what a job will take. The size must be known where the experience is by size."""
        size = input_bytes or 0
        seconds = self.line.at(size)
        return Estimate(
            seconds=seconds,
            low_seconds=seconds * min(1.0, self.low),
            high_seconds=seconds * max(1.0, self.high),
            jobs=self.jobs,
            alike=self.alike,
            error=self.error,
            is_by_size=self.largest is not None,
            is_far=self.largest is not None and size > _FAR * self.largest,
        )


def experience(past: Sequence[Past], features: tuple[str, ...], *, is_sized: bool) -> Experience | None:
    """Gather the jobs that are most alike; None when too few of them have completed.

    Args:
        past: of the same service, the newest first.
        is_sized: whether the sizes are known of those that are to be estimated.
    """
    for shared in range(len(features), 0, -1):
        alike = [each for each in past if each.features[:shared] == features[:shared]]
        if len(alike) >= LEAST:
            return _from(alike, features[:shared], is_sized)
    return None


def _from(alike: Sequence[Past], shared: tuple[str, ...], is_sized: bool) -> Experience:
    sized = [(each.input_bytes, each.seconds) for each in alike if each.input_bytes is not None][:MOST]
    is_by_size = is_sized and len(sized) >= LEAST and len({size for size, _ in sized}) > 1
    points = sized if is_by_size else [(0, each.seconds) for each in alike[:MOST]]
    tried = [
        (actual, _line([*points[:left_out], *points[left_out + 1 :]]).at(its_size))
        for left_out, (its_size, actual) in enumerate(points)
    ]
    ratios = sorted(actual / expected for actual, expected in tried if expected > 0) or [1.0]
    errors = sorted(abs(actual - expected) / actual for actual, expected in tried if actual > 0) or [0.0]
    return Experience(
        line=_line(points),
        low=_quantile(ratios, _LOW),
        high=_quantile(ratios, _HIGH),
        jobs=len(points),
        alike=shared,
        error=_quantile(errors, 0.5),
        largest=max(size for size, _ in points) if is_by_size else None,
    )


def _line(points: Sequence[tuple[int, float]]) -> _Line:
    slopes = sorted((two[1] - one[1]) / (two[0] - one[0]) for one, two in combinations(points, 2) if one[0] != two[0])
    slope = max(0.0, _quantile(slopes, 0.5)) if slopes else 0.0  # nothing gets quicker by being larger
    height = _quantile(sorted(seconds - slope * size for size, seconds in points), 0.5)
    return _Line(height, slope, min(seconds for _, seconds in points))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two values that are nearest to it."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
