"""Rows to domain values and back. Knows columns and JSON, but no connection and no SQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Protocol

from pitchey_cli.domain.arrivals import Arrival
from pitchey_cli.domain.cost import TICKS_PER_SECOND
from pitchey_cli.domain.estimate import Past, features_of
from pitchey_cli.domain.job import (
    Attempt,
    Job,
    JobError,
    JobEvent,
    JobInput,
    JobState,
    NewJob,
    Outcome,
    Output,
    Usage,
    token_of,
)
from pitchey_cli.domain.nodes import Epoch
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import Transition
from pitchey_cli.domain.turns import Flow, Waiting
from processors.vocabulary import Reason, Service

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def encode(value: Any) -> str:
    """JSON without spaces; takes dataclasses, too."""
    return _to_json()(value).decode()


@cache
def _to_json() -> Callable[[Any], bytes]:
    # Called for every row, and json takes four times as long. Late: the verbs that only read never need it.
    from pydantic_core import to_json

    return to_json


class Row(Protocol):
    """What every driver's rows can be read as."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column."""


def micros(at: datetime) -> int:
    """A time as the database keeps it. By integers: a float of this size loses microseconds."""
    return (at - _EPOCH) // _MICROSECOND


def micros_or_none(at: datetime | None) -> int | None:
    """The same for a time that may be absent."""
    return None if at is None else micros(at)


def moment(value: int) -> datetime:
    """A time as the domain knows it."""
    return _EPOCH + timedelta(microseconds=value)


def moment_or_none(value: int | None) -> datetime | None:
    """The same for a time that may be absent."""
    return None if value is None else moment(value)


def encode_error(error: JobError | None) -> str | None:
    """An error as JSON."""
    return None if error is None else encode(error)


def encode_usage(usage: Usage | None) -> str | None:
    """What an attempt used, as JSON: read as a whole, and never searched."""
    if usage is None:
        return None
    return encode(
        {
            "cpuSeconds": usage.cpu_seconds,
            "peakRssBytes": usage.peak_rss_bytes,
            "bytesIn": usage.bytes_in,
            "bytesOut": usage.bytes_out,
        }
    )


def first_state(job: NewJob, *, now: datetime, is_held: bool) -> JobState:
    """Where a submission begins.

    Args:
        is_held: another job has to end first.
    """
    if is_held:
        return JobState.HELD
    return JobState.SCHEDULED if job.run_at is not None and job.run_at > now else JobState.QUEUED


def epoch_values(under: Epoch) -> dict[str, Any]:
    """Under what a node acts, as the values of its columns."""
    return {"id": under.node_id, "epoch": under.number}


def pool_values(pool: PoolKey) -> tuple[str, str, str]:
    """A pool as the values of its columns."""
    return pool.service.value, pool.size, pool.organisation


def pool_from(row: Row) -> PoolKey:
    """The pool that a row is about."""
    return PoolKey(Service(row["service"]), row["size"], row["organisation"])


def flow_of(job: NewJob) -> tuple[Any, ...]:
    """The line that a submission stands in, as the values of `join_flow` without its length and its beginning."""
    pool = PoolKey.of(job.service, job.size, job.organisation)
    line = (*pool_values(pool), int(job.is_foreground), job.organisation, job.batch, job.priority)
    return (*line, job.key, int(job.is_off_peak), int(job.is_spot_ok), job.on_node)


def job_values(job: NewJob, state: JobState, flow: int | None, created_at: int) -> tuple[Any, ...]:
    """A submission as the values of `insert_job`."""
    has_ttl_to_come = state is JobState.HELD and job.ttl_seconds is not None
    return (
        job.id,
        job.service.value,
        state.value,
        job.priority,
        job.organisation,
        job.name,
        encode(job.spec),
        encode(job.inputs) if job.inputs else "[]",
        int(job.is_foreground),
        job.batch,
        job.key,
        job.kind,
        job.size,
        job.slots,
        int(job.is_off_peak),
        micros_or_none(job.last_call_at),
        int(job.is_spot_ok),
        job.on_node,
        flow,
        job.idempotency_key,
        job.cache_key,
        job.output,
        "dependencies" if state is JobState.HELD else None,
        job.max_attempts,
        job.timeout_seconds,
        job.backoff_seconds,
        micros_or_none(job.deadline),
        micros_or_none(job.deadline if has_ttl_to_come else job.expires_at),
        round(job.ttl_seconds * 1e6) if has_ttl_to_come and job.ttl_seconds is not None else None,
        micros_or_none(job.run_at),
        created_at,
    )


def inputs_from(row: Row) -> tuple[JobInput, ...]:
    """The inputs of a row of container_jobs."""
    return tuple(JobInput(**each) for each in json.loads(row["inputs"]))


