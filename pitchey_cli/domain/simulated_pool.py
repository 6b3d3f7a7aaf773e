"""One pool of a simulation: its instances, its queue, and what is counted of them.

An instance with free slots stands in the bucket of that number, so the least loaded one is found without looking at
the others; of equals it is the one that was put there last. The bucket of the idle ones is in the order in which they
became idle. What an instance has warm is not modelled.
"""

from __future__ import annotations

from array import array
from dataclasses import replace

from pitchey_cli.domain.capacity import Size
from pitchey_cli.domain.decision import PoolSettings, PoolView, ScalerState
from pitchey_cli.domain.demand import Demand
from pitchey_cli.domain.ladder import LadderSettings, Measured, dwell
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.waits import Waits
from pitchey_cli.values import dataclass

NEVER = float("inf")
_TRIM_AT = 65536  # jobs that have left the queue, before their places are given back


@dataclass(frozen=True)
class PoolModel:
    """What is known of a pool before anything comes."""

    settings: PoolSettings
    slots: int
    size: Size  #: of an instance, as it is granted
    price_per_hour: float
    start_seconds: float = 1.5  #: from the decision until it takes work
    start_deviation: float = 0.0  #: standard deviation of that, divided by the mean; lognormal
    unpause_seconds: float = 0.1
    waiting_price_per_hour: float = LadderSettings(0, 0).waiting_price_per_hour

    def on_nodes(self, count: int) -> PoolModel:
        """The same on so many nodes: what is set for one node is set for each of them."""
        settings = self.settings
        least, most = settings.min_instances * count, settings.max_instances * count
        return replace(self, settings=replace(settings, min_instances=least, max_instances=most))


class SimulatedInstance:
    """A container that does not exist."""

    __slots__ = (
        "free",
        "host",
        "idle_since",
        "is_gone",
        "is_leaving",
        "is_paused",
        "is_starting",
        "pool",
        "started_at",
    )

    def __init__(self, pool: SimulatedPool, host: int, now: float) -> None:
        self.pool = pool
        self.host = host
        self.started_at = now
        self.idle_since = now
        self.free = pool.model.slots
        self.is_starting = True  #: or wakes
        self.is_paused = False
        self.is_leaving = False
        self.is_gone = False


class SimulatedPool:
    """The state of a pool. The hot loop of simulation.py reads and writes its fields itself: calls would cost more."""

    def __init__(self, index: int, key: PoolKey, model: PoolModel) -> None:
        self.index = index
        self.key = key
        self.model = model
        settings = model.settings
        ladder = LadderSettings(settings.sleep_after_seconds, model.price_per_hour, model.waiting_price_per_hour)
        self.dwell = dwell(ladder, Measured(model.start_seconds, model.unpause_seconds))
        # The queue, in sixteen bytes for each job: the load may bring more than can be served.
        self.came = array("d")  #: when they came, and
        self.takes = array("d")  #: how long they will take; those before `first` have left
        self.first = 0
        self.waiting = 0
        self.waiting_sum = 0.0  #: of the times when they came
        self.running = 0
        self.jobs_in = 0  #: that wait or run
        self.by_free: list[dict[SimulatedInstance, None]] = [{} for _ in range(model.slots + 1)]
        self.mask = 0  #: which of the buckets hold somebody
        self.paused: dict[SimulatedInstance, None] = {}
        self.instances = 0  #: that exist
        self.starting = 0
        self.ready = 0
        self.demand = Demand(settings.window_seconds)
        self.demand.note(0, 0.0)
        self.state = ScalerState()
        self.short_since: float | None = None  #: it has wanted room since then
        self.is_short_of_room = False  #: it has ever wanted some since the counting began
        self.is_hopeless = False
        self.asked_host = 0
        self.next_tick = 0.0
        self.is_asleep = False  #: nothing will change before the next tick, unless a job comes
        self.waits = Waits()
        self.fresh_waits: list[float] = []
        self.unwaited = 0
        self.busy_seconds = 0.0  #: of slots, until the end of what has been started
        self.instance_seconds = 0.0  #: of the instances that have gone
        self.cold_starts = 0
        self.unpauses = 0
        self.peak_instances = 0
        self.peak_running = 0
        self.asked = 0
        self.changed = 0

    @property
    def active(self) -> int:
        """Instances that take work now or shortly."""
        return self.starting + self.ready

    @property
    def idle(self) -> dict[SimulatedInstance, None]:
        """Ready ones without work, the idlest first."""
        return self.by_free[self.model.slots]

    def view(self) -> PoolView:
        """What a decision is told."""
        return PoolView(
            waiting=self.waiting,
            running=self.running,
            starting=self.starting,
            ready=self.ready,
            paused=len(self.paused),
            slots=self.model.slots,
        )

    def average_wait(self, now: float) -> float:
        """Of the jobs in the queue."""
        return now - self.waiting_sum / self.waiting if self.waiting else 0.0

    def put(self, instance: SimulatedInstance) -> None:
        """Let an instance take work, if it has a free slot."""
        free = instance.free
        if free:
            self.by_free[free][instance] = None
            self.mask |= 1 << free

    def take_out(self, instance: SimulatedInstance) -> None:
        """Let an instance take no more work."""
        free = instance.free
        bucket = self.by_free[free]
        bucket.pop(instance, None)
        if not bucket:
            self.mask &= ~(1 << free)

    def trim(self) -> None:
        """Give back the places of those that have left the queue."""
        if self.first > _TRIM_AT and self.first > self.waiting:  # so each is moved once at most, on average
            del self.came[: self.first], self.takes[: self.first]
            self.first = 0

    def fold_waits(self) -> None:
        """Count the waits that have been written down."""
        self.waits.add(self.fresh_waits)
        self.fresh_waits.clear()

    def restart_counting(self) -> None:
        """Forget what has been counted so far. What goes on is the caller's to count."""
        self.fresh_waits.clear()
        self.waits = Waits()
        self.unwaited = self.cold_starts = self.unpauses = self.asked = self.changed = 0
        self.busy_seconds = self.instance_seconds = 0.0
        self.peak_instances, self.peak_running = self.instances, self.running
        self.is_short_of_room = self.short_since is not None
