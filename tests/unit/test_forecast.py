"""What is expected to come: when it may have a say, and what it says then."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchey_cli.domain.decision import Rule
from pitchey_cli.domain.forecast import (
    DAY,
    INTERVAL_SECONDS,
    WEEK,
    Errors,
    ForecastSettings,
    Model,
    Parameters,
    floor,
    learn,
    season_of,
)

SETTINGS = ForecastSettings()
SHORT = 24  # a season that takes a test no time


def poisson(dice: random.Random, mean: float) -> int:
    """Knuth's: enough for small means."""
    limit, product, number = math.exp(-mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        number += 1
    return number


def daily(days: int, *, mean: float = 20.0, swing: float = 0.9, seed: int = 1) -> list[int]:
    """A day's sine with the noise of a Poisson process: what a service that people use looks like."""
    dice = random.Random(seed)
    return [
        poisson(dice, mean * (1 - swing * math.cos(2 * math.pi * (number % DAY) / DAY))) for number in range(days * DAY)
    ]


def learnt(history: list[int], period: int | None = None) -> Model:
    model = learn(history, period=period)
    assert model is not None
    return model


def test_a_daily_load_is_learnt_and_beats_the_guess_that_it_will_be_as_yesterday():
    model = learnt(daily(10))
    assert model.errors is not None
    assert model.errors.is_better and model.is_in_force(SETTINGS)
    # Of two independent Poisson numbers the difference has the root of two of the error of one against its mean.
    assert 0.65 < model.errors.mae / model.errors.naive_mae < 0.85
    assert model.errors.mase < 0.9
    noon = sum(model.expect(step) for step in range(DAY // 2 - 6, DAY // 2 + 6)) / 12
    assert model.expect(1) < 6 and noon == pytest.approx(38, abs=3)


def test_it_needs_days_of_history_before_it_may_speak_however_good_it_is():
    assert learn(daily(1)) is None
    young = learnt(daily(5))
    assert young.errors is not None and young.errors.is_better
    assert not young.is_in_force(SETTINGS)
    assert young.is_in_force(ForecastSettings(days=5))


@pytest.mark.parametrize("seed", range(20))
def test_pure_noise_stays_in_shadow(seed):
    """To beat the guess of yesterday is no forecast: of noise, any average does."""
    dice = random.Random(seed)
    for noise in (lambda: poisson(dice, 20.0), lambda: dice.choice((0, 0, 0, 200)), lambda: dice.randint(0, 3)):
        model = learnt([noise() for _ in range(10 * DAY)])
        assert model.errors is not None
        assert not model.is_in_force(SETTINGS), model.errors


def test_of_noise_the_forecast_beats_yesterday_and_loses_to_the_average():
    dice = random.Random(5)
    errors = learnt([poisson(dice, 20.0) for _ in range(10 * DAY)]).errors
    assert errors is not None
    assert errors.flat_mae < errors.mae < errors.naive_mae


def test_who_repeats_itself_exactly_leaves_the_guess_unbeaten_and_the_forecast_in_shadow():
    pattern = [random.Random(1).randint(0, 50) for _ in range(DAY)]
    model = learnt(pattern * 9)
    assert model.errors is not None and model.errors.naive_mae == 0
    assert not model.is_in_force(SETTINGS)


def test_a_load_that_grows_is_followed():
    grows = [number * 40 // (8 * DAY) + rest for number, rest in enumerate(daily(8, mean=5.0))]
    model = learnt(grows)
    assert model.expect(DAY // 2) > sum(grows[:DAY]) / DAY + 20


def test_four_weeks_are_learnt_by_the_week():
    assert (season_of(4 * WEEK - 1), season_of(4 * WEEK)) == (DAY, WEEK)
    week = [20.0 if day < 5 else 2.0 for day in range(7)]
    dice = random.Random(3)
    history = [poisson(dice, week[number // DAY % 7]) for number in range(4 * WEEK)]
    model = learnt(history)
    assert model.period == WEEK and model.is_in_force(SETTINGS)
    assert model.expect(1) == pytest.approx(20, abs=7)  # Monday
    assert model.expect(6 * DAY) < 9  # Saturday


def model_of(expected: float, *, is_better: bool = True, days: float = 9.0) -> Model:
    errors = Errors(4.0, 1.0, 2.0 if is_better else 0.5, 3.0, 0.5)
    return Model(DAY, Parameters(0.1, 0, 0.1, 0.8), expected, 0.0, (0.0,) * DAY, 100, days, errors)


@pytest.mark.parametrize(
    ("jobs", "seconds", "slots", "instances"),
    [(0.0, 30, 3, 0), (4.0, 30, 3, 0), (10.0, 30, 3, 1), (21.0, 30, 3, 1), (21.1, 30, 3, 2), (300.0, 30, 1, 43)],
)
def test_the_floor_holds_what_is_to_come_by_littles_law(jobs, seconds, slots, instances):
    wish, is_in_force = floor(
        model_of(jobs), now=100 * INTERVAL_SECONDS, mean_seconds=seconds, slots=slots, settings=SETTINGS
    )
    assert (wish.rule, wish.instances, is_in_force) == (Rule.FORECAST, instances, True)
    assert f"{jobs:.1f} jobs of" in wish.why


def test_in_shadow_it_says_the_same_and_is_not_in_force():
    for model in (model_of(30.0, is_better=False), model_of(30.0, days=6.9)):
        wish, is_in_force = floor(model, now=0.0, mean_seconds=30, slots=3, settings=SETTINGS)
        assert wish.instances > 0 and not is_in_force


def test_the_floor_rises_before_the_load_does():
    model = learnt(daily(10))
    begin = model.next_interval * INTERVAL_SECONDS
    wishes = [
        floor(model, now=begin + hour * 3600, mean_seconds=60, slots=3, settings=SETTINGS)[0].instances
        for hour in range(24)
    ]
    assert wishes[0] <= 1 and max(wishes) == max(wishes[9:15]) >= 3
    late = ForecastSettings(ahead_seconds=0.0)
    for hour in range(11):  # while it rises, looking ahead asks for no less than looking at now
        now = begin + hour * 3600
        ahead, here = (floor(model, now=now, mean_seconds=60, slots=3, settings=each)[0] for each in (SETTINGS, late))
        assert ahead.instances >= here.instances


histories = st.lists(st.integers(0, 200), min_size=2 * SHORT, max_size=5 * SHORT)


@settings(max_examples=30, deadline=None)
@given(histories, st.lists(st.integers(0, 200), min_size=1, max_size=SHORT))
def test_learning_one_interval_after_the_other_is_learning_them_together(history, more):
    model = learnt(history, SHORT)
    for jobs in more:
        model = model.observe(jobs)
    assert model.next_interval == len(history) + len(more)
    assert len(model.season) == SHORT
    # The same recursion over everything, with the same parameters.
    again = Model(SHORT, model.parameters, *_all_at_once(model.parameters, [*history, *more]), model.next_interval, 0.0)
    assert [again.expect(step) for step in (1, 5, SHORT)] == [
        pytest.approx(model.expect(step)) for step in (1, 5, SHORT)
    ]


def _all_at_once(parameters: Parameters, history: list[int]) -> tuple[float, float, tuple[float, ...]]:
    level = sum(history[: 2 * SHORT]) / (2 * SHORT)
    trend, season = 0.0, [(history[place] + history[place + SHORT]) / 2 - level for place in range(SHORT)]
    for number in range(2 * SHORT, len(history)):
        place, before = number % SHORT, level + parameters.damping * trend
        following = parameters.level * (history[number] - season[place]) + (1 - parameters.level) * before
        trend = parameters.trend * (following - level) + (1 - parameters.trend) * parameters.damping * trend
        season[place] = parameters.season * (history[number] - before) + (1 - parameters.season) * season[place]
        level = following
    turn = len(history) % SHORT
    return level, trend, (*season[turn:], *season[:turn])
