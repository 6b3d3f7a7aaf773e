"""Recurring schedules: when their jobs are due, and what becomes of times that were missed.

Pure: a schedule, its zone and the time go in, the times to serve come out. Cron expressions are read by cronsim, which
follows Debian's cron: a time that a change of the clock leaves out is served right after it, one that comes twice once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import dropwhile, takewhile
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}  #: crontab(5)
PUNCTUAL = timedelta(minutes=1)  #: a time that is served within this has not been missed
_AT_ONCE = 100  # missed times that one look serves; the rest follows with the next


class Misfire(StrEnum):
    """What becomes of times that passed while no daemon was there."""

    LATEST = "latest"  #: the latest is served, once for all of them
    SKIP = "skip"  #: they are left out
    ALL = "all"  #: each is served


@dataclass(frozen=True)
class Schedule:
    """Jobs that are submitted again and again."""

    name: str
    service: Service
    cron: str
    timezone: str  #: as Europe/Berlin; empty for that of the daemon's machine
    misfire: Misfire
    request: dict[str, Any]  #: what is submitted, in the words of whoever added it
    created_at: datetime
    next_at: datetime  #: the first time that has not been served
    is_paused: bool = False
    last_at: datetime | None = None  #: the time that was served last
    last_error: str | None = None  #: why that led to no jobs


def organisation_of(schedule: Schedule) -> str:
    """Whose jobs a schedule submits."""
    return str(schedule.request.get("queueing", {}).get("organisation") or DEFAULT_ORGANISATION)


@dataclass(frozen=True)
class Due:
    """What a look at a schedule found."""

    times: tuple[datetime, ...] = ()  #: to serve now
    next_at: datetime | None = None  #: None: never again


def times(cron: str, zone: tzinfo, *, after: datetime) -> Iterator[datetime]:
    """The times of an expression after a moment, in UTC; they end when none comes for 50 years.

    Raises:
        UsageError: it is no cron expression.
    """
    expression = _expression(cron, after.astimezone(zone))
    # Begun within an hour that comes twice, cronsim begins with times of the first of both.
    return dropwhile(lambda each: each <= after, (each.astimezone(UTC) for each in expression))


def due(schedule: Schedule, zone: tzinfo, *, now: datetime, awake_since: datetime | None = None) -> Due:
    """Which times of a schedule are to be served now, and when the next one comes.

    Args:
        awake_since: since when a daemon has been there without a break: what came later was not missed, however busy it
            was. None: it has just come.
    """
    if schedule.is_paused or schedule.next_at > now:
        return Due(next_at=schedule.next_at)
    following = times(schedule.cron, zone, after=schedule.next_at)
    if schedule.misfire is Misfire.ALL:
        chosen = [schedule.next_at]
        for each in following:
            if each > now or len(chosen) == _AT_ONCE:
                return Due(tuple(chosen), each)
            chosen.append(each)
        return Due(tuple(chosen))
    latest = _latest(schedule, zone, now)
    is_punctual = now - latest <= PUNCTUAL or (awake_since is not None and latest >= awake_since)
    is_served = schedule.misfire is Misfire.LATEST or is_punctual
    after_now = next(times(schedule.cron, zone, after=now), None)
    return Due((latest,) if is_served else (), after_now)


def _latest(schedule: Schedule, zone: tzinfo, now: datetime) -> datetime:
    """The last time that is not after now: searched backwards, because a year of minutes is half a million of them."""
    minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    backwards = _expression(schedule.cron, minute.astimezone(zone), is_reverse=True)
    found = next(backwards, None)
    start = schedule.next_at if found is None else max(schedule.next_at, found.astimezone(UTC))
    # Backwards, cronsim leaves out some of an hour that comes twice.
    *_, latest = start, *takewhile(lambda each: each <= now, times(schedule.cron, zone, after=start))
    return latest


def earlier(schedule: Schedule, zone: tzinfo, *, now: datetime) -> datetime | None:
    """The next time of a schedule, where that is before the one that is noted: the clock was ahead when it was."""
    last = schedule.last_at
    # A clock that is set right by a moment serves nothing again.
    after = last if last is not None and now < last <= now + PUNCTUAL else now
    following = next(times(schedule.cron, zone, after=after), None)
    return following if following is not None and following < schedule.next_at else None


def _expression(cron: str, start: datetime, *, is_reverse: bool = False) -> Iterator[datetime]:
    from cronsim import CronSim, CronSimError  # late: `pitchey status` knows schedules, and none of their times

    fields = MACROS.get(cron, cron)
    try:
        if len(fields.split()) != 5:  # six would mean seconds
            raise CronSimError("Wrong number of fields")
        return CronSim(fields, start, reverse=is_reverse)
    except CronSimError as error:
        hint = "Five fields: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly."
        raise UsageError(f"--cron {cron!r}: {str(error)[0].lower()}{str(error)[1:]}.", hint=hint) from error
