"""Nodes: the daemons that share a queue, when one counts as dead, and which jobs may go where. Pure.

A node counts its beat up in the database. The others look at the counter, and each measures by its own monotonic clock
for how long it has not moved: no two clocks are ever compared, so it does not matter how far they are apart.

A node acts under an epoch, a number that counts up when its daemon starts and when others take over what it ran.
Whoever acts under an epoch that is over changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import Instance
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

BEATS_PER_LEASE = 3  #: so two may come late before anybody thinks anything of it
#: That the clocks of a node and of the database's server may be apart. Those that the network sets are within a second.
MOST_APART_SECONDS = 60.0
SPOT = "its cloud may take it away"  #: why a node does not take a job that may not be interrupted

_LABEL = re.compile(r"[a-z][a-z0-9_.-]{0,39}=[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_OWN = ("region", "gpu", "spot", "node", "start")  # labels that every node has, and nobody sets
_NOT = "!="
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class NodeState(StrEnum):
    """Where a node stands."""

    UP = "up"
    DRAINING = "draining"  #: it takes nothing new
    DOWN = "down"  #: its daemon has ended, or was taken for dead
    REMOVED = "removed"


class Epoch(NamedTuple):
    """Under what a daemon acts."""

    node_id: str
    number: int


@dataclass(frozen=True)
class Room:
    """What a node has for instances, and what of it is free."""

    cpus: float = 0.0
    memory_bytes: int = 0
    free_cpus: float = 0.0
    free_memory_bytes: int = 0


@dataclass(frozen=True)
class Health:
    """How a node does, as its beat says; None is not known."""

    disk_free_bytes: int | None = None  #: where its state directory is, or the cache in it, whichever has less
    engine_away_seconds: float | None = None  #: since its engine was found to be away; 0: it answers

    def brought_up_to(self, later: Health) -> Health:
        """The same with what is known by now."""
        disk, engine = later.disk_free_bytes, later.engine_away_seconds
        return Health(
            self.disk_free_bytes if disk is None else disk, self.engine_away_seconds if engine is None else engine
        )


NOT_ASKED = Health()  #: of a node that has just come


@dataclass(frozen=True)
class NodeFacts:
    """What a daemon says of itself when it starts."""

    name: str
    version: str  #: of Pitchey
    schema: int  #: the newest of the database that it knows
    engine: str
    services: tuple[Service, ...]
    region: str = "local"
    is_spot: bool = False
    price_factor: float = 1.0  #: of its region and of spot, on the usual price
    labels: tuple[str, ...] = ()  #: name=value, as set
    has_gpu: bool = False
    lease_seconds: float = 30.0  #: so long its beat may stand still
    is_foreground: bool = False  #: a `pitchey run`
    host: str = ""  #: its machine since that was started: the boot id
    start: str = ""  #: names this start of its daemon; see domain/unfit.py

    @property
    def all_labels(self) -> frozenset[str]:
        """Those that are set, and those that every node has."""
        own = {f"region={self.region}", f"gpu={_said(self.has_gpu)}", f"spot={_said(self.is_spot)}"}
        start = [f"start={self.start}"] if self.start else []
        return frozenset({*self.labels, *own, f"node={self.name}", *start})


@dataclass(frozen=True)
class NodeRecord:
    """A node as the store knows it."""

    id: str
    facts: NodeFacts
    epoch: int
    beat: int
    state: NodeState
    started_at: datetime
    beat_at: datetime  #: by its own clock: for people alone
    is_drained: bool = False  #: somebody has asked it to take nothing new; it stays so when its daemon starts anew
    room: Room = field(default_factory=Room)
    health: Health = field(default_factory=Health)
    lost_at: datetime | None = None  #: when others took over what it ran; None again when it comes back or is removed

    @property
    def seen(self) -> tuple[int, int]:
        """What moves while it lives."""
        return self.epoch, self.beat

    @property
    def is_known(self) -> bool:
        """Whether people look for it among the nodes: it is a daemon, and has not been removed."""
        return self.state is not NodeState.REMOVED and not self.facts.is_foreground

    @property
    def is_up(self) -> bool:
        """Whether it has neither ended nor been taken for dead."""
        return self.state in (NodeState.UP, NodeState.DRAINING)

    def is_away(self, now: datetime) -> bool:
        """Whether it should be at work and is not: it did not end in order, and nobody has drained or removed it.

        Others find that out by its beat. Where there are none, only the clock is left; it may be as far from the node's
        as a clock may be at all.
        """
        if self.is_drained or self.facts.is_foreground:
            return False
        longest = timedelta(seconds=self.facts.lease_seconds + MOST_APART_SECONDS)
        return self.lost_at is not None or (self.is_up and now - self.beat_at > longest)

    def is_silent(self, now: datetime) -> bool:
        """Whether people should be told that it has not been heard of; clocks may be apart, so nobody acts on it."""
        return self.is_up and now - self.beat_at > timedelta(seconds=2 * self.facts.lease_seconds)


@dataclass(frozen=True)
class NodeUse:
    """A node, and what it is doing."""

    node: NodeRecord
    instances: tuple[Instance, ...]
    running: int  #: jobs


@dataclass
class Watch:
    """One node's eye on the others. Times are its own monotonic seconds."""

    _moved: dict[str, tuple[tuple[int, int], float]] = field(default_factory=dict)  # what was seen, and first when

    def look(self, nodes: Iterable[NodeRecord], now: float) -> list[NodeRecord]:
        """Note what has moved; those whose lease has run out.

        One that is seen for the first time has its whole lease before it, whatever its last beat says.
        """
        up = {each.id: each for each in nodes if each.is_up}
        before = self._moved
        self._moved = {
            node_id: before[node_id] if node_id in before and before[node_id][0] == each.seen else (each.seen, now)
            for node_id, each in up.items()
        }
        return [each for node_id, each in up.items() if now - self._moved[node_id][1] > each.facts.lease_seconds]

    def forget(self, now: float) -> None:
        """This node was away itself, or could not look: what it has seen before says nothing."""
        self._moved = {node_id: (seen, now) for node_id, (seen, _) in self._moved.items()}


