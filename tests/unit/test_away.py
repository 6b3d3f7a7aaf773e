"""A job whose bucket is away when its attempt is to begin."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.daemon.outcomes import of_start
from pitchey_cli.domain.away import ask_again_at, is_handed_back
from pitchey_cli.domain.errors import BucketAway, BucketFull, BucketMissing, Denied, NetworkError
from pitchey_cli.domain.job import JobState
from pitchey_cli.domain.states import after_attempt
from processors.vocabulary import Reason
from tests.unit.test_states import NOON, running

AWAY = of_start(BucketAway("It does not answer."), None, is_foreground=False)
DICE = st.floats(0, 1, exclude_max=True)


def test_it_waits_and_uses_up_no_attempt() -> None:
    after = after_attempt(running(max_attempts=1), AWAY, now=NOON, dice=0.5)
    assert (after.state, after.attempts_used, after.run_at) == (JobState.SCHEDULED, 0, NOON + timedelta(seconds=1.5))


def test_a_cancellation_wins() -> None:
    after = after_attempt(running(is_cancelled=True), AWAY, now=NOON, dice=0.5)
    assert after.state is JobState.CANCELLED


@given(DICE, DICE, st.integers(1, 400))
def test_each_pause_is_at_least_as_long_as_the_one_before_and_at_most_ten_minutes(
    one: float, other: float, number: int
) -> None:
    job = replace(running(), attempt=number)
    first = ask_again_at(job, now=NOON, dice=one)
    second = ask_again_at(replace(job, attempt=number + 1), now=NOON, dice=other)
    assert NOON + timedelta(seconds=1) <= first <= NOON + timedelta(seconds=600)
    assert number > 8 or first <= second


@given(DICE, st.integers(1, 400), st.floats(4, 1e6))
def test_it_is_asked_again_before_the_deadline_while_there_is_time(dice: float, number: int, left: float) -> None:
    deadline = NOON + timedelta(seconds=left)
    at = ask_again_at(replace(running(), attempt=number, deadline=deadline), now=NOON, dice=dice)
    assert at <= NOON + timedelta(seconds=left / 2)


def test_what_may_not_be_waited_for_is_told_at_once() -> None:
    assert is_handed_back(of_start(BucketFull("It is full."), None, is_foreground=False))
    assert of_start(BucketMissing("There is none."), None, is_foreground=False).reason is Reason.REJECTED
    assert of_start(Denied("The keys are wrong."), None, is_foreground=False).reason is Reason.REJECTED
    assert of_start(NetworkError("Odd."), None, is_foreground=False).reason is Reason.FAILED
    assert of_start(BucketAway("It does not answer."), None, is_foreground=True).reason is Reason.FAILED
