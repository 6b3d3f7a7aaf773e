"""What the alert rules look at, and the readings that follow from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import timedelta

from pitchey_cli.domain.alerts import Reading
from pitchey_cli.domain.budget import Standing
from pitchey_cli.domain.cost import USED, Line
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.values import dataclass

DEAD_LETTERS_WITHIN = timedelta(hours=1)
LOST_WITHIN = timedelta(minutes=15)
COST_WITHIN = timedelta(days=1)
_NAMED = 5  # pools; there may be one for each organisation
_LEAST_COST = NANODOLLARS // 100  # of less nobody cares how much is idle


@dataclass(frozen=True)
class Facts:
    """What the store knows, at one moment."""

    dead_letters: int = 0  #: within the hour
    lost: Mapping[str, int] = field(default_factory=dict)  #: service -> instances, within 15 minutes
    waits: Mapping[str, float] = field(default_factory=dict)  #: pool -> seconds that the oldest job has waited
    costs: Mapping[Line, int] = field(default_factory=dict)  #: nanodollars of a day
    standings: Sequence[Standing] = ()
    short_of_room: Sequence[str] = ()  #: pools


@dataclass(frozen=True)
class Surroundings:
    """What is not in the store."""

    disk_free_bytes: int | None = None
    engine_away_seconds: float | None = None  #: 0: it answers


def readings(facts: Facts, surroundings: Surroundings) -> dict[str, Reading]:
    """The readings by the names of their rules."""
    disk = surroundings.disk_free_bytes
    return {
        "dead_letters": Reading(facts.dead_letters),
        "crash_loop": _largest(facts.lost),
        "queue_wait": _largest(facts.waits),
        "idle_cost": _idle_cost(facts.costs),
        "budget": _largest({str(each.budget): each.percent for each in facts.standings}),
        "disk_free": Reading(None if disk is None else disk / GIB),
        "engine_away": Reading(surroundings.engine_away_seconds),
        "room_short": Reading(len(facts.short_of_room), _named(facts.short_of_room)),
    }


def _largest(values: Mapping[str, float]) -> Reading:
    name = max(values, key=lambda each: values[each], default=None)
    return Reading(0.0) if name is None else Reading(values[name], name)


def _named(pools: Sequence[str]) -> str:
    more = len(pools) - _NAMED
    return ", ".join([*pools[:_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _idle_cost(costs: Mapping[Line, int]) -> Reading:
    whole = costs.get(Line.INSTANCE, 0)
    if whole < _LEAST_COST:
        return Reading(0.0)
    return Reading(100 * (whole - sum(costs.get(line, 0) for line in USED)) / whole)
