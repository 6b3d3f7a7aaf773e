"""What Pitchey shows in a terminal. Pure: values in, something that rich can print out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pitchey_cli.domain.job import Attempt, Instance, InstanceState, Job, JobId, JobState, Output
from pitchey_cli.domain.program import has_ended_well
from pitchey_cli.domain.recurrence import Schedule
from pitchey_cli.domain.secrecy import masked
from pitchey_cli.reports.programs import verdict_line
from pitchey_cli.reports.wording import ago, duration, money, percent, printable, size
from pitchey_cli.store.port import Counts

_FIELD_LENGTH = 200
STATE_COLOURS = {
    JobState.SUCCEEDED: "green",
    JobState.RUNNING: "cyan",
    JobState.DEAD: "red",
    JobState.CANCELLED: "yellow",
    JobState.HELD: "yellow",
}

_CHANNELS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def plain_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table in our manner."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def cell(text: str) -> Text:
    """A text from outside: rich would take [square brackets] in a string for markup."""
    return Text(printable(text))


def loaded_models(instance: Instance) -> str:
    """What an instance has loaded, with the memory that each model counts for."""
    return ", ".join(f"{each.name} {size(each.memory_bytes)}" for each in instance.models)


def _state(state: JobState) -> Text:
    return Text(state, style=STATE_COLOURS.get(state, ""))


def _took(job: Job, now: datetime) -> str:
    if job.started_at is None:
        return "-"
    return duration(((job.finished_at or now) - job.started_at).total_seconds())


def _attempts(job: Job) -> str:
    """How many of its attempts are used up, that which runs among them; and how often it ran, where that is more."""
    counted = job.attempts_used + (job.state is JobState.RUNNING)
    runs = "" if job.attempt <= counted else f", {job.attempt} run{'s' * (job.attempt > 1)}"
    return f"{counted}/{job.max_attempts}{runs}"


def dead_letters(found: Sequence[Job], *, now: datetime) -> RenderableType:
    """Jobs that failed for good, and why."""
    if not found:
        return Text("No dead letters.")
    table = plain_table("job", "service", "reason", "attempts", "ended", "name", "error", right=("attempts",))
    for job in found:
        why = f"{job.error.code}: {job.error.message}" if job.error else ""
        name = cell(job.name)
        table.add_row(job.id, job.service, job.reason, _attempts(job), ago(job.finished_at, now), name, cell(why))
    return table


def batches(found: Sequence[tuple[str, Mapping[JobState, int]]]) -> RenderableType:
    """Batches, and how many of their jobs stand where."""
    if not found:
        return Text("No batches.")
    states = [state for state in JobState if any(counts.get(state) for _, counts in found)]
    table = plain_table("batch", "jobs", *states, right=("jobs", *states))
    for name, counts in found:
        row = [f"{counts[state]:,}" if counts.get(state) else "" for state in states]
        table.add_row(printable(name), f"{sum(counts.values()):,}", *row)
    return table


def schedules(found: Sequence[tuple[Schedule, tzinfo]], *, now: datetime) -> RenderableType:
    """Recurring schedules, each with the zone that its times are shown in."""
    if not found:
        return Text("No schedules. `pitchey schedule add` makes one.")
    table = plain_table("schedule", "service", "when", "next", "last", "inputs", "")
    for each, zone in found:
        comes = "paused" if each.is_paused else f"{each.next_at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
        last = ago(each.last_at, now) if each.last_at else "-"
        inputs, error = cell(" ".join(each.request["inputs"])), Text(printable(each.last_error or ""), style="red")
        table.add_row(cell(each.name), each.service, each.cron, comes, last, inputs, error)
    return table


def jobs(found: Sequence[Job], *, now: datetime, nodes: Mapping[JobId, str] = MappingProxyType({})) -> RenderableType:
    """A list of jobs; with the verdicts on programs where one of them did not end well.

    Args:
        nodes: the names of those that they were last on, where that is to be told.
    """
    if not found:
        return Text("No jobs.")
    columns = ["job", "service", "state", "progress", "attempt", "submitted", "took", "name"]
    has_verdicts = not all(has_ended_well(job.verdict) for job in found)
    if has_verdicts:
        columns.insert(3, "verdict")
    if nodes:
        columns.insert(-1, "node")
    table = plain_table(*columns, right=("took", "progress"))
    for job in found:
        verdict = (cell(job.verdict or ""),) if has_verdicts else ()
        progress = percent(job.progress) if job.state is JobState.RUNNING else ""
        is_cached = job.state is JobState.SUCCEEDED and not job.attempt
        table.add_row(
            job.id,
            job.service,
            _state(job.state),
            *verdict,
            progress,
            "cached" if is_cached else _attempts(job),
            ago(job.created_at, now),
            _took(job, now),
            *((cell(nodes.get(job.id, "")),) if nodes else ()),
            cell(job.name),
        )
    return table


def overview(
    counts: Counts,
    instances: Sequence[Instance],
    recent: Sequence[Job],
    *,
    daemon: str,
    now: datetime,
) -> RenderableType:
    """Bare `pitchey`: the daemon, the queue, the instances, what happened last."""
    parts: list[RenderableType] = [Text(daemon)]
    if counts.by_service:
        shown = [JobState.SCHEDULED, JobState.HELD, JobState.QUEUED, JobState.RUNNING]
        shown += [JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED]
        table = plain_table("service", *shown, right=shown)
        for service, states in counts.by_service.items():
            table.add_row(service, *(f"{states.get(state, 0):,}" for state in shown))
        parts.append(table)
    if instances:
        owners = ("organisation",) if any(item.pool.owner for item in instances) else ()
        columns = ("instance", *owners, "state", "slots", "cpus", "memory", "since")
        table = plain_table(*columns, right=("slots", "cpus", "memory"))
        for item in instances:
            cpus = f"{item.granted_cpus:g}"
            if item.granted_cpus != item.requested_cpus:
                cpus += f" of {item.requested_cpus:g}"
            owner = (cell(item.organisation),) if owners else ()
            use = (str(item.slots), cpus, size(item.granted_memory_bytes))
            table.add_row(item.id, *owner, item.state, *use, ago(item.created_at, now))
        parts.append(table)
        parts += [Text(f"{each.id}: {each.note}") for each in instances if each.state is InstanceState.DRAINING]
    if recent:
        parts.append(jobs(recent, now=now))
    elif not counts.by_service:
        parts.append(Text("No jobs yet. `pitchey run video FILE` runs one, `pitchey submit video FILE` queues one."))
    return Group(*parts)


def job_in_full(
    job: Job,
    attempts: Sequence[Attempt],
    outputs: Sequence[Output],
    details: Mapping[str, Any],
    *,
    cached_from: JobId | None,
    now: datetime,
    has_nodes: bool = False,
) -> RenderableType:
    """One job with everything about it.

    Args:
        cached_from: the earlier job that has done the work.
        has_nodes: there are several, so it is told on which its attempts were.
    """
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    facts.add_row("job", f"{job.id}  {printable(job.name)}")
    facts.add_row("service", job.service)
    facts.add_row("state", _state(job.state))
    if cached_from is not None:
        facts.add_row("cached", f"the result of job {cached_from}: the same spec, inputs and image")
    facts.add_row("submitted", f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC, {ago(job.created_at, now)}")
    facts.add_row("priority", str(job.priority))
    for item in job.inputs:
        facts.add_row("input", f"{printable(item.url or item.name)}  {size(item.size)}")
    spec = masked(job.service, job.spec)
    facts.add_row("spec", cell(", ".join(_short(f"{k} {v}") for k, v in spec.items() if k not in _input_keys(job))))
    if job.state is JobState.RUNNING:
        eta = f", {duration(job.eta_seconds)} left" if job.eta_seconds is not None else ""
        facts.add_row("progress", f"{percent(job.progress)} {job.stage or ''}{eta}")
    if "verdict" in details:
        facts.add_row("verdict", cell(verdict_line(details)))
    if job.run_at is not None and job.state is JobState.SCHEDULED:
        facts.add_row("due", f"in {duration(max(0.0, (job.run_at - now).total_seconds()))}")
    if job.error is not None:
        facts.add_row("error", Text(printable(job.error.message), style="red"))
        if job.error.hint:
            facts.add_row("", cell(job.error.hint))
    parts: list[RenderableType] = [facts]
    if attempts:
        table = plain_table(
            "attempt",
            "instance",
            *(["node"] if has_nodes else []),
            "waited",
            "took",
            "cpu",
            "memory",
            "cost",
            "ended",
            right=("cost", "memory"),
        )
        for attempt in attempts:
            waited = (attempt.started_at - job.created_at).total_seconds() if attempt.number == 1 else None
            took = ((attempt.finished_at or now) - attempt.started_at).total_seconds()
            usage = attempt.usage
            table.add_row(
                str(attempt.number),
                attempt.instance_id,
                *((cell(attempt.node_name),) if has_nodes else ()),
                duration(waited),
                duration(took),
                duration(usage.cpu_seconds) if usage else "-",
                size(usage.peak_rss_bytes) if usage else "-",
                money(attempt.cost_nanodollars),
                str(attempt.reason or "running"),
            )
        parts.append(table)
    if outputs:
        parts.append(_outputs([(output.path, output) for output in outputs]))
    return Group(*parts)


def _short(text: str) -> str:
    """A field of a spec, which may hold a whole program."""
    return text if len(text) <= _FIELD_LENGTH else f"{text[:_FIELD_LENGTH]}..."


def _input_keys(job: Job) -> set[str]:
    # Inputs have rows of their own; the spec has them under their camelCase names.
    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(part.title() for part in rest)

    return {camel(item.field) for item in job.inputs}


def _outputs(named: Sequence[tuple[str, Output]]) -> Table:
    """One row for each output; a folder of a stream's segments is one row, because it has hundreds."""
    table = plain_table("output", "what", "size", "details", right=("size",))
    parents = {name: name.rpartition("/")[0] for name, _ in named}
    folders = {parents[name] for name, output in named if output.role == "segment"}
    for name, output in named:
        folder = parents[name]
        if folder not in folders:
            table.add_row(cell(name), output.role, size(output.size), cell(output_details(output)))
        elif name == next(other for other in parents if parents[other] == folder):
            inside = [each for other, each in named if parents[other] == folder]
            count = f"{len(inside)} files"
            table.add_row(cell(f"{folder}/"), "segments", size(sum(each.size for each in inside)), count)
    return table


