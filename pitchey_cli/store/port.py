"""What Pitchey asks of its database. Adapters: sqlite.py, postgres.py.

One contract suite (tests/contract/test_store_contract.py) runs against every adapter.

Calls are plain and block. Each is a transaction of its own unless the caller has opened one with `transaction()`, which
they then join; `store/writer.py` uses that to commit many callers' work at once. Times are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pitchey_cli.domain.arrivals import Arrival
from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.errors import StaleToken
from pitchey_cli.domain.estimate import Past
from pitchey_cli.domain.job import (
    Attempt,
    Claimed,
    Job,
    JobEvent,
    JobId,
    JobState,
    Need,
    NewJob,
    Outcome,
    Output,
    Token,
)
from pitchey_cli.domain.nodes import Epoch
from pitchey_cli.domain.placement import Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.retention import Ended, Excess, Holding, RetentionPolicy
from pitchey_cli.domain.states import Transition
from pitchey_cli.domain.turns import Queue, QueuePolicy
from pitchey_cli.domain.whereabouts import Whereabouts
from pitchey_cli.store.accounts import Accounts
from pitchey_cli.store.alerts import Alerts
from pitchey_cli.store.budgets import Budgets
from pitchey_cli.store.nodes import Nodes
from pitchey_cli.store.observations import Observations
from pitchey_cli.store.schedules import Schedules
from pitchey_cli.store.tenants import Tenants
from pitchey_cli.store.webhooks import Webhooks
from pitchey_cli.values import dataclass
from processors.vocabulary import Service


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list; an empty field means all."""

    states: tuple[JobState, ...] = ()
    services: tuple[Service, ...] = ()
    verdicts: tuple[str, ...] = ()  #: of programs that have ended
    created_since: datetime | None = None
    created_until: datetime | None = None
    organisation: str | None = None
    batch: str | None = None
    limit: int = 50
    before_seq: int | None = None  #: for the next page: only jobs submitted before this one


@dataclass(frozen=True)
class Counts:
    """How many jobs stand where."""

    by_service: Mapping[Service, Mapping[JobState, int]] = field(default_factory=dict)


class CancelResult(StrEnum):
    """What asking to cancel a job led to."""

    CANCELLED = "cancelled"  #: it waited; it will never run
    REQUESTED = "requested"  #: it runs; the daemon ends it
    FINISHED = "finished"  #: too late, it had ended


@dataclass(frozen=True)
class Ending:
    """An attempt that has ended."""

    job_id: JobId
    token: Token
    outcome: Outcome
    decide: Callable[[Job], Transition]  #: what it makes of its job, as that is now; changes nothing
    now: datetime
    tick: int  #: of the end, on the scale of its instance's ticks; cut to the instance's end


@dataclass(frozen=True)
class Removed:
    """Ended jobs that have gone, or would go, out of one page."""

    jobs: tuple[Ended, ...] = ()
    after_seq: int | None = None  #: where the next page begins; None after the last


