"""pitchey dlq: the dead letters, jobs that have used up their attempts or failed for good."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.domain.moments import earlier
from pitchey_cli.operations import dead_letters
from pitchey_cli.operations.dead_letters import DeadLetterFilter
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.operations.naming import service_named
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring

app = typer.Typer(
    help="Dead letters: list them, queue them again, remove them.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)

_LISTED_BY = "pitchey dlq list"
Service = Annotated[list[str] | None, typer.Option("--service", help="Only this service; repeatable.")]
Batch = Annotated[str, typer.Option("--batch", help="Only of this batch.", metavar="NAME")]
Error = Annotated[str, typer.Option("--error", help="Only with this error code or reason; * stands for anything.")]
Since = Annotated[str | None, typer.Option("--since", help="Submitted since 2h, yesterday 18:00, or an ISO time.")]
Jobs = Annotated[list[str] | None, typer.Argument(metavar="[JOB...]", help="Ids, or their beginnings.")]
Everything = Annotated[bool, typer.Option("--all", help="All of them, or all that the filters leave.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be.")]


@app.command(name="list")
def list_(
    service: Service = None,
    batch: Batch = "",
    error: Error = "",
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """List dead letters and their errors, the newest first."""
    wiring = reach.wiring()
    found = dead_letters.find(wiring.store(), _filter(wiring, service, batch, error, since))
    jobs = [job for job, _ in zip(found, range(limit), strict=False)]
    if json:
        from pitchey_cli.reports import as_json

        terminal.show_json_lines(as_json.job(job) for job in jobs)
    else:
        from pitchey_cli.reports import tables

        terminal.show(tables.dead_letters(jobs, now=wiring.clock.now()))


@app.command()
def show(job: Annotated[str, typer.Argument(metavar="JOB", help="Id, or its beginning.")]) -> None:
    """Show one dead letter: every attempt, and why it ended."""
    wiring = reach.wiring()
    store = wiring.store()
    found = store.job(resolve(store, job, listed_by=_LISTED_BY))
    if found.state is not JobState.DEAD:
        raise UsageError(f"Job {found.id} is {found.state}, no dead letter.", hint=f"`pitchey status {found.id}`")
    has_nodes = bool(wiring.node_names(store))
    for attempt in store.attempts(found.id):
        where = f" ({attempt.node_name})" if has_nodes and attempt.node_name else ""
        text = attempt.error.message if attempt.error else ""
        terminal.show_line(
            f"attempt {attempt.number} on {attempt.instance_id}{where}: {attempt.reason}. {text}".rstrip()
        )
    if found.error is not None:
        terminal.show_line(f"{found.id} {found.error.code}: {found.error.message} {found.error.hint or ''}".rstrip())


@app.command()
def retry(
    jobs: Jobs = None,
    everything: Everything = False,
    service: Service = None,
    batch: Batch = "",
    error: Error = "",
    since: Since = None,
    dry_run: DryRun = False,
) -> None:
    """Queue dead letters again with fresh attempts, and bring back what their failure had cancelled.

    What they did before stays in their history.
    """
    wiring = reach.wiring()
    store = wiring.store()
    ids = _chosen(store, jobs, everything, _filter(wiring, service, batch, error, since))
    if dry_run:
        typer.echo(f"{len(ids)} would be queued again")
        return
    count = dead_letters.redrive(store, ids, now=wiring.clock.now())
    wiring.poke()
    left = f"; {len(ids) - count} left, because what they wait for has failed" if count < len(ids) else ""
    typer.echo(f"{count} queued again{left}")


@app.command()
def purge(
    jobs: Jobs = None,
    everything: Everything = False,
    service: Service = None,
    batch: Batch = "",
    error: Error = "",
    since: Since = None,
    dry_run: DryRun = False,
) -> None:
    """Remove dead letters for good, with their attempts and events."""
    wiring = reach.wiring()
    store = wiring.store()
    ids = _chosen(store, jobs, everything, _filter(wiring, service, batch, error, since))
    if dry_run:
        typer.echo(f"{len(ids)} would be removed")
        return
    typer.echo(f"{dead_letters.purge(store, ids)} removed")


def _filter(wiring: Wiring, services: list[str] | None, batch: str, error: str, since: str | None) -> DeadLetterFilter:
    now = wiring.clock.now().astimezone()
    return DeadLetterFilter(
        services=tuple(service_named(name) for name in services or ()),
        batch=batch,
        error=error,
        since=earlier(since, now=now, what="--since") if since else None,
    )


def _chosen(store: Store, jobs: list[str] | None, everything: bool, wanted: DeadLetterFilter) -> list[JobId]:
    """The named ones, or what the filters leave; never all of them by an empty command."""
    if jobs:
        if everything or wanted != DeadLetterFilter():
            raise UsageError("Name jobs, or choose with --all and filters; not both.")
        ids = [resolve(store, text, listed_by=_LISTED_BY) for text in jobs]
        for job_id in ids:
            if (state := store.job(job_id).state) is not JobState.DEAD:
                raise UsageError(f"Job {job_id} is {state}, no dead letter.", hint=f"`{_LISTED_BY}` lists them.")
        return ids
    if not everything and wanted == DeadLetterFilter():
        raise UsageError("Which dead letters?", hint="Name jobs, choose with --error and the like, or say --all.")
    return [job.id for job in dead_letters.find(store, wanted)]
