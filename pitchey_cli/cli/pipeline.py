"""pitchey pipeline: steps over the services, where one works on what another gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.drafting import staging_progress
from pitchey_cli.cli.handover import hand_over, refuse_existing
from pitchey_cli.cli.holding import BudgetWatch, say_what_is_held
from pitchey_cli.cli.outcome import exit_code_of
from pitchey_cli.cli.runner import Runner, carry_out
from pitchey_cli.domain.job import Job, JobId, JobState
from pitchey_cli.domain.pipeline import Pipeline
from pitchey_cli.engines import images
from pitchey_cli.operations import batches, budgets, result
from pitchey_cli.operations import pipelines as operation
from pitchey_cli.operations.cancel import cancel_all
from pitchey_cli.operations.sources import Source
from pitchey_cli.store.port import JobFilter, Store
from pitchey_cli.wiring import Wiring

if TYPE_CHECKING:
    from rich.console import RenderableType

app = typer.Typer(
    help="Pipelines: steps over the services, from a TOML or JSON file.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="The pipeline, as TOML or JSON.")]
Inputs = Annotated[list[str] | None, typer.Argument(metavar="[INPUT...]", help="What it is started with.")]
Batch = Annotated[str, typer.Option("--batch", help="What to call this run; its jobs are a batch.", metavar="NAME")]
Organisation = Annotated[str, typer.Option("--organisation", help="For whom.", metavar="NAME")]
Priority = Annotated[str, typer.Option("--priority", help="low, normal, high, urgent, or 1 to 5.")]


@app.command()
def check(file: File, inputs: Inputs = None) -> None:
    """Check a pipeline as a whole; nothing is queued."""
    wiring = reach.wiring()
    pipeline = operation.read(file)
    anything = [Source("input", "input")] if pipeline.takes_input else []
    started_with = operation.started_with(pipeline, inputs, wiring.listed) if inputs else anything
    runs = operation.plan(pipeline, started_with, available=images.available())
    operation.check(wiring.submitting(wiring.store()), runs, {}, now=wiring.clock.now())
    for step in pipeline.steps:
        after = f" after {', '.join(step.after)}" if step.after else ""
        source = f" of {step.source}" if step.source is not None else ""
        typer.echo(f"{step.name}: {step.service}{' for each' * step.is_each}{source}{after}")
    if inputs:
        jobs = sum(len(planned.drafts) for run in runs for planned in run)
        terminal.say(f"{len(runs)} run{'s' * (len(runs) != 1)}, {jobs} jobs to begin with")


@app.command()
def run(
    file: File,
    inputs: Inputs = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the results.", metavar="DIR")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
    everything: Annotated[bool, typer.Option("--all-outputs", help="Also what later steps have worked on.")] = False,
    engine: Annotated[
        str | None, typer.Option("--engine", help="docker, podman, or process: no isolation.", metavar="ENGINE")
    ] = None,
    wait: Annotated[float | None, typer.Option("--wait", help="Give up waiting after so many seconds.", min=0)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the finished jobs as JSON, one per line.")] = False,
    batch: Batch = "",
    organisation: Organisation = "default",
    priority: Priority = "normal",
) -> None:
    """Run a pipeline and wait for it; the results are what the last steps give. No daemon is needed."""
    wiring = reach.wiring()
    pipeline = operation.read(file)
    started_with = operation.started_with(pipeline, inputs or (), wiring.listed)
    runs = operation.plan(pipeline, started_with, available=images.available())
    files = [Path(source.location) for source in started_with if not source.is_url]
    wanted = pipeline.steps if everything else pipeline.gives()
    drafts = [draft for run in runs for each in run if each.step in wanted for draft in each.drafts]
    refuse_existing(drafts, output, overwrite=overwrite, inputs=files)
    result.make_directory(output)
    store = wiring.store()
    runner = Runner(wiring, list(dict.fromkeys(step.service for step in pipeline.steps)), engine)
    words = {"organisation": organisation, "priority": priority}
    name = _start(wiring, store, pipeline, runs, started_with, words, batch, is_foreground=True)

    budget_watch = BudgetWatch(wiring, store, budgets.of_batch(name))

    def tick() -> None:
        budget_watch.tick()  # before anything is started
        runner.tick()

    def finished() -> list[Job]:
        _follow(wiring, store, name, tick=tick, timeout_seconds=wait)
        return list(store.batch_jobs(name))

    def give_up(why: str) -> list[JobId]:
        cancel_all(store, JobFilter(batch=name), why=why, now=wiring.clock.now())
        return [job.id for job in store.batch_jobs(name, [JobState.RUNNING])]

    ended = carry_out(runner, store, finished, cancel=give_up, again=f"pitchey batch wait {name}")
    if not json:
        terminal.show(_tree(wiring, store, name))
    given = ended if everything else operation.last(store, ended)
    failed = [job for job in ended if job.state is not JobState.SUCCEEDED and job not in given]
    hand_over(
        wiring, store, [*given, *failed], output,
        overwrite=overwrite, inputs=files, as_json_wanted=json, is_quiet=False,
    )  # fmt: skip
    raise typer.Exit(exit_code_of(store, ended))


@app.command()
def submit(
    file: File,
    inputs: Inputs = None,
    batch: Batch = "",
    organisation: Organisation = "default",
    priority: Priority = "normal",
    spot_ok: Annotated[bool, typer.Option("--spot-ok", help="Also on a node that may be taken away.")] = False,
) -> None:
    """Queue all steps of a pipeline; prints the name of its batch."""
    wiring = reach.wiring()
    pipeline = operation.read(file)
    started_with = operation.started_with(pipeline, inputs or (), wiring.listed)
    runs = operation.plan(pipeline, started_with, available=images.available())
    words = {"organisation": organisation, "priority": priority, "spot_ok": spot_ok}
    store = wiring.store()
    name = _start(wiring, store, pipeline, runs, started_with, words, batch, is_foreground=False)
    is_taken = wiring.poke()
    typer.echo(name)
    say_what_is_held(wiring, store, [job.id for job in store.batch_jobs(name)])
    if not is_taken and terminal.is_interactive() and not wiring.at_work(store):
        terminal.say("No daemon runs: `pitchey daemon start` starts one.")


@app.command()
def show(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="What `pipeline submit` printed.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until all of it has ended.")] = False,
) -> None:
    """Show the jobs of a run as a tree: each below what it works on, or else waits for."""
    wiring = reach.wiring()
    store = wiring.store()
    if follow:
        _follow(wiring, store, batch)
    terminal.show(_tree(wiring, store, batch))


def _start(
    wiring: Wiring,
    store: Store,
    pipeline: Pipeline,
    runs: Sequence[operation.Run],
    inputs: Sequence[Source],
    words: Mapping[str, Any],
    batch: str,
    *,
    is_foreground: bool,
) -> str:
    if wiring.elsewhere is not None:
        with staging_progress() as progress:
            return wiring.elsewhere.run_pipeline(pipeline, runs, inputs, words, batch, progress)
    submitting = wiring.submitting(store, is_foreground=is_foreground)
    with staging_progress() as progress:
        now = wiring.clock.now()
        return operation.start(submitting, pipeline, runs, words, batch=batch, now=now, progress=progress)


def _follow(
    wiring: Wiring,
    store: Store,
    batch: str,
    *,
    tick: Callable[[], None] | None = None,
    timeout_seconds: float | None = None,
) -> None:
    """Wait until all of it has ended; with a tree that grows and changes, where somebody watches."""
    if not terminal.is_interactive():
        batches.wait(store, batch, on_change=lambda _: None, tick=tick, timeout_seconds=timeout_seconds)
        return
    from rich.live import Live

    with Live(console=terminal.messages(), transient=True, auto_refresh=False) as live:

        def redraw(_: batches.Summary) -> None:
            live.update(_tree(wiring, store, batch), refresh=True)

        batches.wait(store, batch, on_change=redraw, tick=tick, timeout_seconds=timeout_seconds)


def _tree(wiring: Wiring, store: Store, batch: str) -> RenderableType:
    from pitchey_cli.reports import trees

    roots, children = operation.tree(store, batch)
    return trees.batch(batch, roots, children, now=wiring.clock.now())
