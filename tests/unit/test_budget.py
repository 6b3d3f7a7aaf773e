"""What budgets count, when their periods begin and end, and whose jobs they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.budget import Budget, Standing, capping, caps, parse_amount, spent_alive
from pitchey_cli.domain.cost import Account, Entry, Line
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.periods import Period, Term, term_of
from pitchey_cli.domain.prices import dollars
from pitchey_cli.domain.scope import Scope
from pitchey_cli.operations.budgets import sentence, way_out
from processors.vocabulary import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOLLAR = 10**9
QUARTER = timedelta(minutes=15)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Asia/Kathmandu", "Atlantic/Azores"]
ACME, VIDEO, ACME_VIDEO = Scope("acme"), Scope("", Service.VIDEO), Scope("acme", Service.VIDEO)


def standing(spent: int, *, scope: Scope = ACME, amount: int = 100 * DOLLAR, days: int = 1) -> Standing:
    term = Term(NOON, NOON + timedelta(days=days))
    return Standing(Budget(scope, Period.DAY, amount), term, spent)


def term(period: Period, text: str, zone: str = "Europe/Berlin") -> tuple[str, str]:
    found = term_of(period, datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)), ZoneInfo(zone))
    return found.begin.isoformat()[:16], found.end.isoformat()[:16]


@pytest.mark.parametrize(
    ("period", "moment", "begin", "end"),
    [
        (Period.DAY, "2026-03-01T12:00", "2026-02-28T23:00", "2026-03-01T23:00"),
        (Period.DAY, "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # of 23 hours
        (Period.DAY, "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),  # of 25
        (Period.WEEK, "2026-03-01T23:59", "2026-02-22T23:00", "2026-03-01T23:00"),  # a Sunday
        (Period.WEEK, "2026-03-02T00:00", "2026-03-01T23:00", "2026-03-08T23:00"),  # a Monday
        (Period.MONTH, "2026-02-28T23:59", "2026-01-31T23:00", "2026-02-28T23:00"),
        (Period.MONTH, "2028-02-29T00:00", "2028-01-31T23:00", "2028-02-29T23:00"),
        (Period.MONTH, "2026-12-31T23:59", "2026-11-30T23:00", "2026-12-31T23:00"),
        (Period.MONTH, "2026-03-31T12:00", "2026-02-28T23:00", "2026-03-31T22:00"),
    ],
)
def test_a_period_begins_and_ends_at_midnight_where_the_daemon_is(period, moment, begin, end) -> None:
    assert term(period, moment) == (begin, end)


def test_a_day_whose_midnight_a_clock_change_leaves_out_begins_as_soon_as_there_is_one() -> None:
    assert term(Period.DAY, "2018-11-04T12:00", "America/Sao_Paulo") == ("2018-11-04T03:00", "2018-11-05T02:00")


@given(
    st.sampled_from(Period),
    st.integers(0, 20 * 365 * 24 * 4).map(lambda quarters: datetime(2015, 1, 1, tzinfo=UTC) + quarters * QUARTER),
    st.sampled_from(ZONES),
)
def test_every_moment_lies_in_one_period_and_the_next_one_begins_where_it_ends(period, now, zone) -> None:
    found = term_of(period, now, ZoneInfo(zone))
    assert found.begin <= now < found.end
    assert term_of(period, found.begin, ZoneInfo(zone)) == found
    assert term_of(period, found.end, ZoneInfo(zone)).begin == found.end


def test_thresholds_are_reached_at_their_share_and_not_before() -> None:
    assert [standing(spent * DOLLAR).reached for spent in (0, 50, 79, 80, 100, 300)] == [
        (), (50,), (50,), (50, 80), (50, 80, 100), (50, 80, 100),
    ]  # fmt: skip
    assert standing(50 * DOLLAR - 1).reached == ()


@given(st.integers(0, 10**13), st.integers(1, 10**13))
def test_a_budget_is_capped_when_nothing_is_left(spent, amount) -> None:
    found = standing(spent, amount=amount)
    assert found.is_capped == (found.left == 0) == (100 in found.reached)


def test_jobs_are_held_by_all_the_budgets_that_cover_them_and_the_one_that_ends_last_comes_first() -> None:
    used_up = standing(100 * DOLLAR, scope=VIDEO)
    longer = standing(100 * DOLLAR, scope=ACME_VIDEO, days=7)
    open_one = standing(1, scope=ACME, days=30)
    found = [used_up, longer, open_one]
    assert caps(found) == {VIDEO, ACME_VIDEO}
    assert capping(found, ACME_VIDEO) == [longer, used_up]
    assert capping(found, Scope("others", Service.VIDEO)) == [used_up]
    assert capping(found, Scope("acme", Service.CODE)) == []
    assert capping([standing(100 * DOLLAR, scope=Scope())], Scope("x", Service.CODE))


def test_all_the_budgets_that_hold_jobs_are_named_with_their_way_out() -> None:
    found = [standing(100 * DOLLAR, scope=scope, days=9 - n) for n, scope in enumerate((ACME_VIDEO, ACME, VIDEO))]
    two, four = sentence(found[:2]), sentence([*found, standing(100 * DOLLAR, scope=Scope())])
    assert "of acme, video for the day is used up ($100.00 of $100.00), and that of acme for the day is" in two
    assert f"{found[0].span.end.astimezone():%Y-%m-%d}" in two
    assert "and that of video for the day" in four and ", and 1 more (`pitchey budget list`): jobs wait until" in four
    assert "each of these" in way_out(found[:2]) and "--organisation acme --period day" in way_out(found[:2])
    assert "raises it" in way_out(found[:1])


def test_what_lives_counts_for_an_organisation_by_its_attempts_and_for_a_service_by_its_instances() -> None:
    def entry(line: Line, cost: int, organisation: str = "", hours: int = 0) -> Entry:
        hour = NOON + timedelta(hours=hours)
        return Entry(hour, Service.VIDEO, "standard-2", "local", Account(organisation), line, 1, cost)

    live = [entry(Line.INSTANCE, 100), entry(Line.START, 7), entry(Line.WORK, 30, "acme"), entry(Line.WORK, 5, "b")]
    live.append(entry(Line.INSTANCE, 1000, hours=-1))
    since = NOON + timedelta(minutes=30)  # the hour counts in which it lies
    assert [spent_alive(scope, since, live) for scope in (Scope(), VIDEO, ACME, ACME_VIDEO)] == [100, 100, 30, 30]
    assert spent_alive(Scope("", Service.CODE), since, live) == 0


@pytest.mark.parametrize(("text", "cost"), [("25", 25 * DOLLAR), ("$25.10", 251 * DOLLAR // 10), ("0.000000001", 1)])
def test_an_amount_is_read_exactly(text, cost) -> None:
    assert parse_amount(text) == cost


@pytest.mark.parametrize(
    "text", ["", "0", "0.00", "-1", "nan", "inf", "1e3", "1,5", "25 EUR", "1.0000000001", "9" * 20]
)
def test_what_is_no_amount_is_named(text) -> None:
    with pytest.raises(UsageError, match=r"amount|budget"):
        parse_amount(text)


def test_small_amounts_can_be_told_from_nothing() -> None:
    assert [dollars(each) for each in (0, 1234, DOLLAR // 2, DOLLAR // 3, 25 * DOLLAR, 1234567 * DOLLAR)] == [
        "$0.00", "$0.000001", "$0.50", "$0.333333", "$25.00", "$1,234,567.00",
    ]  # fmt: skip
