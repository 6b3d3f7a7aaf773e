"""Recurring schedules: add one, and submit the jobs of those whose time has come.

A schedule keeps what was asked for and not the jobs: files are looked for, read and staged anew each time, so a folder
is worked through as it is then, and what has not changed since the last time is answered from the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, PitcheyError, StoreError, UsageError
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.recurrence import Misfire, Schedule, due, earlier, times
from pitchey_cli.operations import naming, requests, submit
from pitchey_cli.operations.requests import Request, Submitting
from pitchey_cli.operations.specs import merged
from pitchey_cli.operations.zones import zone_of
from pitchey_cli.store.port import Store
from processors.specs import SPECS, Spec
from processors.vocabulary import Service

#: words of the queue that mean one submission, and not one that recurs
NOT_RECURRING = ("run_at", "after", "if_failed", "idempotency_key", "explain_cache")
_ITS_OWN_FAULT = (UsageError, InputNotFound, InputRejected, Denied)  # anything else is tried again with the next look


def add(
    submitting: Submitting, request: Request, *, name: str, cron: str, timezone: str, misfire: str, now: datetime
) -> Schedule:
    """Check a schedule, and keep it.

    Raises:
        UsageError: the name is taken, or something that was asked for makes no sense.
        InputNotFound: a file that is named is not there.
    """
    if misfire not in tuple(Misfire):
        raise UsageError(f"--misfire: there is no {misfire!r}.", hint=f"There are {', '.join(Misfire)}.")
    if not naming.name(name, "--name"):
        raise UsageError("--name is empty.", hint="As nightly.")
    if "-" in request.inputs:
        raise UsageError("A schedule cannot keep what comes from standard input.", hint="Name files, folders or URLs.")
    first = next(times(cron, zone_of(timezone), after=now), None)
    if first is None:
        raise UsageError(f"--cron {cron!r} never comes.", hint="Is it a day that no month has? As 30 2 * * *.")
    located = replace(
        request,
        inputs=tuple(_absolute(text) for text in request.inputs),
        fields=_with_absolute(SPECS[request.service], request.fields),
        attached=tuple(_absolute(text) if Path(text).name else f"{_absolute(text)}/." for text in request.attached),
    )
    words = _words(name, located, key=None)
    requests.check(submitting, request.service, requests.drafts(located, submitting.listed), words, now)
    schedule = Schedule(
        name, request.service, cron, timezone, Misfire(misfire), asdict(located), created_at=now, next_at=first
    )
    submitting.store.add_schedule(schedule)
    return schedule


def _absolute(text: str) -> str:
    """The daemon stands in another folder."""
    return text if "://" in text else str(Path(text).absolute())


def _with_absolute(model: type[Spec], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a spec, those that name files with absolute paths."""
    found = merged(model, {}, fields)
    for path in model.input_fields:
        *parents, last = path.split(".")
        place: Any = found
        for parent in parents:
            place = place.get(parent) if isinstance(place, dict) else None
        if isinstance(place, dict) and isinstance(place.get(last), str):
            place[last] = _absolute(place[last])
    beside = found.get(model.attached_field)
    if isinstance(beside, dict):
        found[model.attached_field] = {name: _absolute(str(location)) for name, location in beside.items()}
    return found


def coming(schedule: Schedule, *, now: datetime, count: int) -> list[datetime]:
    """The next times of a schedule that is not paused, in its own zone."""
    zone = zone_of(schedule.timezone)
    return [each.astimezone(zone) for each in islice(times(schedule.cron, zone, after=now), count)]


def resume(store: Store, name: str, *, now: datetime) -> bool:
    """Let a schedule go on; what passed while it was paused is left out. False: it was not paused, and is as it was."""
    schedule = store.schedule(name)
    next_at = next(times(schedule.cron, zone_of(schedule.timezone), after=now), schedule.next_at)
    return store.pause_schedule(name, is_paused=False, next_at=next_at)


