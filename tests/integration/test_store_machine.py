"""Random histories of the queue against a model of a few lines: one state for each job, one live token at most.

Organisations and keys are left to test_loop_machine.py: a model of whose turn it is would be a second schedule.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from pitchey_cli.domain.errors import StaleToken, UsageError
from pitchey_cli.domain.job import TERMINAL, WAITING, Dependency, JobId, JobState, NewJob, OnFailure, Outcome, Token
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import TRANSITIONS, after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.port import CancelResult, JobFilter, Store
from pitchey_cli.store.postgres import PostgresStore
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service
from tests.servers.postgres import PostgresServer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIDEO = Service.VIDEO

FAILED = frozenset({JobState.DEAD, JobState.CANCELLED})


def is_met(state: JobState, on_failure: OnFailure) -> bool:
    """Whether a job that is needed stands in nobody's way."""
    return state is JobState.SUCCEEDED or (state in FAILED and on_failure is OnFailure.RUN)


def is_hopeless(state: JobState, on_failure: OnFailure) -> bool:
    """Whether a job that is needed will not come any more."""
    return (state, on_failure) == (JobState.DEAD, OnFailure.CANCEL) or (
        state is JobState.CANCELLED and on_failure is not OnFailure.RUN
    )


@dataclass
class Expected:
    """What the model knows of a job."""

    seq: int
    priority: int
    state: JobState
    idempotency_key: str | None = None
    spec: dict[str, int] = field(default_factory=dict)
    run_at: datetime | None = None
    expires_at: datetime | None = None
    needs: dict[str, OnFailure] = field(default_factory=dict)  #: that it waited for at first
    token: Token | None = None
    has_crashed: bool = False
    is_taken_down: bool = False  #: cancelled for the failure of one that it needs
    tokens: list[Token] = field(default_factory=list)


