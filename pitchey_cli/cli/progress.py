"""Live progress of jobs and of image builds on a terminal; single lines where nobody watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pitchey_cli.cli import terminal
from pitchey_cli.domain.job import TERMINAL, Job, JobState
from pitchey_cli.engines.port import BuildStep
from pitchey_cli.reports.wording import duration, printable

_MAX_BARS = 12  # more than that scroll away, and say no more than a sum
_LINE_SECONDS = 10.0
_LINE_LETTERS = 100  # of what a builder prints


@contextmanager
def job_progress(total: int, *, is_quiet: bool = False) -> Iterator[Callable[[Job], None]]:
    """Show jobs as they change; give it every job that may have changed."""
    if is_quiet:
        yield lambda job: None
    elif terminal.is_interactive():
        with _bars(total) as show:
            yield show
    else:
        yield state_lines()


def state_lines(clock: Callable[[], float] = time.monotonic) -> Callable[[Job], None]:
    """A line for each change of a job's state, and now and then how far it is.

    Args:
        clock: seconds, from any moment on.
    """
    seen: dict[str, JobState] = {}
    said_at: dict[str, float] = {}

    def show(job: Job) -> None:
        now = clock()
        if seen.get(job.id) == job.state is JobState.RUNNING and now - said_at[job.id] >= _LINE_SECONDS:
            said_at[job.id] = now
            terminal.say(f"{job.id} {_how_far(job)} {printable(job.name)}")
        if seen.get(job.id) != job.state:
            seen[job.id], said_at[job.id] = job.state, now
            why = f": {printable(job.error.message)}" if job.error and job.state is not JobState.RUNNING else ""
            terminal.say(f"{job.id} {job.state} {printable(job.name)}{why}")

    return show


def _how_far(job: Job) -> str:
    """What it is doing, how much of it is done, and how long the rest may take; as far as that is known."""
    share = "" if job.progress is None else f" {job.progress:.0%}"
    rest = "" if job.eta_seconds is None else f", about {duration(round(job.eta_seconds))} left,"
    return f"{job.stage or job.state}{share}{rest}"


@contextmanager
def _bars(total: int) -> Iterator[Callable[[Job], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[stage]}"))
    if total > 1:
        columns = (*columns, MofNCompleteColumn())  # type: ignore[assignment]
    with Progress(*columns, TimeRemainingColumn(), console=terminal.messages(), transient=True) as progress:
        tasks: dict[str, Any] = {}
        ended: set[str] = set()
        whole = progress.add_task("all jobs", total=total, stage="") if total > 1 else None

        def show(job: Job) -> None:
            if job.state in TERMINAL:
                ended.add(job.id)
                if job.id in tasks:
                    progress.remove_task(tasks.pop(job.id))
            elif job.state is JobState.RUNNING or total == 1:
                if job.id not in tasks and len(tasks) < _MAX_BARS:
                    tasks[job.id] = progress.add_task(printable(job.name)[:40], total=1.0, stage="")
                if job.id in tasks:
                    stage = job.stage or job.state
                    progress.update(tasks[job.id], completed=job.progress or 0.0, stage=stage)
            if whole is not None:
                progress.update(whole, completed=len(ended))

        yield show


def show_build(steps: Iterable[BuildStep], *, title: str, clock: Callable[[], float] = time.monotonic) -> None:
    """Show an image being built: a line for each step where nobody watches, one moving line where somebody does.

    In a pipe the output of a step comes a line now and then, so that one sees it move; with --debug all of it. Of a
    step that fails the error has the end.
    """
    if not terminal.is_interactive():
        _build_lines(steps, title, clock)
        return
    with terminal.messages().status(title) as status:
        number = ""
        for step in steps:
            if step.step is not None and step.steps is not None:
                number = f" [{step.step}/{step.steps}]"
            status.update(f"{title}{number} {printable(step.line)[:70]}")


def _build_lines(steps: Iterable[BuildStep], title: str, clock: Callable[[], float]) -> None:
    said_at: float | None = None
    for step in steps:
        if said_at is None:
            terminal.say(title)
            said_at = clock()
        if terminal.is_debugged() or step.step is not None or clock() - said_at >= _LINE_SECONDS:
            terminal.say(f"  {printable(step.line)[: None if terminal.is_debugged() else _LINE_LETTERS]}")
            said_at = clock()


@contextmanager
def share_progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar for a share between 0 and 1 on a terminal; in a pipe a line now and then, if it takes long."""
    if not terminal.is_interactive():
        yield _share_lines(what)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.messages(), transient=True) as progress:
        task = progress.add_task(what, total=1.0)
        show: Callable[[float], None] = lambda share: progress.update(task, completed=share)  # noqa: E731
        yield show


def _share_lines(what: str) -> Callable[[float], None]:
    said_at = time.monotonic()

    def show(share: float) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= _LINE_SECONDS:
            said_at = time.monotonic()
            terminal.say(f"{what}: {share:.0%}")

    return show
