"""Waiting times, counted in buckets: quantiles of millions of them in a few kilobytes.

The buckets grow by one per cent each, as those of HdrHistogram (G. Tene) grow by a set share: a quantile is wrong by at
most half a per cent, or by half a millisecond below one millisecond. Mean and maximum are exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pitchey_cli.values import dataclass

_LEAST_SECONDS = 1e-3
_GROWTH = 1.01
_BUCKETS = 2600  # up to five years


@dataclass(frozen=True)
class WaitSummary:
    """How long jobs waited, in seconds."""

    mean: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    longest: float = 0.0
    share_waiting: float = 0.0  #: of the jobs, that waited at all


class Waits:
    """A count of waiting times. Those of nothing are counted apart."""

    def __init__(self) -> None:
        self.none = 0  #: jobs that did not wait
        self._counts = np.zeros(_BUCKETS, dtype=np.int64)
        self._sum = 0.0
        self._longest = 0.0

    @property
    def jobs(self) -> int:
        """All that were counted."""
        return self.none + int(self._counts.sum())

    def add(self, seconds: Sequence[float]) -> None:
        """Count waits that are longer than nothing."""
        if not seconds:
            return
        values = np.asarray(seconds)
        places = np.log(np.maximum(values, _LEAST_SECONDS) / _LEAST_SECONDS) / math.log(_GROWTH)
        found = np.bincount(np.minimum(places.astype(np.int64) + (values > _LEAST_SECONDS), _BUCKETS - 1))
        self._counts[: len(found)] += found
        self._sum += float(values.sum())
        self._longest = max(self._longest, float(values.max()))

    def merge(self, other: Waits) -> None:
        """Count those of another too."""
        self.none += other.none
        self._counts += other._counts
        self._sum += other._sum
        self._longest = max(self._longest, other._longest)

    def quantile(self, share: float) -> float:
        """The wait that so many of the jobs did not exceed."""
        jobs = self.jobs
        if not jobs:
            return 0.0
        rank = math.ceil(share * jobs) - self.none
        if rank <= 0:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self._counts), rank))
        if place == 0:
            return min(self._longest, _LEAST_SECONDS / 2)
        middle = _LEAST_SECONDS * _GROWTH ** (place - 0.5)
        return float(min(middle, self._longest))

    def summary(self) -> WaitSummary:
        """What people ask of it."""
        jobs = self.jobs
        if not jobs:
            return WaitSummary()
        p50, p95, p99 = (self.quantile(share) for share in (0.50, 0.95, 0.99))
        return WaitSummary(self._sum / jobs, p50, p95, p99, self._longest, 1 - self.none / jobs)
