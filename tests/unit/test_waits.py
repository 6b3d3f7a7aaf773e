"""Quantiles of waiting times, against a list that is sorted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.waits import Waits, WaitSummary

times = st.lists(st.floats(1e-6, 1e7), min_size=1, max_size=300)


def counted(seconds: list[float], none: int = 0) -> Waits:
    waits = Waits()
    waits.add(seconds)
    waits.none = none
    return waits


@given(times, st.integers(0, 300), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_wrong_by_half_a_per_cent_at_most(seconds, none, share):
    waits = counted(seconds, none)
    exact = sorted([0.0] * none + seconds)[math.ceil(share * (none + len(seconds))) - 1]
    assert waits.quantile(share) == pytest.approx(exact, rel=0.0051, abs=0.00051)


@given(times, st.integers(0, 300))
def test_mean_longest_and_the_share_that_waits_are_exact(seconds, none):
    summary = counted(seconds, none).summary()
    assert summary.mean == pytest.approx(sum(seconds) / (none + len(seconds)))
    assert summary.longest == max(seconds)
    assert summary.share_waiting == pytest.approx(len(seconds) / (none + len(seconds)))


@given(times, times)
def test_those_of_two_are_those_of_both_together(one, other):
    merged = counted(one, 2)
    merged.merge(counted(other, 3))
    both = counted([*one, *other], 5)
    assert merged.jobs == both.jobs
    assert merged.summary().mean == pytest.approx(both.summary().mean)
    assert [merged.quantile(q) for q in (0.5, 0.99)] == [both.quantile(q) for q in (0.5, 0.99)]


def test_nobody_has_waited_when_nobody_came():
    assert Waits().summary() == WaitSummary()
