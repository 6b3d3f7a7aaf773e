"""Pipelines: read one, check it as a whole, and turn it into jobs that wait for each other. A run of one is a batch."""

from __future__ import annotations

import json
import secrets
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, NameTaken, UsageError
from pitchey_cli.domain.job import Dependency, Job, JobId, JobInput, NewJob
from pitchey_cli.domain.pipeline import INPUT, Pipeline, Reference, Step, parse
from pitchey_cli.operations import inline, naming, queueing, requests, sources, submit
from pitchey_cli.operations.drafts import Draft, Locate, drafted
from pitchey_cli.operations.requests import Submitting
from pitchey_cli.operations.sources import SUFFIXES, Source
from pitchey_cli.operations.specs import spellings
from pitchey_cli.store.port import Store
from processors.specs import SPECS
from processors.vocabulary import Service

_NOT_OF_A_STEP = ("batch", "idempotency_key")  # a run of a pipeline is a batch, and no two of them are the same


@dataclass(frozen=True, slots=True)
class Planned:
    """A step of one run, checked, and its jobs."""

    step: Step
    drafts: tuple[Draft, ...]


Run = tuple[Planned, ...]


def read(path: Path) -> Pipeline:
    """Read a pipeline: JSON by its suffix, else TOML.

    Raises:
        InputNotFound, Denied, UsageError: it cannot be read, or makes no sense.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except FileNotFoundError as error:
        raise InputNotFound(f"There is no pipeline at {str(path)!r}.") from error
    except PermissionError as error:
        raise Denied(f"The pipeline {path} may not be read.") from error
    except OSError as error:
        raise UsageError(f"The pipeline {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        form = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise UsageError(f"The pipeline {path} is no {form}: {error}.") from error
    if not isinstance(document, dict):
        raise UsageError(f"The pipeline {path} is no table of steps.")
    return parse(document, name=path.stem)


def started_with(pipeline: Pipeline, texts: Sequence[str], listed: sources.Listed | None = None) -> list[Source]:
    """Find what a pipeline is started with.

    Raises:
        UsageError: it needs something, or takes nothing.
        InputNotFound, InputRejected: as sources.find.
    """
    service = next((step.service for step in pipeline.steps if _takes_input(step)), None)
    if service is None:
        if texts:
            raise UsageError(f"The pipeline {pipeline.name} takes no input.", hint='A step with input = "@input" does.')
        return []
    if not texts:
        raise UsageError(f"What shall the pipeline {pipeline.name} work on?", hint="Name files, folders or patterns.")
    return sources.find(service, texts, listed=listed)


def plan(
    pipeline: Pipeline, inputs: Sequence[Source], *, available: Collection[Service], locate: Locate | None = None
) -> list[Run]:
    """Check every step of a pipeline against its spec and against what the steps before it give.

    Args:
        inputs: what it is started with; each gets a run of its own, unless a step takes them all together.
        available: the services that this version serves.
        locate: finds the files and URLs that steps name; None: those that are at hand here.

    Raises:
        UsageError, InputNotFound, InputRejected: names the step.
    """
    for step in pipeline.steps:
        if step.service not in available:
            hint = f"There is {', '.join(available)}."
            raise UsageError(f"Step {step.name}: this version does not serve {step.service} jobs.", hint=hint)
    if not inputs or pipeline.takes_inputs_together:
        return [_run(pipeline, inputs, prefix=pipeline.name, locate=locate)]
    return [_run(pipeline, [source], prefix=source.name, locate=locate) for source in inputs]


def _takes_input(step: Step) -> bool:
    return isinstance(step.source, Reference) and step.source.step == INPUT


def _run(pipeline: Pipeline, inputs: Sequence[Source], *, prefix: str, locate: Locate | None) -> Run:
    planned: dict[str, Planned] = {}
    for step in pipeline.steps:
        try:
            drafts = tuple(_drafts(step, inputs, prefix, locate))
            if isinstance(step.source, Reference) and step.source.step != INPUT:
                _check_given(step, step.source, planned[step.source.step].drafts[0])
        except (UsageError, InputNotFound, InputRejected) as error:
            raise type(error)(f"Step {step.name}: {error}", hint=error.hint) from error
        planned[step.name] = Planned(step, drafts)
    return tuple(planned.values())


def _drafts(step: Step, inputs: Sequence[Source], prefix: str, locate: Locate | None) -> list[Draft]:
    fields, words = queueing.split(step.service, inline.placed(step.service, step.fields))
    model = SPECS[step.service]
    works_on = {*spellings(model, next(iter(model.input_fields), "")), *spellings(model, model.inline_field)}
    if step.source is None and model.input_fields and not fields.keys() & works_on:
        raise UsageError("it works on nothing.", hint='input = "@input", "@step/output.mp4" or a path.')
    if wrong := next((word for word in words if word in _NOT_OF_A_STEP), None):
        hint = "Say it beside the steps."
        raise UsageError(f"{wrong.replace('_', '-')} is of a whole pipeline, and not of a step.", hint=hint)
    drafts: list[Draft] = []
    for source in _sources(step, inputs, locate):
        draft = drafted(step.service, fields, source, locate=locate or sources.named)
        stem = source.name if source is not None and step.is_each and _takes_input(step) else prefix
        drafts.append(replace(draft, name=f"{stem}-{step.name}", queueing=words))
    return drafts


def _sources(step: Step, inputs: Sequence[Source], locate: Locate | None) -> Sequence[Source | None]:
    if isinstance(step.source, Reference):
        return inputs if step.source.step == INPUT else [Source(str(step.source), step.name)]
    if step.source is None:
        return [None]
    found = sources.find(step.service, [step.source]) if locate is None else [locate(step.source)]
    if len(found) != 1:
        hint = 'input = "@input" runs the step for each input of the pipeline.'
        raise UsageError(f"{step.source!r} are {len(found)} inputs, and a step takes one.", hint=hint)
    return found


def _check_given(step: Step, source: Reference, giver: Draft) -> None:
    """Refuse a reference to what the step before it does not give, or gives in a form that this one does not take."""
    known = giver.output_paths
    if not known:
        return  # its spec alone does not tell
    wanted = [path for path in known if fnmatchcase(path, source.pattern)] if source.pattern else list(known[:1])
    if not wanted and not giver.checked.tells_all_outputs():
        return
    if not wanted:
        raise UsageError(f"{source.step} gives no {source.pattern!r}.", hint=f"It gives {', '.join(known)}.")
    if len(wanted) > 1 and not step.is_each:
        hint = f'for_each = "{source}" gives each of them a job.'
        raise UsageError(f"{source} is {len(wanted)} outputs, and input takes one.", hint=hint)
    taken = None if SPECS[step.service].content_field else SUFFIXES.get(step.service)  # a program takes anything
    for path in wanted:
        suffix = PurePosixPath(path).suffix.lower()
        if taken is not None and suffix not in taken:
            hint = f"It takes {' '.join(sorted(taken))}."
            raise UsageError(f"{source} gives {suffix}, which the {step.service} service does not take.", hint=hint)


def check(submitting: Submitting, runs: Sequence[Run], words: Mapping[str, Any], *, now: datetime) -> None:
    """Make sure that the queue takes every step as it is asked for, before anything is staged.

    Raises:
        UsageError, InputNotFound: names the step.
    """
    for planned in (planned for run in runs for planned in run):
        try:
            requests.check(submitting, planned.step.service, planned.drafts, words, now)
        except (UsageError, InputNotFound) as error:
            raise type(error)(f"Step {planned.step.name}: {error}", hint=error.hint) from error


def start(
    submitting: Submitting,
    pipeline: Pipeline,
    runs: Sequence[Run],
    words: Mapping[str, Any],
    *,
    batch: str,
    now: datetime,
    progress: submit.StageProgress | None = None,
) -> str:
    """Stage the inputs and queue the jobs of all runs, all of them or none; the name of their batch.

    Args:
        words: when and how all of the jobs queue, where a step does not say it itself.
        batch: what to call it; empty gives a name.
    """
    store = submitting.store
    name = naming.name(batch, "--batch") or f"{pipeline.name}-{secrets.token_hex(2)}"
    if store.batch_counts(name):
        raise NameTaken(f"There is a batch {name!r} already.", hint="A run of a pipeline has a batch of its own.")
    check(submitting, runs, words, now=now)
    jobs = [job for run in runs for job in _jobs(submitting, run, {**words, "batch": name}, now, progress)]
    with store.transaction():
        for job in jobs:  # one after the other: each waits for jobs that have to be there
            submit.submit(store, [job], now=now, artifacts=submitting.artifacts)
    return name


def _jobs(
    submitting: Submitting, run: Run, words: Mapping[str, Any], now: datetime, progress: submit.StageProgress | None
) -> list[NewJob]:
    ids: dict[str, list[JobId]] = {}
    jobs: list[NewJob] = []
    for planned in run:
        step, source = planned.step, planned.step.source
        is_fed = isinstance(source, Reference) and source.step != INPUT
        drafts = [_without_given(draft, str(source)) if is_fed else draft for draft in planned.drafts]
        own = {**words, "no_cache": bool(step.after)}  # the cache answers at once, and this has to wait
        staged = requests.stage(submitting, step.service, drafts, own, now=now, progress=progress)
        after = tuple(
            Dependency(job_id, on_failure, is_source=is_fed and isinstance(source, Reference) and source.step == name)
            for name, on_failure in step.after.items()
            for job_id in ids[name]
        )
        new = [replace(each.job, after=after) for each in staged]
        if is_fed and isinstance(source, Reference):
            model = SPECS[step.service]
            field = model.input_fields[0] if model.input_fields else model.attached_field
            given = JobInput(field, str(source), output=source.pattern, is_each=step.is_each)
            new = [replace(job, inputs=(given, *job.inputs)) for job in new]
        ids[step.name] = [job.id for job in new]
        jobs += new
    return jobs


def _without_given(draft: Draft, reference: str) -> Draft:
    """Without the input that another step is to give: there is nothing to stage of it yet."""
    return replace(draft, sources=tuple(each for each in draft.sources if each[1].location != reference))


def tree(store: Store, batch: str) -> tuple[list[Job], dict[JobId, list[Job]]]:
    """The jobs of a batch as a forest: its roots, and the children of each. A job stands below what it works on.

    Raises:
        InputNotFound: there is no such batch.
    """
    jobs = sorted(store.batch_jobs(batch), key=lambda job: job.seq)
    if not jobs:
        raise InputNotFound(f"There is no batch {batch!r}.", hint="`pitchey batch list` names them.")
    roots: list[Job] = []
    children: dict[JobId, list[Job]] = {}
    for job in jobs:
        needs = store.dependencies(job.id)
        above = next((need for need in needs if need.is_source), needs[-1] if needs else None)
        (roots if above is None else children.setdefault(above.job_id, [])).append(job)
    return roots, children


def last(store: Store, jobs: Sequence[Job]) -> list[Job]:
    """The jobs of a run whose outputs no other works on, in the order of their submission."""
    taken = {need.job_id for job in jobs for need in store.dependencies(job.id) if need.is_source}
    return sorted((job for job in jobs if job.id not in taken), key=lambda job: job.seq)
