"""The part of the store's port that is about recurring schedules. `port.py` has the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pitchey_cli.domain.recurrence import Schedule


class Schedules(Protocol):
    """Schedules by their names."""

    def add_schedule(self, schedule: Schedule) -> None:
        """Keep a schedule; NameTaken when there is one of that name."""

    def schedules(self) -> Sequence[Schedule]:
        """All schedules, by name."""

    def schedule(self, name: str) -> Schedule:
        """One schedule; InputNotFound when there is none of that name."""

    def next_firing(self) -> datetime | None:
        """When the next schedule is due."""

    def due_schedules(self, *, now: datetime) -> Sequence[Schedule]:
        """Those whose time has come, the longest overdue first."""

    def advance_schedule(
        self, schedule: Schedule, *, next_at: datetime, last_at: datetime | None, error: str | None
    ) -> bool:
        """Note that a schedule's time has been served; False when somebody else was quicker."""

    def note_schedule_error(self, schedule: Schedule, error: str) -> None:
        """Note why a schedule's time could not be served; it stays due."""

    def coming_schedules(self, *, now: datetime) -> Sequence[Schedule]:
        """Those whose time is still to come, the next one first."""

    def set_back_schedule(self, schedule: Schedule, *, next_at: datetime) -> bool:
        """Let a schedule come earlier than noted; False when it is not as it was when it was read."""

    def pause_schedule(self, name: str, *, is_paused: bool, next_at: datetime) -> bool:
        """Pause a schedule, or let it go on from a time; False when it is so already, which changes nothing."""

    def remove_schedule(self, name: str) -> bool:
        """Forget a schedule; False when there is none of that name. Its jobs stay."""
