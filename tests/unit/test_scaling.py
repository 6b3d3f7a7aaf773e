"""How many instances a pool should have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.scaling import PoolSettings, PoolView, Step, decide, restart_delay

SETTINGS = PoolSettings(sleep_after_seconds=300, min_instances=0, max_instances=2)


@pytest.mark.parametrize(
    ("is_work_waiting", "instances", "free_slots", "idle_seconds", "step", "why"),
    [
        (True, 0, 0, None, Step.START, "work waits"),
        (True, 1, 2, None, Step.HOLD, "nothing"),
        (True, 1, 0, None, Step.START, "work waits"),
        (True, 2, 0, None, Step.HOLD, "max_instances 2"),
        (False, 1, 3, 299.9, Step.HOLD, "nothing"),
        (False, 1, 3, 300.0, Step.STOP, "idle for 300 s"),
        (False, 0, 0, None, Step.HOLD, "nothing"),
    ],
)
def test_the_table(is_work_waiting, instances, free_slots, idle_seconds, step, why):
    decision = decide(PoolView(is_work_waiting, instances, free_slots, idle_seconds), SETTINGS)
    assert decision.step is step
    assert why in decision.why


def test_the_floor_is_kept():
    settings = PoolSettings(sleep_after_seconds=0, min_instances=1, max_instances=2)
    assert decide(PoolView(False, 0, 0, None), settings).step is Step.START
    assert decide(PoolView(False, 1, 3, 1e9), settings).step is Step.HOLD
    assert decide(PoolView(False, 2, 3, 1e9), settings).step is Step.STOP


def test_starts_that_fail_one_after_the_other_wait_longer_and_longer_up_to_a_minute():
    assert [restart_delay(failures) for failures in (0, 1, 2, 3, 6, 7, 10_000)] == [0, 1, 2, 4, 32, 60, 60]


views = st.builds(
    PoolView,
    is_work_waiting=st.booleans(),
    instances=st.integers(0, 9),
    free_slots=st.integers(0, 9),
    longest_idle_seconds=st.none() | st.floats(0, 1e6),
)


@given(views, st.integers(0, 3), st.integers(0, 5), st.floats(0, 1e5))
def test_a_step_never_leaves_the_bounds(view, least, extra, sleep_after):
    settings = PoolSettings(sleep_after, min_instances=least, max_instances=least + extra)
    step = decide(view, settings).step
    if step is Step.START:
        assert view.instances < settings.max_instances
    if step is Step.STOP:
        assert view.instances > settings.min_instances
        assert view.longest_idle_seconds is not None


@given(views)
def test_work_never_waits_while_there_is_room(view):
    if view.is_work_waiting and view.free_slots == 0 and view.instances < SETTINGS.max_instances:
        assert decide(view, SETTINGS).step is Step.START
