"""What interruptions add to a job."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.spot import Spot, overhead

RATES = st.floats(0, 1e6)
SECONDS = st.floats(0, 1e9)


@given(RATES, SECONDS)
def test_interruptions_never_make_a_job_shorter_nor_endless(rate: float, seconds: float) -> None:
    expected = Spot(0.3, rate).expected_seconds(seconds)
    assert seconds <= expected < math.inf


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 20_000), st.floats(0, 20_000))
def test_more_of_them_or_a_longer_job_take_longer(one: float, other: float, short: float, long: float) -> None:
    (one, other), (short, long) = sorted((one, other)), sorted((short, long))
    nearly = 1 + 1e-9
    assert Spot(1, one).expected_seconds(short) <= Spot(1, other).expected_seconds(short) * nearly
    assert Spot(1, other).expected_seconds(short) <= Spot(1, other).expected_seconds(long) * nearly


@given(SECONDS)
def test_where_nothing_is_interrupted_nothing_is_added(seconds: float) -> None:
    assert Spot(0.3).expected_seconds(seconds) == seconds
    assert Spot(0.3, 1e-18).expected_seconds(seconds) == pytest.approx(seconds)


@pytest.mark.parametrize(("rate", "seconds"), [(0.05, 3600.0), (1.0, 1800.0), (2.0, 3600.0)])
def test_it_is_what_a_simulation_comes_to(rate: float, seconds: float) -> None:
    dice = random.Random(7)

    def simulated() -> float:
        at_work = 0.0
        while (interrupted := dice.expovariate(rate) * 3600) < seconds:
            at_work += interrupted
        return at_work + seconds

    mean = sum(simulated() for _ in range(20_000)) / 20_000
    assert Spot(1, rate).expected_seconds(seconds) == pytest.approx(mean, rel=0.03)


def test_a_long_job_may_cost_more_at_a_low_price_than_at_the_usual_one() -> None:
    spot = Spot(0.5, 1.0)
    assert not spot.is_dearer(3600)  # 1.72 times as long
    assert spot.is_dearer(2 * 3600)  # 3.19 times
    assert not Spot(1.0).is_dearer(3600)  # the same is not more


def test_what_is_added_is_a_share_of_the_time_without() -> None:
    assert overhead(Spot(1, 0.05).expected_seconds(3600), 3600) == pytest.approx(0.0254, abs=1e-4)
    assert overhead(0.0, 0.0) == 0.0
