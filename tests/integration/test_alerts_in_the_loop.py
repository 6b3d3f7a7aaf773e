"""A daemon judges its alerts by itself, beside its work."""

from __future__ import annotations

from pathlib import Path

from pitchey_cli.domain import layout
from pitchey_cli.domain.alerts import parse_rules
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.turns import QueuePolicy
from processors.protocol import Service
from tests.resources.scripted_engine import Machine
from tests.resources.scripted_node import Daemon, open_store, service
from tests.resources.scripted_time import ScriptedClock, ScriptedLoop

RULES = parse_rules("queue_wait=60,engine_away=60,crash_loop=off", where="the test")


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
