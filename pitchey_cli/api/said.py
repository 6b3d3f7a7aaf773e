"""What is said: answers are made by reports/ and only described here; a test holds every answer to its description."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pitchey_cli.api.route import Said
from pitchey_cli.domain.job import JobState
from processors.vocabulary import Service


class ErrorSaid(Said):
    """Why an attempt or a job did not succeed."""

    code: str
    message: str
    hint: str | None


class InputSaid(Said):
    """A file or URL that a job reads."""

    field: str
    name: str
    sha256: str | None
    size: int | None
    url: str | None


class JobSaid(Said):
    """A job."""

    schema_: int = Field(alias="schema")
    id: str
    name: str
    service: Service
    state: JobState
    priority: int
    organisation: str
    batch: str | None
    key: str | None
    slots: int
    instance_type: str | None
    is_off_peak: bool
    last_call_at: datetime | None
    is_spot_ok: bool
    on_node: str | None
    deadline: datetime | None
    expires_at: datetime | None
    idempotency_key: str | None
    output: str | None
    held_because: str | None
    attempt: int
    attempts_used: int
    max_attempts: int
    crashes: int
    reason: str | None
    error: ErrorSaid | None
    verdict: str | None
    progress: float | None
    stage: str | None
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    spec: dict[str, Any]
    inputs: list[InputSaid]


class AttemptSaid(Said):
    """One try at a job."""

    number: int
    instance: str
    node: str | None
    started_at: datetime
    accepted_at: datetime | None
    finished_at: datetime | None
    reason: str | None
    error: ErrorSaid | None
    cpu_seconds: float | None
    peak_rss_bytes: int | None
    bytes_in: int | None
    bytes_out: int | None
    cost_usd: float | None


class OutputSaid(Said):
    """A file that a job gave."""

    path: str
    role: str
    media_type: str
    sha256: str
    size: int
    details: dict[str, Any]
    url: str
    location: str | None
    link: str | None


class WholeJobSaid(JobSaid):
    """A job with everything about it."""

    cached_from: str | None
    attempts: list[AttemptSaid]
    outputs: list[OutputSaid]
    details: dict[str, Any]


class JobPageSaid(Said):
    """A page of jobs, the newest first."""

    jobs: list[JobSaid]
    next: str | None


class JobsSaid(Said):
    """Jobs that were submitted, in the order they came."""

    jobs: list[JobSaid]
    notices: list[str]


class CancelSaid(Said):
    """What became of a cancellation."""

    id: str
    outcome: str


class OutputsSaid(Said):
    """What a job gave."""

    outputs: list[OutputSaid]
    details: dict[str, Any]


class ProblemSaid(Said):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None
    request_id: str


class HealthSaid(Said):
    """Whether it works."""

    status: str
    version: str


class ReadinessSaid(Said):
    """Whether it takes jobs that somebody runs."""

    status: str
    database: bool
    daemon: bool
    is_draining: bool


class StatusSaid(Said):
    """How everything stands."""

    jobs: dict[str, dict[str, int]]
    instances: int
    daemon: bool
    is_draining: bool
    nodes: list[str]


class WhySaid(Said):
    """Why a job is where it is."""

    id: str
    reasons: list[str]


class ServiceSaid(Said):
    """A service, and what an instance of it is."""

    name: Service
    instance_type: str
    slots: int
    max_instances: int
    timeout_seconds: float
    max_attempts: int
    price_per_hour_usd: float


class ServicesSaid(Said):
    """The services that there are."""

    services: list[ServiceSaid]


class BatchSaid(Said):
    """A batch as it stands."""

    batch: str
    jobs: int
    ended: int
    failed: int
    states: dict[str, int]


class BatchesSaid(Said):
    """A page of batches, by name."""

    batches: list[BatchSaid]
    next: str | None


class AlertSaid(Said):
    """An alert rule, and where it stands."""

    schema_: int = Field(alias="schema")
    rule: str
    severity: str
    threshold: float
    unit: str | None
    is_floor: bool
    for_seconds: float
    value: float | None
    about: str | None
    is_firing: bool
    broken_since: datetime | None
    firing_since: datetime | None
    resolved_at: datetime | None
    silence: dict[str, Any] | None


class AlertsSaid(Said):
    """Alert rules."""

    alerts: list[AlertSaid]


class ModelSaid(Said):
    """One version of a model."""

    schema_: int = Field(alias="schema")
    name: str
    version: str
    from_: str = Field(alias="from")
    is_meant: bool
    task: str | None
    framework: str | None
    size_bytes: int | None
    licence: str | None
    description: str
    problem: str | None


class WholeModelSaid(ModelSaid):
    """One version of a model, with its manifest where that is known."""

    manifest: dict[str, Any] | None


class ModelsSaid(Said):
    """Models, by name, the oldest version first."""

    models: list[ModelSaid]


class PresetsSaid(Said):
    """What media jobs can name."""

    presets: list[dict[str, Any]]


class SurroundingsSaid(Said):
    """What the command line needs to know of a server."""

    version: str
    views: int
    now: datetime
    boot: str
    tick: int
    zone: str
    zone_seconds: float
    services: list[str]
    runner: dict[str, Any] | None
    nodes: list[str]
    organisation: str | None
    settings: dict[str, Any]
    host: dict[str, Any] | None


class ChangesSaid(Said):
    """Where the events are."""

    last_event: int


class CountSaid(Said):
    """How many jobs it was."""

    jobs: int


class ScheduleSaid(Said):
    """A recurring schedule."""

    schema_: int = Field(alias="schema")
    name: str
    service: Service
    cron: str
    timezone: str | None
    misfire: str
    is_paused: bool
    created_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    last_error: str | None
    inputs: list[str]
    fields_: dict[str, Any] = Field(alias="fields")
    queueing: dict[str, Any]


class SchedulesSaid(Said):
    """All schedules."""

    schedules: list[ScheduleSaid]
