"""Jobs by the many: batches, pipelines, dead letters."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import empty_answer, json_answer, page, place_of
from pitchey_cli.api.call import Call
from pitchey_cli.api.ordering import words_of
from pitchey_cli.api.problems import Refused
from pitchey_cli.api.resumable import as_uploads, kept_uploads, note_taken
from pitchey_cli.api.uploads import MULTIPART, form_of
from pitchey_cli.domain import pipeline as document
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.engines import images
from pitchey_cli.operations import batches, dead_letters, orders, pipelines, queueing
from pitchey_cli.operations.cancel import cancel_all
from pitchey_cli.operations.dead_letters import DeadLetterFilter
from pitchey_cli.operations.specs import checked_as
from pitchey_cli.reports import as_json
from pitchey_cli.store.port import JobFilter, Store


def _summary(found: batches.Summary) -> dict[str, Any]:
    states = {state: found.counts.get(state, 0) for state in found.counts}
    return {"batch": found.name, "jobs": found.total, "ended": found.ended, "failed": found.failed, "states": states}


async def list_batches(call: Call, asked: models.BatchesQuery) -> Response:
    """List the batches by name, and how many of their jobs stand where."""

    def look(store: Store) -> tuple[list[dict[str, Any]], bool]:
        names = [name for name in store.batches() if asked.cursor is None or name > asked.cursor]
        return [_summary(batches.summary(store, name)) for name in names[: asked.limit]], len(names) > asked.limit

    found, has_more = await call.read(look)
    return json_answer({"batches": found, "next": found[-1]["batch"] if has_more else None})


async def get_batch(call: Call) -> Response:
    """Say how many jobs of a batch stand where. GET /v1/jobs?batch=NAME lists them."""
    name = call.part("batch")
    return json_answer(_summary(await call.read(lambda store: batches.summary(store, name))))


async def cancel_batch(call: Call, asked: models.CancelJobs) -> Response:
    """Cancel every job of a batch that has not ended."""
    name = call.part("batch")

    def cancel(store: Store) -> int:
        batches.summary(store, name)
        return cancel_all(store, JobFilter(batch=name), why=asked.reason or f"batch {name}", now=call.now)

    count = await call.work(cancel)
    call.desk.poke()
    return json_answer({"jobs": count})


async def retry_batch(call: Call) -> Response:
    """Queue the dead letters of a batch again."""
    name = call.part("batch")

    def retry(store: Store) -> int:
        batches.summary(store, name)
        ids = [job.id for job in store.batch_jobs(name, [JobState.DEAD])][::-1]
        return dead_letters.redrive(store, ids, now=call.now)

    count = await call.work(retry)
    call.desk.poke()
    return json_answer({"jobs": count})


# --- pipelines


async def run_pipeline(call: Call) -> Response:
    """Run a pipeline: steps over the services, where one works on what another gave. A run is a batch.

    As multipart/form-data a part `job` says it in JSON, and the others are files that inputs and steps name as
    `upload:NAME`.
    """
    if call.media_type == MULTIPART:
        async with form_of(call) as form:
            return await _run_pipeline(call, form.order, form.uploads)
    return await _run_pipeline(call, await call.json(), {})


async def _run_pipeline(call: Call, raw: object, uploads: Any) -> Response:
    if not isinstance(raw, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "not-an-object", "What is to be done is a JSON object.")
    asked = checked_as(models.RunPipeline, raw, "A pipeline")
    if asked.idempotency_key is not None or call.header("idempotency-key") is not None:
        hint = "Give it a `batch`: a second run of the same name is refused."
        raise UsageError("A run of a pipeline takes no idempotency key.", hint=hint)
    words = queueing.checked({name: word for name, word in words_of(call, asked).items() if name != "batch"})

    kept = await kept_uploads(call, asked.steps, asked.inputs)

    def start(store: Store) -> str:
        used: set[str] = set()
        sent = {**as_uploads(kept), **uploads}
        locate = orders.locator(sent, used)
        parsed = document.parse({"name": asked.name, "steps": asked.steps}, name="pipeline")
        inputs = [locate(each) for each in asked.inputs]
        if inputs and not parsed.takes_input:
            raise UsageError(f"The pipeline {parsed.name} takes no input.", hint='A step with "input": "@input" does.')
        if parsed.takes_input and not inputs:
            raise UsageError(f"What shall the pipeline {parsed.name} work on?", hint="Say it in `inputs`.")
        runs = pipelines.plan(parsed, inputs, available=images.available(), locate=locate)
        orders.refuse_unused(sent, used)
        return pipelines.start(call.desk.submitting(store), parsed, runs, words, batch=asked.batch or "", now=call.now)

    name = await call.work(start)
    call.desk.poke()
    note_taken(call, kept)
    found = await call.read(lambda store: batches.summary(store, name))
    return json_answer(_summary(found), HTTPStatus.CREATED, {"Location": f"/v1/batches/{quote(name)}"})


# --- dead letters


async def list_dead_letters(call: Call, asked: models.DeadLettersQuery) -> Response:
    """List the jobs that have used up their attempts or failed for good, the newest first."""
    before = place_of(asked.cursor)

    def look(store: Store) -> list[Any]:
        found = []
        for job in dead_letters.find(store, _filter(asked)):
            if before is None or job.seq < before:
                found.append(job)
            if len(found) == asked.limit:
                break
        return found

    found = await call.read(look)
    last = found[-1].seq if found else None
    return page(call, "jobs", [as_json.job(each) for each in found], limit=asked.limit, next_after=last)


def _filter(asked: models.DeadLettersQuery | models.RetryDeadLetters) -> DeadLetterFilter:
    return DeadLetterFilter(services=tuple(asked.service or ()), batch=asked.batch or "", error=asked.error or "")


async def retry_dead_letters(call: Call, asked: models.RetryDeadLetters) -> Response:
    """Queue all dead letters again that the filters leave; without a filter it takes `all`."""
    wanted = _filter(asked)
    if not asked.all and wanted == DeadLetterFilter():
        raise UsageError("Which dead letters?", hint="Choose with service, batch or error, or say all.")

    def retry(store: Store) -> int:
        ids = [job.id for job in dead_letters.find(store, wanted)]
        return dead_letters.redrive(store, ids, now=call.now)

    count = await call.work(retry)
    call.desk.poke()
    return json_answer({"jobs": count})


async def purge_dead_letter(call: Call) -> Response:
    """Remove a dead letter for good, with its attempts and events."""
    job_id = JobId(call.part("job"))

    def purge(store: Store) -> None:
        if (state := store.job(job_id).state) is not JobState.DEAD:
            raise UsageError(f"Job {job_id} is {state}, no dead letter.", hint="Only those can be removed.")
        dead_letters.purge(store, [job_id])

    await call.write(partial(purge))
    return empty_answer()
