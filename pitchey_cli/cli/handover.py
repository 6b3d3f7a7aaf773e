"""What `run` gives to the user in the end: files in a directory, and a table or a document about each job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pitchey_cli.cli import answers, terminal
from pitchey_cli.cli.program_output import show_ending, show_written
from pitchey_cli.domain.errors import PitcheyError, StoreError
from pitchey_cli.domain.job import TERMINAL, Job, JobState
from pitchey_cli.domain.program import has_met_a_limit, is_program
from pitchey_cli.operations import result
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.operations.lookup import cached_from
from pitchey_cli.reports import as_json, tables
from pitchey_cli.reports.wording import printable
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring


def refuse_existing(checked: Sequence[Draft], output: Path, *, overwrite: bool, inputs: Sequence[Path]) -> None:
    """Find out before the work what would otherwise stop it after: a result that would replace a file."""
    for draft in checked:
        for path in draft.output_paths:
            name = result.file_name(draft.name, path, keeps_folder=draft.checked.keeps_folder)
            result.refuse_existing(output / name, overwrite=overwrite, keep=inputs)


def hand_over(
    wiring: Wiring,
    store: Store,
    ended: Sequence[Job],
    output: Path,
    *,
    overwrite: bool,
    inputs: Sequence[Path],
    as_json_wanted: bool,
    is_quiet: bool,
    is_exec: bool = False,
    is_answer_shown: bool = False,
    is_text_wanted: bool = False,
    is_text_there: bool = False,
) -> None:
    """Write and show what came out. A result that cannot be written does not keep the others from it.

    Args:
        is_exec: there is one program, and nothing is to be said but by itself, unless a limit has ended it.
        is_answer_shown: what a model answers in words is printed, and no file is written.
        is_text_wanted: of a model that writes text, that text alone,
        is_text_there: which has been printed as it came.
    """
    artifacts = wiring.artifacts()
    failures: list[PitcheyError] = []
    for job in ended:
        attempts, source, details = store.attempts(job.id), cached_from(store, job), store.details(job.id)
        files: list[result.Exported] = []
        unwritten: dict[str, Any] = {}
        if is_program(details) and not as_json_wanted:
            show_written(details, store.outputs(job.id), artifacts, is_exec=is_exec)
        if is_answer_shown and job.state is JobState.SUCCEEDED and answers.is_shown(outputs := store.outputs(job.id)):
            if not is_text_there:
                answers.show(outputs, artifacts, is_text_wanted=is_text_wanted)
            for note in tables.notes(details, outputs):
                terminal.say(f"note: {note}")
            continue
        if job.state is JobState.SUCCEEDED:
            try:
                files = result.export(store, artifacts, job, output, overwrite=overwrite, keep=inputs)
            except PitcheyError as error:
                error.hint = f"The result is kept: `pitchey result {job.id} -o DIR` writes it elsewhere."
                failures.append(error)
                if not as_json_wanted:
                    if len(ended) > 1:
                        terminal.show_error(error)
                    continue
                unwritten = {"error": as_json.unwritten(error)}
        if as_json_wanted:
            document = as_json.job_in_full(job, attempts, store.outputs(job.id), details, cached_from=source)
            terminal.show_json_lines([{**document, "files": [str(item.path) for item in files], **unwritten}])
        elif is_program(details):
            if not is_quiet and (not is_exec or has_met_a_limit(details)):
                show_ending(job, details, files, is_named=len(ended) > 1)
        elif job.state is JobState.SUCCEEDED and not is_quiet:
            named = [(str(item.path), item.output) for item in files]
            terminal.show(tables.finished(job, attempts, named, cached_from=source))
            for note in tables.notes(details, [item.output for item in files]):
                terminal.say(f"note: {note}")
        elif job.state in TERMINAL and job.state is not JobState.SUCCEEDED:
            show_failure(job)
    if failures and len(ended) == 1:
        raise failures[0]
    if failures:
        raise StoreError(f"{len(failures)} of {len(ended)} results could not be written.")


def show_delivered(store: Store, ended: Sequence[Job], *, as_json_wanted: bool, is_quiet: bool) -> None:
    """Say where in a bucket the outputs are, and which jobs have none."""
    for job in ended:
        files = result.delivered(job, store.outputs(job.id)) if job.state is JobState.SUCCEEDED else []
        urls = [str(url) for _, url in files]
        if as_json_wanted:
            outputs, details = store.outputs(job.id), store.details(job.id)
            document = as_json.job_in_full(job, store.attempts(job.id), outputs, details, cached_from=None)
            terminal.show_json_lines([{**document, "files": urls}])
        elif job.state in TERMINAL and job.state is not JobState.SUCCEEDED:
            show_failure(job)
        elif not is_quiet:
            for url in urls:
                terminal.show_line(printable(url))


def show_failure(job: Job) -> None:
    """Say on stderr why a job has no result."""
    text = job.error.message if job.error else str(job.state)
    terminal.say(printable(f"error: {job.name}: {text}"))
    if job.error and job.error.hint:
        terminal.say(f"  {printable(job.error.hint)}")
