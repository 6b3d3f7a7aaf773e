"""pitchey logs: what the programs of a job wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import terminal
from pitchey_cli.operations import logs as operation
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def logs(
    job: Annotated[str, typer.Argument(help="Id of a job, or its beginning.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    attempt: Annotated[int | None, typer.Option("--attempt", help="Only this attempt.", min=1)] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Put the time before each line.")] = False,
) -> None:
    """Print the log of JOB.

    A terminal gets its colours; other control characters are shown there, as \\x1b. A pipe gets all as it is.
    """
    wiring = Wiring.from_environment()
    store = wiring.store()
    job_id = resolve(store, job)
    is_empty = True
    for line in operation.lines(store, wiring.state_dir, job_id, attempt=attempt, follow=follow):
        is_empty = False
        terminal.show_line((f"{line.at:%H:%M:%S.%f}"[:-3] + " " if timestamps else "") + line.line, has_colours=True)
    if is_empty:
        terminal.say(f"{job_id} has written no log lines.")
