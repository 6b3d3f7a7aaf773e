"""What work costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.cost import NANODOLLARS, slot_cost


@pytest.mark.parametrize(
    ("seconds", "price_per_hour", "slots", "nanodollars"),
    [
        (3600, 0.144, 1, 144_000_000),
        (3600, 0.144, 3, 48_000_000),
        (1, 0.072, 5, 4_000),
        (0.01, 0.036, 10, 10),
        (0.004, 0.036, 1, 0),
        (0, 0.144, 3, 0),
        (-5, 0.144, 3, 0),  # a clock that was set back
    ],
)
def test_the_price_of_a_slot(seconds, price_per_hour, slots, nanodollars):
    assert slot_cost(seconds, price_per_hour=price_per_hour, slots=slots) == nanodollars


@given(st.floats(0, 1e7), st.floats(0, 1000), st.integers(1, 100))
def test_all_slots_together_cost_what_the_instance_costs(seconds, price, slots):
    whole = slot_cost(seconds, price_per_hour=price, slots=1)
    assert abs(slots * slot_cost(seconds, price_per_hour=price, slots=slots) - whole) <= slots
    assert whole <= (seconds + 0.005) * price * NANODOLLARS / 3600 + 1


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_longer_never_costs_less(one, other):
    shorter, longer = sorted((one, other))
    assert slot_cost(shorter, price_per_hour=0.1, slots=2) <= slot_cost(longer, price_per_hour=0.1, slots=2)
