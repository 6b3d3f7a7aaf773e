"""How many instances of a pool are to take work: one pure function of what the pool looks like, and of the time.

Every rule that has something to say makes a wish. The largest wish wins, and says so; then clamps bound what may be
done about it now. A rule that asks for nothing is no objection: a pool shrinks when none of them objects.

The average of the demand over a stable and a panic window, and the panic that starts at a multiple of the capacity, are
those of Knative's autoscaler (https://knative.dev/docs/serving/autoscaling/kpa-specific/). Wishes in proportion to the
use of CPU and memory are those of the Horizontal Pod Autoscaler of Kubernetes
(https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details).
"""

from __future__ import annotations

import math
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any

from pitchey_cli.values import dataclass


class Rule(StrEnum):
    """Who may wish for instances."""

    NOTHING = "nothing"  #: nobody asks for any
    FIRST_JOB = "first_job"
    NO_FIT = "no_fit"
    PANIC = "panic"
    CONCURRENCY = "concurrency"
    QUEUE_DEPTH = "queue_depth"
    QUEUE_WAIT = "queue_wait"
    CPU = "cpu"
    MEMORY = "memory"
    MIN_INSTANCES = "min_instances"
    WARM = "warm"  #: by command
    WARM_HOURS = "warm_hours"  #: by the clock
    FORECAST = "forecast"


class Limit(StrEnum):
    """What may bound a wish."""

    MAX_INSTANCES = "max_instances"
    STEP = "step"  #: at most doubled, at most halved
    PACE = "pace"  #: not so soon after the last step
    AT_REST = "at_rest"  #: an average of what has ended keeps what is there, and starts nothing
    COOLDOWN = "cooldown"
    PANIC = "panic"
    MISSING = "missing_metrics"
    PRESSURE = "pressure"
    BUDGET = "budget"
    ROOM = "room"
    RESTARTS = "restarts"  #: the last starts have failed


@dataclass(frozen=True)
class PoolView:
    """What the pool looks like now."""

    waiting: int = 0  #: jobs that could run now, if there were room
    running: int = 0  #: attempts
    starting: int = 0  #: instances that start, or wake
    ready: int = 0  #: instances that take work, the surplus included
    paused: int = 0
    leaving: int = 0  #: instances that take nothing new, and are there until their attempts have ended
    slots: int = 1  #: of one instance
    is_head_refused: bool = False  #: the job whose turn it is needs more slots than any instance has free
    slots_of_job: float = 1.0  #: that a job takes, on average of those that run, or ran last

    @property
    def jobs_at_once(self) -> float:
        """That one instance takes."""
        return max(1.0, self.slots / self.slots_of_job)

    @property
    def active(self) -> int:
        """Instances that take work now or shortly."""
        return self.starting + self.ready

    @property
    def has_work(self) -> bool:
        """Whether anything waits or runs."""
        return bool(self.waiting or self.running)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither work nor an instance."""
        return not (self.has_work or self.active or self.paused)


@dataclass(frozen=True)
class Metrics:
    """What was measured of the pool; None is not known."""

    stable_demand: float | None = None  #: jobs that waited or ran, on average over the stable window
    panic_demand: float | None = None  #: the same over the panic window
    wait_seconds: float | None = 0.0  #: average wait of the jobs in the queue
    cpu: float | None = None  #: share of their CPUs that the ready instances use, 0 to 1
    memory: float | None = None  #: share of their memory
    unknown_seconds: float = 0.0  #: for how long the use of those that work has not been known


@dataclass(frozen=True)
class PoolSettings:
    """What the operator has set for the pool."""

    sleep_after_seconds: float
    min_instances: int = 0
    max_instances: int = 1
    queue_up: int = 100  #: jobs
    queue_down: int = 10
    wait_up_seconds: float = 30.0
    cpu_up: float = 0.80
    memory_up: float = 0.85
    target: float = 0.70  #: share of the slots that are to be taken
    stable_seconds: float = 60.0
    panic_seconds: float = 6.0
    panic_factor: float = 2.0  #: of the capacity
    step_seconds: float = 2.0  #: between two steps up
    cooldown_seconds: float = 60.0  #: between any step and one down

    @property
    def window_seconds(self) -> float:
        """The stable window, or what sleep_after leaves of it: work that has ended keeps no instance for longer."""
        return max(self.panic_seconds, min(self.stable_seconds, self.sleep_after_seconds))

    @property
    def calm_seconds(self) -> float:
        """The cool-down, bounded in the same way."""
        return min(self.cooldown_seconds, self.sleep_after_seconds)


@dataclass(frozen=True)
class Wish:
    """What one rule asks for."""

    rule: Rule
    instances: int
    why: str


@dataclass(frozen=True)
class Clamp:
    """What bounded the winner's wish, and to how many."""

    limit: Limit
    instances: int
    why: str


