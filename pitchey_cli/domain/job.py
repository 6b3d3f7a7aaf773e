"""The nouns: jobs, attempts, events, instances, artifacts. Values without behaviour; times are aware UTC datetimes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from pitchey_cli.domain.pools import DEFAULT_ORGANISATION, PoolKey
from pitchey_cli.domain.prices import FREE, Tariff
from pitchey_cli.values import dataclass
from processors.vocabulary import Reason, Service

JobId = NewType("JobId", str)  #: 12 characters of Crockford's base 32, in lower case
Token = NewType("Token", str)  #: "<job id>.<attempt number>": unique, and ordered within a job

JOB_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
JOB_ID_LENGTH = 12  # 60 bits: a million jobs collide with a chance of one in two million, and UNIQUE refuses even that


class JobState(StrEnum):
    """Where a job stands. docs/states.md draws it."""

    SCHEDULED = "scheduled"  #: not before run_at
    HELD = "held"  #: a job that has to end first, a budget or a person holds it back
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    DEAD = "dead"  #: a dead letter


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.CANCELLED, JobState.DEAD})
WAITING = frozenset({JobState.SCHEDULED, JobState.HELD, JobState.QUEUED})


class Priority(StrEnum):
    """Names of the priorities that have one."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


PRIORITIES: dict[Priority, int] = {Priority.LOW: 2, Priority.NORMAL: 3, Priority.HIGH: 4, Priority.URGENT: 5}


def token_of(job_id: JobId, attempt_number: int) -> Token:
    """The fencing token of a job's n-th attempt."""
    return Token(f"{job_id}.{attempt_number}")


@dataclass(frozen=True)
class JobInput:
    """A file or URL that a job reads."""

    field: str  #: the spec's field, in snake_case
    name: str  #: what the user called it
    sha256: str | None = None  #: the artifact, once it is known; None for a URL not yet fetched
    size: int | None = None
    url: str | None = None  #: fetched by the host just before the attempt
    output: str | None = (
        None  #: to be taken from the jobs that are waited for: a glob over their outputs, see feeding.py
    )
    is_each: bool = False  #: with `output`: a job for every output that matches


class OnFailure(StrEnum):
    """What becomes of a job when one that it waits for does not succeed."""

    CANCEL = "cancel"  #: it is cancelled as well
    RUN = "run"  #: it runs all the same
    HOLD = "hold"  #: it waits on: the dead letter may be redriven


@dataclass(frozen=True)
class Dependency:
    """A job that has to end first."""

    job_id: JobId
    on_failure: OnFailure = OnFailure.CANCEL
    is_source: bool = False  #: its outputs are what the job works on


@dataclass(frozen=True)
class Need:
    """A job that another one waits for, or waited for, as it stands now."""

    job_id: JobId
    state: JobState
    on_failure: OnFailure
    is_source: bool


@dataclass(frozen=True)
class NewJob:
    """A submission that has been checked."""

    id: JobId
    service: Service
    spec: dict[str, Any]  #: camelCase, as it left the model
    inputs: tuple[JobInput, ...] = ()
    name: str = ""  #: what to call it in tables and file names; usually the input's stem
    priority: int = 3
    organisation: str = DEFAULT_ORGANISATION
    max_attempts: int = 3
    timeout_seconds: float = 3600.0
    backoff_seconds: float | None = None  #: of the first retry at most; None: as the service has it
    run_at: datetime | None = None
    is_foreground: bool = False  #: a `pitchey run` waits for it, and may run it without a daemon
    batch: str = ""  #: the name of its batch; empty for none
    key: str = ""  #: jobs of one key share a limit; empty for none
    slots: int = 1  #: of its instance
    kind: str = ""  #: what an instance should have warm for it: a model, a language
    size: str = ""  #: the instance type it needs; empty for the service's own
    is_off_peak: bool = False  #: waits for off-peak hours
    last_call_at: datetime | None = None  #: but no longer than that: for its deadline
    is_spot_ok: bool = False  #: may run on a node that may be taken away
    on_node: str = ""  #: labels that its node must have, see domain/nodes.py; empty for any
    deadline: datetime | None = None  #: of no use to anybody after that
    expires_at: datetime | None = None  #: not to be started after that
    ttl_seconds: float | None = None  #: the same as a span, which begins when nothing holds the job any more
    after: tuple[Dependency, ...] = ()  #: jobs it waits for
    output: str = ""  #: where its outputs go before it has succeeded, as s3://bucket/{job}/; empty: nowhere
    idempotency_key: str | None = None  #: unique within its organisation
    cache_key: str | None = None  #: what its result depends on; None when the result may not be used again
    cached_from: JobId | None = None  #: a job with the same cache key, whose result it has at once