def output_details(output: Output) -> str:
    """What was measured of an output, in a few words."""
    details = output.details
    parts = []
    if "width" in details and "height" in details:
        parts.append(f"{details['width']}x{details['height']}")
    if "videoCodec" in details:
        parts.append(str(details["videoCodec"]))
    elif "audioCodec" in details:
        parts.append(str(details["audioCodec"]))
        parts += [f"{details['bitrate'] / 1000:.0f} kb/s"] if details.get("bitrate") else []
        parts += [_CHANNELS.get(details["audioChannels"], f"{details['audioChannels']} channels")]
    if "durationSeconds" in details:
        parts.append(duration(details["durationSeconds"]))
    if "timeSeconds" in details:
        parts.append(f"at {details['timeSeconds']:g} s")
    if (level := details.get("loudness", {}).get("after", {}).get("integrated")) is not None:
        parts.append(f"{level:.1f} LUFS")
    if "pages" in details:
        parts.append(_pages(details["pages"]))
    if "title" in details:
        parts.append(f'"{details["title"]}"')
    if "language" in details:
        parts.append(str(details["language"]))
        parts += [f"{details['confidence']:.0%} sure"] if "confidence" in details else []
    return ", ".join(parts)


def _pages(pages: int | str) -> str:
    """How many pages a document has, or which of another it has."""
    if isinstance(pages, int):
        return "1 page" if pages == 1 else f"{pages} pages"
    return f"page{'' if pages.isdigit() else 's'} {pages}"


