"""What goes in and what comes out, as pydantic models: the OpenAPI document is made of them.

What is asked for is read by these models. What is said is made by reports/as_json.py and only described here; a test
holds every answer to its description.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pitchey_cli.api.route import Body, Query, Said
from pitchey_cli.domain.job import JobState
from processors.vocabulary import Service

MOST_JOBS = 1000  #: in one request
_PAGE = Field(50, ge=1, le=500, description="At most so many.")
_CURSOR = Field(None, max_length=64, description="Where the page begins: `next` of the one before.")
_WAIT = Field(None, ge=0, description="Wait so many seconds for the end, api.wait_seconds at most.")

# --- what is asked for


class Queueing(Body):
    """When and how a job queues, in the words of `pitchey submit`."""

    priority: str | int | None = Field(None, description="low, normal, high, urgent, or 1 to 5.")
    batch: str | None = Field(None, description="Name of the batch it belongs to.")
    key: str | None = Field(None, description="Jobs of one key run one at a time, or as queue.keys says.")
    slots: int | None = Field(None, ge=1, le=64, description="Slots of an instance that it takes.")
    run_at: str | None = Field(None, description="Not before: `in 20 min`, `02:00`, or an ISO time.")
    after: list[str] | None = Field(None, max_length=100, description="Not before these jobs have succeeded.")
    if_failed: str | None = Field(None, description="When one of them fails: cancel, run or hold.")
    deadline: str | None = Field(None, description="Of no use after: `2h`, or an ISO time.")
    ttl: str | None = Field(None, description="Give up if not started within: `30m`.")
    off_peak: bool | None = Field(None, description="In off-peak hours.")
    spot_ok: bool | None = Field(None, description="Also on a node that may be taken away.")
    max_attempts: int | None = Field(None, ge=1, le=100, description="Attempts before it is a dead letter.")
    backoff: str | None = Field(None, description="Longest wait before the first retry: `30s`.")
    timeout: str | None = Field(None, description="Longest run of an attempt: `10m`.")
    idempotency_key: str | None = Field(None, max_length=255, description="The same key gives the same job again.")
    organisation: str | None = Field(None, description="Whose it is; a token of one organisation need not say it.")


class ServiceJob(Queueing):
    """A job of the service that the path names."""

    spec: dict[str, Any] = Field(description="What is asked of the service.")
    name: str | None = Field(None, description="What to call it; else as its input.")
    no_cache: bool = Field(False, description="Do the work again, also if its result is there.")


class SubmitJob(ServiceJob):
    """A job."""

    service: str = Field(description="video, document, inference, media or code.")


class SubmitJobs(Body):
    """One job or several: all of them are queued, or none."""

    jobs: list[SubmitJob] = Field(min_length=1, max_length=MOST_JOBS, description="The jobs.")


class CancelJobs(Body):
    """Why a job is cancelled."""

    reason: str = Field("", max_length=500, description="Kept with the job.")


class JobsQuery(Query):
    """Which jobs."""

    state: list[JobState] | None = Field(None, description="Only those in these states.")
    service: list[Service] | None = Field(None, description="Only those of these services.")
    batch: str | None = Field(None, description="Only those of this batch.")
    organisation: str | None = Field(None, description="Only those of this organisation.")
    since: str | None = Field(None, description="Submitted since `2h` ago, or an ISO time.")
    until: str | None = Field(None, description="Submitted before that.")
    limit: int = _PAGE
    cursor: str | None = _CURSOR


class JobQuery(Query):
    """How a job is asked for."""

    wait: float | None = _WAIT


class SubmitQuery(Query):
    """Whether to wait for what was submitted."""

    wait: float | None = _WAIT


class LogsQuery(Query):
    """Which lines."""

    attempt: int | None = Field(None, ge=1, description="Only of this attempt.")
    follow: bool = Field(False, description="Go on until the job has ended.")


class Page(Query):
    """Which page."""

    limit: int = _PAGE
    cursor: str | None = _CURSOR


# --- what is said


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