@dataclass(frozen=True)
class JobError:
    """Why an attempt or a job did not succeed."""

    code: str
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Job:
    """A job as the store knows it."""

    id: JobId
    seq: int  #: order of submission
    service: Service
    spec: dict[str, Any]
    inputs: tuple[JobInput, ...]
    name: str
    priority: int
    organisation: str
    max_attempts: int
    timeout_seconds: float
    is_foreground: bool
    state: JobState
    attempt: int  #: number of the latest attempt; 0 before the first
    attempts_used: int  #: attempts that count against max_attempts
    crashes: int  #: attempts under which the instance went away
    token: Token | None  #: of the live attempt
    reason: Reason | None  #: why the latest attempt ended
    error: JobError | None
    progress: float | None
    stage: str | None
    eta_seconds: float | None
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None  #: start of the latest attempt
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    backoff_seconds: float | None = None
    batch: str = ""
    key: str = ""
    slots: int = 1
    kind: str = ""
    size: str = ""
    is_off_peak: bool = False  #: waits for off-peak hours; no longer so after its last call
    last_call_at: datetime | None = None  #: from when on it runs at any price, if it was ever to wait for them
    is_spot_ok: bool = False
    on_node: str = ""
    deadline: datetime | None = None
    expires_at: datetime | None = None
    idempotency_key: str | None = None
    cache_key: str | None = None
    output: str = ""  #: where its outputs go before it has succeeded
    held_because: str | None = None  #: of a held job: what holds it
    verdict: str | None = None  #: how a program of the code service has ended; a job that failed has none

    @property
    def pool(self) -> PoolKey:
        """Whose instances take it."""
        return PoolKey.of(self.service, self.size, self.organisation)


@dataclass(frozen=True)
class Claimed:
    """A job that runs from now on, and where."""

    job: Job
    instance_id: str


def due_at(job: Job) -> datetime:
    """When it could have been started for the first time."""
    return job.created_at if job.run_at is None else max(job.created_at, job.run_at)


def input_kind(kind: str, inputs: Sequence[JobInput]) -> str:
    """What jobs that need about as much memory have in common: the kind, and the inputs' size to a power of two."""
    total = sum(each.size or 0 for each in inputs)
    return f"{kind}:{total.bit_length()}"


@dataclass(frozen=True)
class Usage:
    """What an attempt used."""

    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True)
class Attempt:
    """One try at a job on one instance."""

    token: Token
    job_id: JobId
    number: int
    instance_id: str
    started_at: datetime  #: when it was claimed
    accepted_at: datetime | None  #: when the worker took it
    finished_at: datetime | None
    reason: Reason | None
    error: JobError | None
    usage: Usage | None
    cost_nanodollars: int | None
    started_tick: int = 0  #: see domain/cost.py
    finished_tick: int | None = None
    slots: int = 1  #: that it took of its instance
    node: str = ""  #: the id of its instance's node; empty when that is not known any more
    node_name: str = ""


@dataclass(frozen=True)
class Output:
    """A file that a job gave, kept as an artifact."""

    path: str  #: relative name, with forward slashes
    role: str
    media_type: str
    sha256: str
    size: int
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended, as the host sees it."""

    reason: Reason
    error: JobError | None = None
    is_retryable: bool = False
    outputs: tuple[Output, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    usage: Usage | None = None


@dataclass(frozen=True)
class JobEvent:
    """One durable, numbered fact about a job, or about the node."""

    id: int
    job_id: JobId | None  #: None: it belongs to no job
    at: datetime
    type: str  #: submitted, claimed, accepted, progress, retried, succeeded, ...; budget_reached, ... of no job
    data: dict[str, Any]


class InstanceState(StrEnum):
    """Where an instance stands."""

    STARTING = "starting"
    READY = "ready"
    PAUSED = "paused"
    DRAINING = "draining"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(frozen=True)
class LoadedModel:
    """A model that an instance has ready."""

    name: str  #: `name@version`
    memory_bytes: int  #: that it counts for


@dataclass(frozen=True)
class Instance:
    """One running container of a service, as the store knows it."""

    id: str
    service: Service
    engine: str
    image: str
    slots: int
    state: InstanceState
    requested_cpus: float
    requested_memory_bytes: int
    granted_cpus: float
    granted_memory_bytes: int
    created_at: datetime
    ready_at: datetime | None = None
    stopped_at: datetime | None = None
    node: str = ""  #: the id of the one that has started it
    size: str = ""  #: its instance type, where that is not the service's own
    organisation: str = ""  #: for which alone it works, for life; empty: for all
    note: str | None = None  #: why it is lost, or what was granted down
    models: tuple[LoadedModel, ...] = ()  #: that it has loaded, as it has said last
    # What it is billed by, see domain/cost.py.
    instance_type: str = ""
    region: str = "local"
    tariff: Tariff = FREE
    boot: str = ""  #: of the machine, since which its ticks count
    created_tick: int = 0
    ready_tick: int | None = None
    seen_tick: int = 0  #: when it was last known to be there
    stopped_tick: int | None = None
    paused_tick: int | None = None  #: since when it is paused
    paused_ticks: int = 0  #: in pauses that are over
    cost_nanodollars: int | None = None  #: of its whole existence, once that is over

    @property
    def pool(self) -> PoolKey:
        """Whose it is."""
        return PoolKey(self.service, self.size, self.organisation)
