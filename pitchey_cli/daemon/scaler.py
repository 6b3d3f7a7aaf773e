"""How many instances each pool has: asks domain/scaling and domain/capacity at every tick, and has the pools do it.

Keeps what the decisions need from one tick to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from statistics import median

from pitchey_cli.daemon.forecasting import Forecasting
from pitchey_cli.daemon.host import HostProbe
from pitchey_cli.daemon.instance import PooledInstance, tariff_of
from pitchey_cli.daemon.node import Node
from pitchey_cli.daemon.observer import Observer
from pitchey_cli.daemon.pool import Pool
from pitchey_cli.domain.capacity import (
    NOTHING,
    Claimant,
    Holder,
    Size,
    budget,
    give_way,
    pressure,
    starts_in,
    total,
)
from pitchey_cli.domain.decision import Decision, Headroom, Metrics, PoolSettings, PoolView, ScalerState, Wish
from pitchey_cli.domain.demand import Demand
from pitchey_cli.domain.held import Line
from pitchey_cli.domain.ladder import LadderSettings, Measured, Rest, dwell, hurried
from pitchey_cli.domain.nodes import Room
from pitchey_cli.domain.observation import Change, Measure, WarmRequest
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.domain.scaling import decide
from pitchey_cli.domain.sharing import portion
from pitchey_cli.domain.warmth import floors
from pitchey_cli.store.nodes import Elsewhere
from pitchey_cli.values import dataclass

_REMEMBERED = 20  # measurements of a kind that the ladder takes its median from


@dataclass(frozen=True)
class Waiting:
    """The jobs that wait for a pool."""

    jobs: int = 0  #: that could run now, if there were room
    wait_seconds: float | None = None  #: how long those whose turn is next have waited, on average
    lines: Mapping[Line, bool] = field(default_factory=dict)  #: of them, and whether one is held


@dataclass(frozen=True)
class Others:
    """What the other nodes mean for the pools of this one."""

    mine: str = ""  #: the id of this one
    weights: Mapping[str, float] = field(default_factory=dict)  #: room of each node, this one's too; empty: it is alone
    elsewhere: Mapping[PoolKey, Elsewhere] = field(default_factory=dict)
    is_draining: bool = False  #: this node keeps nothing ready

    def instances(self, key: PoolKey) -> int:
        """How many instances of a pool the others have."""
        found = self.elsewhere.get(key)
        return 0 if found is None else found.instances


ALONE = Others()


@dataclass(slots=True)
class _Book:
    """What is remembered of a pool."""

    demand: Demand
    known_at: float = 0.0  #: when the use of those that work was known last; monotonic
    state: ScalerState = field(default_factory=ScalerState)
    short_since: float | None = None  #: since when the host had no room for it; monotonic
    is_promised: bool = False  #: another organisation gives way, although the pool has instances
    took: dict[Measure, list[float]] = field(default_factory=dict)  #: the last seconds of each kind


@dataclass(frozen=True)
class _Looked:
    """What was found of a pool at this tick."""

    view: PoolView
    metrics: Metrics
    floors: tuple[Wish, ...]


class Scaler:
    """Scales the pools of one node."""

    def __init__(self, node: Node, forecasting: Forecasting) -> None:
        self._node = node
        self._forecasting = forecasting
        self._books: dict[PoolKey, _Book] = {}
        self._probe = HostProbe(node.config.state_dir, node.host.cpus)
        self._budget = budget(Size(node.host.cpus, node.host.memory_bytes), node.config.capacity)
        self._observer = Observer(node)
        self._left = self._budget  # of the host, after the last step
        self._others = ALONE

    def room(self) -> Room:
        """What the host has for instances, and what of it is free."""
        whole, left = self._budget, self._left
        return Room(whole.cpus, whole.memory_bytes, max(0.0, left.cpus), max(0, left.memory_bytes))

    async def step(
        self,
        pools: Mapping[PoolKey, Pool],
        waiting: Mapping[PoolKey, Waiting],
        warm: Sequence[WarmRequest],
        used_up: Collection[PoolKey] = (),
        others: Others = ALONE,
    ) -> None:
        """Decide about every pool, and have it done.

        Args:
            used_up: pools of which the whole budget is: nothing is started for them.
            others: the nodes that share the pools.
        """
        self._others = others
        now = self._node.clock.monotonic()
        looked = {key: self._look(key, pool, waiting.get(key, Waiting()), warm, now) for key, pool in pools.items()}
        holders = self._holders(pools, looked)
        free = self._free(pools, holders)
        pressed = pressure(self._probe.look(now), self._node.config.capacity)
        claimants: list[Claimant] = []
        firsts = {key: pools[key].size for key in looked.keys() - used_up if self._wants_first(pools[key], looked[key])}
        kept_for_firsts = total(firsts.values())
        for key in sorted(looked, key=lambda each: (each not in firsts, *self._since_when_short(each))):
            pool, book, found = pools[key], self._books[key], looked[key]
            kept_for_firsts -= firsts.get(key, NOTHING)
            headroom = Headroom(
                starts_in(free, pool.size, kept_for_firsts=kept_for_firsts),
                self._no_room(pool, free),
                pressed.why,
                pressed.is_critical,
                used_up=f"the budget of {key._replace(size='')} is used up" if key in used_up else "",
                no_start_for_seconds=pool.no_start_for_seconds,
            )
            decision = decide(
                found.view,
                found.metrics,
                self._part_of(key, pool.config.pool),
                book.state,
                now=now,
                floors=found.floors,
                headroom=headroom,
            )
            pool.bound(pool.config.pool.max_instances if others.weights else None)
            started = self._carry_out(pool, found.view, decision)
            free -= _times(pool.size, started)
            book.is_promised = book.is_promised and not started
            if decision.is_short_of_room:
                book.short_since = now if book.short_since is None else book.short_since
                has_instance = found.view.active > 0
                claimants.append(self._claimant(pool, now - book.short_since, has_instance=has_instance))
                if not has_instance or book.is_promised:
                    free -= pool.size  # whoever comes behind it does not take what it waits for
            else:
                book.short_since, book.is_promised = None, False
            self._let_rest(key, pool, decision, headroom.used_up or (pressed.why if pressed.is_of_memory else ""))
            self._observer.decided(key, found.view, found.metrics, headroom, decision)
            book.state = decision.state
        self._left = free
        self._make_room(pools, holders, claimants)
        await self._observer.hand_down(now)

    async def end(self, pools: Mapping[PoolKey, Pool]) -> None:
        """Hand down what has been observed and is not written yet."""
        for key, pool in pools.items():
            self._take_measured(key, pool)
        await self._observer.hand_down(self._node.clock.monotonic(), is_end=True)

    def is_at_rest(self, key: PoolKey) -> bool:
        """Whether nothing is in a pool, and all that was has been written."""
        return self._observer.is_at_rest(key)

    def forget(self, key: PoolKey) -> None:
        """A pool is no more."""
        self._books.pop(key, None)
        self._observer.forget(key)

    # --- what there is

    def _look(self, key: PoolKey, pool: Pool, waiting: Waiting, warm: Sequence[WarmRequest], now: float) -> _Looked:
        book = self._books.get(key)
        if book is None:
            settings = pool.config.pool
            book = self._books[key] = _Book(Demand(settings.window_seconds), now)
        for name, seconds in self._take_measured(key, pool).items():
            book.took[name] = [*book.took.get(name, []), *seconds][-_REMEMBERED:]
        view = pool.view(waiting.jobs)
        book.demand.note(view.waiting + view.running, now)
        ready = [each for each in pool.instances.values() if each.takes_work]
        cpu, memory = _share(ready, "cpu"), _share(ready, "memory")
        if (cpu is not None and memory is not None) or not view.running:
            book.known_at = now
        metrics = Metrics(
            stable_demand=book.demand.average(pool.config.pool.window_seconds, now),
            panic_demand=book.demand.average(pool.config.pool.panic_seconds, now),
            wait_seconds=waiting.wait_seconds,
            cpu=cpu,
            memory=memory,
            unknown_seconds=now - book.known_at,
        )
        wall = self._node.clock.now()
        if self._node.config.is_foreground or self._others.is_draining:  # a `pitchey run` keeps nothing for others
            return _Looked(view, metrics, ())
        asked = [each for each in warm if each.pool == key]
        kept = floors(asked, pool.config.warm_hours, now=wall, local=wall.astimezone())
        # Jobs are counted for a service: which organisation those are of that are to come nobody knows.
        if not (key.size or key.organisation) and pool.config.is_forecast_heeded:
            kept += self._forecasting.floors(key.service, pool.config.slots, pool.config.pool.target)
        return _Looked(view, metrics, self._parts_of(kept))

    def _part_of(self, key: PoolKey, settings: PoolSettings) -> PoolSettings:
        """What is set of a pool, as far as it is this node's."""
        others = self._others
        if others.is_draining:
            return replace(settings, min_instances=0)
        if not others.weights:
            return settings
        least = portion(settings.min_instances, others.mine, others.weights)
        most = max(0, settings.max_instances - others.instances(key))
        return replace(settings, min_instances=min(least, most), max_instances=most)

    def _parts_of(self, kept: tuple[Wish, ...]) -> tuple[Wish, ...]:
        """What is to be kept ready on all nodes together, as far as it is this one's."""
        mine, weights = self._others.mine, self._others.weights
        if not weights:
            return kept
        parts = (replace(each, instances=portion(each.instances, mine, weights)) for each in kept)
        return tuple(each for each in parts if each.instances)

    def _take_measured(self, key: PoolKey, pool: Pool) -> Mapping[Measure, Sequence[float]]:
        taken, pool.measured = pool.measured, {}
        for name, seconds in taken.items():
            self._observer.measured(key, name, seconds)
        return taken

    def _holders(self, pools: Mapping[PoolKey, Pool], looked: Mapping[PoolKey, _Looked]) -> list[Holder]:
        holders: list[Holder] = []
        for key, pool in pools.items():
            least = max((wish.instances for wish in looked[key].floors), default=0)
            kept = max(least, pool.config.pool.min_instances)
            wanted = self._books[key].state.wanted
            has_waiting = looked[key].view.waiting > 0
            holders += pool.holders(kept=kept, wanted=wanted, has_waiting=has_waiting, weight=self._weight(pool))
        return holders

    def _free(self, pools: Mapping[PoolKey, Pool], holders: Sequence[Holder]) -> Size:
        free = self._budget
        for holder in holders:
            free -= holder.size
        for pool in pools.values():
            free -= _times(pool.size, pool.starts)
        return free

    def _wants_first(self, pool: Pool, found: _Looked) -> bool:
        """Whether jobs wait for a pool that has no instance, and could start one if the host had room."""
        view = found.view
        return view.waiting > 0 and not (view.active or view.paused or pool.no_start_for_seconds)

    def _claimant(self, pool: Pool, waits_seconds: float, *, has_instance: bool) -> Claimant:
        organisation = pool.config.organisation
        return Claimant(pool.name, pool.size, waits_seconds, has_instance, organisation, self._weight(pool))

    def _weight(self, pool: Pool) -> float:
        return self._node.config.queue.weights.get(pool.config.organisation, 1.0)

    def _since_when_short(self, key: PoolKey) -> tuple[float, PoolKey]:
        since = self._books[key].short_since
        return (float("inf") if since is None else since), key

    def _no_room(self, pool: Pool, free: Size) -> str:
        gib = 1024**3
        return (
            f"an instance takes {pool.size.memory_bytes / gib:.1f} GiB and {pool.size.cpus:g} CPUs; of"
            f" {self._budget.memory_bytes / gib:.1f} GiB and {self._budget.cpus:g} CPUs that instances may be promised"
            f" {max(0, free.memory_bytes) / gib:.1f} GiB and {max(0.0, free.cpus):g} are free"
        )

    # --- what is done

    def _carry_out(self, pool: Pool, view: PoolView, decision: Decision) -> int:
        """Wake and start what is missing; how many are started."""
        missing = decision.wanted - view.active
        if missing <= 0:
            return 0
        missing -= pool.wake(missing)
        pool.start(missing)
        return missing

    def _let_rest(self, key: PoolKey, pool: Pool, decision: Decision, burden: str) -> None:
        """Let what is idle pause and stop.

        Args:
            burden: why nothing idle is kept at all; empty: as long as it may be worth it.
        """
        if not pool.instances:
            return
        took, config = self._books[key].took, self._node.config
        settings = LadderSettings(
            pool.config.pool.sleep_after_seconds,
            tariff_of(self._node, pool.config).price_at(self._node.clock.now()) / NANODOLLARS,
            pool.config.waiting_price_per_hour,
            is_pausing=not config.is_foreground,
        )
        measured = Measured(_median(took.get(Measure.START)), _median(took.get(Measure.UNPAUSE)))
        rungs = hurried(burden) if burden else dwell(settings, measured)

        def changed(instance: PooledInstance, step: Rest, why: str) -> None:
            self._observer.changed(key, Change(step.value), why, decision.wanted, instance.id)

        pool.rest(decision.wanted, rungs, changed)

    def _make_room(
        self, pools: Mapping[PoolKey, Pool], holders: Sequence[Holder], claimants: Sequence[Claimant]
    ) -> None:
        if not claimants:
            return
        free = self._free(pools, holders)
        by_id = {instance_id: key for key, pool in pools.items() for instance_id in pool.instances}
        by_name = {pool.name: key for key, pool in pools.items()}
        for going in give_way(free, holders, claimants, self._node.config.capacity).giving_way:
            key = by_id[going.instance_id]
            pools[key].give_way(going.instance_id, going.why)
            # Its own wait begins anew, or it would take the room back at once: they take turns.
            self._books[key].short_since = None
            self._books[by_name[going.claimant]].is_promised = True
            self._observer.changed(key, Change.GIVE_WAY, going.why, self._books[key].state.wanted, going.instance_id)


def _share(ready: Sequence[PooledInstance], name: str) -> float | None:
    """The average use of those that are ready and of which it is known; an idle one uses nothing."""
    busy = [each.cpu if name == "cpu" else each.memory for each in ready if each.attempts]
    known = [share for share in busy if share is not None]
    if not ready or (busy and not known):
        return None
    return sum(known) / (len(known) + len(ready) - len(busy))


def _median(seconds: Sequence[float] | None) -> float | None:
    return median(seconds) if seconds else None


def _times(size: Size, count: int) -> Size:
    return Size(size.cpus * count, size.memory_bytes * count) if count else NOTHING
