"""How many requests somebody may still make. Pure: the time is passed in.

A bucket holds a minute's worth of requests, loses one with each, and is filled at the rate. So whoever was quiet may
come all at once, and whoever is not comes evenly.
"""

from __future__ import annotations

from dataclasses import dataclass

_WINDOW_SECONDS = 60
_MOST_BUCKETS = 10_000  # full ones are dropped beyond that: they say nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a bucket says to one request."""

    is_allowed: bool
    limit: int
    left: int
    full_in_seconds: float
    retry_in_seconds: float  #: 0 for one that is allowed

    def headers(self) -> dict[str, str]:
        """As the draft of RateLimit header fields for HTTP has them (draft-ietf-httpapi-ratelimit-headers, 10)."""
        found = {
            "RateLimit-Policy": f'"requests";q={self.limit};w={_WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={self.left};t={_whole(self.full_in_seconds)}',
        }
        return found if self.is_allowed else {**found, "Retry-After": str(max(1, _whole(self.retry_in_seconds)))}


class Rates:
    """A bucket for each of those who ask."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and as of when

    def take(self, who: str, *, now: float) -> Verdict:
        """Count a request.

        Args:
            now: seconds, on a clock that never goes back.
        """
        limit, rate = self._per_minute, self._per_minute / _WINDOW_SECONDS
        left, since = self._buckets.get(who, (float(limit), now))
        left = min(float(limit), left + (now - since) * rate)
        is_allowed = left >= 1
        if is_allowed:
            left -= 1
        if len(self._buckets) >= _MOST_BUCKETS and who not in self._buckets:
            self._drop_full(now)
        self._buckets[who] = (left, now)
        return Verdict(is_allowed, limit, int(left), (limit - left) / rate, 0.0 if is_allowed else (1 - left) / rate)

    def _drop_full(self, now: float) -> None:
        rate = self._per_minute / _WINDOW_SECONDS
        kept = {who: (n, at) for who, (n, at) in self._buckets.items() if n + (now - at) * rate < self._per_minute}
        self._buckets = kept if len(kept) < _MOST_BUCKETS else {}


def _whole(seconds: float) -> int:
    return int(-(-seconds // 1))
