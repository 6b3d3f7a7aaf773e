"""Workers that hang for a while and wake, or die alone: what they were at is no other attempt's meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.domain.job import JobId, JobState, NewJob
from pitchey_cli.domain.turns import QueuePolicy
from processors.protocol import Reason, Service
from tests.resources.scripted_engine import Machine
from tests.resources.scripted_node import Daemon, open_store, service
from tests.resources.scripted_time import ScriptedClock, ScriptedLoop

SERVICES = {Service.VIDEO: service(Service.VIDEO, slots=3)}
GIVEN_UP_SECONDS = 40.0  # the worker's answer to a request is waited for, and to the next one


@pytest.fixture
def world():
    world = ScriptedLoop(ScriptedClock())
    yield world
    world.close()


def test_an_attempt_that_was_given_up_does_not_run_on_when_its_instance_wakes(
    world: ScriptedLoop, tmp_path: Path
) -> None:
    async def machine() -> Machine:
        return Machine()

    store = open_store(layout.database(tmp_path))
    engine = world.run_until_complete(machine())
    daemon = Daemon(world, engine, tmp_path, SERVICES, QueuePolicy(), lambda _: None)

    def submit(name: str) -> None:
        job = NewJob(JobId(name), Service.VIDEO, {"attempts": ["hold"]}, timeout_seconds=600.0)
        store.enqueue([job], now=world.clock.now())
        daemon.loop.changed.set()

    submit("first")  # keeps the instance from being discarded
    world.pass_time(1.0)
    (worker,) = engine.workers.values()
    worker.freeze()
    submit("second")
    world.pass_time(0.1)
    assert store.job(JobId("second")).state is JobState.RUNNING
    while store.job(JobId("second")).token == "second.1":
        assert world.clock.seconds < GIVEN_UP_SECONDS
        world.pass_time(0.1)
    world.run_until_complete(asyncio.sleep(0, worker.thaw()))
    world.pass_time(1.0)
    assert "first.1" in engine.attempts
    assert "second.1" not in engine.attempts
    daemon.drain()
    store.close()


def test_a_job_waits_again_only_when_the_programs_of_its_dead_worker_have_ended(
    world: ScriptedLoop, tmp_path: Path
) -> None:
    async def machine() -> Machine:
        return Machine()

    store = open_store(layout.database(tmp_path))
    engine = world.run_until_complete(machine())
    daemon = Daemon(world, engine, tmp_path, SERVICES, QueuePolicy(), lambda _: None)
    store.enqueue([NewJob(JobId("first"), Service.VIDEO, {"attempts": ["hold"]})], now=world.clock.now())
    world.pass_time(1.0)
    (worker,) = engine.workers.values()
    world.run_until_complete(asyncio.sleep(0, worker.die()))
    assert engine.left_behind == {"first.1"}
    while store.job(JobId("first")).state is JobState.RUNNING:
        world.pass_time(0.001)
    assert not engine.left_behind
    daemon.drain()
    store.close()


def test_an_attempt_whose_events_break_off_costs_its_neighbours_nothing(world: ScriptedLoop, tmp_path: Path) -> None:
    async def machine() -> Machine:
        return Machine()

    store = open_store(layout.database(tmp_path))
    engine = world.run_until_complete(machine())
    daemon = Daemon(world, engine, tmp_path, SERVICES, QueuePolicy(), lambda _: None)
    jobs = [NewJob(JobId(name), Service.VIDEO, {"attempts": ["hold"]}) for name in ("bad", "good", "better")]
    store.enqueue(jobs, now=world.clock.now())
    world.pass_time(2.0)
    (worker,) = engine.workers.values()
    bad = worker.live["bad.1"]
    with (bad.spool.out.parent / "events.ndjson").open("a") as events:
        events.write("this is no event\n")

    async def go_on() -> None:
        bad.progress(0.5)

    world.run_until_complete(go_on())
    while store.job(JobId("bad")).state is JobState.RUNNING:
        assert set(engine.attempts) == {"bad.1", "good.1", "better.1"}
        world.pass_time(0.1)
    assert store.job(JobId("bad")).crashes == 1
    assert set(engine.attempts) == {"good.1", "better.1"}
    assert [store.job(JobId(name)).state for name in ("good", "better")] == [JobState.RUNNING] * 2
    daemon.drain()
    store.close()


def test_what_a_hung_worker_does_not_end_is_handed_back_in_time_and_does_not_go_on(
    world: ScriptedLoop, tmp_path: Path
) -> None:
    async def machine() -> Machine:
        return Machine()

    store = open_store(layout.database(tmp_path))
    engine = world.run_until_complete(machine())
    daemon = Daemon(world, engine, tmp_path, SERVICES, QueuePolicy(), lambda _: None)
    for name in ("first", "second"):
        store.enqueue([NewJob(JobId(name), Service.VIDEO, {"attempts": ["hold"]})], now=world.clock.now())
    daemon.loop.changed.set()
    world.pass_time(1.0)
    (worker,) = engine.workers.values()
    worker.freeze()
    begin = world.clock.seconds
    daemon.hand_back()
    while any(store.job(JobId(name)).state is JobState.RUNNING for name in ("first", "second")):
        assert world.clock.seconds - begin < daemon.loop.node.config.grace_seconds + 5
        world.pass_time(0.1)
    for name in ("first", "second"):
        job = store.job(JobId(name))
        assert (job.state, job.reason, job.attempts_used) == (JobState.QUEUED, Reason.INTERRUPTED, 0)
    assert not engine.attempts and not engine.left_behind
    daemon.drain()
    store.close()
