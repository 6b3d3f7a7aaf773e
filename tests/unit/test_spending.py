"""What a period comes to: tables, idle, and what is still to come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.cost import USED, Account, Entry, Line
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.projection import Pace
from pitchey_cli.domain.spending import By, Report, Span, summarise
from pitchey_cli.operations.cost import span_of, ways
from processors.vocabulary import Service

NOON = datetime(2026, 3, 11, 12, 30, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
PACE = Pace(700, timedelta(days=7))
MARCH = Span(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))


def booked(
    line: Line, nanodollars: int, *, hours_ago: int = 1, organisation: str = "acme", batch: str = "",
    service: Service = Service.VIDEO, instance_type: str = "standard-2", attempts: int = 0,
) -> Entry:  # fmt: skip
    account = Account(organisation, batch) if line in USED else Account()
    hour = NOON.replace(minute=0) - hours_ago * HOUR
    return Entry(hour, service, instance_type, "local", account, line, nanodollars, nanodollars, attempts)


def summed(known: Sequence[Entry], *by: By, span: Span = MARCH, **options: object) -> Report:
    return summarise(known, span, by or tuple(By), now=NOON, **{"pace": PACE, **options})


def rows(report: Report, by: By, line: Line) -> dict[str, int]:
    return {name: sums.by_line[line] for name, sums in report.tables[by].items()}


def test_a_table_has_a_row_for_each_of_its_kind():
    report = summed(
        [
            booked(Line.INSTANCE, 100),
            booked(Line.INSTANCE, 50, hours_ago=30, service=Service.CODE, instance_type="lite"),
            booked(Line.WORK, 30, batch="night", attempts=2),
            booked(Line.WORK, 10, hours_ago=30, organisation="others", service=Service.CODE, instance_type="lite"),
            booked(Line.FAILED, 5, attempts=1),
        ]
    )
    assert rows(report, By.SERVICE, Line.INSTANCE) == {"code": 50, "video": 100}
    assert rows(report, By.ORGANISATION, Line.WORK) == {"acme": 30, "others": 10}
    assert rows(report, By.BATCH, Line.WORK) == {"": 10, "night": 30}
    assert rows(report, By.DAY, Line.INSTANCE) == {"2026-03-10": 50, "2026-03-11": 100}
    assert rows(report, By.TYPE, Line.FAILED) == {"lite": 0, "standard-2": 5}
    assert (report.spent, report.whole.idle, report.whole.attempts) == (150, 105, 3)
    assert {name: sums.idle for name, sums in report.tables[By.SERVICE].items()} == {"code": 40, "video": 65}


LINES = st.builds(
    booked,
    st.sampled_from(list(Line)),
    st.integers(0, 10**12),
    hours_ago=st.integers(-30, 30 * 24),
    organisation=st.sampled_from(["a", "b"]),
    service=st.sampled_from(list(Service)),
)


@given(st.lists(LINES))
def test_what_organisations_pay_and_idle_are_what_was_spent(known):
    report = summed(known)
    paid = sum(sums.used for sums in report.tables[By.ORGANISATION].values())
    assert paid + report.whole.idle == report.spent
    for by in (By.SERVICE, By.DAY, By.TYPE):
        assert sum(rows(report, by, Line.INSTANCE).values()) == report.spent


@given(st.lists(LINES))
def test_the_parts_of_two_organisations_are_what_was_used(known):
    parts = [summed(known, organisation=name) for name in ("a", "b")]
    assert sum(each.spent for each in parts) == summed(known).whole.used
    assert not any(each.has_instances for each in parts)


def test_what_lies_outside_of_the_period_is_not_counted():
    report = summed([booked(Line.INSTANCE, 7, hours_ago=24 * 20), booked(Line.INSTANCE, 5)])
    assert report.spent == 5


def test_the_rest_of_the_period_goes_on_at_the_pace_of_late():
    span = Span(NOON.replace(minute=0) - HOUR, NOON + timedelta(days=14))
    assert summed([booked(Line.INSTANCE, 5)], span=span).projected == 5 + 2 * 700
    assert summed([booked(Line.INSTANCE, 5)], span=span, pace=Pace(700, HOUR)).projected is None


def test_a_period_that_has_passed_has_nothing_to_come():
    report = summed([booked(Line.INSTANCE, 5)], span=Span(MARCH.since, NOON))
    assert report.is_over and report.projected is None


@pytest.mark.parametrize(
    ("asked", "since", "until"),
    [
        (("", "", ""), "2026-03-01T00", "2026-04-01T00"),
        (("month", "", ""), "2026-03-01T00", "2026-04-01T00"),
        (("week", "", ""), "2026-03-09T00", "2026-03-16T00"),
        (("day", "", ""), "2026-03-11T00", "2026-03-12T00"),
        (("", "3h", ""), "2026-03-11T09", "2026-03-11T13"),  # whole hours
        (("", "2026-02-03T10:59Z", "2026-02-03T11:00Z"), "2026-02-03T10", "2026-02-03T11"),
        (("", "", "2026-02-10T00:00Z"), "2026-02-01T00", "2026-02-10T00"),
    ],
)
def test_a_period_is_what_was_asked_for_in_whole_hours(asked, since, until):
    span = span_of(*asked, now=NOON)
    assert (f"{span.since:%Y-%m-%dT%H}", f"{span.until:%Y-%m-%dT%H}") == (since, until)


def test_a_month_in_which_the_clock_changes_has_its_own_hours():
    now = NOON.astimezone(ZoneInfo("Europe/Berlin"))
    span = span_of("month", "", "", now=now)
    assert span.until - span.since == timedelta(days=31) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("year", "", ""), "There is no period 'year'."),
        (("week", "1h", ""), "--period goes without --since and --until."),
        (("", "1h", "2h"), "--since '1h' is not before the end of the period."),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(asked, says):
    with pytest.raises(UsageError) as caught:
        span_of(*asked, now=NOON)
    assert str(caught.value) == says and caught.value.hint


def test_by_default_there_are_two_tables_and_others_are_named_once():
    assert ways([]) == (By.SERVICE, By.ORGANISATION)
    assert ways(["day", "type", "day"]) == (By.DAY, By.TYPE)
    with pytest.raises(UsageError, match="no table by 'colour'"):
        ways(["colour"])