def at_work(nodes: Iterable[NodeRecord], now: datetime) -> list[str]:
    """The names of the daemons that are up, as people are told of them. One `pitchey run` is there for itself."""
    return [
        each.facts.name for each in nodes if each.is_up and not each.is_silent(now) and not each.facts.is_foreground
    ]


# --- which jobs may go where


def wanted_from(text: str) -> str:
    """What a job asks of its node, in the one order in which it is kept: `gpu=true,region=eu`.

    Raises:
        UsageError: names what is no label.
    """
    parts = [each.strip() for each in text.split(",")] if text.strip() else []
    parts = ["gpu=true" if each == "gpu" else each for each in parts]
    for each in parts:
        if not _LABEL.fullmatch(each):
            raise UsageError(
                f"{each[:60]!r} is no label.", hint="Labels are name=value, as region=eu; gpu alone means gpu=true."
            )
    names = [each.partition("=")[0] for each in parts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"The label {twice} is asked for twice.", hint="A node has one value of each.")
    return ",".join(sorted(parts))


def labels_from(text: str, *, what: str) -> tuple[str, ...]:
    """The labels that are set of a node.

    Raises:
        UsageError: names what is no label, or one that is Pitchey's own.
    """
    try:
        wanted = wanted_from(text) if text.strip() else ""
    except UsageError as error:
        raise UsageError(f"{what}: {error}", hint=error.hint) from error
    found = tuple(wanted.split(",")) if wanted else ()
    if own := next((each for each in found if each.partition("=")[0] in _OWN), None):
        raise UsageError(f"{what}: every node has the label {own.partition('=')[0]} already.", hint="Leave it out.")
    return found


def name_from(text: str, *, what: str) -> str:
    """The name of a node.

    Raises:
        UsageError: it is none.
    """
    if not _NAME.fullmatch(text):
        raise UsageError(f"{what}: {text[:70]!r} is no name of a node.", hint="Letters, digits, dots, _ and -.")
    return text


def fits(wanted: str, labels: frozenset[str]) -> bool:
    """Whether a node with such labels may take a job that asks for some."""
    return not wanted or not _unmet(wanted, labels)


def asked(wanted: str) -> str:
    """What was asked for when the job was submitted: without the starts of daemons that turned out to be unfit."""
    return ",".join(each for each in wanted.split(",") if _NOT not in each)


def _unmet(wanted: str, labels: frozenset[str]) -> list[str]:
    """The wishes that such labels do not meet: `gpu=true` is met by having it, `start!=ab12` by not having that."""
    return sorted(each for each in wanted.split(",") if each and (each.replace(_NOT, "=") in labels) == (_NOT in each))


def may_take(wanted: str, is_spot_ok: bool, service: Service, node: NodeRecord) -> bool:
    """Whether a node takes a job that asks for labels, and may or may not be interrupted."""
    return not _why_not(wanted, is_spot_ok, service, node)


def misfit(wanted: str, is_spot_ok: bool, service: Service, nodes: Iterable[NodeRecord]) -> Mapping[str, str]:
    """The nodes that are up and may not take a job, by their names, and why; empty when one of them may."""
    found: dict[str, str] = {}
    for each in nodes:
        if not each.is_up:
            continue
        why = _why_not(wanted, is_spot_ok, service, each)
        if not why:
            return {}
        found[each.facts.name] = why
    return found


def _why_not(wanted: str, is_spot_ok: bool, service: Service, node: NodeRecord) -> str:
    if service is Service.CODE and node.facts.engine == "process":
        return "its process engine runs no code"
    if service not in node.facts.services:
        return f"it does not serve {service}"
    if unmet := _unmet(wanted, node.facts.all_labels):
        if missing := [each for each in unmet if _NOT not in each]:
            return f"it has no {' and no '.join(missing)}"
        return "it was not set up for this job, and has not been started anew since"
    if node.facts.is_spot and not is_spot_ok:
        return SPOT
    return "it drains" if node.state is NodeState.DRAINING else ""


def _said(value: bool) -> str:
    return "true" if value else "false"
