"""When an idle instance is paused, and when it is stopped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.ladder import Dwell, LadderSettings, Measured, Rest, dwell, hurried, rest

VIDEO = LadderSettings(sleep_after_seconds=300, price_per_hour=0.144)


@pytest.mark.parametrize(
    ("settings", "measured", "expected"),
    [
        (VIDEO, Measured(), Dwell(pytest.approx(27.8, abs=0.1), 300)),
        (VIDEO, Measured(unpause_seconds=0.05), Dwell(pytest.approx(13.9, abs=0.1), 300)),
        (VIDEO, Measured(unpause_seconds=0.001), Dwell(5, 300)),  # not between two jobs that follow each other
        (VIDEO, Measured(start_seconds=0.5), Dwell(pytest.approx(13.9, abs=0.1), pytest.approx(138.9, abs=0.1))),
        (VIDEO, Measured(start_seconds=0.05, unpause_seconds=0.05), Dwell(None, pytest.approx(13.9, abs=0.1))),
        (VIDEO, Measured(unpause_seconds=2.0), Dwell(None, 300)),
        (LadderSettings(300, 0.144, is_pausing=False), Measured(), Dwell(None, 300)),
        (LadderSettings(300, 0.144, waiting_price_per_hour=0), Measured(0.5, 0.01), Dwell(None, 300)),
        (LadderSettings(300, 0.0), Measured(0.5, 0.01), Dwell(None, 300)),
        (LadderSettings(0, 0.144), Measured(), Dwell(None, 0)),
    ],
)
def test_how_long_it_stays_on_each_rung(settings, measured, expected):
    assert dwell(settings, measured) == expected


@pytest.mark.parametrize(
    ("idle", "is_paused", "is_kept", "step"),
    [
        (29, False, False, Rest.STAY),
        (30, False, False, Rest.PAUSE),
        (30, True, False, Rest.STAY),
        (299, False, False, Rest.PAUSE),
        (300, False, False, Rest.STOP),
        (300, True, False, Rest.STOP),
        (1e9, False, True, Rest.STAY),
    ],
)
def test_the_steps_of_the_ladder(idle, is_paused, is_kept, step):
    assert rest(idle, is_paused=is_paused, is_kept=is_kept, dwell=Dwell(30, 300))[0] is step


def test_in_a_hurry_everything_idle_goes_that_is_not_kept() -> None:
    assert rest(0.0, is_paused=True, is_kept=False, dwell=hurried("no memory")) == (Rest.STOP, "no memory")
    assert rest(0.0, is_paused=False, is_kept=True, dwell=hurried("no memory"))[0] is Rest.STAY


sometimes = st.none() | st.floats(0, 100)
ladders = st.builds(
    LadderSettings, st.floats(0, 1e4), st.floats(0, 10), st.floats(0, 100), st.booleans()
)  # fmt: skip


@given(ladders, st.builds(Measured, sometimes, sometimes))
def test_nobody_idles_longer_than_was_set_and_a_pause_comes_before_the_stop(settings, measured):
    found = dwell(settings, measured)
    assert 0 <= found.stop_after <= settings.sleep_after_seconds
    assert found.pause_after is None or 0 < found.pause_after < found.stop_after


@given(st.floats(0.05, 100), st.floats(0.01, 5), st.floats(0, 1e6))
def test_keeping_costs_at_most_twice_what_somebody_who_knew_the_future_would_have_paid(start, price, gap):
    """The promise of the ski rental: whenever the next job comes, waiting and keeping together cost at most double."""
    settings = LadderSettings(1e9, price, is_pausing=False)
    stop_after = dwell(settings, Measured(start_seconds=start)).stop_after
    buying = start * settings.waiting_price_per_hour
    paid = gap * price if gap < stop_after else stop_after * price + buying
    best = min(gap * price, buying)
    least_dwell = 5.0 * price  # the ladder never gives an instance less than five seconds
    assert paid <= 2 * best + least_dwell + 1e-6


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.booleans())
def test_who_idles_longer_never_rests_less(one, other, is_paused):
    order = [Rest.STAY, Rest.PAUSE, Rest.STOP]
    shorter, longer = sorted((one, other))
    steps = [rest(idle, is_paused=is_paused, is_kept=False, dwell=Dwell(30, 300))[0] for idle in (shorter, longer)]
    assert order.index(steps[0]) <= order.index(steps[1])