class Queue(RuleBasedStateMachine):
    """Two connections do things in any order; the model says what must come of it."""

    jobs: Bundle[str] = Bundle("jobs")

    @initialize()
    def open(self) -> None:
        self.stores = self.opened()
        self.model: dict[str, Expected] = {}
        self.submitted = 0
        self.now = NOON

    def opened(self) -> list[Store]:
        """Two connections to an empty database."""
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "pitchey.db"
        stores = [SqliteStore.open(path), SqliteStore.open(path)]
        for store in stores:
            store._db.run("PRAGMA synchronous = OFF")  # nobody pulls the plug here
        return [*stores]

    def forget(self) -> None:
        """Remove the database."""
        self.folder.cleanup()

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            assert self.stores[0].integrity() == []
            for store in self.stores:
                store.close()
            self.forget()

    @property
    def store(self) -> Store:
        self.stores.reverse()
        return self.stores[0]

    def move(self, job_id: str, state: JobState) -> None:
        expected = self.model[job_id]
        assert (expected.state, state) in TRANSITIONS
        expected.state = state
        if state in TERMINAL:
            self.settle()

    def settle(self) -> None:
        """What an end makes of those that waited for it."""
        for job_id, each in self.model.items():
            if each.state is JobState.HELD:
                needs = [(self.model[need].state, on_failure) for need, on_failure in each.needs.items()]
                if (fate := self.fate(needs, each.run_at)) is not JobState.HELD:
                    each.is_taken_down = fate is JobState.CANCELLED
                    self.move(job_id, fate)

    def fate(self, needs: list[tuple[JobState, OnFailure]], run_at: datetime | None) -> JobState:
        """Where a job stands that may run once others have ended."""
        if any(is_hopeless(*need) for need in needs):
            return JobState.CANCELLED
        if not all(is_met(*need) for need in needs):
            return JobState.HELD
        return JobState.SCHEDULED if run_at is not None and run_at > self.now else JobState.QUEUED

    def waiting(self) -> list[tuple[str, Expected]]:
        return [(job_id, each) for job_id, each in self.model.items() if each.state in WAITING]

    @rule(
        target=jobs,
        priority=st.integers(1, 5),
        delay=st.sampled_from([None, 0, 50]),
        ttl=st.sampled_from([None, None, 20, 80]),
        after=st.lists(st.tuples(st.integers(0, 99), st.sampled_from(OnFailure)), max_size=2),
        idempotency_key=st.sampled_from([None, None, None, "this", "that"]),
        version=st.integers(1, 2),
    )
    def submit(
        self, priority: int, delay: int | None, ttl: int | None, after: list[tuple[int, OnFailure]],
        idempotency_key: str | None, version: int,
    ) -> str:  # fmt: skip
        job_id = f"j{self.submitted:03}"
        names = list(self.model)
        needs = {names[which % len(names)]: on_failure for which, on_failure in after if names}
        run_at, expires_at = (each and self.now + timedelta(seconds=each) for each in (delay, ttl))
        job = NewJob(
            id=JobId(job_id), service=VIDEO, spec={"version": version}, priority=priority, run_at=run_at or None,
            expires_at=expires_at, after=tuple(Dependency(JobId(need), how) for need, how in needs.items()),
            idempotency_key=idempotency_key,
        )  # fmt: skip
        known = [
            name for name, each in self.model.items() if idempotency_key and each.idempotency_key == idempotency_key
        ]
        met = [(self.model[need].state, on_failure) for need, on_failure in needs.items()]
        state = self.fate(met, run_at or None)
        is_refused = self.model[known[0]].spec != job.spec if known else state is JobState.CANCELLED
        if is_refused:
            with pytest.raises(UsageError):
                self.store.enqueue([job], now=self.now)
            return multiple()
        assert self.store.enqueue([job], now=self.now) == [known[0] if known else job_id]
        if known:
            return multiple()
        self.submitted += 1
        unmet = {need: how for need, how in needs.items() if not is_met(self.model[need].state, how)}
        self.model[job_id] = Expected(
            self.submitted, priority, state, idempotency_key, job.spec, run_at or None, expires_at, unmet
        )
        return job_id

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        places = Places([Candidate("i-1", limit, limit)])
        policy = QueuePolicy(ageing_seconds=1e9)
        taken = self.store.claim(
            PoolKey(VIDEO), places=places, policy=policy, now=self.now, lease_until=self.now, tick=0
        )
        claimed = [each.job for each in taken]
        waiting = [
            job_id
            for job_id, each in self.model.items()
            if each.state is JobState.QUEUED and (each.expires_at is None or each.expires_at > self.now)
        ]
        waiting.sort(key=lambda job_id: (-self.model[job_id].priority, self.model[job_id].seq))
        assert [job.id for job in claimed] == self.fitting(waiting, limit)
        for job in claimed:
            assert job.token is not None
            assert job.token not in self.model[job.id].tokens
            self.move(job.id, JobState.RUNNING)
            self.model[job.id].token = job.token
            self.model[job.id].tokens.append(job.token)

    def fitting(self, waiting: list[str], slots: int) -> list[str]:
        """Those that have room one after the other; one under which an instance died wants all of it."""
        chosen: list[str] = []
        free = slots
        for job_id in waiting:
            free -= slots if self.model[job_id].has_crashed else 1
            if free < 0:
                break
            chosen.append(job_id)
        return chosen

    @rule(job_id=jobs, reason=st.sampled_from(Reason), is_retryable=st.booleans())
    def finish(self, job_id: str, reason: Reason, is_retryable: bool) -> None:
        if job_id not in self.model:
            return
        expected, job = self.model[job_id], self.store.job(JobId(job_id))
        if expected.token is None:
            return
        outcome = Outcome(reason, is_retryable=is_retryable)
        transition = after_attempt(job, outcome, now=self.now, dice=0.5)
        self.store.finish(job.id, expected.token, outcome, transition, now=self.now, tick=1)
        expected.run_at = transition.run_at or expected.run_at
        expected.has_crashed = transition.crashes > 0
        expected.token = None
        self.move(job_id, transition.state)

    @rule(job_id=jobs)
    def finish_late(self, job_id: str) -> None:
        """An attempt from before the latest, or one that has ended, brings its result."""
        if job_id not in self.model:
            return
        expected, job = self.model[job_id], self.store.job(JobId(job_id))
        outcome = Outcome(Reason.COMPLETED)
        for token in expected.tokens:
            if token == expected.token:
                continue
            with pytest.raises(StaleToken):
                transition = after_attempt(job, outcome, now=self.now, dice=0.5)
                self.store.finish(job.id, token, outcome, transition, now=self.now, tick=1)
            self.store.accepted(token, now=self.now)
            self.store.progress(token, fraction=0.9, stage="late", eta_seconds=None, now=self.now)
        assert self.store.job(job.id) == job

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        if job_id not in self.model:
            return
        expected = self.model[job_id]
        result = self.store.cancel(JobId(job_id), why="", now=self.now)
        if expected.state is JobState.RUNNING:
            assert result is CancelResult.REQUESTED
            assert expected.token in self.store.cancel_requested()
        elif expected.state in TERMINAL:
            assert result is CancelResult.FINISHED
        else:
            assert result is CancelResult.CANCELLED
            self.move(job_id, JobState.CANCELLED)

    @rule(job_id=jobs)
    def redrive(self, job_id: str) -> None:
        if job_id not in self.model:
            return
        expected = self.model[job_id]
        if expected.state is not JobState.DEAD:
            assert not self.store.redrive(JobId(job_id), now=self.now)
            return
        state = self.fate([(self.model[need].state, how) for need, how in expected.needs.items()], None)
        if state is JobState.CANCELLED:
            with pytest.raises(UsageError):
                self.store.redrive(JobId(job_id), now=self.now)
            return
        assert self.store.redrive(JobId(job_id), now=self.now)
        self.move(job_id, state)
        expected.expires_at, expected.run_at, expected.has_crashed = None, None, False
        self.bring_back_after(job_id)

    def bring_back_after(self, job_id: str) -> None:
        """What went down with a job is held again, where nothing else keeps it down."""
        for name, each in self.model.items():
            went_with_it = each.is_taken_down and each.needs.get(job_id, OnFailure.RUN) is not OnFailure.RUN
            is_kept_down = any(is_hopeless(self.model[need].state, how) for need, how in each.needs.items())
            if each.state is JobState.CANCELLED and went_with_it and not is_kept_down:
                self.move(name, JobState.HELD)
                each.is_taken_down, each.expires_at = False, None
                self.bring_back_after(name)

    @rule(job_id=jobs)
    def purge(self, job_id: str) -> None:
        if job_id not in self.model:
            return
        if any(each.state is JobState.HELD and job_id in each.needs for each in self.model.values()):
            with pytest.raises(UsageError):
                self.store.purge(JobId(job_id))
            return
        is_dead = self.model[job_id].state is JobState.DEAD
        assert self.store.purge(JobId(job_id)) is is_dead
        if is_dead:
            del self.model[job_id]
            for each in self.model.values():
                each.needs.pop(job_id, None)

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        due = [
            job_id
            for job_id, each in self.waiting()
            if each.state is JobState.SCHEDULED and each.run_at is not None and each.run_at <= self.now
        ]
        assert self.store.release_due(now=self.now) == len(due)
        for job_id in due:
            self.move(job_id, JobState.QUEUED)
        late = [
            (each.expires_at, each.seq, job_id)
            for job_id, each in self.waiting()
            if each.expires_at is not None and each.expires_at <= self.now
        ]
        assert self.store.expire(now=self.now) == len(late)
        for _, _, job_id in sorted(late):
            if self.model[job_id].state in WAITING:  # else it has been cancelled with one that it needs
                self.move(job_id, JobState.DEAD)

    @invariant()
    def every_job_stands_where_the_model_says(self) -> None:
        found = {job.id: (job.state, job.token) for job in self.store.jobs(JobFilter(limit=1000))}
        assert found == {job_id: (each.state, each.token) for job_id, each in self.model.items()}

    @invariant()
    def live_tokens_are_unique_and_belong_to_running_jobs(self) -> None:
        live = [job.token for job in self.store.running()]
        assert len(live) == len(set(live))
        assert set(live) == {each.token for each in self.model.values() if each.token is not None}

    @invariant()
    def the_counts_add_up(self) -> None:
        counted = self.store.counts().by_service.get(VIDEO, {})
        states = [each.state for each in self.model.values()]
        assert counted == {state: states.count(state) for state in set(states)}


class QueueOnPostgres(Queue):
    """The same on a server."""

    server: PostgresServer
    template: str

    def opened(self) -> list[Store]:
        self.database = self.server.create(self.template)
        return [PostgresStore.open(self.server.url(self.database)) for _ in range(2)]

    def forget(self) -> None:
        self.server.drop(self.database)


@pytest.fixture(scope="module", autouse=True)
def a_server(postgres_server: PostgresServer, postgres_template: str) -> None:
    """For the class, which takes no fixtures."""
    QueueOnPostgres.server, QueueOnPostgres.template = postgres_server, postgres_template


TestQueue = Queue.TestCase
TestQueueOnPostgres = QueueOnPostgres.TestCase
TestQueueOnPostgres.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestQueue.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
