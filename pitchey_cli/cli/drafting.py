"""From what `run` and `submit` were given to jobs that are checked and staged, with progress shown."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pitchey_cli.cli import terminal
from pitchey_cli.cli.field_options import forms
from pitchey_cli.cli.piping import with_what_is_piped
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.nodes import fits
from pitchey_cli.operations import manifests, queueing, requests, submit
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.operations.lookup import cached_from
from pitchey_cli.operations.requests import Request
from pitchey_cli.operations.sources import Listed
from pitchey_cli.reports.wording import printable
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring

_MOST_NAMED = 5  # files in a note


def drafts(asked: Request, manifest: Path | None = None, listed: Listed | None = None) -> list[Draft]:
    """Check everything that was asked for, before anything is staged.

    Standard input is read once: with - it has specs, each with whatever its program is to read; else it is what is
    piped to the program, where the service has a field for that.

    Args:
        listed: what lies below a folder in a bucket.

    Raises:
        UsageError: no input, or a spec that cannot be; a line of a manifest or of standard input is named.
    """
    if manifest is not None:
        if asked.inputs:
            raise UsageError("--manifest stands alone: its lines name the inputs.")
        lines = manifests.read(manifest, asked.service, forms(asked.service))
        return manifests.drafts(asked, lines, where=str(manifest))
    if "-" in asked.inputs:
        if len(asked.inputs) > 1:
            raise UsageError("- stands alone: the specs on standard input name their own inputs.")
        return manifests.drafts(asked, manifests.from_json(sys.stdin.read(), "Standard input"), where="Standard input")
    return requests.drafts(with_what_is_piped(asked), listed)


def tell_left_out(asked: Request) -> None:
    """A folder gives what the service reads by its suffix: whoever expects more of it is to know."""
    others = requests.left_out(asked) if "-" not in asked.inputs else []
    if not others:
        return
    some = ", ".join(printable(each.name) for each in others[:_MOST_NAMED])
    more = ", ..." if len(others) > _MOST_NAMED else ""
    terminal.say(
        f"note: {len(others)} {'file is' if len(others) == 1 else 'files are'} left out, of no suffix that the "
        f"{asked.service} service reads: {some}{more}. One that is named by itself is taken."
    )


def say_if_no_node_fits(store: Store, asked: Request, checked: Sequence[Draft]) -> None:
    """Tell whoever asks for labels that no node has ever had; a line of a manifest may ask for its own."""
    wanted = Counter(queueing.labels({**asked.queueing, **each.queueing}) for each in checked)
    del wanted[""]
    known = store.nodes() if wanted else ()
    for labels, jobs in wanted.items():
        if known and not any(fits(labels, each.facts.all_labels) for each in known):
            waits = "The job waits" if len(checked) == 1 else f"{jobs:,} of {len(checked):,} jobs wait"
            text = f"note: No known node has {labels}. {waits} for one; `pitchey nodes list` shows them."
            terminal.say(printable(text))


def stage(wiring: Wiring, store: Store, asked: Request, checked: list[Draft], *, is_foreground: bool) -> list[NewJob]:
    """Take the inputs into the artifact store, with progress, and say what the cache has where that was asked for."""
    submitting = wiring.submitting(store, is_foreground=is_foreground)
    with staging_progress() as progress:
        now = wiring.clock.now()
        found = requests.stage(submitting, asked.service, checked, asked.queueing, now=now, progress=progress)
    if asked.queueing.get("explain_cache"):
        for each in found:
            verdict = "cached" if each.job.cached_from else "not cached"
            terminal.say(f"{each.job.id} {printable(each.job.name)}: {verdict}: {each.why}")
    return [each.job for each in found]


def queue(wiring: Wiring, store: Store, asked: Request, checked: list[Draft], *, is_foreground: bool) -> list[JobId]:
    """Take the inputs in and queue the jobs, here or at the server that does the work; their ids."""
    if wiring.elsewhere is None:
        jobs = stage(wiring, store, asked, checked, is_foreground=is_foreground)
        return submit.submit(store, jobs, now=wiring.clock.now(), artifacts=wiring.artifacts())
    with staging_progress() as progress:
        ids = wiring.elsewhere.place(
            asked,
            checked,
            is_waited_for=is_foreground,
            progress=progress,
            say=lambda text: terminal.say(printable(text)),
        )
    if asked.queueing.get("explain_cache"):
        for job in map(store.job, ids):
            source = cached_from(store, job)
            verdict = "not cached" if source is None else f"cached: job {source} has its result"
            terminal.say(f"{job.id} {printable(job.name)}: {verdict}")
    return ids


@contextmanager
def staging_progress() -> Iterator[submit.StageProgress | None]:
    """Show how files are taken, where somebody watches."""
    if not terminal.is_interactive():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("staging {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=terminal.messages(), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def report(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done, total=total)

        yield report
