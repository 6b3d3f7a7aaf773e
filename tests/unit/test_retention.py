"""Which ended jobs go: by age, by number, for room; and which never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.domain.retention import (
    Ended,
    Excess,
    Holding,
    Ledger,
    RetentionPolicy,
    due,
    may_follow,
    states_to_look_at,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUCCEEDED, CANCELLED, DEAD = JobState.SUCCEEDED, JobState.CANCELLED, JobState.DEAD
NO_EXCESS = Excess()
NEVER = RetentionPolicy(jobs_days=0, dead_letters_days=0, logs_days=0)


def ended(seq: int, *, days: float, state: JobState = SUCCEEDED) -> Ended:
    at = NOW - timedelta(days=days)
    return Ended(seq, JobId(f"j{seq}"), state, at - timedelta(hours=1), at)


def seqs(policy: RetentionPolicy, jobs: list[Ended], excess: Excess = NO_EXCESS) -> list[int]:
    return [job.seq for job in due(policy, jobs, excess, now=NOW)]


@pytest.mark.parametrize(
    ("state", "days", "goes"),
    [
        (SUCCEEDED, 29, False),
        (SUCCEEDED, 31, True),
        (CANCELLED, 31, True),
        (DEAD, 31, False),
        (DEAD, 91, True),
    ],
)
def test_jobs_go_by_their_age_and_dead_letters_later(state, days, goes):
    assert bool(seqs(RetentionPolicy(), [ended(1, days=days, state=state)])) is goes


def test_nothing_goes_where_nothing_is_limited():
    assert seqs(NEVER, [ended(1, days=9999), ended(2, days=9999, state=DEAD)]) == []
    assert states_to_look_at(NEVER, Excess()) == ()


def test_of_too_many_the_oldest_go_and_dead_letters_are_not_among_them():
    jobs = [ended(1, days=4), ended(2, days=3, state=DEAD), ended(3, days=2, state=CANCELLED), ended(4, days=1)]
    assert seqs(NEVER, jobs, Excess(jobs=2)) == [1, 3]
    assert seqs(NEVER, jobs, Excess(up_to_seq=3)) == [1, 3]


def test_what_has_just_ended_goes_neither_for_number_nor_for_room():
    """A `run` over a folder still waits for the rest, and fetches the results at the end."""
    jobs = [ended(1, days=1 / 24), ended(2, days=1)]
    assert seqs(NEVER, jobs, Excess(jobs=2, up_to_seq=9)) == [2]


def test_those_that_go_by_age_count_as_gone():
    jobs = [ended(1, days=40), ended(2, days=2), ended(3, days=1)]
    assert seqs(RetentionPolicy(), jobs, Excess(jobs=1)) == [1]
    assert Excess(jobs=3).without([jobs[0], ended(9, days=1, state=DEAD)]) == Excess(jobs=2)


@given(
    st.lists(st.tuples(st.floats(0, 200), st.sampled_from([SUCCEEDED, CANCELLED, DEAD])), max_size=30),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_whoever_comes_after_the_last_that_may_follow_has_not_to_go(found, too_many, up_to):
    """The walk ends early: what it does not look at stays anyhow."""
    ages = sorted((days for days, _ in found), reverse=True)
    jobs = [ended(n, days=age, state=state) for n, (age, (_, state)) in enumerate(zip(ages, found, strict=True), 1)]
    excess = Excess(too_many, up_to)
    for place, job in enumerate(jobs):
        left = excess.without(due(RetentionPolicy(), jobs[: place + 1], excess, now=NOW))
        if not may_follow(RetentionPolicy(), job, left, now=NOW):
            assert due(RetentionPolicy(), jobs[place + 1 :], left, now=NOW) == []


def holding(seq: int, *names: str, may_go: bool = True) -> Holding:
    return Holding(seq, JobId(f"j{seq}"), names, may_go)


def room_up_to(limit: int, *holdings: Holding) -> int:
    ledger = Ledger({"a": 10, "b": 20, "c": 30})
    for each in holdings:
        ledger.add(each)
    return ledger.room_up_to(limit)


def test_for_room_the_oldest_go_until_the_rest_fits():
    jobs = holding(1, "a"), holding(2, "b"), holding(3, "c")
    assert [room_up_to(limit, *jobs) for limit in (60, 59, 50, 49, 30, 29)] == [0, 1, 1, 2, 2, 3]


def test_what_jobs_share_makes_room_only_when_the_last_goes():
    assert room_up_to(50, holding(1, "a", "b"), holding(2, "c"), holding(3, "a")) == 1
    assert room_up_to(30, holding(1, "a", "b"), holding(2, "c"), holding(3, "a")) == 2
    assert room_up_to(5, holding(1, "a", "b"), holding(2, "c"), holding(3, "a")) == 3


def test_what_cannot_go_is_not_counted_on():
    assert room_up_to(30, holding(1, "a"), holding(2, "b", may_go=False), holding(3, "c")) == 3
    assert room_up_to(1, holding(1, "gone"), holding(2, "b", may_go=False)) == 0


@given(st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.booleans()), max_size=12), st.integers(0, 70))
def test_after_what_has_to_go_for_room_the_rest_fits_or_nothing_more_can_go(found, limit):
    sizes = {"a": 10, "b": 20, "c": 30}
    jobs = [holding(n, *names, may_go=may_go) for n, (names, may_go) in enumerate(found, 1)]
    up_to = room_up_to(limit, *jobs)

    def left(after: int) -> int:
        return sum(sizes[n] for n in {n for job in jobs if job.seq > after or not job.may_go for n in job.names})

    assert left(up_to) <= limit or left(up_to) == left(len(jobs))
    assert up_to == 0 or left(up_to - 1) > limit  # and none goes in vain
