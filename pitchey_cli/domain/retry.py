"""When a failed attempt may be tried again, and on what.

Owns the arithmetic of retries. Knows nothing of queues, clocks or engines: the caller passes the time and the dice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from pitchey_cli.values import dataclass


class RetryAction(StrEnum):
    """What a rule says of an error."""

    RETRY = "retry"  #: try again, also what the service calls final
    STOP = "stop"  #: do not try again
    LARGER = "larger"  #: try again on the next larger instance type


@dataclass(frozen=True)
class RetryRule:
    """What to do about errors of one kind."""

    pattern: str  #: a glob over the error's code (ffmpeg_failed) and the reason (timeout, oom, ...)
    action: RetryAction


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon."""

    max_attempts: int = 3  #: attempts in all, the first one included
    base_seconds: float = 2.0  #: ceiling of the first delay
    cap_seconds: float = 600.0  #: no delay is longer than this
    rules: tuple[RetryRule, ...] = ()  #: the first that matches counts

    def action(self, names: Iterable[str]) -> RetryAction | None:
        """What the rules say of an error; None when they say nothing.

        Args:
            names: the error's code and the reason.
        """
        wanted = list(names)
        matching = (rule.action for rule in self.rules if any(fnmatchcase(name, rule.pattern) for name in wanted))
        return next(matching, None)


def retry_at(policy: RetryPolicy, *, used: int, now: datetime, dice: float) -> datetime | None:
    """Say when the next attempt may start, or ``None`` when none is left.

    Full jitter, so that jobs which failed together do not come back together (M. Brooker, "Exponential Backoff And
    Jitter", AWS Architecture Blog, 2015).

    Args:
        used: attempts already made, at least 1.
        dice: uniform in [0, 1).
    """
    if used >= policy.max_attempts:
        return None
    return now + timedelta(seconds=dice * ceiling(policy.base_seconds, policy.cap_seconds, earlier=used - 1))


def ceiling(base_seconds: float, cap_seconds: float, *, earlier: int) -> float:
    """How many seconds a pause lasts at most, after so many earlier ones: twice as long each, up to the cap."""
    # 2**50 seconds is far beyond any cap: the bound only keeps a huge number from overflowing a float.
    return min(cap_seconds, base_seconds * 2.0 ** min(earlier, 50))
