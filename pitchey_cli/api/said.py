"""What is said: answers are made by reports/ and only described here; a test holds every answer to its description."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from pitchey_cli.api.route import Said
from pitchey_cli.domain.access import Area, Role
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
    deadline: datetime | None
    expires_at: datetime | None
    idempotency_key: str | None
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
    """All batches."""

    batches: list[BatchSaid]


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


class InstanceSaid(Said):
    """One instance, and what it has cost."""

    id: str
    service: Service
    organisation: str | None
    engine: str
    image: str
    slots: int
    state: str
    requested_cpus: float
    requested_memory_bytes: int
    granted_cpus: float
    granted_memory_bytes: int
    created_at: datetime
    ready_at: datetime | None
    stopped_at: datetime | None
    note: str | None
    cost_usd: float


class InstancesSaid(Said):
    """Instances, the oldest first."""

    instances: list[InstanceSaid]


class WarmSaid(Said):
    """What is kept warm."""

    service: Service
    organisation: str | None
    instances: int
    until: datetime


class CoolSaid(Said):
    """What is kept warm no more."""

    service: Service
    was_warm: bool


class PoolSaid(Said):
    """A pool as it is now, and the last decision about it."""

    schema_: int = Field(alias="schema")
    service: Service
    instance_type: str | None
    organisation: str | None
    ready: int
    starting: int
    paused: int
    waiting: int
    running: int
    last_decision: dict[str, Any] | None


class ScalingSaid(Said):
    """All pools."""

    pools: list[PoolSaid]


class ScalingEventSaid(Said):
    """A change of a pool."""

    schema_: int = Field(alias="schema")
    id: int
    at: datetime
    service: Service
    instance_type: str | None
    organisation: str | None
    change: str
    was: int
    wanted: int
    rule: str | None
    instance_id: str | None
    why: str


class ScalingEventsSaid(Said):
    """Changes, the newest first."""

    events: list[ScalingEventSaid]
    next: str | None


class CostSaid(Said):
    """What a period has cost; the numbers are those of `pitchey cost --json`."""

    model_config = ConfigDict(extra="allow")

    schema_: int = Field(alias="schema")
    since: datetime
    until: datetime
    now: datetime
    by: dict[str, list[dict[str, Any]]]


class BudgetSaid(Said):
    """A budget, and how far it has come."""

    schema_: int = Field(alias="schema")
    organisation: str | None
    service: Service | None
    period: str
    begin: datetime
    end: datetime
    amount_usd: float
    spent_usd: float
    left_usd: float
    projected_usd: float | None
    history_seconds: int
    percent: float
    reached: list[int]
    is_capped: bool


class BudgetsSaid(Said):
    """All budgets."""

    budgets: list[BudgetSaid]


class QuotaSaid(Said):
    """What an organisation may have; null is any number."""

    queued: int | None
    running: int | None
    bytes: int | None


class OrganisationSaid(Said):
    """An organisation."""

    schema_: int = Field(alias="schema")
    name: str
    created_at: datetime
    quota: QuotaSaid


class OrganisationsSaid(Said):
    """Organisations."""

    organisations: list[OrganisationSaid]


class MemberSaid(Said):
    """A member."""

    schema_: int = Field(alias="schema")
    organisation: str
    member: str
    role: Role
    added_at: datetime


class MembersSaid(Said):
    """Members."""

    members: list[MemberSaid]


class TokenSaid(Said):
    """A token, without its secret."""

    schema_: int = Field(alias="schema")
    id: str
    name: str
    organisation: str | None
    role: Role
    scopes: list[Area]
    member: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewTokenSaid(TokenSaid):
    """A token that has just been made, as a program shows it."""

    token: str


class TokensSaid(Said):
    """Tokens."""

    tokens: list[TokenSaid]


class ActorSaid(Said):
    """Who asks."""

    name: str
    organisation: str | None
    role: Role
    scopes: list[Area]


class AuditEntrySaid(Said):
    """A line of the audit log."""

    schema_: int = Field(alias="schema")
    id: int
    at: datetime
    actor: str
    organisation: str | None
    action: str
    target: str
    data: dict[str, Any]


class AuditSaid(Said):
    """The audit log, the newest first."""

    entries: list[AuditEntrySaid]
    next: str | None
