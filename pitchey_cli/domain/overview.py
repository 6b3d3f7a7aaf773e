"""Everything that `pitchey top` shows of one moment, and how the pools are put together. Pure.

What reads it out of a store: operations/overview.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from pitchey_cli.domain.decision import Rule
from pitchey_cli.domain.job import Instance, InstanceState, Job, JobState
from pitchey_cli.domain.observation import LastDecision, PoolSample, WarmRequest
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

COUNTS_FOR = timedelta(minutes=1)  #: an older sample or decision says nothing of now: a pool at rest has none
_ACTIVE = (InstanceState.STARTING, InstanceState.READY, InstanceState.PAUSED)


@dataclass(frozen=True)
class Runner:
    """Who runs the jobs."""

    pid: int
    is_daemon: bool  #: else a `pitchey run` that does the work itself
    engine: str
    since: datetime


@dataclass(frozen=True)
class HostUse:
    """How much of the host is in use, by whomever."""

    cpu: float | None = None  #: a share; None before there are two looks to compare
    cpus: int = 1
    memory_used_bytes: int = 0
    memory_bytes: int = 0
    disk_free_bytes: int | None = None  #: where the state directory is
    disk_bytes: int | None = None


@dataclass(frozen=True)
class PoolUse:
    """How a pool stands."""

    pool: PoolKey
    wanted: int | None  #: None: nobody is there to want any
    ready: int
    starting: int
    paused: int
    waiting: int
    running: int
    rule: str  #: that won the last decision; empty where there is none that counts
    cpu: float | None  #: shares of what its instances were granted
    memory: float | None

    @property
    def service(self) -> Service:
        """Of the pool."""
        return self.pool.service


@dataclass(frozen=True)
class InstanceUse:
    """An instance, and how many of its slots are taken."""

    instance: Instance
    slots_taken: int
    nanodollars_per_hour: int


@dataclass(frozen=True)
class Overview:
    """One moment."""

    at: datetime
    runner: Runner | None
    host: HostUse
    pools: Sequence[PoolUse] = ()
    instances: Sequence[InstanceUse] = ()
    counts: Mapping[Service, Mapping[JobState, int]] = field(default_factory=dict)
    jobs: Sequence[Job] = ()  #: those that run, then those that wait, the oldest first
    dead_letters: Sequence[Job] = ()  #: the newest first
    spent_today: int = 0  #: nanodollars, since midnight where this is run
    warm: Sequence[WarmRequest] = ()
    notices: Sequence[str] = ()  #: budgets that hold jobs, alerts that fire
    others: Sequence[str] = ()  #: the nodes that are up, where no daemon runs here and others share the queue

    @property
    def nanodollars_per_hour(self) -> int:
        """What all that lives costs now."""
        return sum(each.nanodollars_per_hour for each in self.instances)

    def count(self, *states: JobState) -> int:
        """How many jobs there are in some states, those that are not listed included."""
        return sum(of_service.get(state, 0) for of_service in self.counts.values() for state in states)


def pools(
    services: Iterable[Service],
    *,
    instances: Sequence[Instance],
    decisions: Sequence[LastDecision],
    samples: Sequence[PoolSample],
    waiting: Mapping[PoolKey, int],
    running: Iterable[Job],
    is_run: bool,
    now: datetime,
) -> list[PoolUse]:
    """Put together how the pools stand: what there is counted now, what was decided as it was decided last.

    Args:
        services: each has a pool, though there may be nothing in it.
        is_run: somebody runs the jobs; else what was wanted is wanted no more.
    """
    # Of each pool that of every node: their parts add up.
    decided: defaultdict[PoolKey, list[LastDecision]] = defaultdict(list)
    for decision in decisions:
        if now - decision.at < COUNTS_FOR:
            decided[decision.pool].append(decision)
    sampled: defaultdict[PoolKey, dict[str, PoolSample]] = defaultdict(dict)
    for sample in samples:
        if now - sample.at < COUNTS_FOR:
            sampled[sample.pool][sample.node] = sample
    states = Counter((each.pool, each.state) for each in instances)
    attempts = Counter(each.pool for each in running)
    keys = {PoolKey.of(service) for service in services} | attempts.keys() | waiting.keys()
    keys |= {each.pool for each in instances if each.state in _ACTIVE}
    order = list(Service)
    found: list[PoolUse] = []
    for key in sorted(keys, key=lambda each: (order.index(each.service), *each[1:])):
        of_nodes, parts = decided[key], list(sampled[key].values())
        found.append(
            PoolUse(
                key,
                wanted=sum(each.explanation.get("wanted", 0) for each in of_nodes) if is_run else None,
                ready=states[key, InstanceState.READY],
                starting=states[key, InstanceState.STARTING],
                paused=states[key, InstanceState.PAUSED],
                waiting=waiting.get(key, 0),
                running=attempts[key],
                rule=_rule(of_nodes) if is_run else "",
                cpu=_average((each.ready, each.cpu) for each in parts),
                memory=_average((each.ready, each.memory) for each in parts),
            )
        )
    return found


def _rule(decisions: Sequence[LastDecision]) -> str:
    """The one that won in the newest decision."""
    newest = max(decisions, key=lambda each: each.at, default=None)
    rule = str(newest.explanation.get("rule", "")) if newest else ""
    return "" if rule == Rule.NOTHING else rule


def _average(parts: Iterable[tuple[int, float | None]]) -> float | None:
    """Of what instances use, each part counted for its instances; None where nobody knows."""
    known = [(max(1, instances), used) for instances, used in parts if used is not None]
    total = sum(instances for instances, _ in known)
    return sum(instances * used for instances, used in known) / total if total else None
