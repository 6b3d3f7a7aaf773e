"""pitchey batch: jobs that were submitted together, as one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.holding import BudgetWatch
from pitchey_cli.cli.wait import Watch
from pitchey_cli.domain.errors import ExitCode, UsageError
from pitchey_cli.domain.job import JobState
from pitchey_cli.operations import batches, budgets, dead_letters
from pitchey_cli.operations.batches import Summary
from pitchey_cli.operations.cancel import cancel_all
from pitchey_cli.store.port import JobFilter

app = typer.Typer(
    help="Jobs that were submitted together with --batch.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the batch.")]


@app.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False) -> None:
    """List all batches, and how many of their jobs stand where."""
    store = reach.wiring().store()
    found = [batches.summary(store, name) for name in store.batches()]
    _show(found, json)


@app.command()
def status(name: Name, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say how many jobs of a batch stand where."""
    _show([batches.summary(reach.wiring().store(), name)], json)


@app.command()
def wait(
    name: Name,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Give up after so many seconds.", min=0)] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop waiting at the first job that fails.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Wait until every job has ended. Exit code 0 if all succeeded, 1 if one failed, 6 if one was cancelled.

    When budgets hold all that is left, it ends at once with exit code 7; the jobs stay in the queue.
    """
    wiring = reach.wiring()
    store = wiring.store()
    watch = Watch(wiring, store)
    before = batches.summary(store, name)
    budget_watch = BudgetWatch(wiring, store, budgets.of_batch(name))
    if before.ended < before.total:
        budget_watch.tick()
    if before.ended < before.total and timeout is None:
        watch.check()
    began = time.monotonic()

    def tick() -> None:
        budget_watch.tick()
        if timeout is None:
            watch.tick()

    try:
        with _progress(before, is_quiet=quiet) as show:
            found = batches.wait(store, name, on_change=show, tick=tick, timeout_seconds=timeout, fail_fast=fail_fast)
    except KeyboardInterrupt:
        terminal.say("\nThe jobs go on.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if not quiet:
        seconds = time.monotonic() - began
        done = found.ended - before.ended
        pace = f", {done / seconds * 60:,.0f} jobs a minute" if done and seconds > 1 else ""
        terminal.say(f"{_sentence(found)} after {seconds:.1f} s{pace}")
    if held := found.counts.get(JobState.HELD, 0) if batches.is_stuck(store, found) else 0:
        terminal.say(f"{held} held for dead letters: `pitchey batch retry {name}`, or `pitchey batch cancel {name}`.")
        raise typer.Exit(ExitCode.JOB_FAILED)
    if found.counts.get(JobState.DEAD):
        raise typer.Exit(ExitCode.JOB_FAILED)
    if failed := batches.failed_programs(store, name):
        terminal.say(
            f"{len(failed)} of them are programs that did not end well: `pitchey result {next(iter(failed))}`."
        )
        raise typer.Exit(ExitCode.JOB_FAILED)
    if found.failed:
        raise typer.Exit(ExitCode.CANCELLED)


@app.command()
def cancel(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Kept with the jobs.")] = "",
) -> None:
    """Cancel every job of a batch that has not ended."""
    wiring = reach.wiring()
    store = wiring.store()
    batches.summary(store, name)
    count = cancel_all(store, JobFilter(batch=name), why=reason or f"batch {name}", now=wiring.clock.now())
    wiring.poke()
    typer.echo(f"{count} cancelled, or being stopped")


@app.command()
def retry(name: Name) -> None:
    """Queue the dead letters of a batch again."""
    wiring = reach.wiring()
    store = wiring.store()
    batches.summary(store, name)
    ids = [job.id for job in store.batch_jobs(name, [JobState.DEAD])][::-1]
    count = dead_letters.redrive(store, ids, now=wiring.clock.now())
    wiring.poke()
    typer.echo(f"{count} queued again")


@app.command()
def report(
    name: Name,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML there.", metavar="FILE")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the jobs as JSON, one per line.")] = False,
) -> None:
    """Report on every job of a batch."""
    store = reach.wiring().store()
    found = batches.summary(store, name)
    if junit is not None:
        from pitchey_cli.reports import junit as form

        try:
            failed = batches.failed_programs(store, name)
            junit.write_text(form.batch(name, store.batch_jobs(name), failed), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{junit} cannot be written: {error.strerror}.") from error
        terminal.say(f"wrote {junit}")
    if json:
        from pitchey_cli.reports import as_json

        terminal.show_json_lines(as_json.job(job) for job in store.batch_jobs(name))
    elif junit is None:
        _show([found], False)


def _show(found: list[Summary], is_json: bool) -> None:
    if is_json:
        terminal.show_json_lines(
            {"schema": 1, "batch": each.name, "jobs": each.total, "states": dict(each.counts)} for each in found
        )
        return
    from pitchey_cli.reports import tables

    terminal.show(tables.batches([(each.name, each.counts) for each in found]))


def _sentence(found: Summary) -> str:
    states = ", ".join(f"{count:,} {state}" for state, count in found.counts.items())
    return f"{found.name}: {found.ended:,} of {found.total:,} ended ({states})"


@contextmanager
def _progress(before: Summary, *, is_quiet: bool) -> Iterator[Callable[[Summary], None]]:
    if is_quiet or not terminal.is_interactive():
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[states]}"))
    with Progress(*columns, TimeRemainingColumn(), console=terminal.messages(), transient=True) as bars:
        task = bars.add_task(before.name, total=before.total, completed=before.ended, states="")

        def show(found: Summary) -> None:
            states = f"{found.counts.get(JobState.RUNNING, 0)} running, {found.failed} failed"
            bars.update(task, total=found.total, completed=found.ended, states=states)

        yield show
