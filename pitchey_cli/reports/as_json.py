"""The JSON that leaves Pitchey: camelCase, stable; `schema` counts up when a field changes its meaning or goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.domain.job import Attempt, Instance, Job, JobError, JobEvent, JobId, Output
from pitchey_cli.domain.nodes import asked
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.domain.recurrence import Schedule
from pitchey_cli.domain.secrecy import masked
from pitchey_cli.store.port import Counts

SCHEMA = 1


def time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def _error(error: JobError | None) -> dict[str, Any] | None:
    return None if error is None else {"code": error.code, "message": error.message, "hint": error.hint}


def unwritten(error: PitcheyError) -> dict[str, Any]:
    """Why a result was not written; the job itself has succeeded."""
    return {"code": "result_not_written", "message": str(error), "hint": error.hint or None}


def job(value: Job) -> dict[str, Any]:
    """One job, as in a list."""
    return {
        "schema": SCHEMA,
        "id": value.id,
        "name": value.name,
        "service": value.service,
        "state": value.state,
        "priority": value.priority,
        "organisation": value.organisation,
        "batch": value.batch or None,
        "key": value.key or None,
        "slots": value.slots,
        "instanceType": value.size or None,
        "isOffPeak": value.is_off_peak,
        "lastCallAt": time(value.last_call_at),
        "isSpotOk": value.is_spot_ok,
        "onNode": asked(value.on_node) or None,
        "deadline": time(value.deadline),
        "expiresAt": time(value.expires_at),
        "idempotencyKey": value.idempotency_key,
        "output": value.output or None,
        "heldBecause": value.held_because,
        "attempt": value.attempt,
        "attemptsUsed": value.attempts_used,
        "maxAttempts": value.max_attempts,
        "crashes": value.crashes,
        "reason": value.reason,
        "error": _error(value.error),
        "verdict": value.verdict,
        "progress": value.progress,
        "stage": value.stage,
        "createdAt": time(value.created_at),
        "runAt": time(value.run_at),
        "startedAt": time(value.started_at),
        "finishedAt": time(value.finished_at),
        "spec": masked(value.service, value.spec),
        "inputs": [
            {"field": item.field, "name": item.name, "sha256": item.sha256, "size": item.size, "url": item.url}
            for item in value.inputs
        ],
    }


def output(value: Output) -> dict[str, Any]:
    """One output."""
    return {
        "path": value.path,
        "role": value.role,
        "mediaType": value.media_type,
        "sha256": value.sha256,
        "size": value.size,
        "details": value.details,
    }


def attempt(value: Attempt) -> dict[str, Any]:
    """One attempt."""
    usage = value.usage
    return {
        "number": value.number,
        "instance": value.instance_id,
        "node": value.node_name or None,
        "startedAt": time(value.started_at),
        "acceptedAt": time(value.accepted_at),
        "finishedAt": time(value.finished_at),
        "reason": value.reason,
        "error": _error(value.error),
        "cpuSeconds": usage and usage.cpu_seconds,
        "peakRssBytes": usage and usage.peak_rss_bytes,
        "bytesIn": usage and usage.bytes_in,
        "bytesOut": usage and usage.bytes_out,
        "costUsd": None if value.cost_nanodollars is None else value.cost_nanodollars / NANODOLLARS,
    }


def job_in_full(
    value: Job,
    attempts: Sequence[Attempt],
    outputs: Sequence[Output],
    details: Mapping[str, Any],
    *,
    cached_from: JobId | None,
) -> dict[str, Any]:
    """One job with everything about it.

    Args:
        details: what the work said of itself.
    """
    return {
        **job(value),
        "cachedFrom": cached_from,
        "attempts": [attempt(item) for item in attempts],
        "outputs": [output(item) for item in outputs],
        "details": dict(details),
    }


def event(value: JobEvent) -> dict[str, Any]:
    """One event."""
    return {
        "schema": SCHEMA,
        "id": value.id,
        "job": value.job_id,
        "at": time(value.at),
        "type": value.type,
        "data": value.data,
    }


def instance(value: Instance) -> dict[str, Any]:
    """One instance."""
    return {
        "id": value.id,
        "service": value.service,
        "organisation": value.organisation or None,
        "node": value.node or None,
        "engine": value.engine,
        "image": value.image,
        "slots": value.slots,
        "state": value.state,
        "requestedCpus": value.requested_cpus,
        "requestedMemoryBytes": value.requested_memory_bytes,
        "grantedCpus": value.granted_cpus,
        "grantedMemoryBytes": value.granted_memory_bytes,
        "createdAt": time(value.created_at),
        "readyAt": time(value.ready_at),
        "stoppedAt": time(value.stopped_at),
        "note": value.note,
        "models": [{"name": each.name, "memoryBytes": each.memory_bytes} for each in value.models],
    }


def billed_instance(value: Instance, nanodollars: int) -> dict[str, Any]:
    """One instance, and what it has cost."""
    return {**instance(value), "costUsd": nanodollars / NANODOLLARS}


def overview(counts: Counts, instances: Sequence[Instance], *, daemon: dict[str, Any] | None) -> dict[str, Any]:
    """What `pitchey status --json` says."""
    return {
        "schema": SCHEMA,
        "daemon": daemon,
        "jobs": {service: dict(states) for service, states in counts.by_service.items()},
        "instances": [instance(item) for item in instances],
    }


def schedule(value: Schedule) -> dict[str, Any]:
    """One recurring schedule."""
    return {
        "schema": SCHEMA,
        "name": value.name,
        "service": value.service,
        "cron": value.cron,
        "timezone": value.timezone or None,
        "misfire": value.misfire,
        "isPaused": value.is_paused,
        "createdAt": time(value.created_at),
        "nextAt": None if value.is_paused else time(value.next_at),
        "lastAt": time(value.last_at),
        "lastError": value.last_error,
        "inputs": value.request["inputs"],
        "fields": masked(value.service, value.request["fields"]),
        "queueing": value.request["queueing"],
    }
