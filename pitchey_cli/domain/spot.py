"""Nodes that their cloud may take away: what they cost, and what interruptions add to a job. Pure."""

from __future__ import annotations

import math

from pitchey_cli.values import dataclass

_SECONDS_PER_HOUR = 3600
_MOST = 50.0  # interruptions to be expected of one job: with more it never ends, and the number does not matter


@dataclass(frozen=True)
class Spot:
    """What is set of instances that may be taken away."""

    factor: float  #: of the usual price
    interruptions_per_hour: float = 0.0  #: how many one instance has to expect

    def expected_seconds(self, seconds: float) -> float:
        """How long a job is at work in all, on average, that takes so long when nothing interrupts it.

        Interruptions come independently of each other, and an interrupted job begins anew: (e^(rate * time) - 1) / rate
        (J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", Future Generation
        Computer Systems 22, 2006; here without checkpoints, and without the time until the job starts again.)
        """
        expected = min(_MOST, seconds * self.interruptions_per_hour / _SECONDS_PER_HOUR)
        return seconds * max(1.0, math.expm1(expected) / expected) if expected else seconds

    def is_dearer(self, seconds: float) -> bool:
        """Whether such a job is expected to cost more than at the usual price."""
        return self.factor * self.expected_seconds(seconds) > seconds


def overhead(expected_seconds: float, seconds: float) -> float:
    """What interruptions add, as a share of the time without them."""
    return expected_seconds / seconds - 1 if seconds else 0.0
