"""How many instances a pool should have: one pure function of what the pool looks like, and of the time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What to do about a pool now."""

    HOLD = "hold"
    START = "start"
    STOP = "stop"


@dataclass(frozen=True)
class PoolView:
    """What the decision is given."""

    is_work_waiting: bool
    instances: int  #: starting, ready or draining
    free_slots: int  #: on instances that are ready or start
    longest_idle_seconds: float | None  #: of the idle instance that has waited longest; None when none is idle


@dataclass(frozen=True)
class PoolSettings:
    """What the operator has set for the pool."""

    sleep_after_seconds: float
    min_instances: int = 0
    max_instances: int = 1


@dataclass(frozen=True)
class Decision:
    """What to do, and why."""

    step: Step
    why: str


_RESTART_BASE_SECONDS = 1.0
_RESTART_CAP_SECONDS = 60.0


def restart_delay(failures: int) -> float:
    """Seconds to wait before the next start, after so many instances in a row that never got ready or died young."""
    if failures <= 0:
        return 0.0
    return min(_RESTART_CAP_SECONDS, _RESTART_BASE_SECONDS * 2.0 ** min(failures - 1, 10))


def decide(pool: PoolView, settings: PoolSettings) -> Decision:
    """Leave zero on the first job, fill what is there before adding more, and go back when nothing is left to do."""
    if pool.instances < settings.min_instances:
        return Decision(Step.START, f"below min_instances {settings.min_instances}")
    if pool.is_work_waiting and pool.free_slots == 0:
        if pool.instances < settings.max_instances:
            return Decision(Step.START, "work waits and no slot is free")
        return Decision(Step.HOLD, f"work waits, and the pool is at max_instances {settings.max_instances}")
    idle = pool.longest_idle_seconds
    if idle is not None and idle >= settings.sleep_after_seconds and pool.instances > settings.min_instances:
        return Decision(Step.STOP, f"idle for {idle:.0f} s, sleep_after is {settings.sleep_after_seconds:.0f} s")
    return Decision(Step.HOLD, "nothing to change")