@dataclass(frozen=True)
class Headroom:
    """What the host leaves to the pool."""

    instances: int | None = None  #: that can still be started; None is any number
    why: str = ""
    pressure: str = ""  #: why the host should not be given more; empty when nothing is the matter
    is_critical: bool = False  #: not even a first instance may be started
    used_up: str = ""  #: the budget that is, of the service
    no_start_for_seconds: float = 0.0  #: because the last starts have failed


@dataclass(frozen=True)
class ScalerState:
    """What a decision leaves for the next one. Times are monotonic seconds."""

    wanted: int = 0
    changed_at: float | None = None
    panic_until: float | None = None


@dataclass(frozen=True)
class Decision:
    """How many instances are to take work, and why."""

    wanted: int
    was: int
    rule: Rule  #: whose wish won
    wishes: tuple[Wish, ...]
    clamps: tuple[Clamp, ...]
    state: ScalerState
    #: the host has no room for what waits; what merely was wanted lately takes none from others, or two pools would
    #: chase each other from the host
    is_short_of_room: bool = False

    @property
    def why(self) -> str:
        """The winner's reason, and what bounded it."""
        winner = next((wish.why for wish in self.wishes if wish.rule is self.rule), "no rule asks for an instance")
        objections = [f"{wish.rule} asked for {wish.instances}" for wish in self.losers]
        bounds = [f"{clamp.limit}: {clamp.why}" for clamp in self.clamps]
        return "; ".join([winner, *objections, *bounds])

    @property
    def losers(self) -> tuple[Wish, ...]:
        """Rules that asked for some, and for fewer."""
        most = max((wish.instances for wish in self.wishes), default=0)
        return tuple(wish for wish in self.wishes if 0 < wish.instances < most)


_RESTART_BASE_SECONDS = 1.0
_RESTART_CAP_SECONDS = 60.0
_FLOORS = frozenset({Rule.MIN_INSTANCES, Rule.WARM, Rule.WARM_HOURS, Rule.FORECAST})


def restart_delay(failures: int) -> float:
    """Seconds to wait before the next start, after so many instances in a row that never got ready or died young."""
    if failures <= 0:
        return 0.0
    return min(_RESTART_CAP_SECONDS, _RESTART_BASE_SECONDS * 2.0 ** min(failures - 1, 10))


def decide(
    pool: PoolView,
    metrics: Metrics,
    settings: PoolSettings,
    state: ScalerState,
    *,
    now: float,
    floors: tuple[Wish, ...] = (),
    headroom: Headroom | None = None,
) -> Decision:
    """Say how many instances are to take work.

    Args:
        state: what the last decision left.
        now: monotonic seconds.
        floors: what is to be kept whatever the load: by command, by the clock, by the forecast.
    """
    headroom = headroom or Headroom()
    panic_until = _panic_until(pool, metrics, settings, state, now)
    wishes = (*_wishes(pool, metrics, settings, state, panic_until), *_min_instances(settings), *floors)
    most = max((wish.instances for wish in wishes), default=0)
    rule = next((wish.rule for wish in wishes if wish.instances == most), Rule.NOTHING) if most else Rule.NOTHING
    bounding = _Bounding(most)
    _bound_below(bounding, pool, metrics, settings, state, panic_until, now)
    least = max((wish.instances for wish in wishes if wish.rule in _FLOORS), default=0)
    _bound_above(bounding, pool, settings, state, headroom, least, now)
    wanted = bounding.wanted
    changed_at = state.changed_at if wanted == state.wanted else now
    return Decision(
        wanted,
        state.wanted,
        rule,
        wishes,
        tuple(bounding.clamps),
        ScalerState(wanted, changed_at, panic_until),
        pool.waiting > 0 and any(clamp.limit is Limit.ROOM for clamp in bounding.clamps),
    )


