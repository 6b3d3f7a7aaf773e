"""How long things took: the true longest, and a median that is right, out of few rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.observation import Measure, Measurement
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.timings import Timing, grouped, lately
from processors.vocabulary import Service

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def handed_down(at: datetime, seconds: list[float]) -> list[Measurement]:
    return [Measurement(at, PoolKey(Service.VIDEO), Measure.START, each, count) for each, count in grouped(seconds)]


def test_four_starts_have_the_median_and_the_longest_that_a_person_works_out() -> None:
    assert lately(handed_down(NOON, [0.19, 0.79, 0.77, 0.76])) == Timing(4, pytest.approx(0.765), 0.79)
    assert lately([]) is None


@given(st.lists(st.floats(1e-4, 3600.0), min_size=1, max_size=400))
def test_the_longest_is_exact_and_the_median_too_long_by_five_per_cent_at_most(seconds: list[float]) -> None:
    found = lately(handed_down(NOON, seconds))
    assert found is not None
    assert (found.times, found.longest) == (len(seconds), max(seconds))
    assert median(seconds) * (1 - 1e-9) <= found.median <= median(seconds) * (1.05 + 1e-9)


def test_thousands_of_times_take_few_rows() -> None:
    assert len(grouped([0.001 * place for place in range(1, 5001)])) < 200


def test_only_what_was_lately_counts_and_no_part_of_a_hand_down() -> None:
    long_ago = handed_down(NOON, [9.0] * 50)
    before = handed_down(NOON + timedelta(seconds=10), [float(each) for each in range(1, 120)])
    newest = handed_down(NOON + timedelta(seconds=20), [5.0])
    assert lately([*newest, *before, *long_ago]) == Timing(120, pytest.approx(60.0, rel=0.05), 119.0)
