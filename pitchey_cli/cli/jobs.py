"""pitchey jobs: list jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import JobState
from pitchey_cli.domain.moments import earlier
from pitchey_cli.domain.program import VERDICTS
from pitchey_cli.operations.naming import service_named
from pitchey_cli.store.port import JobFilter

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def jobs(
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", help="Only jobs in this state; repeatable.")
    ] = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="Only this service; repeatable.")] = None,
    verdict: Annotated[
        list[str] | None, typer.Option("--verdict", help="Only programs that ended so, as TIMEOUT or OK; repeatable.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Submitted since 30m, 2h, 1d ago, or an ISO time.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Submitted before that.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
    ids: Annotated[bool, typer.Option("--ids", help="Print ids only.")] = False,
) -> None:
    """List jobs, the newest first.

    The verdict says how a program of the code service ended; the table has it where one did not end with OK.
    """
    wiring = reach.wiring()
    now = wiring.clock.now()
    wanted = JobFilter(
        states=tuple(_state(name) for name in state or ()),
        services=tuple(service_named(name) for name in service or ()),
        verdicts=tuple(_verdict(name) for name in verdict or ()),
        created_since=earlier(since, now=now.astimezone(), what="--since") if since else None,
        created_until=earlier(until, now=now.astimezone(), what="--until") if until else None,
        limit=limit,
    )
    store = wiring.store()
    found = store.jobs(wanted)
    if ids:
        for job in found:
            typer.echo(job.id)
        return
    nodes = wiring.last_nodes(store, [job.id for job in found])
    if json:
        from pitchey_cli.reports import as_json

        terminal.show_json_lines(as_json.job(job) | {"node": nodes.get(job.id)} for job in found)
    else:
        from pitchey_cli.reports import tables

        terminal.show(tables.jobs(found, now=now, nodes=nodes))


def _state(name: str) -> JobState:
    try:
        return JobState(name)
    except ValueError:
        raise UsageError(f"There is no state {name!r}.", hint=f"There are {', '.join(JobState)}.") from None


def _verdict(name: str) -> str:
    if name.upper() in VERDICTS:
        return name.upper()
    known = f"There are {', '.join(VERDICTS)}."
    raise UsageError(
        f"There is no verdict {name!r} on a program that ran.",
        hint=f"{known} A job that was refused or could not be run has failed: --state dead.",
    )
