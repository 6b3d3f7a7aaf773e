"""What instances and attempts cost: pieces add up, nothing is sold twice, and clocks and boundaries change nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.cost import (
    TICKS_PER_HOUR,
    USED,
    Account,
    Entry,
    Life,
    Line,
    attempt_entries,
    entries,
    instance_entries,
    tick_of,
    total,
)
from pitchey_cli.domain.job import Instance, InstanceState
from pitchey_cli.domain.prices import PriceWindow, Tariff
from pitchey_cli.domain.windows import Window
from processors.vocabulary import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOLLAR = 10**9
HALF_AT_NIGHT = (PriceWindow(Window(time(22), time(6)), 0.5),)

MINUTES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
WINDOWS = st.builds(
    PriceWindow,
    st.builds(Window, MINUTES, MINUTES),
    st.sampled_from([0.0, 0.1, 0.333, 0.5, 1.7]),
)
TARIFFS = st.builds(
    Tariff,
    st.integers(0, 10**12),
    st.lists(WINDOWS, max_size=3).map(tuple),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
#: around the changes of the clock, too
MOMENTS = st.integers(0, 864_000_000).map(lambda ms: NOON + timedelta(days=26, milliseconds=ms))
LIVES = st.builds(
    Life,
    st.just(Service.VIDEO),
    st.just("standard-2"),
    st.just("local"),
    st.integers(1, 12),
    TARIFFS,
    MOMENTS,
    st.integers(0, 10**9),
)
SPANS = st.integers(0, 30 * TICKS_PER_HOUR)


def life(tariff: Tariff, created_at: datetime = NOON, slots: int = 1) -> Life:
    return Life(Service.VIDEO, "lite", "local", slots, tariff, created_at, 0)


def cost(found: list[Entry]) -> int:
    return sum(each.nanodollars for each in found)


def hours(ticks: float) -> int:
    return round(ticks * TICKS_PER_HOUR)


@pytest.mark.parametrize(
    ("seconds", "per_hour", "slots", "taken", "nanodollars"),
    [
        (3600, 144_000_000, 1, 1, 144_000_000),
        (3600, 144_000_000, 3, 1, 48_000_000),
        (3600, 144_000_000, 3, 2, 96_000_000),
        (1, 72_000_000, 5, 1, 4_000),
        (0.01, 36_000_000, 10, 1, 10),
        (0.01, 359_999, 1, 1, 0),  # rounded down
        (0, 144_000_000, 3, 3, 0),
    ],
)
def test_the_price_of_slots(seconds, per_hour, slots, taken, nanodollars):
    whose = life(Tariff(per_hour), slots=slots)
    assert cost(entries(whose, Line.WORK, 0, tick_of(seconds), slots=taken)) == nanodollars


def test_a_span_is_booked_to_the_hours_that_it_lies_in():
    whose = life(Tariff(DOLLAR), NOON + timedelta(minutes=59, seconds=59.995))
    found = entries(whose, Line.INSTANCE, 0, hours(1) + 1)
    assert [(each.hour.hour, each.ticks) for each in found] == [(12, 1), (13, hours(1))]


def test_a_time_of_day_has_its_price_from_its_first_minute_to_its_last():
    whose = life(Tariff(DOLLAR, HALF_AT_NIGHT), NOON.replace(hour=21, minute=30))
    assert [each.nanodollars for each in entries(whose, Line.INSTANCE, 0, hours(1.5))] == [DOLLAR // 2, DOLLAR // 2]
    morning = life(Tariff(DOLLAR, HALF_AT_NIGHT), NOON.replace(hour=5, minute=30))
    assert cost(entries(morning, Line.INSTANCE, 0, hours(1))) == DOLLAR // 4 + DOLLAR // 2


def test_a_time_of_day_that_begins_within_an_hour_cuts_that_hour():
    tariff = Tariff(DOLLAR, (PriceWindow(Window(time(12, 15), time(12, 45)), 3.0),))
    (entry,) = entries(life(tariff), Line.INSTANCE, 0, hours(1))
    assert entry.nanodollars == 2 * DOLLAR  # half of it threefold


def test_times_of_day_are_those_of_their_zone_also_where_that_is_no_whole_hour_away():
    tariff = Tariff(DOLLAR, HALF_AT_NIGHT, "Asia/Kathmandu")  # 22:00 there is 16:15 in UTC
    whose = life(tariff, NOON.replace(hour=16))
    assert cost(entries(whose, Line.INSTANCE, 0, hours(1))) == DOLLAR // 4 + DOLLAR * 3 // 8


def test_an_attempt_of_no_length_costs_nothing_and_still_counts():
    (entry,) = attempt_entries(life(Tariff(DOLLAR)), Account("acme"), 5, 5, slots=1, is_completed=False)
    assert (entry.ticks, entry.nanodollars, entry.attempts, entry.line) == (0, 0, 1, Line.FAILED)


@given(LIVES, st.lists(SPANS, min_size=2, max_size=8))
def test_ticks_add_up_wherever_a_span_is_cut(whose, points):
    ticks = sorted(whose.created_tick + each for each in points)
    pieces = [entries(whose, Line.INSTANCE, begin, end) for begin, end in pairwise(ticks)]
    whole = entries(whose, Line.INSTANCE, ticks[0], ticks[-1])
    by_hour: dict[datetime, int] = defaultdict(int)
    for entry in (entry for piece in pieces for entry in piece):
        by_hour[entry.hour] += entry.ticks
    assert by_hour == {each.hour: each.ticks for each in whole}
    assert sum(each.ticks for each in whole) == (ticks[-1] - ticks[0]) * whose.slots
    assert sum(map(cost, pieces)) <= cost(whole)


@given(LIVES, SPANS, SPANS, st.integers(1, 3))
def test_an_hour_is_booked_once_and_lies_around_its_ticks(whose, start, length, slots):
    begin = whose.created_tick + start
    found = entries(whose, Line.WORK, begin, begin + length, slots=min(slots, whose.slots))
    assert len({each.hour for each in found}) == len(found)
    for each in found:
        assert each.hour <= whose.moment_of(begin + length)
        assert each.hour + timedelta(hours=1) > whose.moment_of(begin)
        assert each.ticks <= (TICKS_PER_HOUR + 1) * whose.slots


@st.composite
def sold(draw):
    """A life, its length, and attempts that never hold more slots than there are."""
    whose = draw(LIVES)
    length = draw(SPANS)
    attempts: list[tuple[int, int, int]] = []
    free = [(whose.created_tick, slot) for slot in range(whose.slots)]  # since when each slot is free
    for gap, held in draw(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=20)):
        since, slot = min(free)
        begin = min(since + gap, whose.created_tick + length)
        end = min(begin + held, whose.created_tick + length)
        attempts.append((begin, end, 1))
        free[free.index((since, slot))] = (end, slot)
    return whose, length, attempts


@given(sold(), st.data())
def test_jobs_and_idle_are_the_instance_in_every_hour_and_idle_is_never_negative(story, data):
    whose, length, attempts = story
    instance = entries(whose, Line.INSTANCE, whose.created_tick, whose.created_tick + length)
    used: dict[datetime, int] = defaultdict(int)
    ticks: dict[datetime, int] = defaultdict(int)
    for begin, end, slots in attempts:
        is_completed = data.draw(st.booleans())
        for each in attempt_entries(whose, Account("acme"), begin, end, slots=slots, is_completed=is_completed):
            used[each.hour] += each.nanodollars
            ticks[each.hour] += each.ticks
    for each in instance:
        assert used[each.hour] <= each.nanodollars
        assert ticks[each.hour] <= each.ticks
    idle = cost(instance) - sum(used.values())
    assert idle >= 0


@given(LIVES, SPANS, SPANS, SPANS)
def test_the_start_and_a_pause_are_parts_of_the_whole(whose, first, second, third):
    ready, paused, end = (whose.created_tick + each for each in sorted((first, second, third)))
    instance = replace(_instance(whose), ready_tick=ready, paused_tick=paused)
    found = instance_entries(instance, end)
    assert total(found, Line.START) + total(found, Line.PAUSED) <= total(found, Line.INSTANCE)
    assert not USED & {each.line for each in found}


@given(LIVES, SPANS, st.timedeltas(timedelta(days=-300), timedelta(days=300)))
def test_a_wall_clock_that_is_wrong_moves_the_hours_and_changes_no_price(whose, length, jump):
    flat = replace(whose, tariff=replace(whose.tariff, windows=()))
    shifted = replace(flat, created_at=flat.created_at + jump)
    end = whose.created_tick + length
    right, wrong = (entries(each, Line.INSTANCE, whose.created_tick, end) for each in (flat, shifted))
    assert sum(each.ticks for each in right) == sum(each.ticks for each in wrong) == length * whose.slots
    assert abs(cost(right) - cost(wrong)) <= max(len(right), len(wrong))  # a nanodollar for each hour that is cut


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_tick_is_a_point_so_spans_between_points_add_up(one, other):
    early, late = sorted((one, other))
    assert tick_of(early) <= tick_of(late) <= tick_of(early) + (late - early) * 100 + 2


def _instance(whose: Life) -> Instance:
    return Instance(
        "i", whose.service, "docker", "", whose.slots, InstanceState.READY, 1, 1, 1, 1, whose.created_at,
        instance_type=whose.instance_type, region=whose.region, tariff=whose.tariff, created_tick=whose.created_tick,
    )  # fmt: skip
