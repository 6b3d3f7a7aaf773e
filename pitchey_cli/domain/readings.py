"""What the alert rules look at, and the readings that follow from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from pitchey_cli.domain.alerts import Reading
from pitchey_cli.domain.budget import Standing
from pitchey_cli.domain.cost import USED, Line
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.nodes import Health, NodeRecord
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.values import dataclass

DEAD_LETTERS_WITHIN = timedelta(hours=1)
LOST_WITHIN = timedelta(minutes=15)
COST_WITHIN = timedelta(days=1)
_NAMED = 5  # pools or nodes; there may be a pool for each organisation
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
    nodes: Sequence[NodeRecord] = ()  #: as they have said at their last beats; none that was removed, no `pitchey run`


@dataclass(frozen=True)
class Here:
    """What is known here and now, and not only by the store."""

    health: Health = Health()  #: of this machine
    node: str = ""  #: the id of the node that this machine is; empty: it is none, or works on another queue


def readings(facts: Facts, here: Here, *, now: datetime) -> dict[str, Reading]:
    """The readings by the names of their rules. What differs between the nodes at work is that of the worst of them."""
    away = [each.facts.name for each in facts.nodes if each.is_away(now)]
    health = _health(facts.nodes, here, now)
    disks = {name: each.disk_free_bytes for name, each in health.items() if each.disk_free_bytes is not None}
    engines = {name: each.engine_away_seconds for name, each in health.items() if each.engine_away_seconds is not None}
    fullest = min(disks, key=lambda each: disks[each], default=None)
    return {
        "dead_letters": Reading(facts.dead_letters),
        "crash_loop": _largest(facts.lost),
        "queue_wait": _largest(facts.waits),
        "idle_cost": _idle_cost(facts.costs),
        "budget": _largest({str(each.budget): each.percent for each in facts.standings}),
        "disk_free": Reading(None) if fullest is None else Reading(disks[fullest] / GIB, fullest),
        "engine_away": _largest(engines) if engines else Reading(None),
        "node_away": Reading(len(away), _named(away)),
        "room_short": Reading(len(facts.short_of_room), _named(facts.short_of_room)),
    }


def _health(nodes: Sequence[NodeRecord], here: Here, now: datetime) -> Mapping[str, Health]:
    """The nodes at work, by their names where there are several nodes; this machine where nobody is at work."""
    found: dict[str, Health] = {}
    for each in nodes:
        if each.is_up and not each.is_away(now):
            found[each.facts.name if len(nodes) > 1 else ""] = (
                each.health.brought_up_to(here.health) if each.id == here.node else each.health
            )
    return found or {"": here.health}


def _largest(values: Mapping[str, float]) -> Reading:
    name = max(values, key=lambda each: values[each], default=None)
    return Reading(0.0) if name is None else Reading(values[name], name)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join([*names[:_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _idle_cost(costs: Mapping[Line, int]) -> Reading:
    whole = costs.get(Line.INSTANCE, 0)
    if whole < _LEAST_COST:
        return Reading(0.0)
    return Reading(100 * (whole - sum(costs.get(line, 0) for line in USED)) / whole)
