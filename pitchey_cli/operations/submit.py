"""Submit jobs whose specs have been checked (drafts.py): stage every input, then queue all of them at once.

Nothing is queued unless everything can be: a folder with one bad file submits nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.errors import InputNotFound, InputRejected, UsageError
from pitchey_cli.domain.fitting import larger_of
from pitchey_cli.domain.job import JOB_ID_ALPHABET, JOB_ID_LENGTH, Dependency, JobId, JobInput, NewJob, input_kind
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.operations import quotas
from pitchey_cli.operations.drafts import Draft, as_text
from pitchey_cli.operations.sources import Source
from pitchey_cli.store.port import Store
from processors.protocol import Service

#: what is being staged, bytes done, bytes in all where known
StageProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What jobs get when nobody says otherwise."""

    max_attempts: int
    timeout_seconds: float
    priority: int = 3
    is_foreground: bool = False
    backoff_seconds: float | None = None
    organisation: str = DEFAULT_ORGANISATION
    batch: str = ""
    key: str = ""
    slots: int = 1
    size: str = ""  #: the instance type, where it needs another than the service's own
    run_at: datetime | None = None
    after: tuple[Dependency, ...] = ()
    deadline: datetime | None = None
    expires_at: datetime | None = None
    ttl_seconds: float | None = None
    is_off_peak: bool = False
    last_call_at: datetime | None = None
    is_spot_ok: bool = False
    on_node: str = ""  #: labels that their node must have
    output: str = ""  #: where the outputs go when it has succeeded, as s3://bucket/{job}/
    idempotency_key: str | None = None  #: of one job; those of several have their names behind it


def stage(
    drafts: Sequence[Draft],
    artifacts: Artifacts,
    settings_of: Callable[[Draft], JobSettings],
    *,
    limit_bytes: int,
    progress: StageProgress | None = None,
) -> list[NewJob]:
    """Take the inputs into the artifact store. A file that several jobs name is read once."""
    staged: dict[str, JobInput] = {}
    jobs: list[NewJob] = []
    for item in drafts:
        settings = settings_of(item)
        inputs: list[JobInput] = []
        for field, source in item.sources:
            key = f"{field}\0{source.called}\0{source.location}"
            if key not in staged:
                # A video that holds nothing is a mistake; an __init__.py beside a program holds nothing.
                # One that was picked out of a folder fails by itself, as others that are damaged do.
                may_be_empty = bool(source.called and item.checked.content_field) or source.is_picked
                with item.blamed():
                    try:
                        staged[key] = _stage_one(
                            field,
                            source,
                            artifacts,
                            limit_bytes=limit_bytes,
                            may_be_empty=may_be_empty,
                            progress=progress,
                        )
                    except InputRejected as error:
                        if len(drafts) > 1:
                            none = f"None of the {len(drafts)} jobs is queued: leave it out, and submit again."
                            error.hint = f"{error.hint} {none}".lstrip()
                        raise
            inputs.append(staged[key])
        jobs.append(
            NewJob(
                id=new_job_id(),
                service=item.service,
                spec=item.spec,
                inputs=tuple(inputs),
                name=item.name,
                priority=settings.priority,
                max_attempts=settings.max_attempts,
                timeout_seconds=settings.timeout_seconds,
                backoff_seconds=settings.backoff_seconds,
                is_foreground=settings.is_foreground,
                organisation=settings.organisation,
                batch=settings.batch,
                key=settings.key,
                slots=settings.slots,
                size=settings.size,
                kind=item.kind,
                run_at=settings.run_at,
                after=settings.after,
                deadline=settings.deadline,
                expires_at=settings.expires_at,
                ttl_seconds=settings.ttl_seconds,
                is_off_peak=settings.is_off_peak,
                last_call_at=settings.last_call_at,
                is_spot_ok=settings.is_spot_ok,
                on_node=settings.on_node,
                output=settings.output,
                idempotency_key=own_key(settings.idempotency_key, item),
            )
        )
    return jobs


def _stage_one(
    field: str,
    source: Source,
    artifacts: Artifacts,
    *,
    limit_bytes: int,
    may_be_empty: bool,
    progress: StageProgress | None,
) -> JobInput:
    if source.is_url:
        return JobInput(field, source.file_name or source.name, url=source.location)

    def report(done: int, total: int | None) -> None:
        if progress is not None:
            progress(source.file_name, done, total)

    artifact = artifacts.add(
        Path(source.location),
        limit_bytes=limit_bytes,
        may_be_empty=may_be_empty,
        called=source.file_name if source.is_sent else "",
        progress=report,
    )
    return JobInput(field, as_text(source.file_name), sha256=artifact.sha256, size=artifact.size)


def submit(store: Store, jobs: Sequence[NewJob], *, now: datetime, artifacts: Artifacts) -> list[JobId]:
    """Queue jobs, all in one transaction; on a larger instance type where inputs of their kind have needed one.

    Args:
        artifacts: where their inputs have been staged. They are looked for once more: staging may have taken so long
            that housekeeping took the first ones for forgotten.

    Returns:
        Their ids; of one whose idempotency key is known, the id of the job that came first.

    Raises:
        InputNotFound: an input is not there any more.
        QuotaReached: an organisation would have more than it may.
    """
    if not jobs:
        raise UsageError("There is nothing to submit.", hint="Name at least one job.")
    hints: dict[tuple[Service, str], str] = {}
    sized: list[NewJob] = []
    for job in jobs:
        what = (job.service, input_kind(job.kind, job.inputs))
        if what not in hints:
            hints[what] = store.size_hint(*what)
        size = larger_of(job.size, hints[what])
        sized.append(replace(job, size=size) if size != job.size else job)
    _refresh(artifacts, jobs)
    with store.transaction():
        ids = store.enqueue(sized, now=now)
        quotas.check(store, [job for job, job_id in zip(sized, ids, strict=True) if job.id == job_id])
    return ids


def _refresh(artifacts: Artifacts, jobs: Sequence[NewJob]) -> None:
    names = {each.sha256: each.name for job in jobs for each in job.inputs if each.sha256 is not None}
    for gone in artifacts.refresh(names.keys()):
        raise InputNotFound(
            f"{names[gone]} was staged, and has been removed before it could be submitted.",
            hint="That happens when staging takes hours, and nothing has been queued: submit fewer files at once.",
        )


def own_key(key: str | None, item: Draft) -> str | None:
    """A key for several jobs, or for a folder that may hold several the next time, has their names behind it."""
    is_its_own = item.is_alone or "idempotency_key" in item.queueing
    return key if key is None or is_its_own else f"{key}:{item.name}"


def new_job_id() -> JobId:
    """A random id."""
    # 32 letters: five bits of a random byte choose one, each as likely as the others.
    return JobId("".join(JOB_ID_ALPHABET[byte & 31] for byte in secrets.token_bytes(JOB_ID_LENGTH)))
