"""Whether the wall clock may be believed, when things are removed by their age.

A machine may start with its clock months ahead, and is put right by the network a little later. What looked too old
meanwhile would be gone for good, and keeping it a day longer costs nothing. Owns the decision: the caller passes the
times, and keeps the last one that was believed where it outlives the process. What has been recorded since says
nothing: a job that is submitted while the clock is wrong is recorded with the wrong time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

_JUMP_SECONDS = 60.0  # between two looks; no clock that only drifts comes to that
_DOUBT_SECONDS = 86_400.0  # long enough for somebody, or the network, to put a clock right


class Trust(Enum):
    """What a look at the clock says."""

    BELIEVED = "believed"
    JUMPED = "jumped"  #: it is being set just now: look again later
    DOUBTED = "doubted"


@dataclass(slots=True)
class ClockTrust:
    """Looks at the wall clock now and then."""

    wall: datetime  #: at the last look
    monotonic: float
    _doubted_since: float | None = None

    def look(self, wall: datetime, monotonic: float, *, known: datetime | None, tolerance: timedelta) -> Trust:
        """Say what to think of the time.

        A time that is far from the last one that was believed is so again when the clock has run on from it for a day.

        Args:
            known: the last time that was believed, by this process or one before; None when there was none.
            tolerance: what is not far.
        """
        moved = (wall - self.wall).total_seconds() - (monotonic - self.monotonic)
        self.wall, self.monotonic = wall, monotonic
        has_jumped = abs(moved) > _JUMP_SECONDS
        if known is None or abs(wall - known) <= tolerance:
            self._doubted_since = None
        elif self._doubted_since is None or has_jumped:
            self._doubted_since = monotonic
        elif monotonic - self._doubted_since >= _DOUBT_SECONDS:
            self._doubted_since = None
        if has_jumped:
            return Trust.JUMPED
        return Trust.BELIEVED if self._doubted_since is None else Trust.DOUBTED
