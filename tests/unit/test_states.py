"""What an attempt's end makes of its job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.job import TERMINAL, Job, JobId, JobState, Outcome, Token
from pitchey_cli.domain.retry import RetryAction, RetryPolicy, RetryRule
from pitchey_cli.domain.states import MAX_CRASHES, TRANSITIONS, after_attempt
from processors.protocol import Reason, Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def running(*, used: int = 0, crashes: int = 0, max_attempts: int = 3, is_cancelled: bool = False) -> Job:
    return Job(
        id=JobId("job1"),
        seq=1,
        service=Service.VIDEO,
        spec={},
        inputs=(),
        name="",
        priority=3,
        organisation="default",
        max_attempts=max_attempts,
        timeout_seconds=60,
        is_foreground=False,
        state=JobState.RUNNING,
        attempt=used + 1,
        attempts_used=used,
        crashes=crashes,
        token=Token("job1.1"),
        reason=None,
        error=None,
        progress=None,
        stage=None,
        eta_seconds=None,
        created_at=NOON,
        run_at=None,
        started_at=NOON,
        finished_at=None,
        cancel_requested_at=NOON if is_cancelled else None,
    )


SCHEDULED, QUEUED, DEAD = JobState.SCHEDULED, JobState.QUEUED, JobState.DEAD
SUCCEEDED, CANCELLED = JobState.SUCCEEDED, JobState.CANCELLED


@pytest.mark.parametrize(
    ("reason", "is_retryable", "used", "state", "used_after", "crashes_after"),
    [
        (Reason.COMPLETED, False, 0, SUCCEEDED, 1, 0),
        (Reason.CANCELLED, True, 0, CANCELLED, 1, 0),
        (Reason.REJECTED, True, 0, DEAD, 1, 0),
        (Reason.INTERRUPTED, False, 2, QUEUED, 2, 0),
        (Reason.INSTANCE_LOST, False, 0, SCHEDULED, 1, 1),
        (Reason.OOM, False, 0, SCHEDULED, 1, 0),
        (Reason.OOM, False, 2, DEAD, 3, 0),
        (Reason.TIMEOUT, False, 0, DEAD, 1, 0),
        (Reason.TIMEOUT, True, 1, SCHEDULED, 2, 0),
        (Reason.FAILED, False, 0, DEAD, 1, 0),
        (Reason.FAILED, True, 0, SCHEDULED, 1, 0),
        (Reason.FAILED, True, 2, DEAD, 3, 0),
    ],
)
def test_the_table(reason, is_retryable, used, state, used_after, crashes_after):
    after = after_attempt(running(used=used), Outcome(reason, is_retryable=is_retryable), now=NOON, dice=0.5)
    assert (after.state, after.attempts_used, after.crashes) == (state, used_after, crashes_after)
    assert (after.run_at is not None) == (state is SCHEDULED)


def test_a_job_under_which_instances_die_twice_is_dead_however_many_attempts_are_left():
    lost = Outcome(Reason.INSTANCE_LOST)
    first = after_attempt(running(max_attempts=30), lost, now=NOON, dice=0.5)
    second = after_attempt(running(used=1, crashes=first.crashes, max_attempts=30), lost, now=NOON, dice=0.5)
    assert (first.state, second.state, second.crashes) == (SCHEDULED, DEAD, MAX_CRASHES)


@pytest.mark.parametrize(
    "reason", [Reason.FAILED, Reason.INTERRUPTED, Reason.INSTANCE_LOST, Reason.OOM, Reason.TIMEOUT]
)
def test_a_cancellation_that_was_asked_for_wins_over_another_attempt(reason):
    after = after_attempt(running(is_cancelled=True), Outcome(reason, is_retryable=True), now=NOON, dice=0.5)
    assert after.state is CANCELLED


def test_what_was_completed_before_the_cancellation_counts():
    after = after_attempt(running(is_cancelled=True), Outcome(Reason.COMPLETED), now=NOON, dice=0.5)
    assert after.state is SUCCEEDED


outcomes = st.builds(Outcome, reason=st.sampled_from(Reason), is_retryable=st.booleans())
dice = st.floats(0, 1, exclude_max=True)


@given(outcomes, dice, st.integers(0, 9), st.integers(0, 1), st.integers(1, 10), st.booleans())
def test_every_ending_leads_along_an_edge(outcome, dice, used, crashes, max_attempts, is_cancelled):
    job = running(used=used, crashes=crashes, max_attempts=max_attempts, is_cancelled=is_cancelled)
    after = after_attempt(job, outcome, now=NOON, dice=dice)
    assert (JobState.RUNNING, after.state) in TRANSITIONS
    assert after.run_at is None or NOON <= after.run_at <= NOON + timedelta(seconds=600)
    assert after.attempts_used == used + (outcome.reason is not Reason.INTERRUPTED)


@given(st.lists(outcomes, max_size=40), st.integers(1, 5))
def test_a_job_never_uses_more_attempts_than_it_has(history, max_attempts):
    """Whatever happens, and then failures for ever: it ends, and within its attempts."""
    job = running(max_attempts=max_attempts)
    for outcome in chain(history, repeat(Outcome(Reason.FAILED, is_retryable=True))):
        after = after_attempt(job, outcome, now=NOON, dice=0.5)
        assert after.attempts_used <= max_attempts
        if after.state in TERMINAL:
            return
        job = running(used=after.attempts_used, crashes=after.crashes, max_attempts=max_attempts)


def test_success_is_final_and_a_cancellation_is_only_taken_back_with_its_cause():
    after = {end: {to for before, to in TRANSITIONS if before is end} for end in (SUCCEEDED, CANCELLED)}
    assert after == {SUCCEEDED: set(), CANCELLED: {JobState.HELD}}
    assert {to for before, to in TRANSITIONS if before is DEAD} == {QUEUED, JobState.HELD}


def test_a_job_may_say_itself_how_soon_it_is_tried_again():
    patient = replace(running(), backoff_seconds=100.0)
    assert after_attempt(
        patient, Outcome(Reason.FAILED, is_retryable=True), now=NOON, dice=0.5
    ).run_at == NOON + timedelta(seconds=50)


def test_no_retry_is_due_after_the_deadline():
    late = replace(running(), backoff_seconds=100.0, deadline=NOON + timedelta(seconds=49))
    assert after_attempt(late, Outcome(Reason.FAILED, is_retryable=True), now=NOON, dice=0.5).state is DEAD


def test_memory_leads_to_the_next_larger_type_unless_a_rule_says_otherwise():
    short = Outcome(Reason.OOM)
    assert after_attempt(running(), short, now=NOON, dice=0, larger_size="standard-4").size == "standard-4"
    stop = RetryPolicy(rules=(RetryRule("oom", RetryAction.STOP),))
    assert after_attempt(running(), short, now=NOON, dice=0, policy=stop, larger_size="standard-4").state is DEAD
