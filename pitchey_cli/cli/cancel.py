"""pitchey cancel: stop jobs that wait or run."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import JobState
from pitchey_cli.operations import batches
from pitchey_cli.operations import cancel as operation
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.store.port import CancelResult, JobFilter

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_SENTENCES = {
    CancelResult.CANCELLED: "cancelled",
    CancelResult.REQUESTED: "is being stopped",
}


@app.command()
def cancel(
    jobs: Annotated[list[str] | None, typer.Argument(metavar="[JOB...]", help="Ids, or their beginnings.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="All of this batch.", metavar="NAME")] = None,
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="All of this organisation.", metavar="NAME")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every job that has not ended.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Kept with the job.")] = "",
) -> None:
    """Cancel every JOB. A running one gets the grace period, then it is killed; one that has ended stays as it is."""
    wiring = reach.wiring()
    store = wiring.store()
    ways = [bool(jobs), everything, batch is not None or organisation is not None]
    if sum(ways) != 1:
        what = "Which jobs?" if not any(ways) else "These are several ways to choose jobs."
        raise UsageError(what, hint="Name them, or say --all, or choose with --batch and --organisation.")
    if "" in (batch, organisation):
        raise UsageError("--batch and --organisation need a name.", hint="Is the variable set that it comes from?")
    if batch is not None:
        batches.summary(store, batch)
    if not jobs:
        wanted = JobFilter(batch=batch, organisation=organisation)
        count = operation.cancel_all(store, wanted, why=reason, now=wiring.clock.now())
        wiring.poke()
        typer.echo(f"{count} cancelled, or being stopped")
        return
    ids = list(dict.fromkeys(resolve(store, text) for text in jobs or ()))
    outcome = operation.cancel(store, ids, why=reason, now=wiring.clock.now())
    wiring.poke()
    for job_id, done in outcome.items():
        typer.echo(f"{job_id} {_SENTENCES.get(done) or _ended(store.job(job_id).state)}")


def _ended(state: JobState) -> str:
    # No error: what was asked for is so, it does not run. `docker stop` sees it in the same way.
    return "was cancelled already" if state is JobState.CANCELLED else f"had ended already: {state}"
