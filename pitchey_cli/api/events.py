"""Events as they happen: as server-sent events, and over a WebSocket.

Both read the table of events, where each has its number: whoever says which one they saw last is given all that came
after it, each once, whatever was restarted in between. What is of no concern is passed over here, and told as a number
now and then, so that nobody who comes back has it read again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import field

from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from pitchey_cli.api import models
from pitchey_cli.api.call import Call
from pitchey_cli.domain.errors import InputNotFound, PitcheyError, UsageError
from pitchey_cli.domain.job import JobEvent, JobId
from pitchey_cli.reports import as_json
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass

EVENT_STREAM = "text/event-stream"
_PAGE = 500
_BEAT_SECONDS = 15.0  # between signs of life, at each of which it is looked whether whoever listens still may
_PAUSE_SECONDS = 0.05  # between two looks of one listener: what comes meanwhile comes together
_MOST_KNOWN = 10_000  # jobs whose service and batch a listener remembers
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Heard:
    """What a look has found."""

    events: tuple[JobEvent, ...]
    last: int  #: the number of the last event that was looked at, whether it is among them or not


@dataclass
class Ear:
    """What somebody listens for, and how far they are."""

    asked: models.EventsQuery
    last: int
    _known: dict[JobId, tuple[str, str]] = field(default_factory=dict)  # service and batch

    def hear(self, store: Store) -> Heard:
        """The events since the last look that are asked for."""
        job_ids = [JobId(each) for each in self.asked.job or ()]
        found: list[JobEvent] = []
        page = store.events(after=self.last, job_ids=job_ids, limit=_PAGE)
        for event in page:
            if self._is_meant(store, event):
                found.append(event)
        if page:
            self.last = page[-1].id
        return Heard(tuple(found), self.last)

    def _is_meant(self, store: Store, event: JobEvent) -> bool:
        asked = self.asked
        if asked.type and event.type not in asked.type:
            return False
        if not asked.service and not asked.batch:
            return True
        if event.job_id is None:
            return False
        if event.job_id not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            try:
                job = store.job(event.job_id)
            except InputNotFound:  # removed meanwhile, and its events with it
                return False
            self._known[event.job_id] = (job.service, job.batch)
        service, batch = self._known[event.job_id]
        return (not asked.service or service in asked.service) and asked.batch in (None, batch)


async def stream_events(call: Call, asked: models.EventsQuery) -> Response:
    """Stream events as they happen, as server-sent events.

    It begins behind the Last-Event-ID of a client that comes back, else behind `after`; without either with what is
    new.
    """
    ear = await ear_of(call, asked, call.header("last-event-id"))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(call, ear), media_type=EVENT_STREAM, headers=headers)


async def ear_of(call: Call, asked: models.EventsQuery, last_seen: str | None) -> Ear:
    """Where somebody begins to listen.

    Raises:
        UsageError: the event that they saw last is no number, or a type is none.
        InputNotFound: there is no such job.
    """

    def begin(store: Store) -> int:
        for job_id in asked.job or ():
            store.job(JobId(job_id))
        return store.last_event_id()

    strange = next((each for each in asked.type or () if not each.replace("_", "").isalpha()), None)
    if strange is not None:  # it would be waited for without end
        hint = "As submitted, progress or succeeded: a webhook alone is told of job.succeeded."
        raise UsageError(f"There is no type of event {strange[:80]!r}.", hint=hint)
    newest = await call.read(begin)
    if last_seen is None:  # else a client comes back, under the address that it began with
        return Ear(asked, newest if asked.after is None else asked.after)
    is_number = last_seen.isascii() and last_seen.isdigit() and len(last_seen) <= len(str(_LARGEST))
    if not (is_number and int(last_seen) <= _LARGEST):
        raise UsageError(f"Last-Event-ID {last_seen[:40]!r} is no number of an event.", hint="Take the `id` of one.")
    return Ear(asked, int(last_seen))


async def heard(call: Call, ear: Ear) -> AsyncIterator[Heard]:
    """All that is heard, and a sign of life now and then, until the server ends.

    Raises:
        PitcheyError: whoever listens may not any more.
    """
    beat_at = time.monotonic() + _BEAT_SECONDS
    ending = asyncio.create_task(call.desk.ending.wait())
    try:
        async with call.desk.watch.changes() as changed:
            while not call.desk.ending.is_set():
                changed.clear()
                before = ear.last
                found = await call.read(ear.hear)
                if found.events:
                    yield found
                if found.last != before:
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue  # there may be more, and nobody has to say so again
                if time.monotonic() >= beat_at:
                    beat_at = time.monotonic() + _BEAT_SECONDS
                    await call.admit()
                    yield Heard((), found.last)
                waiting = asyncio.create_task(changed.wait())
                left = max(0.0, beat_at - time.monotonic())
                try:
                    await asyncio.wait({waiting, ending}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
                await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        ending.cancel()


async def _lines(call: Call, ear: Ear) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n: from the one behind %d on\n\n" % ear.last
    try:
        async for found in heard(call, ear):
            # An id alone is an event of nothing: the client notes how far it is, and calls nobody.
            yield b"".join(map(_event, found.events)) or b"id: %d\n\n" % found.last
    except PitcheyError:  # the token has ended, for one: a client that comes back is told why
        return


def _event(event: JobEvent) -> bytes:
    # The type is one of our own words, and JSON has no line breaks.
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.type.encode(), to_json(as_json.event(event)))
