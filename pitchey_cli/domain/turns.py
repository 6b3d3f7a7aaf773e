"""Whose turn it is. Pure: what waits, who was served before, the policy and the time go in; an order comes out.

Jobs wait in flows. A flow is a line of jobs that differ in nothing that could make one of them go first: service, size,
organisation, batch, priority, key, whether they wait for off-peak hours, whether they may run on a spot node, which
labels their node must have. Within a flow the oldest goes first. Among flows:

1. The highest level goes first. The level of a flow is its priority, and one more for every `ageing_seconds` in which
   it was not served. So a flow that is passed over rises until it is on top, gets its turn, and falls back: nobody
   starves, and a low priority costs at most `ageing_seconds` for each step up.
2. On one level the organisation goes first that was served least for its weight. This is start-time fair queueing
   (P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queueing", SIGCOMM 1996): every slot that is given away counts as
   slots / weight of service. Who was away cannot save up turns: more than `_MOST_CREDIT` of them are forgotten.
3. Within an organisation the flow goes first that was served longest ago: batches take turns.

A flow is passed over while its key or its organisation is at its limits, outside of the off-peak hours that it waits
for, while a budget that covers it is used up, on a node that may be taken away, unless its jobs do not mind, and on a
node that has not the labels that they ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pitchey_cli.domain.nodes import fits
from pitchey_cli.domain.off_peak import ANY_TIME, OffPeak
from pitchey_cli.domain.scope import Scope
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

_MOST_CREDIT = 8.0  # turns of service that an organisation that was away may catch up on


@dataclass(frozen=True)
class Flow:
    """A line of waiting jobs."""

    id: int
    organisation: str
    batch: str  #: empty for jobs of no batch
    priority: int
    key: str  #: empty for jobs without one
    is_off_peak: bool
    is_spot_ok: bool
    queued: int  #: jobs in line
    first_due_at: datetime  #: of the first in line
    queued_since: datetime  #: since when somebody has been in it without a break
    last_served_at: datetime | None = None
    on_node: str = ""  #: labels that their node must have; empty: any

    @property
    def owed_since(self) -> datetime:
        """Since when it has been kept waiting for a turn."""
        return self.queued_since if self.last_served_at is None else max(self.queued_since, self.last_served_at)

    @property
    def waits_since(self) -> datetime:
        """Since when at least somebody in it waits: whoever is first may have been due later than those behind."""
        return min(self.first_due_at, self.owed_since)


class Wishes(NamedTuple):
    """What jobs ask of their node."""

    on_node: str
    is_spot_ok: bool


def wishes_of(flow: Flow) -> Wishes:
    """What the jobs of a line ask of their node."""
    return Wishes(flow.on_node, flow.is_spot_ok)


@dataclass(frozen=True)
class Waiting:
    """What has to be known of a job to give it a place."""

    seq: int
    slots: int
    kind: str
    organisation: str
    crashes: int


@dataclass(frozen=True)
class KeyLimit:
    """What jobs of one key may do at most."""

    concurrency: int = 1  #: at once
    per_minute: float | None = None  #: starts, evenly spaced


@dataclass(frozen=True)
class KeyUse:
    """What jobs of one key do now."""

    running: int = 0
    next_start_at: datetime | None = None  #: by the rate limit


@dataclass(frozen=True)
class QueuePolicy:
    """What the operator has set."""

    ageing_seconds: float = 600.0
    weights: Mapping[str, float] = field(default_factory=dict)  #: of organisations; 1 where nothing is said
    keys: Mapping[str, KeyLimit] = field(default_factory=dict)
    other_keys: KeyLimit = KeyLimit()  #: for keys of which nothing is said
    off_peak: OffPeak = ANY_TIME
    is_spot: bool = False  #: this node may be taken away
    labels: frozenset[str] | None = None  #: of this node; None: nobody asks for any
    capped: frozenset[Scope] = frozenset()  #: whose budget is used up

    def is_capped(self, organisation: str, service: Service | None) -> bool:
        """Whether a budget holds the jobs of an organisation and a service."""
        return any(scope.covers(organisation, service) for scope in self.capped)

    def serves(self, on_node: str) -> bool:
        """Whether this node has the labels that jobs ask for."""
        return self.labels is None or fits(on_node, self.labels)

    def limit_of(self, key: str) -> KeyLimit:
        """The limit of a key."""
        return self.keys.get(key, self.other_keys)


@dataclass(frozen=True)
class Queue:
    """What waits for one pool, and what counts in whose turn it is."""

    flows: tuple[Flow, ...] = ()
    served: Mapping[str, float] = field(default_factory=dict)  #: organisation -> service it has had, for its weight
    keys: Mapping[str, KeyUse] = field(default_factory=dict)
    service: Service | None = None  #: of the pool
    room: Mapping[str, int] = field(default_factory=dict)  #: organisation -> jobs it may start, where that is bounded


class Turns:
    """Gives turns, one after the other. Remembers what it has given, so that it can be asked for many at once."""

    def __init__(self, queue: Queue, policy: QueuePolicy, *, now: datetime) -> None:
        """Start from what the database says."""
        self._policy = policy
        self._now = now
        self._is_off_peak = policy.off_peak.contains(now)
        self.flows = [each for each in queue.flows if not policy.is_capped(each.organisation, queue.service)]
        if self._is_off_peak and policy.off_peak.hours and any(each.is_off_peak for each in self.flows):
            began = policy.off_peak.began(now)
            self.flows = [_owed_from(began, each) if each.is_off_peak else each for each in self.flows]
        self._lines = {flow.id: _Line(flow, flow.queued, _level(flow, policy, now)) for flow in self.flows}
        self._keys = {key: _KeyTurns(use.running, use.next_start_at) for key, use in queue.keys.items()}
        floor = max(queue.served.values(), default=0.0) - _MOST_CREDIT
        self.served = {
            organisation: max(queue.served.get(organisation, 0.0), floor)
            for organisation in {flow.organisation for flow in queue.flows}
        }  #: organisation -> service, with the turns given here
        self._left = dict(queue.room)  # organisation -> jobs that it may still start
        self._turn = 0

    def next(self) -> Flow | None:
        """Whose turn it is; None when nobody may go now."""
        open_lines = [line for line in self._lines.values() if line.left and self._may_go(line.flow)]
        if not open_lines:
            return None
        top = max(line.level for line in open_lines)
        return min((line for line in open_lines if line.level == top), key=self._order).flow

    def serve(self, flow: Flow, slots: int) -> None:
        """Note that a job of a flow has been given a place."""
        line = self._lines[flow.id]
        line.left -= 1
        line.level = flow.priority  # served just now: it has not waited
        self._turn += 1
        line.last_turn = self._turn
        if flow.organisation in self._left:
            self._left[flow.organisation] -= 1
        self.served[flow.organisation] += slots / self._policy.weights.get(flow.organisation, 1.0)
        if flow.key:
            self._key(flow.key).start(self._policy.limit_of(flow.key), self._now)

    def pass_over(self, flow: Flow) -> None:
        """Note that nobody of a flow can be given a place now."""
        self._lines[flow.id].left = 0

    def rates(self) -> dict[str, datetime]:
        """When each key with a rate limit may start again."""
        return {key: turns.next_start_at for key, turns in self._keys.items() if turns.next_start_at is not None}

    def wait_seconds(self) -> float | None:
        """How long those have waited whose turn is next, each counted for all in its line; None if nobody may go."""
        lines = [line for line in self._lines.values() if line.left and self._may_go(line.flow)]
        jobs = sum(line.left for line in lines)
        waited = sum(line.left * (self._now - line.flow.waits_since).total_seconds() for line in lines)
        return waited / jobs if jobs else None

    @property
    def wishes(self) -> set[Wishes]:
        """What those who wait ask of their nodes."""
        return {wishes_of(flow) for flow in self.flows}

    def demand(self, wishes: Wishes | None = None) -> int:
        """How many jobs could run now, if there were room; of all, or of those that ask the same of their node."""
        by_key: dict[tuple[str, str], int] = {}
        free: dict[str, int] = {}
        for line in self._lines.values():
            flow = line.flow
            if not self._may_go(flow) or wishes not in (None, wishes_of(flow)):
                continue
            if flow.key:
                by_key[flow.organisation, flow.key] = by_key.get((flow.organisation, flow.key), 0) + line.left
            else:
                free[flow.organisation] = free.get(flow.organisation, 0) + line.left
        rooms = {key: self._room(key) for _, key in by_key}
        for (organisation, key), left in by_key.items():  # those of one key share its room, whosever they are
            taken = min(left, rooms[key])
            rooms[key] -= taken
            free[organisation] = free.get(organisation, 0) + taken
        return sum(min(jobs, self._left.get(organisation, jobs)) for organisation, jobs in free.items())

    def free_in(self, flow: Flow) -> int:
        """How many of one line could run now, if there were room and nobody in the others."""
        line = self._lines.get(flow.id)
        if line is None or not self._may_go(flow):
            return 0
        bounds = [self._room(flow.key)] if flow.key else []
        return min([line.left, *bounds, self._left.get(flow.organisation, line.left)])

    def oldest(self) -> datetime | None:
        """Since when the first of those waits who could run now, if there were room."""
        return min((line.flow.waits_since for line in self._lines.values() if self._may_go(line.flow)), default=None)

    def _order(self, line: _Line) -> tuple[float, int, float, int]:
        served_at = line.flow.last_served_at
        before = 0.0 if served_at is None else served_at.timestamp()
        return self.served[line.flow.organisation], line.last_turn, before, line.flow.id

    def _may_go(self, flow: Flow) -> bool:
        if flow.is_off_peak and not self._is_off_peak:
            return False
        if self._policy.is_spot and not flow.is_spot_ok:
            return False
        if not self._policy.serves(flow.on_node):
            return False
        if self._left.get(flow.organisation, 1) <= 0:
            return False
        return not flow.key or self._room(flow.key) > 0

    def _room(self, key: str) -> int:
        turns = self._key(key)
        limit = self._policy.limit_of(key)
        if turns.next_start_at is not None and turns.next_start_at > self._now:
            return 0
        room = max(0, limit.concurrency - turns.running)
        return room if limit.per_minute is None else min(room, 1)

    def _key(self, key: str) -> _KeyTurns:
        return self._keys.setdefault(key, _KeyTurns(0, None))


@dataclass
class _Line:
    flow: Flow
    left: int
    level: int
    last_turn: int = 0


@dataclass
class _KeyTurns:
    running: int
    next_start_at: datetime | None

    def start(self, limit: KeyLimit, now: datetime) -> None:
        self.running += 1
        if limit.per_minute is not None:
            self.next_start_at = now + timedelta(seconds=60 / limit.per_minute)


def _owed_from(began: datetime, flow: Flow) -> Flow:
    """Who waits for off-peak hours is owed a turn since they have begun: before, nobody kept it waiting."""
    return replace(flow, first_due_at=max(flow.first_due_at, began), queued_since=max(flow.queued_since, began))


def _level(flow: Flow, policy: QueuePolicy, now: datetime) -> int:
    return flow.priority + int(max(0.0, (now - flow.owed_since).total_seconds()) // policy.ageing_seconds)
