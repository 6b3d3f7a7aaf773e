"""pitchey cancel: stop jobs that wait or run."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.daemon import lock
from pitchey_cli.domain.job import JobState
from pitchey_cli.operations import cancel as operation
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.store.port import CancelResult
from pitchey_cli.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_SENTENCES = {
    CancelResult.CANCELLED: "cancelled",
    CancelResult.REQUESTED: "is being stopped",
}


@app.command()
def cancel(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids, or their beginnings.")],
    reason: Annotated[str, typer.Option("--reason", help="Kept with the job.")] = "",
) -> None:
    """Cancel every JOB. A running one gets the grace period, then it is killed; one that has ended stays as it is."""
    wiring = Wiring.from_environment()
    store = wiring.store()
    ids = list(dict.fromkeys(resolve(store, text) for text in jobs))
    outcome = operation.cancel(store, ids, why=reason, now=wiring.clock.now())
    lock.poke(wiring.state_dir)
    for job_id, done in outcome.items():
        typer.echo(f"{job_id} {_SENTENCES.get(done) or _ended(store.job(job_id).state)}")


def _ended(state: JobState) -> str:
    # No error: what was asked for is so, it does not run. `docker stop` sees it in the same way.
    return "was cancelled already" if state is JobState.CANCELLED else f"had ended already: {state}"
