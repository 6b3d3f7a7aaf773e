"""Jobs: submit, list, look, wait, cancel, retry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic_core import to_json
from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import json_answer, kept_answer, page, place_of
from pitchey_cli.api.call import JSON, Call
from pitchey_cli.api.ordering import order_of
from pitchey_cli.api.problems import Refused
from pitchey_cli.api.resumable import as_uploads, kept_uploads, note_taken
from pitchey_cli.api.uploads import MULTIPART, form_of
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import TERMINAL, Job, JobId, JobState, Output
from pitchey_cli.domain.moments import earlier
from pitchey_cli.operations import budgets, dead_letters, lookup, orders, result, why
from pitchey_cli.operations.cancel import cancel as cancel_jobs
from pitchey_cli.operations.naming import service_named
from pitchey_cli.operations.specs import checked_as
from pitchey_cli.reports import as_json
from pitchey_cli.store.port import CancelResult, JobFilter, Store
from processors.vocabulary import Service

_PAUSE_SECONDS = 0.03  # between two looks of one who waits: on a busy queue there is a commit every few milliseconds
_AT_ONCE_CHARS = 20_000  # of a result: some 60 outputs, which take half a millisecond
_OUTCOMES = {CancelResult.CANCELLED: "cancelled", CancelResult.REQUESTED: "stopping", CancelResult.FINISHED: "ended"}


# --- submit


async def submit(call: Call) -> Response:
    """Submit one job or several; all of them are queued, or none.

    The body is a job, or an object with `jobs`. As multipart/form-data a part `job` or `jobs` says that in JSON, and
    the others are files that specs name as `upload:NAME`.
    """
    if call.media_type == MULTIPART:
        async with form_of(call) as form:
            asked = _jobs_in(form.order)
            placed = await _place(call, asked, form.uploads)
    else:
        placed = await _place(call, _jobs_in(await call.json()), {})
    return await _submitted(call, placed)


async def submit_to_service(call: Call, asked: models.SubmitQuery) -> Response:
    """Submit a job of one service, and wait for its end if that is asked for.

    With `?wait=30` the answer is 200 with the job and its result if it ends in time; else it is 202 with the job as it
    is then. As multipart/form-data a part `input` is the file that it works on, and a part `job` says the rest in JSON.
    """
    service = call.part("service")
    if call.media_type == MULTIPART:
        async with form_of(call) as form:
            placed = await _place(call, [_of_service(service, {} if form.order is None else form.order)], form.uploads)
    else:
        placed = await _place(call, [_of_service(service, await call.json())], {})
    return await _answer_when_ended(call, placed, asked.wait)


async def probe(call: Call, asked: models.SubmitQuery) -> Response:
    """Say what is in a media file: its streams, chapters and tags, in the details of a job of the video service.

    The body is `{"input": URL}`, or multipart/form-data with a part `input`. It is waited for as at a service.
    """
    if call.media_type == MULTIPART:
        async with form_of(call) as form:
            placed = await _place(call, [_probe({} if form.order is None else form.order)], form.uploads)
    else:
        placed = await _place(call, [_probe(await call.json())], {})
    return await _answer_when_ended(call, placed, asked.wait)


def _probe(raw: object) -> models.SubmitJob:
    if not isinstance(raw, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "not-an-object", "What is to be done is a JSON object.")
    asked = checked_as(models.ProbeFile, raw, "A probe")
    spec = {"outputFormat": "probe"} | ({} if asked.input is None else {"inputUrl": asked.input})
    return models.SubmitJob.model_validate({"service": Service.VIDEO, "spec": spec})


def _jobs_in(raw: object) -> list[models.SubmitJob]:
    if not isinstance(raw, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "not-an-object", "What is to be done is a JSON object.")
    if "jobs" in raw:
        return list(checked_as(models.SubmitJobs, raw, "The body").jobs)
    return [checked_as(models.SubmitJob, raw, "A job")]


def _of_service(service: str, raw: object) -> models.SubmitJob:
    if not isinstance(raw, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "not-an-object", "What is to be done is a JSON object.")
    service_named(service)
    asked = checked_as(models.ServiceJob, {"spec": {}, **raw}, "A job")
    return models.SubmitJob(
        service=service, **{name: getattr(asked, name) for name in asked.model_fields_set | {"spec"}}
    )


async def _place(call: Call, asked: Sequence[models.SubmitJob], uploads: Any) -> orders.Placed:
    key = call.header("idempotency-key")
    wanted = orders.with_key([order_of(call, each) for each in asked], key)
    kept = await kept_uploads(call, *(each.spec for each in wanted))

    def stage(store: Store) -> Any:
        drafts = orders.drafts(wanted, {**as_uploads(kept), **uploads})
        return orders.stage(call.desk.submitting(store), wanted, drafts, now=call.now)

    jobs = await call.work(stage)
    placed = await call.write(lambda store: orders.place(store, call.desk.artifacts, jobs, key=key, now=call.now))
    call.desk.poke()
    note_taken(call, kept)
    if placed.is_replay:
        call.headers["Idempotency-Replayed"] = "true"
    return placed


async def _submitted(call: Call, placed: orders.Placed) -> Response:
    is_run = await call.desk.is_run()

    def look(store: Store) -> dict[str, Any]:
        found = [as_json.job(store.job(job_id)) for job_id in placed.ids]
        return {"jobs": found, "notices": _notices(call, store, placed.ids, is_run=is_run)}

    if len(placed.ids) == 1:
        call.headers["Location"] = f"/v1/jobs/{placed.ids[0]}"
    return json_answer(await call.read(look), HTTPStatus.OK if placed.is_replay else HTTPStatus.CREATED)


def _notices(call: Call, store: Store, ids: Sequence[JobId], *, is_run: bool) -> list[str]:
    """What whoever submits is to know: what `pitchey submit` says beside the ids."""
    found = budgets.of_submitted(store, budgets.capped(store, call.desk.wiring.as_of), ids)
    notices = [budgets.sentence(standings, jobs=budgets.waiting(count)) for standings, count in found]
    return notices if is_run else [*notices, "No daemon runs: the jobs wait for one."]


# --- look


async def list_jobs(call: Call, asked: models.JobsQuery) -> Response:
    """List jobs, the newest first."""
    now = call.now.astimezone()
    wanted = JobFilter(
        states=tuple(asked.state or ()),
        services=tuple(asked.service or ()),
        created_since=earlier(asked.since, now=now, what="since") if asked.since else None,
        created_until=earlier(asked.until, now=now, what="until") if asked.until else None,
        organisation=asked.organisation,
        batch=asked.batch,
        limit=asked.limit,
        before_seq=place_of(asked.cursor),
    )
    found = await call.read(lambda store: store.jobs(wanted))
    last = found[-1].seq if found else None
    return page(call, "jobs", [as_json.job(each) for each in found], limit=asked.limit, next_after=last)


async def get_job(call: Call, asked: models.JobQuery) -> Response:
    """Show a job, its attempts and outputs; with `?wait=30` when it has ended, or after 30 seconds as it is then."""
    job_id = JobId(call.part("job"))
    if asked.wait:
        await until_ended(call, job_id, asked.wait)
    return kept_answer(call, await _in_full(call, job_id))


async def _in_full(call: Call, job_id: JobId) -> bytes:
    """A job with everything about it, as JSON; by way of a thread only where that takes long."""
    body = await call.glance(lambda store: _said_at_once(store, store.job(job_id)))
    return await call.read(lambda store: to_json(whole(store, store.job(job_id)))) if body is None else body


def _said_at_once(store: Store, job: Job) -> bytes | None:
    """A job with everything about it, as JSON; None where that takes too long for the loop.

    One that has succeeded may have thousands of outputs, which take tens of milliseconds. But to hand it to a thread is
    to wait for a processor twice more, which takes as long where all of them are busy.
    """
    return None if store.length_of_result(job.id) > _AT_ONCE_CHARS else to_json(whole(store, job))


def whole(store: Store, job: Job) -> dict[str, Any]:
    """A job with everything about it."""
    job_id = job.id
    found = store.outputs(job_id) if job.state is JobState.SUCCEEDED else []
    details, attempts = store.details(job_id), store.attempts(job_id)
    said = as_json.job_in_full(job, attempts, found, details, cached_from=lookup.cached_from(store, job))
    return {**said, "outputs": [output(job, each) for each in found]}


def output(job: Job, value: Output, link: str | None = None) -> dict[str, Any]:
    """An output, and where to get it.

    Args:
        link: with which anybody can fetch it for a while.
    """
    url = f"/v1/jobs/{job.id}/outputs/{quote(value.path)}"
    location = next((str(place) for _, place in result.delivered(job, [value])), None)
    return {**as_json.output(value), "url": url, "location": location, "link": link}


async def until_ended(call: Call, job_id: JobId, seconds: float) -> bool:
    """Wait for the end of a job; whether it came in time. A client that goes away ends the wait."""
    seconds = min(seconds, call.desk.wiring.settings.api.wait_seconds)
    deadline = time.monotonic() + seconds
    leaving = [asyncio.create_task(call.until_gone()), asyncio.create_task(call.desk.ending.wait())]
    try:
        async with call.desk.watch.changes() as changed:
            while True:
                changed.clear()
                if await call.read(lambda store: store.job(job_id).state in TERMINAL):
                    return True
                left = deadline - time.monotonic()
                waits = [asyncio.create_task(changed.wait()), *leaving]
                done, _ = await asyncio.wait(waits, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
                waits[0].cancel()
                if waits[0] not in done:
                    return False
                await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        for task in leaving:
            task.cancel()


async def _answer_when_ended(call: Call, placed: orders.Placed, wait: float | None) -> Response:
    job_id = placed.ids[0]
    has_ended = await until_ended(call, job_id, wait or 0.0)
    headers = {"Cache-Control": "no-store", "Location": f"/v1/jobs/{job_id}"}
    status = HTTPStatus.OK if has_ended else HTTPStatus.ACCEPTED
    return Response(await _in_full(call, job_id), status, headers, media_type=JSON)


async def why_job(call: Call) -> Response:
    """Say why a job waits, or how it ended: in sentences, the most telling one first."""
    job_id, runner, wiring = JobId(call.part("job")), call.desk.runner(), call.desk.wiring
    nodes = await call.desk.glance(lambda store: store.nodes())  # one organisation is told what follows from them
    is_run = (runner is not None and runner.is_daemon) or bool(wiring.up(nodes))

    def reasons(store: Store) -> list[str]:
        return why.reasons(
            store,
            store.job(job_id),
            now=call.now,
            is_daemon_running=is_run,
            has_image=lambda: None,  # the engine is the daemon's to ask
            policy=wiring.policies.queue(),
            capped=budgets.capped(store, wiring.as_of),
            nodes=nodes,
            is_of_all=call.actor.is_of_all,
        )

    return json_answer({"id": job_id, "reasons": await call.read(reasons)})


# --- change


async def cancel(call: Call, asked: models.CancelJobs) -> Response:
    """Cancel a job. One that runs gets the grace period, then it is killed; one that has ended stays as it is."""
    job_id = JobId(call.part("job"))
    done = await call.write(lambda store: cancel_jobs(store, [job_id], why=asked.reason, now=call.now))
    call.desk.poke()
    status = HTTPStatus.ACCEPTED if done[job_id] is CancelResult.REQUESTED else HTTPStatus.OK
    return json_answer({"id": job_id, "outcome": _OUTCOMES[done[job_id]]}, status)


async def retry(call: Call) -> Response:
    """Queue a dead letter again with fresh attempts; what it did before stays in its history."""
    job_id = JobId(call.part("job"))

    def redrive(store: Store) -> None:
        if (state := store.job(job_id).state) is not JobState.DEAD:
            raise UsageError(f"Job {job_id} is {state}, no dead letter.", hint="Only those are queued again.")
        dead_letters.redrive(store, [job_id], now=call.now)

    await call.write(redrive)
    call.desk.poke()
    return json_answer(as_json.job(await call.read(lambda store: store.job(job_id))))
