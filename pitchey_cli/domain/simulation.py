"""Pools under a load that does not exist: discrete events over the very functions that the daemon decides with.

Jobs come and end at their own times; decisions are asked once a tick, as the daemon does, and at once when a job comes
and nobody is there. `scaling.decide`, `demand.Demand`, `ladder.dwell` and `rest`, `capacity.give_way` are called and
not imitated. docs/architecture/07-simulation.md says what is left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from heapq import heappop, heappush, heapreplace
from itertools import count

from pitchey_cli.domain.capacity import CapacityPolicy, Size
from pitchey_cli.domain.hosts import Hosts
from pitchey_cli.domain.loads import Load
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.domain.simulated_pool import NEVER, PoolModel, SimulatedInstance, SimulatedPool
from pitchey_cli.domain.simulated_scaling import Scaler
from pitchey_cli.domain.waits import Waits, WaitSummary
from pitchey_cli.values import dataclass

_PROGRESS_STEPS = 200
_FOLD_AT = 50_000  # waits that are written down before they are counted


@dataclass(frozen=True)
class Scenario:
    """Everything but the load."""

    pools: Mapping[PoolKey, PoolModel]
    host: Size  #: what the instances of one host may be promised together
    hosts: int = 1
    policy: CapacityPolicy = field(default_factory=CapacityPolicy)
    tick_seconds: float = 1.0
    warm_up_seconds: float = 0.0  #: at the beginning, that are simulated and not counted


@dataclass(frozen=True)
class PoolResult:
    """What became of one pool, or of all of them."""

    name: str
    jobs: int  #: that were started
    waits: WaitSummary
    still_waiting: int  #: at the end
    instance_hours: float
    busy_share: float  #: of the slots of all instances while they were there
    cost_nanodollars: int
    cold_starts: int  #: instances that were started
    unpauses: int
    peak_instances: int
    mean_running: float
    peak_running: int
    decisions: int  #: that changed something
    asked: int
    room: int = 0  #: instances that all hosts together can hold, if there are no others
    is_short_of_room: bool = False  #: jobs waited for instances that no host had room for


@dataclass(frozen=True)
class Result:
    """What became of all pools."""

    seconds: float  #: that were counted
    pools: tuple[PoolResult, ...]
    total: PoolResult


def run(scenario: Scenario, load: Load, *, seed: int, on_progress: Callable[[float], None] | None = None) -> Result:
    """Let a load pass. The same seed gives the same result.

    Args:
        on_progress: is told now and then which share of the time has passed.
    """
    return _Simulation(scenario, load, seed, on_progress or (lambda share: None)).run()


class _Simulation:
    def __init__(self, scenario: Scenario, load: Load, seed: int, on_progress: Callable[[float], None]) -> None:
        self._load = load
        self._seed = seed
        self._on_progress = on_progress
        self._end = load.seconds
        self._warm_up = min(scenario.warm_up_seconds, load.seconds)
        self._pools = [SimulatedPool(index, key, scenario.pools[key]) for index, key in enumerate(load.pools)]
        hosts = Hosts(scenario.hosts, scenario.host, [pool.model.size for pool in self._pools])
        self._rooms = tuple(hosts.fits)
        #: attempts by their end; the number keeps those of the same time apart
        self._departures: list[tuple[float, int, SimulatedInstance]] = []
        self._number = count().__next__
        dice = random.Random(seed)
        self._scaler = Scaler(self._pools, hosts, scenario.policy, tick_seconds=scenario.tick_seconds, dice=dice)
        self._mark_at = self._warm_up if self._warm_up else NEVER
        self._report_at = 0.0

    def run(self) -> Result:
        pools, departures, number, scaler = self._pools, self._departures, self._number, self._scaler
        tick = scaler.tick_seconds
        other_at = self._others(0.0)
        for at, index, seconds in self._arrivals():
            # What lies before it: ends of attempts, and everything else.
            while True:
                if departures and (now := departures[0][0]) <= at and now <= other_at:
                    instance = departures[0][2]
                    pool = instance.pool
                    pool.jobs_in -= 1
                    pool.demand.note(pool.jobs_in, now)
                    if pool.waiting and not instance.is_leaving:
                        first = pool.first
                        pool.first = first + 1
                        pool.waiting -= 1
                        came, its_seconds = pool.came[first], pool.takes[first]
                        pool.waiting_sum -= came
                        pool.busy_seconds += its_seconds
                        fresh = pool.fresh_waits
                        fresh.append(now - came)
                        heapreplace(departures, (now + its_seconds, number(), instance))
                        if len(fresh) > _FOLD_AT:
                            pool.fold_waits()
                            pool.trim()
                        continue
                    heappop(departures)
                    pool.running -= 1
                    free = instance.free
                    instance.free = free + 1
                    if instance.is_leaving:
                        if instance.free == pool.model.slots:
                            scaler.remove(instance, now)
                        continue
                    if free:
                        bucket = pool.by_free[free]
                        del bucket[instance]
                        if not bucket:
                            pool.mask &= ~(1 << free)
                    free += 1
                    pool.by_free[free][instance] = None
                    pool.mask |= 1 << free
                    instance.idle_since = now
                elif other_at <= at:
                    other_at = self._others(other_at)
                else:
                    break
            if index < 0:
                break
            pool = pools[index]
            pool.jobs_in += 1
            pool.demand.note(pool.jobs_in, at)
            mask = pool.mask
            if mask:
                free = mask.bit_length() - 1
                bucket = pool.by_free[free]
                instance = bucket.popitem()[0]
                if not bucket:
                    pool.mask = mask & ~(1 << free)
                free -= 1
                instance.free = free
                if free:
                    pool.by_free[free][instance] = None
                    pool.mask |= 1 << free
                pool.running += 1
                if pool.running > pool.peak_running:
                    pool.peak_running = pool.running
                pool.busy_seconds += seconds
                pool.unwaited += 1
                heappush(departures, (at + seconds, number(), instance))
                if pool.is_asleep:
                    pool.is_asleep = False
                    pool.next_tick = at + tick
                    other_at = min(other_at, pool.next_tick)
            else:
                pool.came.append(at)
                pool.takes.append(seconds)
                pool.waiting += 1
                pool.waiting_sum += at
                if pool.is_asleep or (not pool.ready and not pool.starting and pool.short_since is None):
                    pool.is_asleep = False
                    pool.next_tick = at
                    other_at = at
        return self._result()

    def _arrivals(self) -> Iterator[tuple[float, int, float]]:
        """The jobs, and the end, which is nobody's."""
        end = self._end
        for block in self._load.blocks(self._seed):
            yield from zip(block.at.tolist(), block.pool.tolist(), block.seconds.tolist(), strict=True)
        yield end, -1, 0.0

    def _others(self, now: float) -> float:
        """Do what is due and is no job; say when there is something again."""
        if now >= self._mark_at:
            self._mark_at = NEVER
            self._restart_counting(now)
        if now >= self._report_at:
            self._on_progress(now / self._end if self._end else 1.0)
            self._report_at += self._end / _PROGRESS_STEPS or NEVER
        self._scaler.step(now)
        for pool in self._pools:
            while pool.waiting and pool.mask:
                self._start_first(pool, now)
            if len(pool.fresh_waits) > _FOLD_AT:
                pool.fold_waits()
            pool.trim()
        return min(self._scaler.next_at(), self._mark_at, self._report_at)

    def _start_first(self, pool: SimulatedPool, now: float) -> None:
        """Start the job that has waited longest, on the least loaded instance."""
        came, seconds = pool.came[pool.first], pool.takes[pool.first]
        pool.first += 1
        pool.waiting -= 1
        pool.waiting_sum -= came
        pool.fresh_waits.append(now - came)
        pool.busy_seconds += seconds
        instance = next(reversed(pool.by_free[pool.mask.bit_length() - 1]))
        pool.take_out(instance)
        instance.free -= 1
        pool.put(instance)
        pool.running += 1
        pool.peak_running = max(pool.peak_running, pool.running)
        heappush(self._departures, (now + seconds, self._number(), instance))

    def _restart_counting(self, now: float) -> None:
        for pool in self._pools:
            pool.restart_counting()
        for ends_at, _, instance in self._departures:
            instance.pool.busy_seconds += ends_at - now
        for instance in self._scaler.instances():
            instance.started_at = now

    def _result(self) -> Result:
        end = self._end
        for pool in self._pools:
            pool.fold_waits()
            pool.waits.none = pool.unwaited
        for ends_at, _, instance in self._departures:
            instance.pool.busy_seconds -= ends_at - end
        for instance in self._scaler.instances():
            instance.pool.instance_seconds += end - instance.started_at
        counted = end - self._warm_up
        found = [self._result_of(pool, counted) for pool in self._pools]
        return Result(counted, tuple(found), self._total(found))

    def _result_of(self, pool: SimulatedPool, counted: float) -> PoolResult:
        hours = pool.instance_seconds / 3600
        slot_seconds = pool.instance_seconds * pool.model.slots
        return PoolResult(
            name=str(pool.key),
            jobs=pool.waits.jobs,
            waits=pool.waits.summary(),
            still_waiting=pool.waiting,
            instance_hours=hours,
            busy_share=pool.busy_seconds / slot_seconds if slot_seconds else 0.0,
            cost_nanodollars=round(hours * pool.model.price_per_hour * NANODOLLARS),
            cold_starts=pool.cold_starts,
            unpauses=pool.unpauses,
            peak_instances=pool.peak_instances,
            mean_running=pool.busy_seconds / counted if counted else 0.0,
            peak_running=pool.peak_running,
            decisions=pool.changed,
            asked=pool.asked,
            room=self._rooms[pool.index],
            is_short_of_room=pool.is_short_of_room,
        )

    def _total(self, found: list[PoolResult]) -> PoolResult:
        waits = Waits()
        for pool in self._pools:
            waits.merge(pool.waits)
        slot_seconds = sum(pool.instance_seconds * pool.model.slots for pool in self._pools)
        busy_seconds = sum(pool.busy_seconds for pool in self._pools)
        return PoolResult(
            name="all",
            jobs=waits.jobs,
            waits=waits.summary(),
            still_waiting=sum(each.still_waiting for each in found),
            instance_hours=sum(each.instance_hours for each in found),
            busy_share=busy_seconds / slot_seconds if slot_seconds else 0.0,
            cost_nanodollars=sum(each.cost_nanodollars for each in found),
            cold_starts=sum(each.cold_starts for each in found),
            unpauses=sum(each.unpauses for each in found),
            peak_instances=self._scaler.peak_instances,
            mean_running=sum(each.mean_running for each in found),
            peak_running=sum(each.peak_running for each in found),
            decisions=sum(each.decisions for each in found),
            asked=sum(each.asked for each in found),
            is_short_of_room=any(each.is_short_of_room for each in found),
        )
