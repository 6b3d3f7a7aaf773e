"""A node whose database does not answer: what it still does, and until when. Scripted engine and time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.daemon import recovery
from pitchey_cli.daemon.loop import Loop
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import StoreError, UsageError
from pitchey_cli.domain.job import InstanceState, JobId, JobState, NewJob
from pitchey_cli.domain.nodes import BEATS_PER_LEASE, NodeFacts, NodeRecord, Room, Watch
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.writer import Writer
from processors.vocabulary import Service
from tests.resources.books import INSTANCE
from tests.resources.scripted_engine import ScriptedEngine
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import make_node, open_store, service, store_on_server
from tests.resources.scripted_time import CountingWriter

LEASE_SECONDS = 30.0


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path, {Service.VIDEO: service(Service.VIDEO, slots=3)})
    ground.start_daemon()
    yield ground
    ground.end()


def enter_another(ground: Ground) -> None:
    facts = NodeFacts("other", "1.0", 1, "docker", (Service.VIDEO,), lease_seconds=1000.0)
    ground.store.enter("zz", facts, Room(), now=ground.clock.now())


@contextmanager
def silent_database(ground: Ground) -> Iterator[None]:
    """The daemon's one thread for the database waits for an answer, and time passes meanwhile."""
    assert ground.daemon is not None
    answer, writer = threading.Event(), ground.daemon.writer
    waiting = Writer.call(writer, answer.wait)
    ground.do(lambda: asyncio.ensure_future(waiting))
    ground.world.writer = None
    try:
        yield
    finally:
        ground.world.writer = writer
        answer.set()


def test_a_daemon_that_finds_instances_hung_is_not_taken_for_dead_meanwhile(tmp_path: Path) -> None:
    ground = Ground(tmp_path, {Service.VIDEO: service(Service.VIDEO, slots=1, instances=3)})
    ground.start_daemon()
    for _ in range(3):
        ground.submit()
    ground.pass_time(120.0)
    assert len(ground.machine.workers) == 3
    ground.kill_daemon()
    for worker in ground.machine.workers.values():
        worker.freeze()
    watch, gone = Watch(), list[NodeRecord]()

    async def look() -> None:
        while True:
            gone.extend(watch.look(ground.store.nodes(), ground.clock.monotonic()))
            await asyncio.sleep(1.0)

    looking = ground.world.create_task(look())
    began = ground.clock.monotonic()
    try:
        ground.start_daemon()
        assert ground.clock.monotonic() - began > LEASE_SECONDS, "the test is about a start that takes longer"
        assert not gone
    finally:
        looking.cancel()
        ground.end()


def is_worked_at(ground: Ground, token: str) -> bool:
    attempt = ground.machine.attempts.get(token)
    return attempt is not None and attempt._stopped_by is None


def test_what_others_may_be_at_work_at_is_ended_when_the_lease_is_over_and_not_when_the_database_answers_again(
    ground: Ground,
) -> None:
    job_id = ground.submit_and_start()
    enter_another(ground)
    ground.pass_time(LEASE_SECONDS)  # it has seen the other
    with silent_database(ground):
        ground.pass_time(LEASE_SECONDS / 2)
        assert is_worked_at(ground, f"{job_id}.1")
        ground.pass_time(LEASE_SECONDS)
        assert not is_worked_at(ground, f"{job_id}.1")
    ground.pass_time(1.0)


def test_a_node_that_is_alone_works_on_for_as_long_as_the_database_is_away(ground: Ground) -> None:
    job_id = ground.submit_and_start()
    with silent_database(ground):
        ground.pass_time(3 * LEASE_SECONDS)
        assert is_worked_at(ground, f"{job_id}.1")


