"""What charts are made of: days, stretches of time, and the places of what is drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.cost import NOBODY, Account, Entry, Line
from pitchey_cli.domain.daily import days
from pitchey_cli.domain.observation import PoolSample
from pitchey_cli.domain.pool_history import stretches
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.spending import Span
from pitchey_cli.reports import charts, drawing
from pitchey_cli.reports.drawing import Part
from processors.vocabulary import Service

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACME = Account("acme", "")
AMOUNTS = st.integers(0, 10**18).map(lambda nanodollars: nanodollars / 1e9)


def entry(hour: datetime, line: Line, nanodollars: int, account: Account = NOBODY) -> Entry:
    return Entry(hour, Service.VIDEO, "standard-2", "local", account, line, 1, nanodollars)


def sample(at: datetime, waiting: int, ready: int, service: Service = Service.VIDEO) -> PoolSample:
    return PoolSample(at, PoolKey(service), waiting, 0, 0, ready, 0, ready)


def test_every_day_until_now_is_there_and_its_parts_are_what_it_cost() -> None:
    known = [
        entry(NOON, Line.INSTANCE, 100),
        entry(NOON, Line.WORK, 30, ACME),
        entry(NOON, Line.START, 5),
        entry(NOON + timedelta(days=2), Line.INSTANCE, 7),
    ]
    span = Span(NOON.replace(hour=0), NOON + timedelta(days=20))
    found = days(known, span, now=NOON + timedelta(days=3))
    assert [(day.date.day, day.total, day.idle) for day in found] == [(2, 100, 70), (3, 0, 0), (4, 7, 7), (5, 0, 0)]
    (ours, *_) = days(known, span, now=NOON + timedelta(days=3), organisation="acme")
    assert (ours.total, ours.idle) == (30, 0)


def test_the_parts_of_several_nodes_add_up() -> None:
    parts = [replace(sample(NOON + timedelta(seconds=n), 2, 1), node="ab"[n % 2]) for n in range(6)]
    (found,) = stretches(parts, since=NOON, until=NOON + timedelta(minutes=1), count=1)
    assert (found.waiting, found.instances) == (4, 2)


def test_a_stretch_shows_the_most_of_all_pools_together() -> None:
    samples = [
        sample(NOON, 1, 1),
        sample(NOON + timedelta(seconds=10), 5, 2, Service.CODE),
        sample(NOON + timedelta(seconds=20), 0, 3),
        sample(NOON + timedelta(seconds=70), 0, 0, Service.CODE),
    ]
    found = stretches(samples, since=NOON, until=NOON + timedelta(minutes=2), count=2)
    assert [(each.waiting, each.instances) for each in found] == [(6, 5), (5, 5)]


def test_a_pool_that_nobody_has_looked_at_for_minutes_is_not_drawn_on() -> None:
    found = stretches([sample(NOON, 9, 2)], since=NOON, until=NOON + timedelta(minutes=10), count=10)
    assert [each.waiting for each in found] == [9, 9, 9, 0, 0, 0, 0, 0, 0, 0]


def test_what_came_and_went_between_two_samples_is_in_the_stretch_of_the_later_one() -> None:
    samples = [
        sample(NOON, 1, 1),
        replace(sample(NOON + timedelta(seconds=70), 0, 1), most_waiting=40, most_instances=3),
    ]
    found = stretches(samples, since=NOON, until=NOON + timedelta(minutes=3), count=3)
    assert [(each.waiting, each.instances) for each in found] == [(1, 1), (40, 3), (0, 1)]


def axis(drawn: str) -> list[float]:
    return [float(found) for found in re.findall(r"^ *(-?\d+\.\d+)┤", drawn, re.MULTILINE)]


@pytest.mark.parametrize("waiting", [0, 1, 500])
def test_no_axis_goes_below_zero(waiting: int) -> None:
    found = stretches([sample(NOON, waiting, 2)], since=NOON, until=NOON + timedelta(minutes=10), count=40)
    drawn = str(charts.pools(found, width=80))
    assert len(axis(drawn)) >= 4 and min(axis(drawn)) == 0


@given(
    st.lists(
        st.lists(st.integers(0, 10**18).map(lambda cost: cost / 1e9), min_size=1, max_size=4), min_size=1, max_size=40
    )
)
def test_bars_stay_on_their_paper(amounts: list[list[float]]) -> None:
    stacks = [[Part("work", amount, "") for amount in stack] for stack in amounts]
    names = [str(place) for place in range(len(stacks))]
    for chart in (drawing.columns(names, stacks), drawing.rows(names, stacks, names)):
        for block in chart.blocks:
            assert block.x >= -0.1 and block.x + block.width <= chart.width + 0.1
            assert block.y >= -0.1 and block.y + block.height <= chart.height + 0.1


@pytest.mark.parametrize(("most", "top"), [(0.003, "$0.004"), (1.7, "$2"), (61.0, "$80"), (100.0, "$100")])
def test_the_axis_ends_at_a_round_number(most: float, top: str) -> None:
    assert drawing.columns(["a"], [[Part("work", most, "")]]).heights[-1].text == top
