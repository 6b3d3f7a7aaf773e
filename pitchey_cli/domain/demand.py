"""How much was asked of a pool lately: the average of a number that changes in steps, over windows that end now."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_APART_SECONDS = 0.25  # between two points that are kept: averages over seconds need no finer ones


@dataclass(slots=True)
class Demand:
    """Jobs that wait or run, over time. Times are monotonic seconds."""

    keep_seconds: float  #: the longest window that will be asked for
    _value: float = 0.0
    _at: float = 0.0
    _area: float = 0.0  #: job-seconds from the first note to the last
    _points: deque[tuple[float, float]] = field(default_factory=deque)  #: when, and the area at that time

    def note(self, value: float, now: float) -> None:
        """From now on it is so many."""
        if not self._points:
            self._points.append((now, 0.0))
        else:
            self._area += self._value * (now - self._at)
            if now - self._points[-1][0] >= _APART_SECONDS:
                self._points.append((now, self._area))
                # The newest point that lies before the longest window stays: the window begins behind it.
                while len(self._points) > 2 and self._points[1][0] <= now - self.keep_seconds:
                    self._points.popleft()
        self._value, self._at = value, now

    def average(self, seconds: float, now: float) -> float | None:
        """The average over the last so many seconds, or since the first note; None before that."""
        if not self._points:
            return None
        begin = max(now - seconds, self._points[0][0])
        if now <= begin:
            return self._value
        area = self._area + self._value * (now - self._at)
        return max(0.0, area - self._area_at(begin)) / (now - begin)

    def _area_at(self, moment: float) -> float:
        at, area = self._at, self._area
        if moment >= at:
            return area + self._value * (moment - at)
        for earlier, earlier_area in reversed(self._points):
            if earlier <= moment:
                return earlier_area + (area - earlier_area) * (moment - earlier) / (at - earlier)
            at, area = earlier, earlier_area
        return 0.0