def test_an_instance_of_which_nobody_knows_whether_it_was_recorded_is_not_left_in_the_books(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ground.daemon is not None
    call, unsure = ground.daemon.writer.call, ["add_instance"]

    async def call_and_lose_the_answer(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        found = await call(fn, *args, **kwargs)
        if fn.__name__ in unsure:
            unsure.clear()
            raise StoreError("It has gone away in the middle of a commit, and whether it was one is not known.")
        return found

    monkeypatch.setattr(ground.daemon.writer, "call", call_and_lose_the_answer)
    job_id = ground.submit()
    ground.pass_time(60.0)
    assert not unsure and is_worked_at(ground, f"{job_id}.1")
    first, second = ground.store.instances(active_only=False)
    assert (first.state, second.state) == (InstanceState.LOST, InstanceState.READY)
    assert ground.daemon.loop.pools.instance_ids() == {second.id}


def test_a_node_whose_clock_is_wrong_says_so_and_gives_up_nobody_s_job_for_its_date(
    tmp_path: Path, postgres_store_url: str
) -> None:
    store_on_server(tmp_path, postgres_store_url)
    ground = Ground(tmp_path, {Service.VIDEO: service(Service.VIDEO, slots=1)}, most_apart_seconds=60.0)
    try:
        late = NewJob(JobId("late"), Service.CODE, {}, expires_at=ground.clock.now() + timedelta(seconds=5))
        ground.store.enqueue([late], now=ground.clock.now())
        ground.start_daemon()
        ground.submit_and_start()  # what does not go by the date goes on
        ground.pass_time(20.0)
        assert len([line for line in ground.log if "behind that of the database's server" in line]) == 1
        assert ground.store.job(late.id).state is JobState.QUEUED
        there = ground.store.time_there()
        assert there is not None
        ground.clock.wall_seconds = (there - ground.clock.now()).total_seconds()
        ground.pass_time(20.0)
        assert ground.log.count("the clock of this machine is right again") == 1
        assert ground.store.job(late.id).state is JobState.DEAD
    finally:
        ground.end()


@contextmanager
def copy_of(ground: Ground) -> Iterator[Loop]:
    """A daemon that is about to begin."""
    writer = ground.world.writer = CountingWriter(open_store(layout.database(ground.state_dir)))
    engine, services = ScriptedEngine(ground.machine), ground.services
    node = make_node(ground.state_dir, engine, writer, ground.clock, services, QueuePolicy(), ground.log.append)
    try:
        yield Loop(node, "a label")
    finally:
        ground.world.writer = None
        writer.close()


def test_a_copy_of_a_state_directory_is_refused_while_the_other_node_works_and_ends_nothing_of_it(
    tmp_path: Path, postgres_store_url: str
) -> None:
    store_on_server(tmp_path, postgres_store_url)
    ground = Ground(tmp_path, {Service.VIDEO: service(Service.VIDEO, slots=1)})
    facts = NodeFacts("original", "1.0", 1, "docker", (Service.VIDEO,), lease_seconds=LEASE_SECONDS)
    under = ground.store.enter("here", facts, Room(), now=ground.clock.now())
    ground.store.add_instance(replace(INSTANCE, node="here", boot="another machine's"), under=under)

    async def live() -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / BEATS_PER_LEASE)
            ground.store.beat(under, Room(), now=ground.clock.now())

    original = ground.world.create_task(live())
    try:
        with copy_of(ground) as copy, pytest.raises(UsageError, match="under the id of this node"):
            ground.world.run_until_complete(recovery.take_over(copy))
        assert ground.store.beat(under, Room(), now=ground.clock.now())
        assert [each.id for each in ground.store.instances()] == [INSTANCE.id]
    finally:
        original.cancel()
        ground.end()


def test_whoever_is_dead_under_the_id_and_under_the_name_of_a_node_is_looked_at_once(
    tmp_path: Path, postgres_store_url: str
) -> None:
    store_on_server(tmp_path, postgres_store_url)
    ground = Ground(tmp_path, {Service.VIDEO: service(Service.VIDEO, slots=1)})
    facts = NodeFacts("here", "1.0", 1, "docker", (Service.VIDEO,), lease_seconds=LEASE_SECONDS)
    under = ground.store.enter("here", facts, Room(), now=ground.clock.now())
    ground.store.add_instance(replace(INSTANCE, node="here", boot="before the power cut"), under=under)
    ground.store.enter("zz", facts, Room(), now=ground.clock.now())
    began = ground.clock.monotonic()
    try:
        with copy_of(ground) as daemon:
            ground.world.run_until_complete(recovery.take_over(daemon))
        assert LEASE_SECONDS / 2 < ground.clock.monotonic() - began < LEASE_SECONDS
        assert ground.store.node("here") is not None and ground.store.node("nobody") is None
    finally:
        ground.end()
