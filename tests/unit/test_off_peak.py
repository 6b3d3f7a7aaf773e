"""When it is off-peak, and when a job that asks for it starts: in time, and at no dearer moment than another."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pitchey_cli.domain.off_peak import ANY_TIME, OffPeak, calendar, cheapest_hours, latest_start, plan
from pitchey_cli.domain.prices import PriceWindow
from pitchey_cli.domain.windows import Window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NIGHT = Window(time(22), time(6))
BERLIN = ZoneInfo("Europe/Berlin")

# Days on which clocks are changed, by an hour or by half of one, and an ordinary one.
ZONES = st.sampled_from(
    [
        ("UTC", datetime(2026, 3, 1, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
    ]
)
QUARTERS = 4 * 24


def window(start: int, length: int) -> Window:
    """Hours by their quarters."""
    begin, end = (divmod(each % QUARTERS, 4) for each in (start, start + length))
    return Window(time(begin[0], begin[1] * 15), time(end[0], end[1] * 15))


WINDOWS = st.builds(window, st.integers(0, QUARTERS - 1), st.sampled_from([1, 2, 4, 4, 24, 80]))
PRICES = st.lists(st.builds(PriceWindow, WINDOWS, st.sampled_from([0.0, 0.5, 0.5, 1.0, 2.0])), max_size=3)
# On quarters of an hour, where prices change, and just before and after.
SECONDS = st.builds(
    lambda quarter, beside: quarter * 900 + beside, st.integers(1, 160), st.sampled_from([-60, -1, 0, 30])
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[OffPeak, datetime, datetime]:
    """A calendar, now, and the latest start."""
    zone, day = draw(ZONES)
    named = tuple(draw(st.lists(WINDOWS, max_size=2)))
    found = calendar(named, draw(PRICES), zone)
    if named:  # they are meant on the machine's clock, which no test may turn
        found = OffPeak(named, ZoneInfo(zone), found.prices)
    now = day + timedelta(seconds=draw(SECONDS))
    return found, now, now + timedelta(seconds=draw(SECONDS))


def starts(now: datetime, latest: datetime) -> list[datetime]:
    """All moments at which a job could start: now, and each full minute."""
    first = now.replace(second=0) + MINUTE
    return [now, *(first + number * MINUTE for number in range(max(0, (latest - first) // MINUTE + 1)))]


@settings(max_examples=400)
@given(cases())
def test_a_job_waits_for_off_peak_hours_if_they_come_in_time_and_else_starts_when_it_is_cheapest(
    case: tuple[OffPeak, datetime, datetime],
) -> None:
    off_peak, now, latest = case
    start = plan(off_peak, earliest=now, latest=latest)
    assert now <= start.last_call_at <= latest
    admissible = starts(now, latest)
    assert start.is_off_peak == any(off_peak.contains(each) for each in admissible)
    if start.is_off_peak:
        assert (start.run_at, start.last_call_at) == (None, latest)
        return
    assert start.last_call_at == (start.run_at or now)
    prices = {each: off_peak.prices.price_at(each) for each in admissible}
    assert start.last_call_at == min(admissible, key=lambda each: (prices[each], each))


@given(ZONES, PRICES.filter(bool), SECONDS, SECONDS)
def test_without_hours_of_their_own_no_start_is_dearer_than_another_that_was_possible(
    zone: tuple[str, datetime], prices: list[PriceWindow], since: int, length: int
) -> None:
    off_peak = calendar((), prices, zone[0])
    now = zone[1] + timedelta(seconds=since)
    latest = now + timedelta(seconds=length)
    start = plan(off_peak, earliest=now, latest=latest)
    at = off_peak.begins(now) if start.is_off_peak else start.run_at or now
    assert now <= at <= latest
    assert off_peak.prices.price_at(at) == min(off_peak.prices.price_at(each) for each in starts(now, latest))


@settings(max_examples=400)
@given(cases())
def test_the_next_off_peak_time_is_the_first(case: tuple[OffPeak, datetime, datetime]) -> None:
    off_peak, now, _ = case
    begins = off_peak.begins(now)
    assert begins >= now and off_peak.contains(begins)
    assert not any(off_peak.contains(each) for each in starts(now, begins - timedelta(microseconds=1)) if each < begins)


@given(cases())
def test_it_is_known_since_when_it_has_been_off_peak(case: tuple[OffPeak, datetime, datetime]) -> None:
    off_peak, now, _ = case
    at = off_peak.begins(now)
    since = off_peak.began(at)
    assert since <= at and all(off_peak.contains(each) for each in starts(since, at))
    assert not off_peak.contains(since - MINUTE) or since <= at - timedelta(days=3)


@given(PRICES)
def test_off_peak_is_where_the_price_is_the_lowest_of_the_day(prices: list[PriceWindow]) -> None:
    off_peak = calendar((), prices, "UTC")
    day = [NOON + minute * MINUTE for minute in range(24 * 60)]
    lowest = min(off_peak.prices.price_at(each) for each in day)
    assert all(off_peak.contains(each) == (off_peak.prices.price_at(each) == lowest) for each in day)
    assert all(one.end != two.start for one, two in pairwise(cheapest_hours(prices)))


def test_hours_that_are_named_go_before_prices_and_mean_the_clock_of_the_machine() -> None:
    both = calendar([NIGHT], [PriceWindow(Window(time(12), time(13)), 0.5)], "Europe/Berlin")
    assert (both.hours, both.zone) == ((NIGHT,), None)
    by_price = calendar([], [PriceWindow(NIGHT, 0.5)], "Europe/Berlin")
    assert (by_price.hours, by_price.zone) == ((NIGHT,), BERLIN)
    for prices in ([], [PriceWindow(NIGHT, 1.0)]):  # the same all day
        assert calendar([], prices, "UTC").contains(NOON)
    assert ANY_TIME.begins(NOON) == NOON


def test_the_last_moment_that_meets_the_deadline_is_one_to_choose() -> None:
    cheaper_at_one = (PriceWindow(Window(time(13), time(14)), 0.5),)
    off_peak = OffPeak((NIGHT,), UTC, calendar([], cheaper_at_one, "UTC").prices)
    assert plan(off_peak, earliest=NOON, latest=NOON + HOUR).run_at == NOON + HOUR
    assert plan(off_peak, earliest=NOON, latest=NOON + HOUR - MINUTE).run_at is None


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        # The night of 29 March 2026 has no 02:30 in Berlin: the hours begin at 03:00.
        ("2026-03-28T20:00Z", "2026-03-29T01:00Z"),
        # The night of 25 October has it twice, and the first counts.
        ("2026-10-24T20:00Z", "2026-10-25T00:30Z"),
    ],
)
def test_hours_go_through_the_changes_of_the_clock(now: str, begins: str) -> None:
    off_peak = OffPeak((Window(time(2, 30), time(5)),), BERLIN)
    assert off_peak.begins(datetime.fromisoformat(now)) == datetime.fromisoformat(begins)


def test_hours_that_a_change_of_the_clock_leaves_out_come_the_next_night() -> None:
    off_peak = OffPeak((Window(time(2), time(3)),), BERLIN)
    assert off_peak.begins(datetime(2026, 3, 28, 20, tzinfo=UTC)) == datetime(2026, 3, 30, 0, tzinfo=UTC)


@given(
    left=st.integers(1, 10**6),
    expected=st.none() | st.floats(0, 10**6),
    timeout=st.floats(1, 10**6),
    ttl=st.integers(1, 10**6),
)
def test_the_latest_start_leaves_the_time_that_the_job_is_expected_to_take(
    left: int, expected: float | None, timeout: float, ttl: int
) -> None:
    assume(ttl <= left)
    deadline, expires_at = NOON + timedelta(seconds=left), NOON + timedelta(seconds=ttl)
    latest = latest_start(
        earliest=NOON, deadline=deadline, expires_at=expires_at, expected_seconds=expected, timeout_seconds=timeout
    )
    assert NOON <= latest < expires_at
    if latest > NOON:
        takes = (deadline - latest).total_seconds()
        assert takes >= (min(timeout, left / 2) if expected is None else expected) - 1e-3


@pytest.mark.parametrize(
    ("expected", "timeout", "hours"),
    [
        (2 * 3600 - 60, 3600, 8.0),  # an estimate, and a minute for the start
        (None, 3600, 9.0),  # the timeout, where there is none,
        (None, 9 * 3600, 5.0),  # but no more than half of what is left
        (11 * 3600, 3600, 0.0),  # it is too late already: at once
    ],
)
def test_how_long_a_job_takes_is_known_or_guessed(expected: float | None, timeout: float, hours: float) -> None:
    deadline = NOON + 10 * HOUR
    latest = latest_start(
        earliest=NOON, deadline=deadline, expires_at=deadline, expected_seconds=expected, timeout_seconds=timeout
    )
    assert (latest - NOON) / HOUR == hours
