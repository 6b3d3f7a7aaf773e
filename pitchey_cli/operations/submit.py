"""Submit jobs: check every spec, stage every input, then queue all of them at once.

Nothing is queued unless everything can be: a folder with one bad file submits nothing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any, Protocol

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from pitchey_cli.domain.fitting import larger_of
from pitchey_cli.domain.job import JOB_ID_ALPHABET, JOB_ID_LENGTH, Dependency, JobId, JobInput, NewJob, input_kind
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.operations import file_kinds, quotas, texts
from pitchey_cli.operations.sources import Source, named
from pitchey_cli.operations.specs import checked, spellings
from pitchey_cli.store.port import Store
from processors.protocol import Service
from processors.specs import SPECS, Spec

#: what is being staged, bytes done, bytes in all where known
StageProgress = Callable[[str, int, int | None], None]


class Locate(Protocol):
    """Finds the one file or URL that a field of a spec names; raises as `sources.named`."""

    def __call__(self, location: str, called: str = "") -> Source:
        """Look for it.

        Args:
            called: what the file is to be called, where that is not the last part of the location.
        """


@dataclass(frozen=True, slots=True)
class Draft:
    """A job whose spec has been checked and whose inputs have not been staged."""

    service: Service
    spec: dict[str, Any]  #: camelCase
    sources: tuple[tuple[str, Source], ...]  #: field in snake_case, and what it names
    name: str
    checked: Spec  #: the same spec as it was checked: what follows from it is asked of it
    queueing: Mapping[str, Any] = dataclass_field(
        default_factory=dict
    )  #: what it says itself of when and how it queues
    where: str = ""  #: the line of a manifest that it comes from
    is_alone: bool = False  #: whoever asked for it named one input, and could mean no more than this job
    content: Path | None = None  #: the file whose text has become part of the spec

    @property
    def output_paths(self) -> tuple[str, ...]:
        """Of its outputs, as far as the spec alone tells."""
        return tuple(self.checked.output_paths())

    @property
    def kind(self) -> str:
        """What an instance should have warm for it."""
        return self.checked.kind()

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Name the line of the manifest in an error that is met here."""
        try:
            yield
        except (UsageError, InputNotFound, InputRejected, Denied) as error:
            if not self.where:
                raise
            raise type(error)(f"{self.where}: {error}", hint=error.hint) from error


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


def draft(service: Service, fields: dict[str, Any], source: Source | None, *, locate: Locate = named) -> Draft:
    """Check one job.

    Args:
        fields: the spec's fields; the input field is filled in from the source, when there is one.
        source: what the first input field names, or the file whose text becomes part of the spec.
        locate: finds what the other fields name.
    """
    model = SPECS[service]
    has_content = bool(spellings(model, model.content_field) & fields.keys())
    content = source if model.content_field and not has_content else None
    is_one_of_several = bool(model.inline_field and spellings(model, model.attached_field) & fields.keys())
    if source is not None and is_one_of_several:
        fields = _with_first(model, fields, source)
    elif source is not None and has_content:
        fields = with_attached(model, fields, {_text(source.file_name): _text(source.location)})
    elif content is not None:
        fields = {**texts.said_by_suffix(model, content, fields), **fields, model.content_field: texts.read(content)}
    elif source is not None:
        fields = {**fields, model.input_fields[0]: _text(source.location)}
    spec = checked(service, fields)
    has_field = source is not None and model.input_fields and not is_one_of_several
    sources = [(model.input_fields[0], source)] if source is not None and has_field else []
    sources += _named_in(spec, model.input_fields[1 if has_field else 0 :], source, locate)
    main = content or source or (sources[0][1] if sources and model.input_fields else None)
    return Draft(
        service,
        spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        tuple(sources),
        _text(main.name if main else service),
        spec,
        content=Path(content.location) if content is not None else None,
    )


def _named_in(spec: Spec, fields: Sequence[str], given: Source | None, locate: Locate) -> list[tuple[str, Source]]:
    """The files that fields of a spec name, and those that are attached; of each the field in snake_case.

    Args:
        given: what the job works on; it may be attached, and need not be there before another step has made it.

    Raises:
        InputNotFound, InputRejected, UsageError, Denied: names the option of the field.
    """
    wanted = [(field, spec.at(field), "", _said_as(spec, field)) for field in fields]
    if spec.attached_field:
        beside: dict[str, str] = spec.at(spec.attached_field) or {}
        wanted += [(spec.attached_field, location, name, "--file") for name, location in beside.items()]
    found: list[tuple[str, Source]] = []
    for field, location, called, option in wanted:
        if location is None:
            continue
        if given is not None and location == _text(given.location):
            found.append((field, replace(given, called=called)))
            continue
        try:
            source = locate(location, called)
            if not source.is_url:
                file_kinds.check(field, source.location, source.called or source.location)
            found.append((field, source))
        except (InputNotFound, InputRejected, UsageError, Denied) as error:
            raise type(error)(f"{option}: {error}", hint=error.hint) from error
    return found


def _said_as(spec: Spec, field: str) -> str:
    """What people call an input: by its option, and the one that needs none as JSON has it."""
    is_first = field == spec.input_fields[0]
    return spec.spelled(field) if is_first else f"--{field.replace('.', '-').replace('_', '-')}"


def with_attached(model: type[Spec], fields: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a spec with more files attached, a location by name, beside those that it names itself."""
    if not files:
        return dict(fields)
    names = spellings(model, model.attached_field)
    own: Any = next((fields[name] for name in sorted(names & fields.keys())), {})
    others = {name: value for name, value in fields.items() if name not in names}
    return {**others, model.attached_field: {**own, **files} if isinstance(own, dict) else own}


def _with_first(model: type[Spec], fields: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """The fields of a spec with what the job works on as the first of several files.

    Raises:
        UsageError: another one of them has its name.
    """
    name, location = _text(source.file_name), _text(source.location)
    names = spellings(model, model.attached_field)
    others = {key: value for key, value in fields.items() if key not in names}
    beside: Any = next(fields[key] for key in sorted(names & fields.keys()))
    if not isinstance(beside, dict):
        return {**fields}  # the spec's own check says what is wrong
    if name in beside:
        raise UsageError(f"--file: there is a file {name!r} already.", hint="Files of one job have names of their own.")
    return {**others, model.attached_field: {name: location, **beside}}


def _text(name: str) -> str:
    """A file name as text: it may hold bytes that are no UTF-8, which neither JSON nor a database takes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def named_apart(drafts: Sequence[Draft]) -> list[Draft]:
    """Number the jobs whose names would be the same: results are named after them."""
    taken: set[str] = set()
    named: list[Draft] = []
    for item in drafts:
        names = chain([item.name], (f"{item.name}-{number}" for number in count(2)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        named.append(replace(item, name=name))
    return named


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
                        if len(drafts) > 1 and not error.hint:
                            error.hint = f"None of the {len(drafts)} jobs is queued: leave it out, and submit again."
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
    return JobInput(field, _text(source.file_name), sha256=artifact.sha256, size=artifact.size)


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
        raise UsageError("There is nothing to submit.")
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
