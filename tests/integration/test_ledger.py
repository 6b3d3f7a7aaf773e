"""What a daemon books, through kills, restarts of the machine and clocks that jump. On the scripted engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from pitchey_cli.domain.cost import TICKS_PER_SECOND
from pitchey_cli.domain.job import Attempt, JobState
from pitchey_cli.domain.pricelist import PriceList, parse_price_windows
from processors.protocol import Reason, Service
from tests.resources.books import wrong_books
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import service

T = TypeVar("T")

SERVICES = {Service.VIDEO: service(Service.VIDEO, slots=2, sleep_after_seconds=600.0)}
NEAR = 0.5  # seconds: what happens between two steps of a test


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path, SERVICES)
    yield ground
    ground.end()


def seconds(begin: int, end: int | None) -> float:
    assert end is not None
    return (end - begin) / TICKS_PER_SECOND


def held(attempt: Attempt) -> float:
    return seconds(attempt.started_tick, attempt.finished_tick)


def test_an_instance_is_paid_for_from_its_start_to_its_stop_and_its_attempts_for_their_slots(ground):
    ground.start_daemon()
    one, both = ground.submit_and_start(), ground.submit(slots=2)
    ground.pass_time(28)
    ground.let_succeed(one)
    ground.pass_time(10)
    ground.let_succeed(both)
    ground.pass_time(900)
    instance = ground.instance()
    assert held(ground.attempt(one)) == pytest.approx(30, abs=NEAR)
    assert (held(ground.attempt(both)), ground.attempt(both).slots) == (pytest.approx(10, abs=NEAR), 2)
    lived = seconds(instance.created_tick, instance.stopped_tick)
    assert lived == pytest.approx(40 + 600, abs=10)
    assert instance.cost_nanodollars == pytest.approx(lived * 0.144 / 3600 * 1e9, rel=1e-6)
    assert wrong_books(ground.store) == []


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_that_jumps_changes_no_price(ground, jump):
    ground.start_daemon()
    job_id = ground.submit_and_start()
    ground.clock.wall_seconds = jump
    ground.pass_time(20)
    ground.let_succeed(job_id)
    ground.pass_time(1)
    ground.clock.wall_seconds = 0.0
    ground.drain()
    assert held(ground.attempt(job_id)) == pytest.approx(22, abs=NEAR)
    assert seconds(ground.instance().created_tick, ground.instance().stopped_tick) < 30
    assert wrong_books(ground.store) == []


def test_a_job_that_ended_while_no_daemon_was_there_pays_until_its_end_and_not_for_the_rest(ground):
    ground.start_daemon()
    job_id = ground.submit_and_start()
    ground.kill_daemon()
    ground.pass_time(30)
    ground.let_succeed(job_id)
    ground.pass_time(60)
    ground.start_daemon()
    ground.pass_time(1)
    assert ground.store.job(job_id).state is JobState.SUCCEEDED
    assert held(ground.attempt(job_id)) == pytest.approx(32, abs=NEAR)
    ground.drain()
    assert seconds(ground.instance().created_tick, ground.instance().stopped_tick) > 90  # it was there, and idle
    assert wrong_books(ground.store) == []


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_that_jumps_while_no_daemon_is_there_cannot_lead_out_of_that_time(ground, jump):
    ground.start_daemon()
    job_id = ground.submit_and_start()
    ground.pass_time(20)
    ground.kill_daemon()
    ground.let_succeed(job_id)
    ground.pass_time(60)
    ground.clock.wall_seconds = jump
    ground.start_daemon()
    ground.drain()
    assert 10 <= held(ground.attempt(job_id)) <= 90
    assert wrong_books(ground.store) == []


def test_an_instance_that_went_while_no_daemon_was_there_is_paid_for_until_it_was_last_seen(ground):
    ground.start_daemon()
    job_id = ground.submit_and_start()
    ground.pass_time(60)
    ground.kill_daemon()
    ground.pass_time(5)
    for worker in ground.machine.workers.values():
        ground.do(worker.kill)
    ground.pass_time(7200)
    ground.start_daemon()
    ground.pass_time(5)
    lost = ground.store.instances(active_only=False)[0]
    assert ground.attempt(job_id).reason is Reason.INSTANCE_LOST
    assert 50 < held(ground.attempt(job_id)) < 70
    assert 50 < seconds(lost.created_tick, lost.stopped_tick) < 70
    ground.drain()
    assert wrong_books(ground.store) == []


def test_what_went_with_the_machine_ended_when_it_was_last_seen(ground):
    ground.pass_time(50_000)  # ticks of this boot are far beyond those of the next
    ground.start_daemon()
    done, job_id = ground.submit_and_start(), ground.submit_and_start()
    ground.pass_time(61)
    ground.let_succeed(done)
    ground.pass_time(2)  # it ended after the last look at the instance
    ground.kill_daemon()
    ground.restart_machine()
    ground.pass_time(7200)
    ground.start_daemon()
    ground.pass_time(5)
    lost = ground.store.instances(active_only=False)[0]
    assert ground.attempt(job_id).reason is Reason.INSTANCE_LOST
    assert 55 < held(ground.attempt(job_id)) < 70
    assert lost.boot == "boot-1" and 60 < seconds(lost.created_tick, lost.stopped_tick) < 70
    ground.pass_time(60)
    again = ground.store.instances()[-1]
    assert (again.boot, again.created_tick < 10**6) == ("boot-2", True)
    ground.drain()
    assert wrong_books(ground.store) == []


def test_what_was_set_when_an_instance_was_started_stays_its_price(ground):
    ground.chosen["prices"] = replace(PriceList(), windows=parse_price_windows("00:00-23:59=3", where="cost.hours"))
    ground.start_daemon()
    job_id = ground.submit_and_start(slots=2)
    ground.kill_daemon()
    ground.chosen["prices"] = PriceList()
    ground.start_daemon()
    ground.pass_time(8)
    ground.let_succeed(job_id)
    ground.pass_time(1)
    ground.drain()
    paid = ground.attempt(job_id)
    assert paid.cost_nanodollars == pytest.approx(held(paid) * 3 * 0.144 / 3600 * 1e9, rel=1e-6)
    assert wrong_books(ground.store) == []
