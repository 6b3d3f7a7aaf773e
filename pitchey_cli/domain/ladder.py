"""When an idle instance goes a step down: from ready to paused, from paused to stopped. Pure.

How long to keep something that may be wanted again is the ski-rental problem: whoever keeps it until the keeping has
cost as much as getting it back would, pays at most twice what somebody who knew the future would have paid (A. Karlin,
M. Manasse, L. Rudolph, D. Sleator, "Competitive Snoopy Caching", Algorithmica 3, 1988). Getting an instance back costs
the time that a job waits for it, as it was measured, at what a second of waiting is worth; keeping it costs its price.
"""

from __future__ import annotations

from enum import StrEnum

from pitchey_cli.values import dataclass


class Rest(StrEnum):
    """What becomes of an idle instance."""

    STAY = "stay"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True)
class LadderSettings:
    """What the operator has set for a pool."""

    sleep_after_seconds: float  #: no instance idles longer
    price_per_hour: float
    waiting_price_per_hour: float = 40.0  #: what it is worth that nobody waits; 0: only sleep_after counts
    is_pausing: bool = True


@dataclass(frozen=True)
class Measured:
    """What getting an instance back has taken lately, in seconds; None before the first time."""

    start_seconds: float | None = None
    unpause_seconds: float | None = None


_USUAL_UNPAUSE_SECONDS = 0.1  # at most, until it has been measured: a tenth of a start
_LEAST_DWELL_SECONDS = 5.0  # a job that is followed by another does not pay for a pause between them


@dataclass(frozen=True)
class Dwell:
    """How long an idle instance stays on each rung, in seconds since its last work."""

    pause_after: float | None  #: None: it is not paused
    stop_after: float
    hurry: str = ""  #: why nothing idle is kept at all


def dwell(settings: LadderSettings, measured: Measured) -> Dwell:
    """Work out when an idle instance is paused, and when it is stopped."""
    sleep_after = settings.sleep_after_seconds
    if not settings.waiting_price_per_hour or not settings.price_per_hour:
        return Dwell(None, sleep_after)
    worth = settings.waiting_price_per_hour / settings.price_per_hour
    stop_after = sleep_after
    if measured.start_seconds is not None:
        stop_after = min(sleep_after, max(_LEAST_DWELL_SECONDS, worth * measured.start_seconds))
    unpause = measured.unpause_seconds
    if unpause is None:
        unpause = min(_USUAL_UNPAUSE_SECONDS, (measured.start_seconds or 1.0) / 10)
    pause_after = max(_LEAST_DWELL_SECONDS, worth * unpause)
    return Dwell(pause_after if settings.is_pausing and pause_after < stop_after else None, stop_after)


def hurried(why: str) -> Dwell:
    """No time at all: what is idle is a burden."""
    return Dwell(None, 0.0, why)


def rest(idle_seconds: float, *, is_paused: bool, is_kept: bool, dwell: Dwell) -> tuple[Rest, str]:
    """What becomes of an instance that has been idle for so long, and why.

    Args:
        is_kept: the pool wants it ready.
    """
    if is_kept:
        return Rest.STAY, ""
    if idle_seconds >= dwell.stop_after:
        return Rest.STOP, dwell.hurry or f"idle for {idle_seconds:.0f} s, and {dwell.stop_after:.0f} s is the most"
    if dwell.pause_after is not None and idle_seconds >= dwell.pause_after and not is_paused:
        return Rest.PAUSE, f"idle for {idle_seconds:.0f} s, and one that is paused wakes fast"
    return Rest.STAY, ""