def notes(details: dict[str, Any], outputs: Sequence[Output]) -> list[str]:
    """What a service has to say of a result that is not quite what somebody may expect: sentences."""
    found = list(details.get("notes", ()))
    for output in outputs:
        said = output.details, output.details.get("loudness", {})
        found += [each["note"] for each in said if "note" in each]
    return list(dict.fromkeys(printable(str(each)) for each in found))


def finished(
    job: Job, attempts: Sequence[Attempt], files: Sequence[tuple[str, Output]], *, cached_from: JobId | None
) -> RenderableType:
    """What `run` shows of a job that succeeded: what it made, how long it took, what it cost."""
    if cached_from is not None:
        text = f"{printable(job.name)}: cached, the result of job {cached_from}, cost {money(0)}"
        return Group(_outputs(files), Text(text))
    if not attempts:
        return Text(f"{printable(job.name)}: nothing to do: the jobs before it gave nothing that it takes")
    last = attempts[-1]
    wait = (last.started_at - job.created_at).total_seconds()
    work = (last.finished_at - last.started_at).total_seconds() if last.finished_at else 0.0
    cost = sum(item.cost_nanodollars or 0 for item in attempts)
    usage = last.usage
    line = f"{printable(job.name)}: waited {duration(wait)}, ran {duration(work)}"
    if usage is not None:
        line += f", CPU {duration(usage.cpu_seconds)}, memory {size(usage.peak_rss_bytes)}"
        line += f", {size(usage.bytes_in)} in, {size(usage.bytes_out)} out"
    return Group(_outputs(files), Text(f"{line}, cost {money(cost)}"))
