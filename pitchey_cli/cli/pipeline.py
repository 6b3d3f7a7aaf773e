"""pitchey pipeline: steps over the services, where one works on what another gave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pitchey_cli.cli import terminal
from pitchey_cli.cli.drafting import staging_progress
from pitchey_cli.daemon import lock
from pitchey_cli.engines import images
from pitchey_cli.operations import batches, follow
from pitchey_cli.operations import pipelines as operation
from pitchey_cli.operations.sources import Source
from pitchey_cli.store.port import Store
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
    pipeline = operation.read(file)
    anything = [Source("input", "input")] if pipeline.takes_input else []
    started_with = operation.started_with(pipeline, inputs) if inputs else anything
    runs = operation.plan(pipeline, started_with, available=images.available())
    for step in pipeline.steps:
        after = f" after {', '.join(step.after)}" if step.after else ""
        source = f" of {step.source}" if step.source is not None else ""
        typer.echo(f"{step.name}: {step.service}{' for each' * step.is_each}{source}{after}")
    if inputs:
        jobs = sum(len(planned.drafts) for run in runs for planned in run)
        terminal.say(f"{len(runs)} run{'s' * (len(runs) != 1)}, {jobs} jobs to begin with")


@app.command()
def submit(
    file: File,
    inputs: Inputs = None,
    batch: Batch = "",
    organisation: Organisation = "default",
    priority: Priority = "normal",
) -> None:
    """Queue all steps of a pipeline; prints the name of its batch."""
    wiring = Wiring.from_environment()
    pipeline = operation.read(file)
    runs = operation.plan(pipeline, operation.started_with(pipeline, inputs or ()), available=images.available())
    words = {"organisation": organisation, "priority": priority}
    with staging_progress() as progress:
        name, _ = operation.start(
            wiring.submitting(wiring.store()),
            pipeline,
            runs,
            words,
            batch=batch,
            now=wiring.clock.now(),
            progress=progress,
        )
    is_taken = lock.poke(wiring.state_dir)
    typer.echo(name)
    if not is_taken and terminal.is_interactive():
        terminal.say("No daemon runs: `pitchey daemon start` starts one.")


@app.command()
def show(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="What `pipeline submit` printed.")],
    follow_it: Annotated[bool, typer.Option("--follow", "-f", help="Go on until all of it has ended.")] = False,
) -> None:
    """Show the jobs of a run as a tree: each below what it works on."""
    wiring = Wiring.from_environment()
    store = wiring.store()
    if follow_it and terminal.is_interactive():
        follow_tree(wiring, store, batch)
    elif follow_it:
        batches.wait(store, batch, on_change=lambda _: None)
    terminal.show(_tree(wiring, store, batch))


def follow_tree(wiring: Wiring, store: Store, batch: str) -> None:
    """Show the tree live, until everything in it has ended."""
    from rich.live import Live

    with Live(console=terminal.messages(), transient=True, auto_refresh=False) as live:
        for _ in follow.changes(store):
            live.update(_tree(wiring, store, batch), refresh=True)
            found = batches.summary(store, batch)
            if found.ended == found.total:
                return


def _tree(wiring: Wiring, store: Store, batch: str) -> RenderableType:
    from pitchey_cli.reports import trees

    roots, children = operation.tree(store, batch)
    return trees.batch(batch, roots, children, now=wiring.clock.now())
