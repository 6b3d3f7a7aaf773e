"""pitchey status: everything at a glance, or one job in full."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.daemon import lock
from pitchey_cli.domain.budget import Standing
from pitchey_cli.domain.job import Job
from pitchey_cli.operations.lookup import cached_from, resolve
from pitchey_cli.reports.wording import printable
from pitchey_cli.store.port import JobFilter, Store
from pitchey_cli.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_RECENT = 10


@app.command()
def status(
    job: Annotated[str | None, typer.Argument(help="Id of a job, or its beginning; @last is the newest.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the queue and the instances, or one JOB in full."""
    if job is None:
        overview(as_json=json)
    else:
        _one(job, as_json=json)


def overview(*, as_json: bool) -> None:
    """The daemon, the queue, the instances and the newest jobs."""
    wiring = reach.wiring()
    store = wiring.store()
    counts, instances = store.counts(), store.instances()
    holder, others = wiring.holder(), wiring.at_work(store)
    held = _held(wiring, store)
    if as_json:
        from pitchey_cli.reports import as_json as documents
        from pitchey_cli.reports import budgets

        daemon = None
        if holder is not None and holder.is_daemon:
            daemon = {"pid": holder.pid, "engine": holder.engine, "startedAt": holder.started_at}
        document = documents.overview(counts, instances, daemon=daemon)
        terminal.show_json({**document, "nodes": others, "heldByBudgets": budgets.holding_all(held)})
        return
    from pitchey_cli.reports import tables

    recent = store.jobs(JobFilter(limit=_RECENT))
    line, now = _daemon_line(holder, others), wiring.clock.now()
    terminal.show(tables.overview(counts, instances, recent, daemon=line, now=now))
    for standings, jobs in held:
        from pitchey_cli.operations import budgets as operation

        terminal.show(printable(operation.sentence(standings, jobs=operation.waiting(jobs))))


def _held(wiring: Wiring, store: Store) -> list[tuple[list[Standing], int]]:
    """The budgets that are used up, and how many jobs wait for them."""
    if not store.budgets():
        return []
    from pitchey_cli.operations import budgets  # late: hardly anybody has one, and this has to start fast

    return budgets.held(store, budgets.capped(store, wiring.as_of))


def _one(text: str, *, as_json: bool) -> None:
    wiring = reach.wiring()
    store = wiring.store()
    job = store.job(resolve(store, text))
    attempts, outputs, source = store.attempts(job.id), store.outputs(job.id), cached_from(store, job)
    details = store.details(job.id)
    holding = _holding(wiring, store, job)
    if as_json:
        from pitchey_cli.reports import as_json as documents
        from pitchey_cli.reports import budgets

        document = documents.job_in_full(job, attempts, outputs, details, cached_from=source)
        documents_of = [budgets.holding(each) for each in holding]
        terminal.show_json({**document, "heldByBudget": next(iter(documents_of), None), "heldByBudgets": documents_of})
        return
    from pitchey_cli.reports import tables

    now = wiring.clock.now()
    terminal.show(
        tables.job_in_full(
            job,
            attempts,
            outputs,
            details,
            cached_from=source,
            now=now,
            has_nodes=bool(wiring.node_names(store)),
        )
    )
    if holding:
        from pitchey_cli.operations import budgets as operation

        terminal.show(printable(operation.sentence(holding)))


def _holding(wiring: Wiring, store: Store, job: Job) -> list[Standing]:
    if not store.budgets():
        return []
    from pitchey_cli.operations import budgets

    return budgets.holding(budgets.capped(store, wiring.as_of), job)


def _daemon_line(holder: lock.Holder | None, others: Sequence[str]) -> str:
    if holder is None and others:
        return f"daemon: not running here; up on this queue: {printable(', '.join(others))}"
    if holder is None:
        return "daemon: not running"
    from pitchey_cli.reports.wording import duration

    since = duration(max(0.0, round(time.time() - holder.started_at)))
    if not holder.is_daemon:
        return f"daemon: not running; process {holder.pid} (pitchey run) does the work, since {since}"
    return f"daemon: process {holder.pid} on {holder.engine}, since {since}"
