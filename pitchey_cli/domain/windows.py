"""Hours of the day. Pure."""

from __future__ import annotations

from datetime import datetime, time

from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class Window:
    """Hours of the day, on a clock that whoever has them knows; may pass midnight."""

    start: time
    end: time

    def contains(self, moment: datetime) -> bool:
        """Whether a local time lies within."""
        clock = moment.time()
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end