def explain(pool: PoolView, metrics: Metrics, headroom: Headroom, decision: Decision) -> dict[str, Any]:
    """A decision with all that led to it, for people and programs: plain values with names in snake_case."""
    return {
        "pool": asdict(pool),
        "metrics": asdict(metrics),
        "headroom": asdict(headroom),
        "wishes": [asdict(wish) for wish in decision.wishes],
        "clamps": [asdict(clamp) for clamp in decision.clamps],
        "rule": decision.rule.value,
        "was": decision.was,
        "wanted": decision.wanted,
        "why": decision.why,
    }


# --- wishes


def _wishes(
    pool: PoolView, metrics: Metrics, settings: PoolSettings, state: ScalerState, panic_until: float | None
) -> list[Wish]:
    wishes: list[Wish] = []
    per_instance = settings.target * pool.jobs_at_once
    if pool.waiting and not pool.active:
        wishes.append(Wish(Rule.FIRST_JOB, 1, f"{pool.waiting} waiting, and no instance"))
    if pool.is_head_refused and pool.waiting:
        # While one starts it may be the one that fits.
        wished = pool.active + (not pool.starting)
        wishes.append(Wish(Rule.NO_FIT, wished, "the job whose turn it is fits on no instance as they are"))
    if panic_until is not None and metrics.panic_demand is not None:
        wished = _ceil(metrics.panic_demand / per_instance)
        words = f"{metrics.panic_demand:.1f} jobs at once over the last {settings.panic_seconds:g} s"
        wishes.append(Wish(Rule.PANIC, wished, f"{words}, {per_instance:g} for each instance"))
    if metrics.stable_demand is not None:
        wished = _ceil(metrics.stable_demand / per_instance)
        words = f"{metrics.stable_demand:.1f} jobs at once over the last {settings.window_seconds:g} s"
        wishes.append(Wish(Rule.CONCURRENCY, wished, f"{words}, {per_instance:g} for each instance"))
    wishes += _queue_wishes(pool, metrics, settings, state)
    if pool.running:  # the memory that an idle instance keeps is no reason to keep it
        for rule, used, limit in (
            (Rule.CPU, metrics.cpu, settings.cpu_up),
            (Rule.MEMORY, metrics.memory, settings.memory_up),
        ):
            if used is not None:
                words = f"{used:.0%} of {rule.upper() if rule is Rule.CPU else rule}, the limit is {limit:.0%}"
                wishes.append(Wish(rule, _ceil(pool.ready * used / limit), words))
    return wishes


def _queue_wishes(pool: PoolView, metrics: Metrics, settings: PoolSettings, state: ScalerState) -> list[Wish]:
    wishes: list[Wish] = []
    # One that starts has not yet shown what it does to the queue.
    one_more = pool.active + (not pool.starting)
    if pool.waiting > settings.queue_up:
        wishes.append(Wish(Rule.QUEUE_DEPTH, one_more, f"{pool.waiting} waiting, more than {settings.queue_up}"))
    elif pool.waiting >= settings.queue_down:
        keep = min(state.wanted, pool.active)
        wishes.append(Wish(Rule.QUEUE_DEPTH, keep, f"{pool.waiting} waiting, not below {settings.queue_down}"))
    if pool.waiting and metrics.wait_seconds is not None and metrics.wait_seconds > settings.wait_up_seconds:
        words = f"{metrics.wait_seconds:.0f} s in the queue on average, more than {settings.wait_up_seconds:g} s"
        wishes.append(Wish(Rule.QUEUE_WAIT, one_more, words))
    return wishes


def _min_instances(settings: PoolSettings) -> list[Wish]:
    least = settings.min_instances
    return [Wish(Rule.MIN_INSTANCES, least, f"min_instances is {least}")] if least else []


