"""A daemon judges its alerts by itself, beside its work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.domain.alerts import Rule, parse_rules
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.nodes import BEATS_PER_LEASE, Health, NodeFacts, Room
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.port import Store
from processors.protocol import Service
from tests.resources.scripted_engine import Machine
from tests.resources.scripted_node import Daemon, open_store, service
from tests.resources.scripted_time import ScriptedClock, ScriptedLoop


@dataclass
class Ground:
    """An engine and a queue, and a daemon that judges by the rules of a test."""

    world: ScriptedLoop
    folder: Path
    machine: Machine
    store: Store
    daemons: list[Daemon] = field(default_factory=list)

    def judge(self, rules: tuple[Rule, ...]) -> None:
        """Start the daemon."""
        services = {Service.VIDEO: service(Service.VIDEO, slots=1)}
        made = Daemon(self.world, self.machine, self.folder, services, QueuePolicy(), lambda _: None, alerts=rules)
        self.daemons.append(made)

    def told(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What has been told of alerts: that they have fired or are over, and the rest of it."""
        return [(each.type, each.data) for each in self.store.events(after=0) if each.type.startswith("alert_")]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    world = ScriptedLoop(ScriptedClock())

    async def machine() -> Machine:
        return Machine()

    made = Ground(world, tmp_path, world.run_until_complete(machine()), open_store(layout.database(tmp_path)))
    yield made
    for each in made.daemons:
        each.drain()
    made.store.close()
    world.pass_time(1.0)
    world.close()


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


def test_one_node_tells_of_the_disk_and_the_engine_of_another_and_that_it_is_gone(ground: Ground) -> None:
    world, store = ground.world, ground.store
    ground.judge(parse_rules("", where="the test"))

    def told() -> list[tuple[str, str, str]]:
        return sorted((kind, data["rule"], data["about"]) for kind, data in ground.told())

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


def test_a_daemon_tells_of_an_engine_that_is_away_and_of_jobs_that_wait_and_when_it_is_over(ground: Ground) -> None:
    world = ground.world
    ground.judge(parse_rules("queue_wait=60,engine_away=60,crash_loop=off", where="the test"))

    def told() -> list[tuple[str, str]]:
        return [(kind, data["rule"]) for kind, data in ground.told()]

    world.pass_time(60)
    assert told() == []
    ground.machine.is_away = True
    ground.store.enqueue([NewJob(JobId("a"), Service.VIDEO, {})], now=world.clock.now())
    world.pass_time(40)
    assert told() == []
    world.pass_time(60)
    assert sorted(told()) == [("alert_fired", "engine_away"), ("alert_fired", "queue_wait")]
    ground.machine.is_away = False
    world.pass_time(200)
    assert sorted(told()[2:]) == [("alert_resolved", "engine_away"), ("alert_resolved", "queue_wait")]
