"""Recurring schedules in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pitchey_cli.domain.errors import InputNotFound, NameTaken
from pitchey_cli.domain.recurrence import Misfire, Schedule
from pitchey_cli.store import rows
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.reading import Reader
from processors.vocabulary import Service


class Recurring(Reader):
    """The schedules of a store."""

    def add_schedule(self, schedule: Schedule) -> None:
        """Keep a schedule; NameTaken when there is one of that name."""
        if self._db.row(QUERIES["insert_schedule"], _values(schedule)) is None:
            hint = f"Choose another --name, or `pitchey schedule remove {schedule.name}` first."
            raise NameTaken(f"There is a schedule {schedule.name!r} already.", hint=hint)

    def schedules(self) -> Sequence[Schedule]:
        """All schedules, by name."""
        return [_schedule(row) for row in self._db.rows(QUERIES["schedules"])]

    def schedule(self, name: str) -> Schedule:
        """One schedule; InputNotFound when there is none of that name."""
        row = self._db.row(QUERIES["schedule"], {"name": name})
        if row is None:
            raise InputNotFound(f"There is no schedule {name!r}.", hint="`pitchey schedule list` names them.")
        return _schedule(row)

    def next_firing(self) -> datetime | None:
        """When the next schedule is due."""
        return rows.moment_or_none(self._db.value(QUERIES["next_firing"]))

    def due_schedules(self, *, now: datetime) -> Sequence[Schedule]:
        """Those whose time has come, the longest overdue first."""
        return [_schedule(row) for row in self._db.rows(QUERIES["due_schedules"], {"now": rows.micros(now)})]

    def advance_schedule(
        self, schedule: Schedule, *, next_at: datetime, last_at: datetime | None, error: str | None
    ) -> bool:
        """Note that a schedule's time has been served; False when somebody else was quicker."""
        change = {
            "name": schedule.name,
            "due_at": rows.micros(schedule.next_at),
            "next_at": rows.micros(next_at),
            "last_at": rows.micros_or_none(last_at),
            "error": error,
        }
        return self._db.row(QUERIES["advance_schedule"], change) is not None

    def note_schedule_error(self, schedule: Schedule, error: str) -> None:
        """Note why a schedule's time could not be served; it stays due."""
        change = {"name": schedule.name, "due_at": rows.micros(schedule.next_at), "error": error}
        self._db.run(QUERIES["note_schedule_error"], change)

    def coming_schedules(self, *, now: datetime) -> Sequence[Schedule]:
        """Those whose time is still to come, the next one first."""
        return [_schedule(row) for row in self._db.rows(QUERIES["coming_schedules"], {"now": rows.micros(now)})]

    def set_back_schedule(self, schedule: Schedule, *, next_at: datetime) -> bool:
        """Let a schedule come earlier than noted; False when it is not as it was when it was read."""
        change = {"name": schedule.name, "due_at": rows.micros(schedule.next_at), "next_at": rows.micros(next_at)}
        return self._db.row(QUERIES["set_back_schedule"], change) is not None

    def pause_schedule(self, name: str, *, is_paused: bool, next_at: datetime) -> bool:
        """Pause a schedule, or let it go on from a time; False when it is so already, which changes nothing."""
        change = {"name": name, "is_paused": int(is_paused), "next_at": rows.micros(next_at)}
        return self._db.row(QUERIES["pause_schedule"], change) is not None

    def remove_schedule(self, name: str) -> bool:
        """Forget a schedule; False when there is none of that name. Its jobs stay."""
        return self._db.row(QUERIES["remove_schedule"], {"name": name}) is not None


def _values(schedule: Schedule) -> tuple[Any, ...]:
    """A schedule as the values of `insert_schedule`."""
    return (
        schedule.name,
        schedule.service.value,
        schedule.cron,
        schedule.timezone,
        schedule.misfire.value,
        rows.encode(schedule.request),
        int(schedule.is_paused),
        rows.micros(schedule.created_at),
        rows.micros(schedule.next_at),
    )


def _schedule(row: rows.Row) -> Schedule:
    """A row of job_schedules."""
    return Schedule(
        name=row["name"],
        service=Service(row["service"]),
        cron=row["cron"],
        timezone=row["timezone"],
        misfire=Misfire(row["misfire"]),
        request=json.loads(row["request"]),
        created_at=rows.moment(row["created_at"]),
        next_at=rows.moment(row["next_at"]),
        is_paused=bool(row["is_paused"]),
        last_at=rows.moment_or_none(row["last_at"]),
        last_error=row["last_error"],
    )
