"""What jobs gave and wrote: outputs with ranges, and logs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from pathlib import PurePosixPath

from pydantic_core import to_json
from starlette.responses import FileResponse, Response, StreamingResponse

from pitchey_cli.api import models
from pitchey_cli.api.answers import has, kept_answer
from pitchey_cli.api.call import Call
from pitchey_cli.api.jobs import output as said_of
from pitchey_cli.api.problems import Refused
from pitchey_cli.domain.errors import InputNotFound, PitcheyError
from pitchey_cli.domain.job import TERMINAL, Job, JobId, Output
from pitchey_cli.operations import result
from pitchey_cli.operations.logs import LogLine, Tail, elsewhere
from pitchey_cli.reports.as_json import time
from pitchey_cli.store.port import Store

NDJSON = "application/x-ndjson"
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(?:; ?charset=[a-z0-9-]+)?")  # what a worker says is not trusted
_LOOK_SECONDS = 0.2
_LINK_SECONDS = 3600  # that links to outputs in a bucket are good
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")  # of more digits Python makes no number


async def list_outputs(call: Call, asked: models.OutputsQuery) -> Response:
    """List the outputs of a job that succeeded, and where to get each.

    Its ETag stays the same for half the time that the links in it are good, so who is told that nothing has changed can
    use those they have.
    """
    job_id = JobId(call.part("job"))
    seconds = _LINK_SECONDS if asked.expires is None else result.link_seconds(asked.expires, what="expires")

    def look(store: Store) -> tuple[Job, list[Output], dict[str, object]]:
        job = store.job(job_id)
        return job, result.outputs_of(store, job), store.details(job_id)

    job, found, details = await call.read(look)
    try:
        links = await _links(call, job, found, seconds, is_wanted=asked.expires is not None)
    except PitcheyError:
        if asked.expires is not None:
            raise
        links = {}

    def say() -> tuple[bytes, bytes]:
        plain = [said_of(job, each) for each in found]
        outputs = [{**said, "link": links.get(each.path)} for said, each in zip(plain, found, strict=True)]
        period = int(call.now.timestamp() // (seconds / 2)) if links else None
        return to_json({"outputs": outputs, "details": details}), to_json([plain, details, seconds, period])

    body, named_by = await call.desk.readers.run(say)  # there may be thousands
    return kept_answer(call, body, named_by=named_by)


async def _links(call: Call, job: Job, outputs: Sequence[Output], seconds: int, *, is_wanted: bool) -> dict[str, str]:
    """Links to the outputs, by their paths; none to what is in no bucket, unless somebody wants them.

    Raises:
        PitcheyError: there can be none, or not now.
    """
    desk = call.desk
    if not (is_wanted or job.output or desk.wiring.policies.kept_at()):
        return {}
    found = await desk.files.run(lambda: result.links(desk.linking, job, outputs, seconds=seconds))
    return {each.path: link for each, link in found}


async def get_output(call: Call) -> Response:
    """Download an output; a part of it with Range. Its ETag is the SHA-256 of its content."""
    job_id, path = JobId(call.part("job")), call.part("path")

    def find(store: Store) -> tuple[Job, Output]:
        job = store.job(job_id)
        for each in result.outputs_of(store, job):
            if each.path == path:
                return job, each
        hint = f"GET /v1/jobs/{job_id}/outputs lists them."
        raise InputNotFound(f"Job {job_id} has no output {path[:200]!r}.", hint=hint)

    job, found = await call.read(find)
    etag = f'"{found.sha256}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if has(call, etag):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers=headers)
    place = await call.desk.files.run(lambda: call.desk.artifacts.path(found.sha256))
    # A page that a document job gave is somebody's content, and not a page of ours.
    headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    kind = found.media_type if _MEDIA_TYPE.fullmatch(found.media_type) else "application/octet-stream"
    name = PurePosixPath(result.place(job, found)).name
    _check_range(call.header("range"), found.size)
    return _Download(place, stat_result=place.stat(), headers=headers, media_type=kind, filename=name)


class _Download(FileResponse):
    """A file that may be asked for in parts. A range that cannot be read is left out of account (RFC 9110, 14.2)."""

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        if not _RANGE.fullmatch(http_range.replace(" ", "")):
            return []  # several ranges as well: the whole file answers them
        found: list[tuple[int, int]] = super()._parse_range_header(http_range, file_size)
        return found


def _check_range(text: str | None, size: int) -> None:
    """Refuse a range in which there is nothing: one behind the end, or the last 0 bytes."""
    found = _RANGE.fullmatch((text or "").replace(" ", ""))
    if found is None:
        return
    begin, end = found.groups()
    first, last = (int(begin), int(end or size)) if begin else (size - int(end or 0), size)
    if first >= size or last < first:
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        headers = {"Content-Range": f"bytes */{size}"}
        raise Refused(
            status, "range", f"The output has {size:,} bytes.", hint="Ask for a range in it.", headers=headers
        )


async def get_logs(call: Call, asked: models.LogsQuery) -> Response:
    """Stream the log of a job, a JSON object on each line; with `?follow=true` until the job has ended.

    Where several machines share the queue, a line of the stream `pitchey` says at the end which attempts have their log
    on another one.
    """
    job_id = JobId(call.part("job"))
    await call.read(lambda store: store.job(job_id))  # before anything is sent
    lines = _lines(call, job_id, asked.attempt, asked.follow)
    return StreamingResponse(lines, media_type=NDJSON, headers={"Cache-Control": "no-store"})


async def _lines(call: Call, job_id: JobId, attempt: int | None, follow: bool) -> AsyncIterator[bytes]:
    tail = Tail(call.desk.wiring.state_dir, job_id, attempt)

    def look(store: Store) -> tuple[bool, list[LogLine]]:
        # The state is looked at before the files: what a job wrote before its end is there when the end is.
        return store.job(job_id).state in TERMINAL, list(tail.new(store))

    def away(store: Store) -> list[LogLine]:  # whose the job is has been looked at
        is_of_all = call.actor.is_of_all
        return elsewhere(store, tail.state_dir, job_id, attempt=attempt, is_of_all=is_of_all)

    while True:
        has_ended, found = await call.read(look)
        if found:
            yield b"".join(_line(each) for each in found)
        if has_ended or not follow or call.desk.ending.is_set():
            if missing := await call.desk.readers.call(away):
                yield b"".join(_line(each) for each in missing)
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _line(value: LogLine) -> bytes:
    said = {"attempt": value.attempt, "at": time(value.at), "stream": value.stream, "line": value.line}
    return to_json(said) + b"\n"
