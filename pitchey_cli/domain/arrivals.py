"""Jobs as they came: what is learnt from, and what a simulation lets come again.

Apart from loads.py, because the store gives these, and numpy takes longer to load than `pitchey status` may take.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pitchey_cli.domain.pools import DEFAULT_ORGANISATION


class Arrival(NamedTuple):
    """A job that came."""

    at: float  #: seconds, since any moment that is the same for all; from the store: since 1970
    service: str
    seconds: float  #: that it held a slot
    size: str = ""  #: the instance type it had to have; empty: the service's own
    organisation: str = DEFAULT_ORGANISATION


def durations(arrivals: Iterable[Arrival]) -> dict[str, list[float]]:
    """How long the jobs of each service took."""
    found: dict[str, list[float]] = {}
    for each in arrivals:
        found.setdefault(each.service, []).append(each.seconds)
    return found
