"""How many slots wait for the jobs that are to come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.supervisor.stock import KEPT_SECONDS, WINDOW_SECONDS, Demand


def asked(*times: float, making: float = 0.5) -> Demand:
    demand = Demand(0.0, making)
    for at in times:
        demand.note_asked(at)
    return demand


def test_one_waits_for_a_job_that_comes_now_and_then() -> None:
    assert asked(1.0).wanted(30.0, most=10) == 1


def test_five_wait_where_six_jobs_come_in_a_second_and_a_slot_takes_half_of_one() -> None:
    assert asked(*(each / 6 for each in range(60))).wanted(10.0, most=10) == 5


def test_the_slower_slots_are_made_the_more_wait() -> None:
    demand = asked(*(each / 2 for each in range(20)))
    before = demand.wanted(10.0, most=10)
    for _ in range(20):
        demand.note_made(2.0)
    assert (before, demand.wanted(10.0, most=10)) == (2, 6)


def test_none_waits_for_a_class_that_nobody_has_asked_for_in_a_while() -> None:
    demand = asked(1.0)
    assert demand.wanted(1.0 + KEPT_SECONDS, most=10) == 1
    assert demand.wanted(1.1 + KEPT_SECONDS, most=10) == 0


def test_a_burst_is_forgotten_after_the_window() -> None:
    demand = asked(*(0.01 * each for each in range(100)))
    assert demand.wanted(1.0, most=10) == 8
    assert demand.wanted(1.0 + WINDOW_SECONDS, most=10) == 1


@given(st.lists(st.floats(0, 100), max_size=50), st.integers(0, 20), st.floats(0, 300))
def test_never_more_wait_than_may(times: list[float], most: int, now: float) -> None:
    assert 0 <= asked(*sorted(times)).wanted(now, most) <= most
