"""When schedules are due: cron, time zones, and times that were missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.recurrence import PUNCTUAL, Due, Misfire, Schedule, due, earlier, times
from processors.vocabulary import Service

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOURLY = Schedule("hourly", Service.VIDEO, "@hourly", "UTC", Misfire.LATEST, {}, NOON, next_at=NOON)


def _hours(*hours: int) -> tuple[datetime, ...]:
    return tuple(NOON + timedelta(hours=hour) for hour in hours)


def test_a_time_is_served_when_it_has_come_and_not_before() -> None:
    assert due(HOURLY, UTC, now=NOON - timedelta(microseconds=1)) == Due((), NOON)
    assert due(HOURLY, UTC, now=NOON) == Due((NOON,), NOON + timedelta(hours=1))


@pytest.mark.parametrize(
    ("misfire", "served"),
    [(Misfire.LATEST, _hours(3)), (Misfire.SKIP, ()), (Misfire.ALL, _hours(0, 1, 2, 3))],
)
def test_what_was_missed_goes_by_the_policy(misfire: Misfire, served: tuple[datetime, ...]) -> None:
    now = NOON + timedelta(hours=3, minutes=30)
    assert due(replace(HOURLY, misfire=misfire), UTC, now=now) == Due(served, NOON + timedelta(hours=4))


def test_a_time_that_has_just_come_is_served_although_earlier_ones_are_skipped() -> None:
    now = NOON + timedelta(hours=3) + PUNCTUAL
    assert due(replace(HOURLY, misfire=Misfire.SKIP), UTC, now=now).times == _hours(3)


def test_all_of_a_long_absence_is_served_in_pieces_and_nothing_is_left_out() -> None:
    schedule, served = replace(HOURLY, misfire=Misfire.ALL), list[datetime]()
    now = NOON + timedelta(hours=250)
    while (found := due(schedule, UTC, now=now)).times:
        assert found.next_at is not None
        served += found.times
        schedule = replace(schedule, next_at=found.next_at)
    assert served == list(_hours(*range(251)))


@pytest.mark.parametrize(("awake_hours", "served"), [(0, _hours(3)), (3, _hours(3)), (3.1, ())])
def test_what_came_while_a_daemon_was_there_is_not_skipped(awake_hours: float, served: tuple[datetime, ...]) -> None:
    now, awake_since = NOON + timedelta(hours=3, minutes=30), NOON + timedelta(hours=awake_hours)
    assert due(replace(HOURLY, misfire=Misfire.SKIP), UTC, now=now, awake_since=awake_since).times == served


def test_a_paused_schedule_is_never_due() -> None:
    assert due(replace(HOURLY, is_paused=True), UTC, now=NOON + timedelta(days=1)).times == ()


def test_a_clock_that_is_set_back_serves_nothing_twice() -> None:
    after = due(HOURLY, UTC, now=NOON).next_at
    assert after is not None
    assert due(replace(HOURLY, next_at=after), UTC, now=NOON - timedelta(hours=1)).times == ()


def test_a_schedule_comes_earlier_than_it_was_noted_while_the_clock_was_ahead() -> None:
    ahead = replace(HOURLY, next_at=datetime(2035, 1, 1, tzinfo=UTC))
    assert earlier(ahead, UTC, now=NOON) == NOON + timedelta(hours=1)
    assert earlier(replace(HOURLY, next_at=NOON + timedelta(hours=1)), UTC, now=NOON) is None


def test_a_clock_that_is_set_back_by_a_moment_brings_nothing_forward() -> None:
    served = replace(HOURLY, last_at=NOON, next_at=NOON + timedelta(hours=1))
    assert earlier(served, UTC, now=NOON - timedelta(milliseconds=20)) is None


@pytest.mark.parametrize("cron", ["30 2 * * *", "5,35 2 * * *", "*/15 * * * *", "0 3 * * *", "15 2 * * SUN", "@daily"])
@pytest.mark.parametrize("day", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
def test_a_look_at_any_moment_of_a_change_of_the_clock_finds_the_same_times(cron: str, day: datetime) -> None:
    week = timedelta(days=7)
    all_times = list(takewhile(lambda each: each < day + 2 * week, times(cron, BERLIN, after=day - week)))
    overdue = Schedule("s", Service.VIDEO, cron, "", Misfire.LATEST, {}, day, next_at=all_times[0])
    for minutes in range(1, 14 * 60, 2):
        now = day + timedelta(minutes=minutes)
        passed = [each for each in all_times if each <= now]
        following = all_times[len(passed)]
        assert due(overdue, BERLIN, now=now) == Due((passed[-1],), following)
        assert earlier(replace(overdue, next_at=following), BERLIN, now=now) is None


def test_times_follow_the_clock_of_their_zone() -> None:
    berlin = times("30 2 * * *", BERLIN, after=datetime(2027, 3, 27, 12, tzinfo=UTC))
    # 02:30 is left out on the 28th: it is served when the clock has jumped to 03:00.
    assert [next(berlin) for _ in range(2)] == [
        datetime(2027, 3, 28, 1, 0, tzinfo=UTC),
        datetime(2027, 3, 29, 0, 30, tzinfo=UTC),
    ]
    berlin = times("30 2 * * *", BERLIN, after=datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert [next(berlin) for _ in range(2)] == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("every day", "wrong number of fields"),
        ("* * * * * *", "wrong number of fields"),
        ("61 * * * *", "bad minute"),
        ("0 0 30 2 *", "bad day-of-month"),
    ],
)
def test_what_makes_no_sense_is_refused(cron: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        times(cron, UTC, after=NOON)


@given(
    st.sampled_from(["*/7 * * * *", "@daily", "0 9 * * MON-FRI", "15 3 1 * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    st.sampled_from(Misfire),
    st.lists(st.integers(0, 4 * 86400), min_size=1, max_size=6),
)
def test_no_time_is_served_twice_and_none_before_it_has_come(
    cron: str, zone: str, misfire: Misfire, waits: list[int]
) -> None:
    now, served, rules = NOON, list[datetime](), ZoneInfo(zone)
    first = next(times(cron, rules, after=NOON))
    schedule = Schedule("s", Service.VIDEO, cron, zone, misfire, {}, NOON, next_at=first)
    for wait in waits:
        now += timedelta(seconds=wait)
        found = due(schedule, rules, now=now)
        assert all(each <= now for each in found.times)
        served += found.times
        assert found.next_at is not None
        schedule = replace(schedule, next_at=found.next_at)
    assert served == sorted(set(served))
