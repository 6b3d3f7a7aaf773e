"""How many jobs will come: learnt from how many came at the same time of the day, and of the week.

Additive Holt-Winters with a damped trend: C. Holt, "Forecasting seasonals and trends by exponentially weighted moving
averages", ONR Memorandum 52, 1957; P. Winters, "Forecasting sales by exponentially weighted moving averages",
Management Science 6, 1960; the damping and the form of the recursion are those of R. Hyndman, G. Athanasopoulos,
"Forecasting: Principles and Practice", 3rd edition, section 8.3. Plain Python, because the daemon asks.

A forecast has to earn its say. It is tested by rolling origin, against the guess that the same will come as did one
season before, and against the guess that it will be as it was on average over the last season: of pure noise any
average beats the former, and only a season that is there beats the latter. It is in force while its error is clearly
the smallest one; until then it runs in shadow. It only ever raises the floor: to the instances that hold the demand to
come, by Little's law.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from pitchey_cli.domain.decision import Rule, Wish
from pitchey_cli.domain.observation import INTERVAL_SECONDS
from pitchey_cli.values import dataclass

DAY = 288  #: intervals
WEEK = 7 * DAY

_CLEARLY = 0.95  # of the error of the better guess: of noise, now and then one beats the other by a little
_LEAST_SCALE = 1e-9  # of a naive error: a load that repeats itself exactly


@dataclass(frozen=True)
class Parameters:
    """How fast what is new replaces what is known, each from 0 to 1."""

    level: float
    trend: float
    season: float
    damping: float  #: what is left of the trend after an interval


@dataclass(frozen=True)
class Errors:
    """What the back-test has found, in jobs per interval."""

    days: float  #: of the history that was forecast without being known
    mae: float  #: mean absolute error
    naive_mae: float  #: of the guess that it will be as one season before
    flat_mae: float  #: of the guess that it will be as it was on average over the last season
    mase: float  #: mae divided by the naive error within what was learnt from (Hyndman & Koehler, 2006)

    @property
    def is_better(self) -> bool:
        """Whether the forecast clearly beats both guesses."""
        return self.mae < _CLEARLY * min(self.naive_mae, self.flat_mae)


@dataclass(frozen=True)
class ForecastSettings:
    """What the operator has set."""

    days: float = 7.0  #: of history that have to be there, at the least, before a forecast is in force
    ahead_seconds: float = 900.0  #: how far the floor looks ahead
    target: float = 0.70  #: share of the slots that are to be taken


@dataclass(frozen=True)
class Model:
    """What has been learnt."""

    period: int
    parameters: Parameters
    level: float
    trend: float
    season: tuple[float, ...]  #: the next interval's first
    next_interval: int  #: since 1970; the first that is not known
    history_days: float
    errors: Errors | None = None

    def expect(self, steps: int) -> float:
        """Jobs in the interval that is so many after the last known one; the next one is 1."""
        damping = self.parameters.damping
        damped = damping * (1 - damping**steps) / (1 - damping) if damping < 1 else steps
        return max(0.0, self.level + damped * self.trend + self.season[(steps - 1) % self.period])

    def observe(self, jobs: float) -> Model:
        """Learn one more interval."""
        level, trend, season = _step(self.parameters, self.level, self.trend, self.season[0], jobs)
        seasons = (*self.season[1:], season)
        days = self.history_days + INTERVAL_SECONDS / 86400
        following = self.next_interval + 1
        return Model(self.period, self.parameters, level, trend, seasons, following, days, self.errors)

    def is_in_force(self, settings: ForecastSettings) -> bool:
        """Whether it may raise the floor; else it runs in shadow."""
        return self.errors is not None and self.errors.is_better and self.history_days >= settings.days


def season_of(history: int) -> int:
    """A week where there are four of them, else a day: of a season, two have to be there, and one to be tested on."""
    return WEEK if history >= 4 * WEEK else DAY


def learn(history: Sequence[float], *, first_interval: int = 0, period: int | None = None) -> Model | None:
    """Fit a model, and test it; None when there are not yet two seasons.

    Takes a fraction of a second for four weeks: the daemon asks for it once a day, and lets the model `observe` in
    between.

    Args:
        history: jobs per interval, without gaps, the oldest first.
    """
    period = period or season_of(len(history))
    if len(history) < 2 * period:
        return None
    test_from = max(3 * period, len(history) // 2)
    parameters = _fit(history[:test_from], period)
    errors = _back_test(history, period, parameters, test_from) if len(history) > test_from else None
    level, trend, season = _start(history, period)
    seasons = list(season)
    for number, jobs in enumerate(history[2 * period :], start=2 * period):
        level, trend, seasons[number % period] = _step(parameters, level, trend, seasons[number % period], jobs)
    turn = len(history) % period
    days = len(history) * INTERVAL_SECONDS / 86400
    following = first_interval + len(history)
    return Model(period, parameters, level, trend, (*seasons[turn:], *seasons[:turn]), following, days, errors)


def floor(
    model: Model, *, now: float, mean_seconds: float, slots: int, settings: ForecastSettings
) -> tuple[Wish, bool]:
    """The instances that hold what is to come, and whether that is in force or only in shadow.

    Args:
        now: seconds since 1970.
        mean_seconds: that a job holds a slot.
    """
    begin = math.floor(now / INTERVAL_SECONDS)
    end = math.floor((now + settings.ahead_seconds) / INTERVAL_SECONDS)
    steps = [max(1, number - model.next_interval + 1) for number in range(begin, end + 1)]
    jobs = max(model.expect(step) for step in steps)
    at_once = jobs / INTERVAL_SECONDS * mean_seconds  # Little's law
    instances = math.ceil(at_once / (settings.target * slots) - 1e-6)
    # A few jobs a day are no reason to keep an instance for all of them: half a slot's work is.
    if at_once < 0.5:
        instances = 0
    minutes = INTERVAL_SECONDS / 60
    why = f"{jobs:.1f} jobs of {mean_seconds:.1f} s in {minutes:g} min expected, {at_once:.1f} at once"
    return Wish(Rule.FORECAST, instances, why), model.is_in_force(settings)


# --- fitting


def _start(history: Sequence[float], period: int) -> tuple[float, float, list[float]]:
    """Level and season of the first two seasons together; no trend is known yet."""
    level = sum(history[: 2 * period]) / (2 * period)
    pairs = zip(history[:period], history[period : 2 * period], strict=True)
    return level, 0.0, [(one + other) / 2 - level for one, other in pairs]


def _step(parameters: Parameters, level: float, trend: float, season: float, jobs: float) -> tuple[float, float, float]:
    """What one interval changes: level, trend, and the season of this place in it."""
    damped = parameters.damping * trend
    before = level + damped
    following = parameters.level * (jobs - season) + (1 - parameters.level) * before
    slope = parameters.trend * (following - level) + (1 - parameters.trend) * damped
    return following, slope, parameters.season * (jobs - before) + (1 - parameters.season) * season


_LEVELS = (0.01, 0.05, 0.2)
_TRENDS = (0.0, 0.01)
_SEASONS = (0.05, 0.15, 0.4)
_DAMPINGS = (0.8, 0.98)
_FIT_INTERVALS = 4 * WEEK  # older ones say nothing new about how fast to learn
_AHEAD = 3  # intervals: what is fitted and tested is what the floor asks for, and not the next five minutes


def _fit(history: Sequence[float], period: int) -> Parameters:
    """The parameters of a small grid with the least error, as far ahead as the floor looks."""
    lately = history[-max(_FIT_INTERVALS, 3 * period) :]
    grid = [
        Parameters(level, trend, season, damping)
        for level, trend, season, damping in product(_LEVELS, _TRENDS, _SEASONS, _DAMPINGS)
        if trend or damping == _DAMPINGS[0]  # without a trend there is nothing to damp
    ]
    return min(grid, key=lambda each: _error(lately, period, each, 2 * period))


def _error(history: Sequence[float], period: int, parameters: Parameters, begin: int) -> float:
    """The mean absolute error of what was said `_AHEAD` intervals before, from `begin` on: rolling origin."""
    level, trend, seasons = _start(history, period)
    damping = parameters.damping
    reach = sum(damping**power for power in range(1, _AHEAD + 1))
    total, count = 0.0, 0
    for number in range(2 * period, len(history)):
        target = number + _AHEAD - 1
        if begin <= target < len(history):
            total += abs(history[target] - max(0.0, level + reach * trend + seasons[target % period]))
            count += 1
        place = number % period
        level, trend, seasons[place] = _step(parameters, level, trend, seasons[place], history[number])
    return total / count if count else math.inf


def _back_test(history: Sequence[float], period: int, parameters: Parameters, begin: int) -> Errors:
    """What the forecast would have said of the newer half of the history, with what was fitted to the older half."""
    mae = _error(history, period, parameters, begin)
    tested = range(begin, len(history))
    naive = [abs(history[number] - history[number - period]) for number in tested]
    learnt = [abs(history[number] - history[number - period]) for number in range(period, begin)]
    scale = max(_mean(learnt), _LEAST_SCALE)
    days = len(naive) * INTERVAL_SECONDS / 86400
    return Errors(days, mae, _mean(naive), _flat_error(history, period, begin), mae / scale)


def _flat_error(history: Sequence[float], period: int, begin: int) -> float:
    """The error of the average over the season that ended as long before as the forecast was asked for."""
    lag = _AHEAD - 1
    total = sum(history[begin - lag - period : begin - lag])
    errors: list[float] = []
    for number in range(begin, len(history)):
        errors.append(abs(history[number] - total / period))
        total += history[number - lag] - history[number - lag - period]
    return _mean(errors)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


# --- keeping it