def job_from(row: Row) -> Job:
    """A row of container_jobs."""
    return Job(
        id=row["id"],
        seq=row["seq"],
        service=Service(row["service"]),
        spec=json.loads(row["spec"]),
        inputs=inputs_from(row),
        name=row["name"],
        priority=row["priority"],
        organisation=row["organisation"],
        max_attempts=row["max_attempts"],
        timeout_seconds=row["timeout_seconds"],
        backoff_seconds=row["backoff_seconds"],
        is_foreground=bool(row["is_foreground"]),
        batch=row["batch"],
        key=row["key"],
        slots=row["slots"],
        kind=row["kind"],
        size=row["size"],
        is_off_peak=bool(row["is_off_peak"]),
        last_call_at=moment_or_none(row["last_call_at"]),
        is_spot_ok=bool(row["is_spot_ok"]),
        on_node=row["on_node"],
        deadline=moment_or_none(row["deadline"]),
        expires_at=moment_or_none(row["expires_at"]),
        idempotency_key=row["idempotency_key"],
        cache_key=row["cache_key"],
        output=row["output"],
        held_because=row["held_because"],
        state=JobState(row["state"]),
        attempt=row["attempt"],
        attempts_used=row["attempts_used"],
        crashes=row["crashes"],
        token=row["token"],
        reason=_reason(row["reason"]),
        error=_error(row["error"]),
        verdict=row["verdict"],
        progress=row["progress"],
        stage=row["stage"],
        eta_seconds=row["eta_seconds"],
        created_at=moment(row["created_at"]),
        run_at=moment_or_none(row["run_at"]),
        started_at=moment_or_none(row["started_at"]),
        finished_at=moment_or_none(row["finished_at"]),
        cancel_requested_at=moment_or_none(row["cancel_requested_at"]),
    )


def waiting_from(row: Row) -> Waiting:
    """A head of a line."""
    return Waiting(row["seq"], row["slots"], row["kind"], row["organisation"], row["crashes"])


def flow_from(row: Row) -> Flow:
    """A line with somebody in it."""
    return Flow(
        id=row["id"],
        organisation=row["organisation"],
        batch=row["batch"],
        priority=row["priority"],
        key=row["key"],
        is_off_peak=bool(row["is_off_peak"]),
        is_spot_ok=bool(row["is_spot_ok"]),
        on_node=row["on_node"],
        queued=row["queued"],
        first_due_at=moment(row["first_due_at"]),
        queued_since=moment(row["queued_since"]),
        last_served_at=moment_or_none(row["last_served_at"]),
    )


def attempt_from(row: Row) -> Attempt:
    """A row of job_attempts, with the id of its job."""
    return Attempt(
        token=token_of(row["job_id"], row["number"]),
        job_id=row["job_id"],
        number=row["number"],
        instance_id=row["instance_id"],
        started_at=moment(row["started_at"]),
        accepted_at=moment_or_none(row["accepted_at"]),
        finished_at=moment_or_none(row["finished_at"]),
        started_tick=row["started_tick"],
        finished_tick=row["finished_tick"],
        slots=row["slots"],
        reason=_reason(row["reason"]),
        error=_error(row["error"]),
        usage=_usage(row["usage"]),
        cost_nanodollars=row["cost_nanodollars"],
        node=row["node"] or "",
        node_name=row["node_name"] or "",
    )


def output_from(row: Row) -> Output:
    """A row of job_outputs, with the size of its artifact."""
    return Output(
        path=row["path"],
        role=row["role"],
        media_type=row["media_type"],
        sha256=row["sha256"],
        size=row["size"],
        details=json.loads(row["details"]),
    )


def event_from(row: Row) -> JobEvent:
    """A row of job_events, with the id of its job."""
    return JobEvent(
        id=row["id"], job_id=row["job_id"], at=moment(row["at"]), type=row["type"], data=json.loads(row["data"])
    )


def ending_event(outcome: Outcome, transition: Transition, cost: int | None) -> tuple[str, dict[str, Any]]:
    """The type and the data of the event that tells how an attempt ended, and what it cost in nanodollars."""
    data: dict[str, Any] = {"reason": outcome.reason.value, "attemptsUsed": transition.attempts_used}
    if outcome.error is not None:
        data["error"] = asdict(outcome.error)
    match transition.state:
        case JobState.SUCCEEDED:
            data |= {"outputs": len(outcome.outputs), "costNanodollars": cost}
            return "succeeded", data
        case JobState.SCHEDULED | JobState.QUEUED:
            due, kind = transition.run_at, "interrupted" if outcome.reason is Reason.INTERRUPTED else "retrying"
            return kind, data | {"runAt": None if due is None else due.isoformat()}
        case state:
            return state.value, data


def details_from(text: str | None) -> dict[str, Any]:
    """What the worker said of a job as a whole; nothing before it has ended."""
    return {} if text is None else dict(json.loads(text))


def arrival_from(row: Row) -> Arrival:
    """A row of the question `arrivals`."""
    return Arrival(row["at"] / 1e6, row["service"], max(0, row["held"]) / 1e6, row["size"], row["organisation"])


def past_from(row: Row) -> Past:
    """A row of the question `completed`. What was fetched from a URL has no size of its own: the worker counted it."""
    service = Service(row["service"])
    sizes = [each.size for each in inputs_from(row)]
    usage = _usage(row["usage"])
    known = [size for size in sizes if size is not None]
    size = sum(known) if len(known) == len(sizes) else (usage.bytes_in if usage is not None else 0) or None
    features = features_of(service, row["kind"], json.loads(row["spec"]))
    return Past(features, size, row["ticks"] / TICKS_PER_SECOND)


def _reason(value: str | None) -> Reason | None:
    return None if value is None else Reason(value)


def _error(text: str | None) -> JobError | None:
    return None if text is None else JobError(**json.loads(text))


def _usage(text: str | None) -> Usage | None:
    if text is None:
        return None
    data = json.loads(text)
    return Usage(
        cpu_seconds=data["cpuSeconds"],
        peak_rss_bytes=data["peakRssBytes"],
        bytes_in=data["bytesIn"],
        bytes_out=data["bytesOut"],
    )
