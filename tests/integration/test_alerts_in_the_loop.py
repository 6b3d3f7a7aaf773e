"""A daemon judges its alerts by itself, beside its work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pitchey_cli.domain import layout
from pitchey_cli.domain.alerts import parse_rules
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.nodes import BEATS_PER_LEASE, Health, NodeFacts, Room
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.port import Store
from processors.protocol import Service
from tests.resources.scripted_engine import Machine
from tests.resources.scripted_node import Daemon, open_store, service
from tests.resources.scripted_time import ScriptedClock, ScriptedLoop

RULES = parse_rules("queue_wait=60,engine_away=60,crash_loop=off", where="the test")


@contextmanager
def other_node(world: ScriptedLoop, store: Store, health: Health, *, lease_seconds: float = 30.0) -> Iterator[None]:
    """Another daemon on the queue, which beats for as long as this lasts, and then is dead."""
    facts = NodeFacts("other", "1.0", 1, "docker", (Service.VIDEO,), lease_seconds=lease_seconds)
    under = store.enter("zz", facts, Room(), health, now=world.clock.now())

    async def live() -> None:
        while True:
            assert store.beat(under, Room(), health, now=world.clock.now())
            await asyncio.sleep(lease_seconds / BEATS_PER_LEASE)

    living = world.create_task(live())
    yield
    living.cancel()


def test_one_node_tells_of_the_disk_and_the_engine_of_another_and_that_it_is_gone(tmp_path: Path) -> None:
    world = ScriptedLoop(ScriptedClock())

    async def machine() -> Machine:
        return Machine()

    engine = world.run_until_complete(machine())
    store = open_store(layout.database(tmp_path))
    services = {Service.VIDEO: service(Service.VIDEO, slots=1)}
    rules = parse_rules("", where="the test")
    daemon = Daemon(world, engine, tmp_path, services, QueuePolicy(), lambda _: None, alerts=rules)

    def told() -> list[tuple[str, str, str]]:
        found = [each for each in store.events(after=0) if each.type.startswith("alert_")]
        return sorted((each.type, each.data["rule"], each.data["about"]) for each in found)

    with other_node(world, store, Health(GIB, 120.0)):
        world.pass_time(60)
        fired = [("alert_fired", "disk_free", "other"), ("alert_fired", "engine_away", "other")]
        assert told() == fired
    world.pass_time(60)  # nobody is at work there any more: what it said of itself says nothing of now
    gone = [("alert_fired", "node_away", "other")]
    assert [each for each in told() if each[0] == "alert_fired"] == [*fired, *gone]
    assert [each[1] for each in told() if each[0] == "alert_resolved"] == ["disk_free", "engine_away"]
    with other_node(world, store, Health(10 * GIB, 0.0)):
        world.pass_time(30)
        assert [each[1] for each in told() if each[0] == "alert_resolved"] == ["disk_free", "engine_away", "node_away"]
        assert len(told()) == 6
    daemon.drain()
    store.close()
    world.pass_time(1.0)
    world.close()


def test_a_daemon_tells_of_an_engine_that_is_away_and_of_jobs_that_wait_and_when_it_is_over(tmp_path: Path) -> None:
    world = ScriptedLoop(ScriptedClock())

    async def machine() -> Machine:
        return Machine()

    engine = world.run_until_complete(machine())
    store = open_store(layout.database(tmp_path))
    services = {Service.VIDEO: service(Service.VIDEO, slots=1)}
    daemon = Daemon(world, engine, tmp_path, services, QueuePolicy(), lambda _: None, alerts=RULES)

    def told() -> list[tuple[str, str]]:
        found = [each for each in store.events(after=0) if each.type.startswith("alert_")]
        return [(each.type, each.data["rule"]) for each in found]

    world.pass_time(60)
    assert told() == []
    engine.is_away = True
    store.enqueue([NewJob(JobId("a"), Service.VIDEO, {})], now=world.clock.now())
    world.pass_time(40)
    assert told() == []
    world.pass_time(60)
    assert sorted(told()) == [("alert_fired", "engine_away"), ("alert_fired", "queue_wait")]
    engine.is_away = False
    world.pass_time(200)
    assert sorted(told()[2:]) == [("alert_resolved", "engine_away"), ("alert_resolved", "queue_wait")]
    daemon.drain()
    store.close()
    world.pass_time(1.0)
    world.close()
