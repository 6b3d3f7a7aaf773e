"""When the wall clock is believed, and when not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.clock_trust import ClockTrust, Trust
from pitchey_cli.domain.retention import RetentionPolicy

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOLERANCE = RetentionPolicy().clock_tolerance()
HOUR = 3600.0


def look(trust: ClockTrust, hours: float, *, ahead: timedelta = timedelta(), known: datetime | None = NOON) -> Trust:
    wall = NOON + timedelta(hours=hours) + ahead
    return trust.look(wall, hours * HOUR, known=known, tolerance=TOLERANCE)


def test_a_third_of_the_shortest_time_is_tolerated():
    assert timedelta(days=10) == TOLERANCE
    assert RetentionPolicy(logs_days=6).clock_tolerance() == timedelta(days=2)
    assert RetentionPolicy().without_ages().clock_tolerance() == timedelta.max


def test_a_clock_that_goes_on_is_believed_and_in_a_new_database_any_is():
    trust = ClockTrust(NOON, 0)
    assert look(trust, 1) is Trust.BELIEVED
    assert look(trust, 2, known=None) is Trust.BELIEVED


def test_a_clock_that_is_being_set_is_not_gone_by():
    trust = ClockTrust(NOON, 0)
    assert look(trust, 1, ahead=timedelta(minutes=2)) is Trust.JUMPED
    assert look(trust, 2, ahead=timedelta(minutes=2)) is Trust.BELIEVED
    assert look(trust, 3) is Trust.JUMPED


def test_a_clock_that_starts_months_ahead_is_doubted_for_a_day_and_longer_when_it_is_set_meanwhile():
    ahead = timedelta(days=200)
    trust = ClockTrust(NOON + ahead, 0)
    assert [look(trust, hours, ahead=ahead) for hours in (1, 24)] == [Trust.DOUBTED, Trust.DOUBTED]
    assert look(trust, 24.5, ahead=2 * ahead) is Trust.JUMPED
    assert [look(trust, hours, ahead=2 * ahead) for hours in (48, 49)] == [Trust.DOUBTED, Trust.BELIEVED]


def test_a_clock_that_has_been_put_right_is_believed_again():
    ahead = timedelta(days=200)
    trust = ClockTrust(NOON + ahead, 0)
    assert look(trust, 1, ahead=ahead) is Trust.DOUBTED
    assert look(trust, 2) is Trust.JUMPED
    assert look(trust, 3) is Trust.BELIEVED


@given(st.lists(st.tuples(st.floats(0.1, 6), st.integers(-400, 400)), max_size=12))
def test_no_far_time_is_believed_within_a_day_of_a_jump(steps):
    trust = ClockTrust(NOON, 0)
    hours = jumped_at = 0.0
    ahead = 0
    for pause, days in steps:
        hours += pause
        if days != ahead:
            jumped_at, ahead = hours, days
        said = look(trust, hours, ahead=timedelta(days=ahead))
        if abs(ahead) > 15 and hours - jumped_at < 24:
            assert said is not Trust.BELIEVED
