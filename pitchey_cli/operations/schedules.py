"""Recurring schedules: add one, and submit the jobs of those whose time has come.

A schedule keeps what was asked for and not the jobs: files are looked for, read and staged anew each time, so a folder
is worked through as it is then, and what has not changed since the last time is answered from the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, tzinfo
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.recurrence import Misfire, Schedule, due, times
from pitchey_cli.operations import queueing, requests, submit
from pitchey_cli.operations.requests import Request, Submitting
from pitchey_cli.store.port import Store
from processors.vocabulary import Service

#: words of the queue that mean one submission, and not one that recurs
NOT_RECURRING = ("run_at", "after", "if_failed", "idempotency_key", "explain_cache")
_ITS_OWN_FAULT = (UsageError, InputNotFound, InputRejected, Denied)  # anything else is tried again with the next look


def add(
    store: Store, request: Request, *, name: str, cron: str, timezone: str, misfire: str, now: datetime
) -> Schedule:
    """Check a schedule, and keep it.

    Raises:
        UsageError: the name is taken, or something that was asked for makes no sense.
        InputNotFound: a file that is named is not there.
    """
    if misfire not in tuple(Misfire):
        raise UsageError(f"--misfire: there is no {misfire!r}.", hint=f"There are {', '.join(Misfire)}.")
    if not queueing.name(name, "--name"):
        raise UsageError("--name is empty.")
    first = next(times(cron, zone_of(timezone), after=now), None)
    if first is None:
        raise UsageError(f"--cron {cron!r} never comes.")
    located = replace(request, inputs=tuple(_absolute(text) for text in request.inputs))
    requests.drafts(located)
    schedule = Schedule(
        name, request.service, cron, timezone, Misfire(misfire), asdict(located), created_at=now, next_at=first
    )
    store.add_schedule(schedule)
    return schedule


def zone_of(name: str) -> tzinfo:
    """The rules of a time zone, with its changes of the clock; of this machine's own for no name."""
    if not name:
        own = Path("/etc/localtime")
        if not own.exists():
            return UTC
        with own.open("rb") as file:
            return ZoneInfo.from_file(file)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"There is no time zone {name!r}.", hint="Name one as Europe/Berlin or UTC.") from error


def _absolute(text: str) -> str:
    """The daemon stands in another folder."""
    return text if "://" in text else str(Path(text).absolute())


def coming(schedule: Schedule, *, now: datetime, count: int) -> list[datetime]:
    """The next times of a schedule that is not paused, in its own zone."""
    zone = zone_of(schedule.timezone)
    return [each.astimezone(zone) for each in islice(times(schedule.cron, zone, after=now), count)]


def resume(store: Store, name: str, *, now: datetime) -> Schedule:
    """Let a schedule go on; what passed while it was paused is left out."""
    schedule = store.schedule(name)
    next_at = next(times(schedule.cron, zone_of(schedule.timezone), after=now), schedule.next_at)
    store.pause_schedule(name, is_paused=False, next_at=next_at)
    return store.schedule(name)


def fire(submitting: Submitting, *, now: datetime) -> Iterator[str]:
    """Submit the jobs of every schedule whose time has come; a line for the log about each.

    The jobs and the note that their time has been served are one transaction: a time is served once, whatever ends in
    the middle and however many daemons look. A schedule whose files are not there loses this time, and says so.
    """
    store = submitting.store
    for schedule in store.due_schedules(now=now):
        found = due(schedule, zone_of(schedule.timezone), now=now)
        jobs: list[NewJob] = []
        error: str | None = None
        try:
            for time in found.times:
                jobs += _jobs(submitting, schedule, now=now, key=f"schedule {schedule.name} {time:%Y-%m-%dT%H:%MZ}")
        except _ITS_OWN_FAULT as fault:
            jobs, error = [], str(fault)
        served = found.times[-1] if found.times else None
        with store.transaction():
            next_at = found.next_at or datetime.max.replace(tzinfo=UTC)
            if not store.advance_schedule(schedule, next_at=next_at, last_at=served, error=error):
                continue
            if jobs:
                submit.submit(store, jobs, now=now)
        if error is not None:
            yield f"schedule {schedule.name}: {error}"
        elif served is not None:
            yield f"schedule {schedule.name}: {len(jobs)} jobs for {served:%Y-%m-%d %H:%M} UTC"
        else:
            yield f"schedule {schedule.name}: missed while no daemon ran, and left out"


def run_now(submitting: Submitting, name: str, *, now: datetime) -> list[JobId]:
    """Submit the jobs of a schedule once more, beside its times."""
    schedule = submitting.store.schedule(name)
    return submit.submit(submitting.store, _jobs(submitting, schedule, now=now, key=None), now=now)


def request_of(schedule: Schedule) -> Request:
    """What a schedule submits."""
    kept = schedule.request
    return Request(Service(kept["service"]), tuple(kept["inputs"]), kept["fields"], kept["queueing"])


def _jobs(submitting: Submitting, schedule: Schedule, *, now: datetime, key: str | None) -> list[NewJob]:
    request = request_of(schedule)
    words = {"batch": schedule.name, **request.queueing, "idempotency_key": key}
    found = requests.stage(submitting, schedule.service, requests.drafts(request), words, now=now)
    return [each.job for each in found]
