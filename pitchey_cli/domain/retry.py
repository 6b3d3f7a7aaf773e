"""When a failed attempt may be tried again.

Owns the arithmetic of retries. Knows nothing of queues, clocks or engines: the caller passes the time and the dice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon."""

    max_attempts: int = 3  #: attempts in all, the first one included
    base_seconds: float = 2.0  #: ceiling of the first delay
    cap_seconds: float = 600.0  #: no delay is longer than this


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
    # 2**50 seconds is far beyond any cap: the bound only keeps a huge `used` from overflowing a float.
    ceiling = min(policy.cap_seconds, policy.base_seconds * 2 ** min(used - 1, 50))
    return now + timedelta(seconds=dice * ceiling)
