"""What `pitchey top` shows, as lines and rows: the screen and the single frame are made of the same. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum

from rich.console import Group, RenderableType
from rich.text import Text

from pitchey_cli.domain.job import WAITING, InstanceState, Job, JobState
from pitchey_cli.domain.overview import HostUse, Overview
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.reports.tables import STATE_COLOURS, cell, loaded_models, plain_table
from pitchey_cli.reports.wording import duration, money, percent, printable, size
from pitchey_cli.values import dataclass

_BAR_CELLS = 10
_GAUGE_CELLS = 6
_NOTICES = 3  # more would leave no room for the tables
_SHOWN = (
    JobState.SCHEDULED,
    JobState.HELD,
    JobState.QUEUED,
    JobState.RUNNING,
    JobState.SUCCEEDED,
    JobState.DEAD,
    JobState.CANCELLED,
)
_INSTANCE_COLOURS = {
    InstanceState.STARTING: "yellow",
    InstanceState.READY: "green",
    InstanceState.PAUSED: "blue",
    InstanceState.DRAINING: "yellow",
}


class View(StrEnum):
    """The tables."""

    POOLS = "pools"
    JOBS = "jobs"
    INSTANCES = "instances"
    DEAD_LETTERS = "dead letters"
    QUEUE = "queue"


@dataclass(frozen=True)
class Row:
    """One row of a table, and what it stands for."""

    key: str  #: of a job or an instance its id
    pool: PoolKey  #: that it belongs to
    cells: tuple[Text, ...]

    def holds(self, wanted: str) -> bool:
        """Whether one of its cells has a text in it, in whatever case."""
        return any(wanted.casefold() in each.plain.casefold() for each in self.cells)


@dataclass(frozen=True)
class Table:
    """A table, whoever draws it."""

    columns: tuple[str, ...]
    right: frozenset[str]  #: columns of numbers
    empty: str  #: what to say when there are no rows
    rows: Callable[[Overview], list[Row]]


# --- the lines above the tables


def headline(found: Overview) -> Text:
    """Who runs the jobs."""
    runner, others = found.runner, printable(", ".join(found.others))
    if runner is None and others:
        return Text(f"No daemon runs here; up on this queue: {others}")
    if runner is None:
        return Text("No daemon runs: nothing is started. `pitchey daemon start` starts one.", style="bold yellow")
    since = duration(max(0.0, round((found.at - runner.since).total_seconds())))
    if not runner.is_daemon:
        here = f"process {runner.pid} (pitchey run) does the work, since {since}"
        if others:
            return Text(f"No daemon runs here; {here}; up on this queue: {others}")
        return Text(f"No daemon runs; {here}", style="yellow")
    return Text(f"daemon {runner.pid} on {runner.engine}, since {since}" if runner.pid else "A daemon starts.")


def host_line(host: HostUse) -> Text:
    """How busy the host is."""
    line = Text(no_wrap=True, overflow="ellipsis")
    cpu = f"{host.cpu:4.0%}" if host.cpu is not None else "   -"
    line.append_text(_gauge("CPU", host.cpu, f"{cpu} of {host.cpus}"))
    used, whole = host.memory_used_bytes, host.memory_bytes
    line.append("  ").append_text(_gauge("memory", used / whole if whole else None, f"{_gib(used)}/{_gib(whole)} GiB"))
    if host.disk_free_bytes is not None and host.disk_bytes:
        share = 1 - host.disk_free_bytes / host.disk_bytes
        line.append("  ").append_text(_gauge("disk", share, f"{size(host.disk_free_bytes)} free"))
    return line


def spending_line(found: Overview) -> Text:
    """What is spent, what is warm, and how many jobs there are."""
    per_hour = found.nanodollars_per_hour / NANODOLLARS
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"${per_hour:.3f}", style="bold").append(" per hour, ")
    line.append(money(found.spent_today), style="bold").append(" today")
    line.append(f"; {found.count(JobState.RUNNING):,} running, {found.count(*WAITING):,} waiting")
    if dead := found.count(JobState.DEAD):
        line.append(", ").append(f"{dead:,} dead", style="red")
    for each in found.warm:
        line.append(f"; {printable(str(each.pool))} {each.instances} warm")
    return line


def notices(found: Overview) -> list[Text]:
    """Budgets that hold jobs, and alerts that fire; a few of them."""
    shown = [Text(f"! {printable(each)}", style="bold red") for each in found.notices[:_NOTICES]]
    if len(shown) < len(found.notices):
        left = len(found.notices) - _NOTICES + 1
        shown[-1] = Text(f"! and {left} more: `pitchey alerts list`, `pitchey budget list`", style="bold red")
    return shown


def _gauge(name: str, share: float | None, words: str) -> Text:
    style = "" if share is None else "red" if share >= 0.9 else "yellow" if share >= 0.75 else "green"
    return Text.assemble((f"{name} ", "bold"), (bar(share, _GAUGE_CELLS), style), f" {words}")


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f}"


def bar(share: float | None, cells: int) -> str:
    """A share as a bar that needs no colour."""
    full = round((share or 0.0) * cells)
    return "█" * full + "░" * (cells - full)


# --- the tables


def _pools(found: Overview) -> list[Row]:
    return [
        Row(
            "/".join(each.pool),
            each.pool,
            (
                cell(str(each.pool)),
                Text("-" if each.wanted is None else str(each.wanted)),
                *(_number(count) for count in (each.ready, each.starting, each.paused, each.waiting, each.running)),
                Text(percent(each.cpu) or "-"),
                Text(percent(each.memory) or "-"),
                Text(each.rule or "-"),
            ),
        )
        for each in found.pools
    ]


def _number(count: int) -> Text:
    return Text(f"{count:,}", style="" if count else "dim")


def _jobs(found: Overview) -> list[Row]:
    return [
        Row(
            job.id,
            job.pool,
            (
                Text(job.id),
                Text(job.service),
                Text(job.state, style=STATE_COLOURS.get(job.state, "")),
                _progress(job),
                Text(_spent(job, found.at)),
                Text(_left(job, found.at)),
                cell(job.name),
                cell(_why(job)),
            ),
        )
        for job in found.jobs
    ]


def _progress(job: Job) -> Text:
    if job.state is not JobState.RUNNING:
        return Text()
    done = bar(job.progress, _BAR_CELLS)
    return Text.assemble((done, "cyan"), f" {'' if job.progress is None else f'{job.progress:4.0%}':>4}")


def _spent(job: Job, now: datetime) -> str:
    """How long it has run, or waited."""
    since = job.started_at if job.state is JobState.RUNNING and job.started_at else job.created_at
    return stopwatch((now - since).total_seconds())


def _left(job: Job, now: datetime) -> str:
    if job.state is JobState.RUNNING:
        return "-" if job.eta_seconds is None else stopwatch(job.eta_seconds)
    if job.state is JobState.SCHEDULED and job.run_at is not None:
        return stopwatch((job.run_at - now).total_seconds())
    return "-"


def _why(job: Job) -> str:
    """The stage of one that runs, what one waits for that does not queue."""
    if job.cancel_requested_at is not None and job.state is JobState.RUNNING:
        return "is being stopped"
    return (job.stage if job.state is JobState.RUNNING else job.held_because) or ""


def stopwatch(seconds: float) -> str:
    """A span in as few characters as can be: 0:07, 12:30, 1:02:03, 3d 4h."""
    whole = max(0, round(seconds))
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 86400:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 86400}d {whole // 3600 % 24}h"


def _instances(found: Overview) -> list[Row]:
    return [
        Row(
            each.id,
            each.pool,
            (
                Text(each.id),
                Text(each.state, style=_INSTANCE_COLOURS.get(each.state, "")),
                cell(f"{each.instance_type} of {each.pool.owner}" if each.pool.owner else each.instance_type),
                Text(f"{use.slots_taken}/{each.slots}"),
                Text(f"{each.granted_cpus:g}"),
                Text(size(each.granted_memory_bytes)),
                Text(stopwatch((found.at - each.created_at).total_seconds())),
                Text(f"{use.nanodollars_per_hour / NANODOLLARS:.3f}"),
                cell("; ".join(filter(None, (loaded_models(each), each.note)))),
            ),
        )
        for use in found.instances
        for each in (use.instance,)
    ]


def _dead_letters(found: Overview) -> list[Row]:
    return [
        Row(
            job.id,
            job.pool,
            (
                Text(job.id),
                Text(job.service),
                Text(job.reason or "", style="red"),
                Text(str(job.attempts_used)),
                Text(stopwatch((found.at - job.finished_at).total_seconds()) if job.finished_at else "-"),
                cell(job.name),
                cell(f"{job.error.code}: {job.error.message}" if job.error else ""),
            ),
        )
        for job in found.dead_letters
    ]


def _queue(found: Overview) -> list[Row]:
    return [
        Row(service, PoolKey.of(service), (Text(service), *(_number(states.get(state, 0)) for state in _SHOWN)))
        for service, states in found.counts.items()
    ]


_POOL_NUMBERS = ("wanted", "ready", "starting", "paused", "waiting", "running", "cpu", "memory")
TABLES = {
    View.POOLS: Table(("pool", *_POOL_NUMBERS, "rule"), frozenset(_POOL_NUMBERS), "No pools.", _pools),
    View.JOBS: Table(
        ("job", "service", "state", "progress", "time", "left", "name", "stage"),
        frozenset({"time", "left"}),
        "No job runs or waits.",
        _jobs,
    ),
    View.INSTANCES: Table(
        ("instance", "state", "type", "slots", "CPUs", "memory", "age", "$/hour", "note"),
        frozenset({"slots", "CPUs", "memory", "age", "$/hour"}),
        "No instances.",
        _instances,
    ),
    View.DEAD_LETTERS: Table(
        ("job", "service", "reason", "attempts", "ended", "name", "error"),
        frozenset({"attempts", "ended"}),
        "No dead letters.",
        _dead_letters,
    ),
    View.QUEUE: Table(("service", *_SHOWN), frozenset(_SHOWN), "No jobs yet.", _queue),
}


def frame(found: Overview, *, most: int) -> RenderableType:
    """One frame, for whoever is no terminal.

    Args:
        most: rows of a table; of the rest only the number is said.
    """
    lines = [headline(found), host_line(found.host), spending_line(found), *notices(found)]
    parts: list[RenderableType] = [*lines]
    for view, table in TABLES.items():
        rows = table.rows(found)
        parts += [Text(), Text(view.upper(), style="bold"), _drawn(table, rows[:most]) if rows else Text(table.empty)]
        if len(rows) > most:
            parts.append(Text(f"and {len(rows) - most} more"))
    return Group(*parts)


def _drawn(table: Table, rows: Sequence[Row]) -> RenderableType:
    drawn = plain_table(*table.columns, right=tuple(table.right))
    for row in rows:
        drawn.add_row(*row.cells)
    return drawn
