"""Random histories of the queue against a model of a few lines: one state for each job, one live token at most."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from pitchey_cli.domain.errors import StaleToken
from pitchey_cli.domain.job import TERMINAL, Job, JobId, JobState, NewJob, Outcome, Token
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.schedule import QueuePolicy
from pitchey_cli.domain.states import TRANSITIONS, after_attempt
from pitchey_cli.store.port import CancelResult, JobFilter
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIDEO = Service.VIDEO


@dataclass
class Expected:
    """What the model knows of a job."""

    seq: int
    priority: int
    state: JobState
    token: Token | None = None
    has_crashed: bool = False
    tokens: list[Token] = field(default_factory=list)


class Queue(RuleBasedStateMachine):
    """Two connections do things in any order; the model says what must come of it."""

    jobs: Bundle[str] = Bundle("jobs")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "pitchey.db"
        self.stores = [SqliteStore.open(path), SqliteStore.open(path)]
        for store in self.stores:
            store._db.run("PRAGMA synchronous = OFF")  # nobody pulls the plug here
        self.model: dict[str, Expected] = {}
        self.now = NOON

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            assert self.stores[0].integrity() == []
            for store in self.stores:
                store.close()
            self.folder.cleanup()

    @property
    def store(self) -> SqliteStore:
        self.stores.reverse()
        return self.stores[0]

    def move(self, job_id: str, state: JobState) -> None:
        expected = self.model[job_id]
        assert (expected.state, state) in TRANSITIONS
        expected.state = state

    @rule(target=jobs, priority=st.integers(1, 5), delay=st.sampled_from([None, 0, 50]))
    def submit(self, priority: int, delay: int | None) -> str:
        job_id = f"j{len(self.model):03}"
        run_at = None if delay is None else self.now + timedelta(seconds=delay)
        job = NewJob(id=JobId(job_id), service=VIDEO, spec={}, priority=priority, run_at=run_at)
        self.store.enqueue([job], now=self.now)
        state = JobState.SCHEDULED if delay else JobState.QUEUED
        self.model[job_id] = Expected(len(self.model) + 1, priority, state)
        return job_id

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        places = Places([Candidate("i-1", limit, limit)])
        policy = QueuePolicy(ageing_seconds=1e9)
        taken = self.store.claim(VIDEO, places=places, policy=policy, now=self.now, lease_until=self.now)
        claimed = [each.job for each in taken]
        waiting = [job_id for job_id, each in self.model.items() if each.state is JobState.QUEUED]
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
        expected, job = self.model[job_id], self.store.job(JobId(job_id))
        if expected.token is None:
            return
        outcome = Outcome(reason, is_retryable=is_retryable)
        transition = after_attempt(job, outcome, now=self.now, dice=0.5)
        self.store.finish(job.id, expected.token, outcome, transition, now=self.now)
        self.move(job_id, transition.state)
        expected.has_crashed = transition.crashes > 0
        expected.token = None

    @rule(job_id=jobs)
    def finish_late(self, job_id: str) -> None:
        """An attempt from before the latest, or one that has ended, brings its result."""
        expected, job = self.model[job_id], self.store.job(JobId(job_id))
        outcome = Outcome(Reason.COMPLETED)
        for token in expected.tokens:
            if token == expected.token:
                continue
            with pytest.raises(StaleToken):
                transition = after_attempt(job, outcome, now=self.now, dice=0.5)
                self.store.finish(job.id, token, outcome, transition, now=self.now)
            self.store.accepted(token, now=self.now)
            self.store.progress(token, fraction=0.9, stage="late", eta_seconds=None, now=self.now)
        assert self.store.job(job.id) == job

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
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

    @precondition(lambda self: any(each.state is JobState.SCHEDULED for each in self.model.values()))
    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        due = [job.id for job in self.scheduled() if job.run_at is not None and job.run_at <= self.now]
        assert self.store.release_due(now=self.now) == len(due)
        for job_id in due:
            self.move(job_id, JobState.QUEUED)

    def scheduled(self) -> list[Job]:
        return self.store.jobs(JobFilter(states=(JobState.SCHEDULED,), limit=1000))

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


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