def _panic_until(
    pool: PoolView, metrics: Metrics, settings: PoolSettings, state: ScalerState, now: float
) -> float | None:
    """A panic lasts for a stable window after the last moment at which there was reason for it."""
    capacity = max(1, pool.active) * pool.jobs_at_once
    if metrics.panic_demand is not None and metrics.panic_demand >= settings.panic_factor * capacity:
        return now + settings.window_seconds
    return state.panic_until if state.panic_until is not None and now < state.panic_until else None


# --- clamps


@dataclass
class _Bounding:
    wanted: int
    clamps: list[Clamp] = field(default_factory=list)

    def at_least(self, least: int, limit: Limit, why: str) -> None:
        if self.wanted < least:
            self.wanted = least
            self.clamps.append(Clamp(limit, least, why))

    def at_most(self, most: int, limit: Limit, why: str) -> None:
        if self.wanted > most:
            self.wanted = most
            self.clamps.append(Clamp(limit, most, why))


def _bound_below(
    bounding: _Bounding,
    pool: PoolView,
    metrics: Metrics,
    settings: PoolSettings,
    state: ScalerState,
    panic_until: float | None,
    now: float,
) -> None:
    was = state.wanted
    if panic_until is not None:
        bounding.at_least(was, Limit.PANIC, f"for another {panic_until - now:.0f} s")
    # What has not been known for so long will not be: then the other rules decide.
    is_measured = pool.running and pool.ready and metrics.unknown_seconds <= settings.window_seconds
    missing = [
        name
        for name, value in (
            ("demand", metrics.stable_demand),
            ("cpu", metrics.cpu if is_measured else 0.0),
            ("memory", metrics.memory if is_measured else 0.0),
        )
        if value is None
    ]
    if missing:
        bounding.at_least(was, Limit.MISSING, f"nothing is known of {', '.join(missing)}")
    if state.changed_at is not None and now - state.changed_at < settings.calm_seconds:
        left = settings.calm_seconds - (now - state.changed_at)
        bounding.at_least(was, Limit.COOLDOWN, f"for another {left:.0f} s")
    if was > 1:
        bounding.at_least((was + 1) // 2, Limit.STEP, f"at most halved: from {was}")


def _bound_above(
    bounding: _Bounding,
    pool: PoolView,
    settings: PoolSettings,
    state: ScalerState,
    headroom: Headroom,
    least: int,
    now: float,
) -> None:
    words = f"max_instances is {settings.max_instances}"
    if pool.leaving:
        words += f", and {pool.leaving} {'is' if pool.leaving == 1 else 'are'} still to go"
    bounding.at_most(max(0, settings.max_instances - pool.leaving), Limit.MAX_INSTANCES, words)
    if headroom.used_up:
        bounding.at_most(pool.active if pool.running else 0, Limit.BUDGET, headroom.used_up)
    active = pool.active
    if not pool.has_work:
        bounding.at_most(max(least, active), Limit.AT_REST, "nothing waits or runs")
    bounding.at_most(max(1, 2 * active), Limit.STEP, f"at most doubled: from {active}")
    is_too_soon = state.changed_at is not None and now - state.changed_at < settings.step_seconds
    if is_too_soon and active:
        bounding.at_most(max(state.wanted, active), Limit.PACE, f"a step every {settings.step_seconds:g} s")
    if headroom.no_start_for_seconds > 0:
        words = f"the last starts failed, the next is tried in {headroom.no_start_for_seconds:.0f} s"
        bounding.at_most(active + pool.paused, Limit.RESTARTS, words)
    if headroom.pressure:
        there = active + pool.paused  # one that is paused takes no more than it has
        bounding.at_most(there if headroom.is_critical else max(1, there), Limit.PRESSURE, headroom.pressure)
    if headroom.instances is not None:
        # One that is paused has its memory already.
        bounding.at_most(active + pool.paused + max(0, headroom.instances), Limit.ROOM, headroom.why)


def _ceil(instances: float) -> int:
    """Rounded up; a mean that is above a whole number by no more than the error of sums of floats is that number."""
    return math.ceil(instances - 1e-6)