def fire(
    submitting: Submitting,
    *,
    now: datetime,
    awake_since: datetime | None = None,
    is_ending: Callable[[], bool] = lambda: False,
) -> Iterator[str]:
    """Submit the jobs of every schedule whose time has come; a line for the log about each.

    The jobs and the note that their time has been served are one transaction: a time is served once, whatever ends in
    the middle and however many daemons look. A schedule whose files are not there loses this time, and says so. One
    that meets trouble which is not its own keeps it for the next look. Neither keeps the others waiting.

    Args:
        awake_since: as recurrence.due.
        is_ending: asked again and again. Once it says so, what is being staged is dropped, and its time stays due.
    """
    store = submitting.store
    for schedule in store.coming_schedules(now=now):
        yield from _noting_trouble(store, schedule, lambda each: _set_back(store, each, now))
    for schedule in store.due_schedules(now=now):
        try:
            yield from _noting_trouble(
                store, schedule, lambda each: _serve(submitting, each, now, awake_since, is_ending)
            )
        except _Ended:
            return


class _Ended(Exception):
    """The daemon ends."""


def _noting_trouble(store: Store, schedule: Schedule, work: Callable[[Schedule], str | None]) -> Iterator[str]:
    """What a schedule's work has to say. Trouble is noted and told once for as long as it lasts; its time stays due.

    That is so, too, for a time zone or an expression that this machine does not know any more: without it nobody can
    say when the schedule comes next.
    """
    try:
        said = work(schedule)
    except _Ended:
        raise
    except Exception as trouble:
        error = str(trouble) if isinstance(trouble, PitcheyError) else repr(trouble)
        said = None if error == schedule.last_error else f"{error} It is tried again."
        with suppress(StoreError):  # the store itself may be the trouble
            store.note_schedule_error(schedule, error)
    if said is not None:
        yield f"schedule {schedule.name}: {said}"


def _set_back(store: Store, schedule: Schedule, now: datetime) -> str | None:
    next_at = earlier(schedule, zone_of(schedule.timezone), now=now)
    if next_at is None or not store.set_back_schedule(schedule, next_at=next_at):
        return None
    return f"it comes at {next_at:%Y-%m-%d %H:%M} UTC, and not at {schedule.next_at:%Y-%m-%d %H:%M}"


def _serve(
    submitting: Submitting,
    schedule: Schedule,
    now: datetime,
    awake_since: datetime | None,
    is_ending: Callable[[], bool],
) -> str | None:
    """Submit the jobs of one schedule; what to say of it, if it was not served by somebody else meanwhile."""

    def check(*_: object) -> None:
        if is_ending():
            raise _Ended

    store = submitting.store
    found = due(schedule, zone_of(schedule.timezone), now=now, awake_since=awake_since)
    served = found.times[-1] if found.times else None
    next_at = found.next_at or datetime.max.replace(tzinfo=UTC)
    jobs: list[NewJob] = []
    try:
        for time in found.times:
            check()
            key = f"schedule {schedule.name} {time:%Y-%m-%dT%H:%MZ}"
            jobs += _jobs(submitting, schedule, now=now, key=key, progress=check)
        check()
        with store.transaction():
            if not store.advance_schedule(schedule, next_at=next_at, last_at=served, error=None):
                return None
            if jobs:
                submit.submit(store, jobs, now=now, artifacts=submitting.artifacts)
    except _ITS_OWN_FAULT as fault:
        is_noted = store.advance_schedule(schedule, next_at=next_at, last_at=served, error=str(fault))
        return str(fault) if is_noted else None
    if served is None:
        return "missed while no daemon ran, and left out"
    return f"{len(jobs)} jobs for {served:%Y-%m-%d %H:%M} UTC"


def run_now(submitting: Submitting, name: str, *, now: datetime) -> list[JobId]:
    """Submit the jobs of a schedule once more, beside its times."""
    schedule = submitting.store.schedule(name)
    jobs = _jobs(submitting, schedule, now=now, key=None)
    return submit.submit(submitting.store, jobs, now=now, artifacts=submitting.artifacts)


def request_of(schedule: Schedule) -> Request:
    """What a schedule submits."""
    kept = schedule.request
    return Request(
        Service(kept["service"]),
        tuple(kept["inputs"]),
        kept["fields"],
        kept["queueing"],
        tuple(kept.get("attached", ())),
    )


def _jobs(
    submitting: Submitting,
    schedule: Schedule,
    *,
    now: datetime,
    key: str | None,
    progress: submit.StageProgress | None = None,
) -> list[NewJob]:
    request = request_of(schedule)
    words = _words(schedule.name, request, key=key)
    found = requests.stage(
        submitting, schedule.service, requests.drafts(request, submitting.listed), words, now=now, progress=progress
    )
    return [each.job for each in found]


def _words(name: str, request: Request, *, key: str | None) -> dict[str, Any]:
    return {"batch": name, **request.queueing, "idempotency_key": key}
