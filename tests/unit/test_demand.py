"""The average of what was asked of a pool, against an average that remembers everything."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.demand import Demand

KEEP_SECONDS = 60.0


def brute_force(notes: list[tuple[float, int]], seconds: float, now: float) -> float:
    """Sum of value times time, step by step."""
    begin = max(now - seconds, notes[0][0])
    if now <= begin:
        return notes[-1][1]
    area = 0.0
    for (at, value), (until, _) in pairwise([*notes, (now, 0)]):
        area += value * max(0.0, until - max(at, begin))
    return area / (now - begin)


steps = st.lists(st.tuples(st.floats(0.25, 20), st.integers(0, 500)), min_size=1, max_size=60)


def noted(changes: list[tuple[float, int]]) -> tuple[Demand, list[tuple[float, int]], float]:
    demand, notes, at = Demand(KEEP_SECONDS), [], 100.0
    for gap, value in changes:
        at += gap
        demand.note(value, at)
        notes.append((at, value))
    return demand, notes, at


@given(steps, st.sampled_from([6.0, 60.0]), st.floats(0, 100))
def test_it_is_the_average_of_everything_that_was_noted(changes, window, later):
    demand, notes, at = noted(changes)
    now = at + later
    assert demand.average(window, now) == pytest.approx(brute_force(notes, window, now), rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 500)), min_size=1, max_size=200))
def test_changes_in_quick_succession_are_kept_apart_no_finer_than_a_quarter_of_a_second(changes):
    demand, notes, now = noted(changes)
    values = [value for _, value in notes]
    coarse, exact = demand.average(6.0, now), brute_force(notes, 6.0, now)
    # The beginning of the window may lie anywhere in the half second between two points that were kept.
    length = max(now - max(now - 6.0, notes[0][0]), 1e-9)
    assert abs(coarse - exact) <= (max(values) - min(0, *values)) * min(1.0, 0.75 / length) + 1e-6


@given(steps)
def test_it_is_never_outside_of_what_was_noted(changes):
    demand, notes, at = noted(changes)
    values = [value for _, value in notes]
    assert min(values) - 1e-6 <= demand.average(KEEP_SECONDS, at + 1) <= max(values) + 1e-6


def test_before_anything_was_noted_nothing_is_known():
    assert Demand(KEEP_SECONDS).average(6, 100.0) is None


def test_what_it_keeps_does_not_grow_with_what_comes():
    demand = Demand(KEEP_SECONDS)
    for number in range(100_000):
        demand.note(number % 7, number * 0.01)
    assert len(demand._points) <= KEEP_SECONDS / 0.25 + 2
    assert demand.average(60, 1000.0) == pytest.approx(3.0, abs=0.01)
