"""Time as a dependency: the one way in which anything but an adapter learns what time it is."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time. The real one is `wiring.SystemClock`; tests turn the hands of their own."""

    def now(self) -> datetime:
        """The wall clock, as an aware UTC datetime."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back: differences mean something, also between processes of one boot."""

    def boot(self) -> str:
        """Names the boot of the machine since which `monotonic` counts."""