class Store(Schedules, Observations, Accounts, Budgets, Alerts, Tenants, Webhooks, Nodes, Protocol):
    """Keeps everything that must survive. Raises StoreError when the database cannot; StaleToken as noted."""

    def transaction(self, *, is_lasting: bool = True) -> AbstractContextManager[None]:
        """Group calls: all of them happen, durably, or none does. A nested one is a savepoint.

        Args:
            is_lasting: False: a power cut may undo it, with whatever came after it; the end of this process does not.
        """

    def close(self) -> None:
        """Close the database."""

    def state_id(self) -> str:
        """A random id, made with the database: the label of instances is made of it and of the place."""

    def data_version(self) -> int:
        """A number that changes when another connection has committed. Costs microseconds."""

    # --- jobs

    def enqueue(self, jobs: Sequence[NewJob], *, now: datetime) -> list[JobId]:
        """Add jobs; all or none. They are queued; scheduled when run_at is later; held when others have to end first.

        Returns:
            Their ids; of one whose idempotency key is known, the id of the job that came first.

        Raises:
            UsageError: the idempotency key belongs to another request, or a job to wait for has failed.
            InputNotFound: there is no job to wait for.
        """

    def claim(
        self,
        pool: PoolKey,
        *,
        places: Places,
        policy: QueuePolicy,
        now: datetime,
        lease_until: datetime,
        tick: int,
        foreground_only: bool = False,
        under: Epoch | None = None,
        as_of: AsOf | None = None,
    ) -> list[Claimed]:
        """Take queued jobs of a pool, in the order of their turns, while there are places; start an attempt for each.

        Jobs come back as they are now: running, with a token.

        Args:
            under: of the node; none is taken when that is over, or the node is drained. None: nobody asks.
            as_of: the budgets are looked at as of then, in the transaction of the claim; None: as the policy has them.
        """

    def queue(self, pool: PoolKey, *, foreground_only: bool = False) -> Queue:
        """What waits for one pool, and what counts in whose turn it is."""

    def waiting_pools(self, service: Service, *, foreground_only: bool = False) -> list[PoolKey]:
        """The pools of a service that queued jobs wait for."""

    def size_hint(self, service: Service, input_kind: str) -> str:
        """The instance type on which this kind of input has succeeded; empty when nothing is known."""

    def set_size_hint(self, service: Service, input_kind: str, size: str) -> None:
        """Remember that this kind of input needs an instance type."""

    def cached_job(self, cache_key: str, organisation: str) -> Job | None:
        """The newest job of an organisation that succeeded with a cache key: what others have done is not given away,
        nor whether they have.
        """

    def keyed_job(self, key: str, organisation: str) -> Job | None:
        """The job of an organisation that has an idempotency key."""

    def dependencies(self, job_id: JobId) -> list[Need]:
        """The jobs that a job waits for, or waited for."""

    def expire(self, *, now: datetime) -> int:
        """Give up the waiting jobs that it is too late for; how many there were. A long list takes several calls."""

    def redrive(self, job_id: JobId, *, now: datetime) -> bool:
        """Queue a dead letter again, with all its attempts before it; False when it is none."""

    def purge(self, job_id: JobId) -> bool:
        """Remove a dead letter and all that is known of it; False when it is none."""

    def tidy_queue(self, *, now: datetime) -> None:
        """Forget lines in which nobody has stood for long."""

    def batches(self, *, organisation: str | None = None) -> list[str]:
        """The names of all batches, or of those of one organisation."""

    def batch_counts(self, batch: str, *, organisation: str | None = None) -> dict[JobState, int]:
        """How many jobs of a batch stand where.

        Args:
            organisation: only its jobs: another one may have a batch of the same name.
        """

    def batch_jobs(
        self, batch: str, states: Iterable[JobState] = JobState, *, organisation: str | None = None
    ) -> Iterator[Job]:
        """The jobs of a batch, state by state."""

    def accepted(self, token: Token, *, now: datetime) -> None:
        """The worker has taken the attempt. A stale token changes nothing."""

    def progress(
        self, token: Token, *, fraction: float | None, stage: str, eta_seconds: float | None, now: datetime
    ) -> None:
        """Note how far the live attempt is. A stale token changes nothing."""

    def finish(
        self, job_id: JobId, token: Token, outcome: Outcome, transition: Transition, *, now: datetime, tick: int
    ) -> None:
        """End the live attempt: job, attempt, its cost, outputs and event in one transaction.

        Args:
            tick: of the end, on the scale of its instance's ticks; cut to the instance's end.

        Raises:
            StaleToken: another attempt has taken over; the caller must throw its result away.
        """

    def finish_all(self, endings: Sequence[Ending]) -> list[Job | StaleToken]:
        """End several live attempts in one transaction, which costs far less than one after the other.

        Returns:
            Each job as it was before; StaleToken: another attempt has taken over, and nothing has changed.
        """

    def renew(self, tokens: Sequence[Token], *, lease_until: datetime) -> None:
        """Extend the leases of live attempts."""

    def release_due(self, *, now: datetime) -> int:
        """Queue the scheduled jobs whose time has come; how many there were."""

    def call_last(self, *, now: datetime) -> int:
        """Let the queued jobs run at any price that can wait for off-peak hours no longer; how many there were. A long
        list takes several calls.
        """

    def bring_retries_forward(self, *, now: datetime, latest: datetime) -> None:
        """Make the retries due now that are due after `latest`: the clock was ahead when they got their time."""

    def next_due(self) -> datetime | None:
        """When the next scheduled job is due."""

    def cancel(self, job_id: JobId, *, why: str, now: datetime) -> CancelResult:
        """End a waiting job, or ask for the end of a running one."""

    def cancel_requested(self) -> list[Token]:
        """Live attempts of jobs that somebody wants cancelled."""

    def running(self, *, node: str | None = None) -> list[Job]:
        """Every job that is running; on one node, or on all."""

    def job(self, job_id: JobId) -> Job:
        """One job; InputNotFound when there is none."""

    def jobs(self, wanted: JobFilter) -> list[Job]:
        """Jobs, the newest first."""

    def oldest_jobs(self, state: JobState, *, limit: int) -> list[Job]:
        """The jobs of a state that were submitted first, in that order."""

    def job_ids(self, prefix: str, *, limit: int = 10, organisation: str | None = None) -> list[JobId]:
        """Ids that begin so, for abbreviation; of all jobs, or of those of one organisation."""

    def counts(self, *, organisation: str | None = None) -> Counts:
        """How many jobs stand where.

        Args:
            organisation: only its jobs; None: all.
        """

    def ahead_of(self, job: Job) -> int:
        """How many jobs are before this one in its own line, counted up to 10,000."""

    def attempts(self, job_id: JobId) -> list[Attempt]:
        """The attempts of a job, in order."""

    def last_nodes(self, job_ids: Sequence[JobId]) -> Mapping[JobId, str]:
        """The names of the nodes on which the last attempts of jobs were made, as far as they are known."""

    def arrivals(self, *, since: datetime, limit: int | None = None) -> list[Arrival]:
        """The jobs submitted since then that have run, by when they could first have started.

        Args:
            limit: no more than so many or a page above it, whichever they are.
        """

    def completed(self, service: Service, *, limit: int) -> list[Past]:
        """The newest jobs of a service that have completed, among the last hundred thousand of all services."""

    def outputs(self, job_id: JobId) -> list[Output]:
        """The outputs of a job that succeeded, in the order the worker gave them."""

    def details(self, job_id: JobId) -> dict[str, Any]:
        """What the worker said of a succeeded job as a whole."""

    def length_of_result(self, job_id: JobId) -> int:
        """About how many characters `outputs`, `details` and `attempts` have, to know whether they take long."""

    def events(
        self, *, after: int, job_ids: Sequence[JobId] = (), limit: int = 500, organisation: str | None = None
    ) -> list[JobEvent]:
        """Events with an id above `after`, in order; of some jobs, or of all jobs and of none.

        Args:
            organisation: only those of its jobs; where jobs are named, these are asked for as they are.
        """

    def last_event_id(self) -> int:
        """The id of the newest event; 0 when there is none."""

    # --- retention

    def remove_ended(
        self, policy: RetentionPolicy, excess: Excess, *, after_seq: int, now: datetime, dry_run: bool = False
    ) -> Removed:
        """Look at one page of ended jobs, the oldest first, and remove those that have to go, with all that is known
        of them. One that somebody still needs stays: another job, or, for twice its time, a batch that has not ended.
        """

    def holdings(self, *, after_seq: int, with_needs: bool = False) -> list[Holding]:
        """Which artifacts the jobs refer to, a page of jobs at a time.

        Args:
            with_needs: find out which of them may go for room; else all are said to.
        """

    def artifact_sizes(self, *, after: str = "") -> list[tuple[str, int]]:
        """The artifacts that outputs refer to, and their sizes, a page at a time."""

    def artifacts_at(self) -> Whereabouts | None:
        """Where the artifacts of the queue are; None when no daemon has said so."""

    def note_artifacts_at(self, place: Whereabouts) -> None:
        """Say where they are from now on."""

    def known_time(self) -> datetime | None:
        """The last time that was believed, or, when none was, that of the newest event; None in a new database."""

    def note_time(self, *, now: datetime) -> None:
        """Note a time that is believed."""

    def known_jobs(self, job_ids: Sequence[str]) -> set[str]:
        """Those of some ids that are a job's."""

    # --- maintenance

    def integrity(self) -> list[str]:
        """What is wrong with the database; empty when nothing is. Reads everything."""

    def schema_version(self) -> int:
        """Which migration the database is at."""

    def database_version(self) -> str:
        """What the database is, as `PostgreSQL 16.4`."""
