"""pitchey events: the numbered facts about jobs."""

from __future__ import annotations

import json as json_module
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.operations import follow as operation
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.reports import as_json
from pitchey_cli.reports.wording import printable

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def events(
    jobs: Annotated[list[str] | None, typer.Argument(metavar="[JOB...]", help="Only of these jobs.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on; with jobs, until they have ended.")] = False,
    after: Annotated[int | None, typer.Option("--after", help="Only events with a higher number.", min=0)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """Print events, the oldest first: what happened to which job, and when."""
    wiring = reach.wiring()
    store = wiring.store()
    ids = [resolve(store, text) for text in jobs or ()]
    start = after if after is not None else (store.last_event_id() if follow and not ids else 0)
    names = {} if json else wiring.node_names(store)
    for event in operation.events(store, after=start, job_ids=ids, follow=follow):
        if json:
            terminal.show_json_lines([as_json.event(event)])
        else:
            known = (
                {**event.data, "node": names.get(event.data["node"])}
                if event.type == "claimed" and "node" in event.data
                else event.data
            )
            data = " ".join(f"{key}={json_module.dumps(value)}" for key, value in known.items() if value is not None)
            typer.echo(
                f"{event.id:>6} {event.at:%H:%M:%S.%f}"[:-3] + f" {event.job_id or '-'} {event.type} {printable(data)}"
            )
