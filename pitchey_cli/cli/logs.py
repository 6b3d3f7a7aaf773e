"""pitchey logs: what the programs of a job wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.streaming import PIECES
from pitchey_cli.operations import logs as operation
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.reports.wording import printable

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
    wiring = reach.wiring()
    store = wiring.store()
    job_id = resolve(store, job)
    is_empty, goes_on = True, False
    notices: list[str] = []
    if wiring.elsewhere is not None:
        lines = wiring.elsewhere.log_lines(job_id, attempt=attempt, follow=follow)
    else:
        lines = operation.lines(store, wiring.state_dir, job_id, attempt=attempt, follow=follow)
    for line in lines:
        is_empty = False
        if line.stream == operation.NOTICES:
            notices.append(line.line)
            continue
        is_piece = line.stream == PIECES and not timestamps
        if goes_on and not is_piece:
            terminal.show_line("")
        goes_on = is_piece
        text = (f"{line.at:%H:%M:%S.%f}"[:-3] + " " if timestamps else "") + line.line
        terminal.show_line(text, has_colours=True, end="" if is_piece else "\n")
    if goes_on:
        terminal.show_line("")
    for notice in notices:
        terminal.say(printable(notice))
    if is_empty:
        terminal.say(f"{job_id} has written no log lines.")
