"""What a daemon learns of when jobs come, and what it makes of it. On the scripted engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pitchey_cli.domain.forecast import DAY, INTERVAL_SECONDS
from pitchey_cli.domain.observation import Came
from processors.protocol import Service
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import service

VIDEO = service(Service.VIDEO, slots=2, instances=4, sleep_after_seconds=60.0)
BUSY = 24  # intervals of every day, from the one in which the tests begin


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path, {Service.VIDEO: VIDEO})
    yield ground
    ground.end()


def interval(ground: Ground) -> int:
    return int(ground.clock.now().timestamp() // INTERVAL_SECONDS)


def live_through(ground: Ground, days: int) -> None:
    """So many days on which about thirty jobs of twenty seconds came in every interval of the same two hours."""
    dice = random.Random(3)
    now = interval(ground)
    for number in range(now - days * DAY, now):
        is_busy = (number - now) % DAY < BUSY
        jobs = dice.randint(24, 36) if is_busy else dice.randint(0, 1)
        ground.store.add_came([Came(Service.VIDEO, number, jobs, jobs, 20.0 * jobs)])


def test_what_has_come_every_day_is_expected_and_made_ready_for(ground: Ground) -> None:
    live_through(ground, days=14)
    ground.start_daemon()
    ground.pass_time(INTERVAL_SECONDS + 60)
    (forecast,) = ground.store.forecasts()
    assert forecast.is_in_force
    assert forecast.error is not None and forecast.naive_error is not None and forecast.error < forecast.naive_error
    assert len(ground.store.instances()) == forecast.instances == 2


def test_a_forecast_of_a_few_days_runs_in_shadow(ground: Ground) -> None:
    live_through(ground, days=5)
    ground.start_daemon()
    ground.pass_time(INTERVAL_SECONDS + 60)
    (forecast,) = ground.store.forecasts()
    assert not forecast.is_in_force
    assert ground.store.instances() == []


def test_a_forecast_that_is_not_wanted_has_no_say(ground: Ground) -> None:
    ground.services = {Service.VIDEO: replace(VIDEO, is_forecast_heeded=False)}
    live_through(ground, days=14)
    ground.start_daemon()
    ground.pass_time(INTERVAL_SECONDS + 60)
    assert ground.store.forecasts()[0].is_in_force
    assert ground.store.instances() == []


def test_jobs_are_counted_when_they_came_also_at_the_end_of_a_daemon(ground: Ground) -> None:
    ground.start_daemon()
    first = interval(ground)
    for _ in range(3):
        ground.let_succeed(ground.submit_and_start())
    ground.pass_time(2)
    ground.drain()
    (came,) = ground.store.came(Service.VIDEO, since=first)
    assert (came.interval, came.jobs, came.ended) == (first, 3, 3)
    assert 0 < came.seconds < 60
