"""What the daemon does about instances at each tick, in a simulation: ask, start, wake, put to rest, make room."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import count

from pitchey_cli.domain.capacity import NOTHING, CapacityPolicy, Claimant, Holder, Size, Yielding, give_way, times_in
from pitchey_cli.domain.decision import Decision, Headroom, Metrics
from pitchey_cli.domain.hosts import Hosts
from pitchey_cli.domain.ladder import Rest, rest
from pitchey_cli.domain.scaling import decide
from pitchey_cli.domain.simulated_pool import NEVER, SimulatedInstance, SimulatedPool

_HOSTS_ASKED = 8  # at one tick, whether somebody there gives way


class Scaler:
    """The instances of all pools."""

    def __init__(
        self,
        pools: Sequence[SimulatedPool],
        hosts: Hosts,
        policy: CapacityPolicy,
        *,
        tick_seconds: float,
        dice: random.Random,
    ) -> None:
        self.tick_seconds = tick_seconds
        self.peak_instances = 0
        self._pools = pools
        self._hosts = hosts
        self._policy = policy
        self._dice = dice
        self._number = count().__next__
        self._coming: list[tuple[float, int, SimulatedInstance]] = []  #: instances that start or wake, by when they do
        self._on_host: list[dict[SimulatedInstance, None]] = [{} for _ in hosts.rooms]
        self._instances = 0
        self._reserved: Size = NOTHING

    def instances(self) -> Iterator[SimulatedInstance]:
        """All that exist."""
        return (instance for host in self._on_host for instance in host)

    def next_at(self) -> float:
        """When there is something to do again."""
        at = min((pool.next_tick for pool in self._pools), default=NEVER)
        return min(at, self._coming[0][0]) if self._coming else at

    def step(self, now: float) -> None:
        """Do what is due."""
        while self._coming and self._coming[0][0] <= now:
            instance = heappop(self._coming)[2]
            if not instance.is_gone:
                self._become_ready(instance, now)
        for pool in self._pools:
            if pool.next_tick <= now:
                self._tick(pool, now)

    def remove(self, instance: SimulatedInstance, now: float) -> None:
        """An instance goes."""
        pool = instance.pool
        if instance.is_paused:
            del pool.paused[instance]
        elif instance.is_starting:
            pool.starting -= 1
        elif not instance.is_leaving:
            pool.take_out(instance)
            pool.ready -= 1
        instance.is_gone = True
        pool.instances -= 1
        pool.instance_seconds += now - instance.started_at
        self._instances -= 1
        del self._on_host[instance.host][instance]
        self._hosts.give_back(instance.host, pool.index)

    # --- a tick of one pool

    def _tick(self, pool: SimulatedPool, now: float) -> None:
        settings = pool.model.settings
        metrics = Metrics(
            stable_demand=pool.demand.average(settings.window_seconds, now),
            panic_demand=pool.demand.average(settings.panic_seconds, now),
            wait_seconds=pool.average_wait(now),
            cpu=0.0,  # what jobs do to CPU and memory is not modelled: these two rules wish for nothing
            memory=0.0,
        )
        headroom = Headroom(self._headroom(pool), "the host is full")
        decision = decide(pool.view(), metrics, settings, pool.state, now=now, headroom=headroom)
        pool.asked += 1
        pool.changed += decision.wanted != decision.was
        pool.state = decision.state
        self._start_or_wake(pool, decision.wanted, now)
        self._put_to_rest(pool, decision.wanted, now)
        if decision.is_short_of_room:
            pool.short_since = now if pool.short_since is None else pool.short_since
            pool.is_short_of_room = True
            self._make_room(pool, now)
        elif pool.short_since is not None:
            pool.short_since, pool.is_hopeless, self._reserved = None, False, NOTHING
        self._plan_next(pool, decision, metrics, now)

    def _plan_next(self, pool: SimulatedPool, decision: Decision, metrics: Metrics, now: float) -> None:
        """A pool in which nothing happens is asked again when one of its instances has idled long enough."""
        is_settled = not (pool.jobs_in or pool.starting or decision.clamps or metrics.stable_demand)
        if not is_settled or decision.wanted != decision.was or decision.state.panic_until is not None:
            pool.next_tick = now + self.tick_seconds
            return
        at = NEVER
        stop_after, pause_after = pool.dwell.stop_after, pool.dwell.pause_after
        if pool.active > decision.wanted and pool.idle:
            dwells = stop_after if pause_after is None else pause_after
            at = next(iter(pool.idle)).idle_since + dwells
        for instance in pool.paused:
            at = min(at, instance.idle_since + stop_after)
        pool.next_tick = max(at, now + self.tick_seconds)
        pool.is_asleep = True

    def _start_or_wake(self, pool: SimulatedPool, wanted: int, now: float) -> None:
        while pool.active < wanted and pool.paused:
            instance = pool.paused.popitem()[0]
            instance.is_paused, instance.is_starting = False, True
            pool.starting += 1
            pool.unpauses += 1
            heappush(self._coming, (now + pool.model.unpause_seconds, self._number(), instance))
        while pool.active < wanted:
            host = self._hosts.take(pool.index)
            if host is None:
                return
            instance = SimulatedInstance(pool, host, now)
            self._on_host[host][instance] = None
            pool.starting += 1
            pool.cold_starts += 1
            pool.instances += 1
            pool.peak_instances = max(pool.peak_instances, pool.instances)
            self._instances += 1
            self.peak_instances = max(self.peak_instances, self._instances)
            heappush(self._coming, (now + self._start_up(pool), self._number(), instance))

    def _start_up(self, pool: SimulatedPool) -> float:
        mean, deviation = pool.model.start_seconds, pool.model.start_deviation
        if not mean or not deviation:
            return mean
        variance = math.log1p(deviation**2)
        return self._dice.lognormvariate(math.log(mean) - variance / 2, math.sqrt(variance))

    def _become_ready(self, instance: SimulatedInstance, now: float) -> None:
        pool = instance.pool
        instance.is_starting = False
        instance.idle_since = now
        pool.starting -= 1
        pool.ready += 1
        pool.put(instance)

    def _put_to_rest(self, pool: SimulatedPool, wanted: int, now: float) -> None:
        surplus = pool.active - wanted
        resting: list[tuple[SimulatedInstance, Rest]] = []
        for instance in pool.idle:
            step, _ = rest(now - instance.idle_since, is_paused=False, is_kept=surplus <= 0, dwell=pool.dwell)
            if step is Rest.STAY:
                break  # nobody behind it has idled longer
            resting.append((instance, step))
            surplus -= 1
        for instance in pool.paused:
            step, _ = rest(now - instance.idle_since, is_paused=True, is_kept=False, dwell=pool.dwell)
            if step is Rest.STOP:
                resting.append((instance, step))
        for instance, step in resting:
            if step is Rest.STOP:
                self.remove(instance, now)
            else:
                pool.take_out(instance)
                pool.ready -= 1
                instance.is_paused = True
                pool.paused[instance] = None

    # --- room

    def _headroom(self, pool: SimulatedPool) -> int:
        """How many more may be started; what those wait for who came first is not for others."""
        if pool.short_since is None:
            if self._reserved == NOTHING:
                return self._hosts.fits[pool.index]
            reserved = self._reserved
        else:
            reserved = NOTHING
            for each in self._pools:
                if _is_before(each, pool) and not each.active and not each.is_hopeless:
                    reserved += each.model.size
        if len(self._hosts.rooms) == 1:
            return times_in(self._hosts.rooms[0] - reserved, pool.model.size)
        # On many hosts one instance less is enough: what is kept free is somewhere, and not everywhere.
        return max(0, self._hosts.fits[pool.index] - (reserved != NOTHING))

    def _make_room(self, pool: SimulatedPool, now: float) -> None:
        claimants = [
            Claimant(str(each.key), each.model.size, now - each.short_since, bool(each.active), each.key.organisation)
            for each in self._pools
            if each.short_since is not None
        ]
        yielding = Yielding()
        for _ in range(min(_HOSTS_ASKED, len(self._hosts.rooms))):
            host = pool.asked_host
            holders = {str(number): instance for number, instance in enumerate(self._on_host[host])}
            described = [self._holder(name, instance, now) for name, instance in holders.items()]
            yielding = give_way(self._hosts.rooms[host], described, claimants, self._policy)
            for giving in yielding.giving_way:
                self._dismiss(holders[giving.instance_id], now)
            if yielding.reserved != NOTHING:
                break
            pool.asked_host = (host + 1) % len(self._hosts.rooms)
        self._reserved = yielding.reserved
        pool.is_hopeless = str(pool.key) in yielding.hopeless

    def _holder(self, name: str, instance: SimulatedInstance, now: float) -> Holder:
        pool = instance.pool
        attempts = 0 if instance.is_starting else pool.model.slots - instance.free
        is_busy = instance.is_starting or attempts > 0
        return Holder(
            instance_id=name,
            pool=str(pool.key),
            size=pool.model.size,
            idle_seconds=None if is_busy else now - instance.idle_since,
            held_seconds=now - instance.started_at,
            attempts=attempts,
            is_paused=instance.is_paused,
            is_leaving=instance.is_leaving,
            is_kept=not is_busy and not instance.is_paused and pool.active <= pool.model.settings.min_instances,
            has_waiting=bool(pool.waiting),
            organisation=pool.key.organisation,
        )

    def _dismiss(self, instance: SimulatedInstance, now: float) -> None:
        """One that gives way goes at once, or when its attempts have ended."""
        pool = instance.pool
        if instance.is_starting or instance.free == pool.model.slots:
            self.remove(instance, now)
            return
        pool.take_out(instance)
        pool.ready -= 1
        instance.is_leaving = True
        if pool.short_since is not None and not pool.active:
            pool.short_since = now  # it has had its turn, and waits anew


def _is_before(each: SimulatedPool, pool: SimulatedPool) -> bool:
    if each.short_since is None or pool.short_since is None or each is pool:
        return False
    return (bool(each.active), each.short_since, str(each.key)) < (bool(pool.active), pool.short_since, str(pool.key))
