"""Jobs as they came: what is learnt from, and what a simulation lets come again.

Apart from loads.py, because the store gives these, and numpy takes longer to load than `pitchey status` may take.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Arrival(NamedTuple):
    """A job that came."""

    at: float  #: seconds, since any moment that is the same for all; from the store: since 1970
    service: str
    seconds: float  #: that it held a slot
    size: str = ""  #: the instance type it had to have; empty: the service's own


class PoolKey(NamedTuple):
    """Whose jobs they are."""

    service: str
    size: str = ""

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.service} ({self.size})" if self.size else self.service


def durations(arrivals: Iterable[Arrival]) -> dict[str, list[float]]:
    """How long the jobs of each service took."""
    found: dict[str, list[float]] = {}
    for each in arrivals:
        found.setdefault(each.service, []).append(each.seconds)
    return found
