"""What is asked for, as pydantic models that read it. The OpenAPI document is made of them and of `said.py`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, StrictBool, StrictInt

from pitchey_cli.api.route import Body, Query
from pitchey_cli.domain.access import Area, Role
from pitchey_cli.domain.job import JobState
from processors.vocabulary import Service

MOST_JOBS = 1000  #: in one request
_PAGE = Field(50, ge=1, le=500, description="At most so many.")
_CURSOR = Field(None, max_length=64, description="Where the page begins: `next` of the one before.")
_WAIT = Field(None, ge=0, description="Wait so many seconds for the end, api.wait_seconds at most.")


class Queueing(Body):
    """When and how a job queues, in the words of `pitchey submit`."""

    priority: str | int | None = Field(None, description="low, normal, high, urgent, or 1 to 5.")
    batch: str | None = Field(None, description="Name of the batch it belongs to.")
    key: str | None = Field(None, description="Jobs of one key run one at a time, or as queue.keys says.")
    slots: StrictInt | None = Field(None, ge=1, le=64, description="Slots of an instance that it takes.")
    run_at: str | None = Field(None, description="Not before: `in 20 min`, `02:00`, or an ISO time.")
    after: list[str] | None = Field(None, max_length=100, description="Not before these jobs have succeeded.")
    if_failed: str | None = Field(None, description="When one of them fails: cancel, run or hold.")
    deadline: str | None = Field(None, description="Of no use after: `2h`, or an ISO time.")
    ttl: str | None = Field(None, description="Give up if not started within: `30m`.")
    off_peak: StrictBool | None = Field(None, description="In off-peak hours.")
    spot_ok: StrictBool | None = Field(None, description="Also on a node that may be taken away.")
    on: str | None = Field(None, max_length=400, description="Only on a node with these labels: `region=eu,gpu`.")
    max_attempts: StrictInt | None = Field(None, ge=1, le=100, description="Attempts before it is a dead letter.")
    backoff: str | None = Field(None, description="Longest wait before the first retry: `30s`.")
    timeout: str | None = Field(None, description="Longest run of an attempt: `10m`.")
    output: str | None = Field(None, description="Where its outputs go before it has succeeded: s3://bucket/{job}/.")
    idempotency_key: str | None = Field(None, max_length=255, description="The same key gives the same job again.")
    organisation: str | None = Field(None, description="Whose it is; a token of one organisation need not say it.")


class ServiceJob(Queueing):
    """A job of the service that the path names."""

    spec: dict[str, Any] = Field(description="What is asked of the service.")
    name: str | None = Field(None, description="What to call it; else as its input.")
    no_cache: StrictBool = Field(False, description="Do the work again, also if its result is there.")


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


class OutputsQuery(Query):
    """For how long links are to be good: then they are there, or it is said why not."""

    expires: str | None = Field(None, description="As 15m, 1h or 7d. Without it links that cannot be made are null.")


class SubmitQuery(Query):
    """Whether to wait for what was submitted."""

    wait: float | None = _WAIT


class LogsQuery(Query):
    """Which lines."""

    attempt: int | None = Field(None, ge=1, description="Only of this attempt.")
    follow: bool = Field(False, description="Go on until the job has ended.")


class EventsQuery(Query):
    """Which events, and from which on."""

    after: int | None = Field(None, ge=0, le=2**63 - 1, description="Behind this one; else with what is new.")
    job: list[str] | None = Field(None, max_length=100, description="Only those of these jobs.")
    batch: str | None = Field(None, description="Only those of this batch.")
    service: list[Service] | None = Field(None, description="Only those of these services.")
    type: list[str] | None = Field(None, max_length=50, description="Only these: submitted, progress, succeeded, ...")


class NodesQuery(Query):
    """Which nodes."""

    removed: bool = Field(False, description="Also those that were removed.")


class RemoveNodeQuery(Query):
    """How a node is removed."""

    force: bool = Field(False, description="Also one that is up: its jobs are taken from it.")


class ChangesQuery(Query):
    """How long to wait for news, and from when on."""

    after: int | None = Field(None, ge=0, le=2**63 - 1, description="The last event that one knows of.")
    wait: float | None = Field(None, ge=0, description="Wait so many seconds for a newer one, 5 at most.")


class Page(Query):
    """Which page."""

    limit: int = _PAGE
    cursor: str | None = _CURSOR


class RunPipeline(Queueing):
    """A pipeline, and what it is started with; the words of the queue are for all of its jobs."""

    name: str = Field("pipeline", min_length=1, max_length=80, description="What to call it.")
    steps: dict[str, Any] = Field(min_length=1, max_length=100, description="The steps, as docs/architecture has them.")
    inputs: list[str] = Field(default_factory=list, max_length=MOST_JOBS, description="URLs and upload:NAME.")


class BatchesQuery(Query):
    """Which batches."""

    limit: int = Field(500, ge=1, le=500, description="At most so many.")
    cursor: str | None = Field(None, max_length=200, description="Where the page begins: `next` of the one before.")


class DeadLettersQuery(Query):
    """Which dead letters."""

    service: list[Service] | None = Field(None, description="Only those of these services.")
    batch: str | None = Field(None, description="Only those of this batch.")
    error: str | None = Field(None, description="Only with this error code or reason; * stands for anything.")
    limit: int = _PAGE
    cursor: str | None = _CURSOR


class RetryDeadLetters(Body):
    """Which dead letters are queued again."""

    service: list[Service] | None = Field(None, description="Only those of these services.")
    batch: str | None = Field(None, description="Only those of this batch.")
    error: str | None = Field(None, description="Only with this error code or reason; * stands for anything.")
    all: StrictBool = Field(False, description="All of them.")


class AddSchedule(SubmitJob):
    """A job that is submitted again and again."""

    schedule: str = Field(description="What to call the schedule; its jobs are a batch of that name, or of `batch`.")
    inputs: list[str] = Field(
        default_factory=list, max_length=MOST_JOBS, description="URLs, a job for each; else the spec names the one."
    )
    cron: str = Field(description="When: `0 2 * * *`, `*/15 * * * MON-FRI`, `@hourly`, `@daily`.")
    timezone: str | None = Field(None, description="As Europe/Berlin; else that of the daemon's machine.")
    misfire: str = Field("latest", description="What passed while no daemon ran: latest, skip or all of it.")


class InstancesQuery(Query):
    """Which instances."""

    ended: bool = Field(False, description="Also those that have ended.")
    limit: int = Field(500, ge=1, le=5000, description="At most so many, the newest.")


class CoolInstances(Body):
    """Which pool."""

    service: Service = Field(description="Of this service.")
    organisation: str | None = Field(None, description="For whom, where instances are not shared: of code.")


class WarmInstances(CoolInstances):
    """How many instances are to be ready, and for how long."""

    instances: StrictInt = Field(1, ge=1, le=1000, description="How many.")
    lasting: str = Field("1h", description="For how long, as 30m or 8h.")


class ScalingEventsQuery(Query):
    """Which changes."""

    service: Service | None = Field(None, description="Only those of this service.")
    limit: int = _PAGE
    cursor: str | None = _CURSOR


class CostQuery(Query):
    """Of which period, and in which tables."""

    period: str | None = Field(None, description="The day, week or month so far; month by default.")
    since: str | None = Field(None, description="Since `2h`, `3d` ago, or an ISO time.")
    until: str | None = Field(None, description="Until then instead of now.")
    by: list[str] | None = Field(None, description="Tables by service, organisation, batch, day or type.")
    service: Service | None = Field(None, description="Only this service.")
    organisation: str | None = Field(None, description="Only what attempts of this organisation cost.")


class BudgetQuery(Query):
    """Which budget."""

    organisation: str | None = Field(None, description="Of this organisation; else of one's own, or of all.")
    service: Service | None = Field(None, description="Of this service; else of all.")
    period: str = Field("month", description="day, week or month.")


class SetBudget(Body):
    """What may be spent."""

    amount: str = Field(max_length=40, description="Dollars, as 25 or 25.00.")
    organisation: str | None = Field(None, description="Of this organisation; else of one's own, or of all.")
    service: Service | None = Field(None, description="Of this service; else of all.")
    period: str = Field("month", description="day, week or month.")


class CheckAlerts(Body):
    """Judge the rules now."""


class SilenceAlert(Body):
    """For how long nobody is told, and why."""

    lasting: str = Field(max_length=40, description="For so long: 30m, 2h, 1d.")
    reason: str = Field(max_length=500, description="Why; whoever looks at it next sees it.")


class ModelsQuery(Query):
    """Which models."""

    name: str | None = Field(None, max_length=200, description="Only versions of this one.")


class ProbeFile(Body):
    """A file to look into."""

    input: str | None = Field(None, description="Its URL, or upload:ID of a file that was uploaded.")


class OfOrganisation(Query):
    """Of which organisation."""

    organisation: str | None = Field(None, description="Another than one's own.")


class AddOrganisation(Body):
    """An organisation."""

    name: str = Field(description="What it is called.")


class SetQuota(Body):
    """What an organisation may have; what is left out stays, null is any number."""

    queued: StrictInt | None = Field(None, ge=0, le=10**12, description="Jobs that wait.")
    running: StrictInt | None = Field(None, ge=0, le=10**12, description="Jobs that run at once.")
    bytes: StrictInt | None = Field(None, ge=0, le=10**18, description="Bytes of all files that its jobs refer to.")


class GrantRole(Body):
    """A role for a member."""

    role: Role = Field(description="viewer, submitter, operator or admin.")
    organisation: str | None = Field(None, description="Of another organisation than one's own.")


class AddToken(Body):
    """What a token is to be able to do."""

    name: str = Field(description="What it is for, as ci-runner.")
    role: Role = Field(Role.SUBMITTER, description="viewer, submitter, operator or admin; at most one's own.")
    scopes: list[Area] = Field(default_factory=list, description="Only for these areas; none: for all.")
    organisation: str | None = Field(None, description="Whose it is, where that is not one's own.")
    all_organisations: StrictBool = Field(False, description="For the whole installation.")
    member: str | None = Field(None, description="Whose: it may do no more than they may.")
    expires: str | None = Field(None, description="After so long, as 90d.")


class AddWebhook(Body):
    """Whom to tell, and what."""

    name: str = Field(description="What it is for, as chat or billing.")
    url: str = Field(description="Where messages are posted.")
    types: list[str] = Field(default_factory=list, max_length=100, description="Only these, as job.*; none: all.")
    services: list[Service] = Field(default_factory=list, description="Only what is of these; none: all.")
    organisation: str | None = Field(None, description="Whose it is, where that is not one's own.")
    all_organisations: StrictBool = Field(False, description="For what happens in the whole installation.")


class DisableWebhook(Body):
    """Why it is told nothing any more."""

    reason: str | None = Field(None, max_length=200, description="For whoever looks at it later.")


class RotateWebhook(Body):
    """How secrets follow each other."""

    overlap: str = Field("24h", description="For how long the secret before counts as well.")


class DeliveriesQuery(Query):
    """Which deliveries."""

    state: str | None = Field(None, description="pending, delivered or failed.")
    limit: int = _PAGE
    cursor: str | None = _CURSOR


class ReplayDeliveries(Body):
    """What is to be sent again: messages, or all that was given up."""

    messages: list[str] = Field(default_factory=list, max_length=1000, description="Ids of messages.")
    failed: StrictBool = Field(False, description="All that was given up.")
