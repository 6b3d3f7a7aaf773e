"""What a period is expected to come to: one rule for every period of a scope."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.cost import Account, Entry, Line
from pitchey_cli.domain.job import Instance, InstanceState
from pitchey_cli.domain.projection import LEAST, Pace, first_moment, pace
from pitchey_cli.domain.scope import Scope
from pitchey_cli.reports.wording import going_on
from processors.vocabulary import Service

NOON = datetime(2026, 3, 11, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ACME, VIDEO = Scope("acme"), Scope("", Service.VIDEO)


def entry(cost: int, *, ago: timedelta, line: Line = Line.INSTANCE, organisation: str = "") -> Entry:
    hour = (NOON - ago).replace(minute=0)
    return Entry(hour, Service.VIDEO, "standard-2", "local", Account(organisation), line, 1, cost)


ENTRIES = st.builds(
    entry,
    st.integers(0, 10**12),
    ago=st.integers(0, 30 * 24).map(lambda hours: hours * HOUR),
    line=st.sampled_from(list(Line)),
    organisation=st.sampled_from(["acme", "others"]),
)


@given(
    st.lists(ENTRIES, max_size=20),
    st.integers(0, 60 * 24).map(lambda hours: NOON - hours * HOUR),
    st.sampled_from([ACME, VIDEO, Scope()]),
    st.integers(0, 10**12),
    st.lists(st.integers(0, 40 * 24), min_size=2, max_size=5).map(sorted),
)
def test_a_later_end_never_projects_less_and_nothing_projects_less_than_is_spent(known, first, scope, spent, ends):
    found = pace(scope, known, first=first, now=NOON)
    projected = [found.projected(spent, now=NOON, end=NOON + end * HOUR) for end in ends]
    if found.history < LEAST:
        assert set(projected) == {None}
    else:
        assert [each for each in projected if each is not None] == projected == sorted(projected)
        assert projected[0] >= spent


def test_the_rate_is_that_of_seven_days_where_there_are_so_many():
    known = [entry(700, ago=2 * DAY), entry(10**6, ago=8 * DAY)]
    found = pace(VIDEO, known, first=NOON - 30 * DAY, now=NOON)
    assert found.nanodollars == 700 and 7 * DAY <= found.history < 7 * DAY + HOUR
    assert found.projected(5, now=NOON, end=NOON + found.history) == 705


def test_an_organisation_has_the_rate_of_its_attempts():
    known = [entry(1000, ago=HOUR), entry(30, ago=HOUR, line=Line.WORK, organisation="acme")]
    known.append(entry(7, ago=HOUR, line=Line.FAILED, organisation="others"))
    assert pace(ACME, known, first=NOON - DAY, now=NOON) == Pace(30, DAY)
    assert pace(VIDEO, known, first=NOON - 2 * DAY, now=NOON) == Pace(1000, 2 * DAY)


@pytest.mark.parametrize(
    ("history", "says"),
    [
        (timedelta(0), "not projected from 0 min of history: it takes 24 h"),
        (timedelta(minutes=26, seconds=59), "not projected from 26 min of history: it takes 24 h"),
        (timedelta(hours=23, minutes=59), "not projected from 23 h of history: it takes 24 h"),
        (timedelta(hours=27), "if it goes on as in the last 27 h"),
        (timedelta(days=7, minutes=50), "if it goes on as in the last 7 days"),
    ],
)
def test_it_says_what_it_goes_by(history, says):
    assert going_on(Pace(1, history)) == says


def test_the_first_moment_is_that_of_the_first_instance_in_its_hour():
    def instance(minutes: int, ended: int | None = None) -> Instance:
        life = ("process", "", 3, InstanceState.READY, 1, 1, 1, 1)
        stopped = None if ended is None else NOON + timedelta(minutes=ended)
        return Instance("i", Service.VIDEO, *life, NOON + timedelta(minutes=minutes), stopped_at=stopped)

    hour = NOON.replace(minute=0)
    assert first_moment(hour, [instance(18), instance(20)]) == NOON + timedelta(minutes=18)
    assert first_moment(hour, [instance(-90, ended=-40), instance(18)]) == NOON + timedelta(minutes=18)
    assert first_moment(hour, [instance(-90), instance(18)]) == hour
    assert first_moment(hour, [instance(40)]) == hour  # whatever it was is remembered no more
