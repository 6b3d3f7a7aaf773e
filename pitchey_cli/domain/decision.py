"""What a decision about a pool is made from, and made of: the words that all the rules share. Rules are elsewhere."""

from __future__ import annotations

from enum import StrEnum

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
