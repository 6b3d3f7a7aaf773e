"""How many slots of a class are to wait for jobs. Pure.

A slot takes longer to make than a short job runs: to be quick, it has to be there before the job. What comes is told
from what came: enough for the jobs of the time that it takes to make one, and their square root more, because they do
not come evenly (square-root staffing; S. Halfin and W. Whitt, "Heavy-Traffic Limits for Queues with Many Exponential
Servers", Operations Research 29, 1981). A class that nobody has asked for in a while gets none.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 10.0  #: over which the pace of jobs is taken
KEPT_SECONDS = 120.0  #: that a class is kept ready after its last job; the sleep-after of the service
MAKING_SECONDS = 0.5  #: that a slot takes to make, where nothing is known yet (measured: 0.2 to 0.6)
_WEIGHT = 0.3  # of the last measurement in the average


@dataclass
class Demand:
    """The jobs of one class of slots, as they came."""

    asked_at: float  #: the last; monotonic seconds
    making_seconds: float = MAKING_SECONDS
    _recent: deque[float] = field(default_factory=deque)

    def note_asked(self, now: float) -> None:
        """A job came."""
        self.asked_at = now
        self._recent.append(now)

    def note_made(self, seconds: float) -> None:
        """A slot was made, in so many seconds."""
        self.making_seconds += _WEIGHT * (seconds - self.making_seconds)

    def wanted(self, now: float, most: int) -> int:
        """How many are to wait now; never more than `most`."""
        while self._recent and self._recent[0] < now - WINDOW_SECONDS:
            self._recent.popleft()
        if now - self.asked_at > KEPT_SECONDS:
            return 0
        meanwhile = len(self._recent) / WINDOW_SECONDS * self.making_seconds
        return min(most, max(1, math.ceil(meanwhile + math.sqrt(meanwhile))))
