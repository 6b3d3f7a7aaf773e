"""Look at everything at once: the store, the host and whoever runs the jobs. Reads only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path

import psutil

from pitchey_cli.domain.alerts import Rule
from pitchey_cli.domain.budget import AsOf, spent_alive
from pitchey_cli.domain.cost import live_entries
from pitchey_cli.domain.job import Instance, Job, JobState
from pitchey_cli.domain.overview import COUNTS_FOR, HostUse, InstanceUse, Overview, PoolUse, Runner, pools
from pitchey_cli.domain.periods import Period, term_of
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations import alerts, budgets
from pitchey_cli.store.port import JobFilter, Store
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

_SHORTEST_SECONDS = 0.1  # in less the kernel counts too few ticks to tell anything
_LISTED = 200  # jobs of a state: more than anybody scrolls through
_WAITING = (JobState.QUEUED, JobState.SCHEDULED, JobState.HELD)


@dataclass
class HostWatch:
    """Tells how busy the host is: its CPUs since the look before."""

    state_dir: Path
    _busy: tuple[float, float] = field(default_factory=lambda: _cpu_times())

    def look(self) -> HostUse:
        """How it is now."""
        memory = psutil.virtual_memory()
        free, size = self._disk()
        return HostUse(
            cpu=self._cpu(),
            cpus=psutil.cpu_count() or 1,
            memory_used_bytes=memory.total - memory.available,
            memory_bytes=memory.total,
            disk_free_bytes=free,
            disk_bytes=size,
        )

    def _cpu(self) -> float | None:
        # Not psutil.cpu_percent: it remembers the last look for each thread, and the looks come from any.
        if (passed := _cpu_times()[1] - self._busy[1]) < _SHORTEST_SECONDS:  # the first look: there is no before
            time.sleep(_SHORTEST_SECONDS - max(0.0, passed))
        before, self._busy = self._busy, _cpu_times()
        busy, whole = (after - since for after, since in zip(self._busy, before, strict=True))
        return min(1.0, max(0.0, busy / whole)) if whole > 0 else None

    def _disk(self) -> tuple[int | None, int | None]:
        try:
            usage = psutil.disk_usage(str(self.state_dir))
        except OSError:
            return None, None
        return usage.free, usage.total


def _cpu_times() -> tuple[float, float]:
    """CPU seconds that were used, and all that there were, since the boot."""
    times = psutil.cpu_times()._asdict()
    guests = times.get("guest", 0.0) + times.get("guest_nice", 0.0)  # which are part of user and nice
    whole = sum(times.values()) - guests
    return whole - times["idle"] - times.get("iowait", 0.0), whole


@dataclass(frozen=True)
class Looking:
    """What it takes to look, apart from the store."""

    state_dir: Path
    services: Sequence[Service]  #: that there are images of
    rules: Sequence[Rule]
    policy: QueuePolicy
    as_of: Callable[[], AsOf]
    runner: Callable[[], Runner | None]
    others: Callable[[Store], Sequence[str]] = lambda store: ()  #: the nodes that are up on a queue that several share


def look(store: Store, looking: Looking, host: HostUse) -> Overview:
    """All of this moment. Jobs may go on between two of its reads."""
    as_of, runner = looking.as_of(), looking.runner()
    is_daemon_here = runner is not None and runner.is_daemon
    others = () if is_daemon_here else tuple(looking.others(store))
    today = term_of(Period.DAY, as_of.now, as_of.zone).begin
    costs = store.costs(since=as_of.now, until=as_of.now)  # what lives; what is booked has been added up already
    live = live_entries(costs.instances, costs.attempts, boot=as_of.boot, tick=as_of.tick)
    taken = Counter[str]()
    for attempt in costs.attempts:
        taken[attempt.instance.id] += attempt.slots
    is_run = runner is not None or bool(others)
    running = store.running()
    waiting = [job for state in _WAITING for job in store.oldest_jobs(state, limit=_LISTED)]
    return Overview(
        at=as_of.now,
        runner=runner,
        host=host,
        pools=_pools(store, looking.services, costs.instances, running, is_run=is_run, now=as_of.now),
        instances=[
            # What another boot has left is gone; the next daemon books its end.
            InstanceUse(each, taken[each.id], each.tariff.price_at(as_of.now) if each.boot == as_of.boot else 0)
            for each in costs.instances
        ],
        counts=store.counts().by_service,
        jobs=[*running, *waiting],
        dead_letters=store.jobs(JobFilter(states=(JobState.DEAD,), limit=_LISTED)),
        spent_today=store.spent(organisation=None, service=None, since=today) + spent_alive(Scope(), today, live),
        warm=store.warm_requests(now=as_of.now),
        notices=_notices(store, looking, as_of, is_daemon_running=is_daemon_here),
        others=others,
    )


def pools_now(store: Store, services: Sequence[Service], *, is_run: bool, now: datetime) -> list[PoolUse]:
    """How the pools stand.

    Args:
        services: each has a pool, though there may be nothing in it.
        is_run: somebody runs the jobs.
    """
    return _pools(store, services, store.instances(), store.running(), is_run=is_run, now=now)


def _pools(
    store: Store,
    services: Sequence[Service],
    instances: Sequence[Instance],
    running: Sequence[Job],
    *,
    is_run: bool,
    now: datetime,
) -> list[PoolUse]:
    return pools(
        services,
        instances=instances,
        decisions=store.last_decisions(),
        samples=store.pool_samples(since=now - COUNTS_FOR),
        waiting=_waiting(store),
        running=running,
        is_run=is_run,
        now=now,
    )


def _waiting(store: Store) -> dict[PoolKey, int]:
    return {
        pool: sum(flow.queued for flow in store.queue(pool).flows)
        for service in Service
        for pool in store.waiting_pools(service)
    }


def _notices(store: Store, looking: Looking, as_of: AsOf, *, is_daemon_running: bool) -> list[str]:
    held = budgets.held(store, budgets.capped(store, lambda: as_of))
    standings = alerts.look(
        store,
        looking.rules,
        as_of,
        looking.policy,
        state_dir=looking.state_dir,
        is_daemon_running=is_daemon_running,
        dry_run=True,
    )
    found = [budgets.sentence(each, jobs=budgets.waiting(jobs)) for each, jobs in held]
    return found + [alerts.sentence(each) for each in alerts.firing(standings, as_of.now)]
