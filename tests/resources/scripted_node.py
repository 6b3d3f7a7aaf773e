"""A whole daemon in the test: the real loop, pools, executions, writer and store, on the scripted engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon import recovery
from pitchey_cli.daemon.loop import Loop
from pitchey_cli.daemon.node import Node, NodeConfig, ServiceConfig
from pitchey_cli.domain import layout
from pitchey_cli.domain.capacity import CapacityPolicy
from pitchey_cli.domain.clock import Clock
from pitchey_cli.domain.decision import PoolSettings
from pitchey_cli.domain.limits import INSTANCE_TYPES
from pitchey_cli.domain.retention import RetentionPolicy
from pitchey_cli.domain.retry import RetryPolicy
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.port import Store
from pitchey_cli.store.postgres import PostgresStore
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.store.writer import Writer
from processors.protocol import Service
from tests.resources.scripted_engine import Machine, ScriptedEngine
from tests.resources.scripted_time import CountingWriter, Life, ScriptedLoop

DRAIN_SECONDS = 10.0


def service(name: Service, *, slots: int, instances: int = 1, sleep_after_seconds: float = 60.0) -> ServiceConfig:
    """A service as a test has it."""
    return ServiceConfig(
        service=name,
        image="scripted",
        instance_type="standard-2",
        limits=INSTANCE_TYPES["standard-2"],
        slots=slots,
        price_per_hour=0.144,
        pool=PoolSettings(sleep_after_seconds, 0, instances),
        retry=RetryPolicy(),
    )


def make_node(
    state_dir: Path,
    engine: ScriptedEngine,
    writer: Writer,
    clock: Clock,
    services: Mapping[Service, ServiceConfig],
    queue: QueuePolicy,
    report: Callable[[str], None],
    poll_seconds: float = 5.0,
    **chosen: Any,
) -> Node:
    """A node of these services; what is chosen else of its configuration goes by its name."""
    config = NodeConfig(
        state_dir=state_dir,
        services=services,
        queue=queue,
        capacity=chosen.pop("capacity", CapacityPolicy()),
        retention=RetentionPolicy(),
        poll_seconds=poll_seconds,
        lease_seconds=30.0,
        drain_seconds=DRAIN_SECONDS,
        grace_seconds=2.0,
        output_limit_bytes=10**6,
        instance_user=(0, 0),
        **chosen,
    )
    artifacts = LocalArtifacts(layout.artifacts(state_dir))
    dice = random.Random(1).random
    return Node(
        config, writer.store, writer, engine, engine.info(), artifacts, _no_url, _no_schedule, clock, dice, report
    )


def _no_schedule(**_: object) -> NoReturn:
    raise AssertionError("no schedule is ever due here")


def _no_url(*_: object, **__: object) -> NoReturn:
    raise AssertionError("no job here has a URL")


_URL = "store.url"  # a file in the state directory


class Daemon:
    """A daemon on a scripted loop, which can be drained, or killed."""

    def __init__(
        self,
        world: ScriptedLoop,
        machine: Machine,
        state_dir: Path,
        services: Mapping[Service, ServiceConfig],
        queue: QueuePolicy,
        report: Callable[[str], None],
        **chosen: Any,
    ) -> None:
        store = open_store(layout.database(state_dir))
        self.writer = world.writer = CountingWriter(store)
        self._world = world
        self._engine = ScriptedEngine(machine)
        node = make_node(state_dir, self._engine, self.writer, world.clock, services, queue, report, **chosen)
        self.loop = Loop(node, layout.label(store.state_id(), state_dir))
        self._is_ready, self._stop, self._at_once = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._life = Life(world, self._serve())
        world.run_until_complete(self._is_ready.wait())

    async def _serve(self) -> None:
        """What process.serve does, without its signals and its socket."""
        await recovery.take_over(self.loop)
        await self.loop.take_up()
        self._is_ready.set()
        await recovery.run(self.loop, self._stop)
        self.loop.firing.stop()
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._at_once.set)
        await self.loop.finish_running(at_once=self._at_once, grace_seconds=lambda: self.loop.node.config.grace_seconds)
        await self.loop.stop_instances(why="the daemon stops")
        await self.loop.leave()

    def hand_back(self) -> None:
        """Let it end as a second TERM does, without waiting for that."""
        self._at_once.set()
        self._stop.set()

    def drain(self) -> None:
        """Let it end as TERM does, and wait until it has."""
        self._stop.set()
        self._world.run_until_complete(self._life.main)
        self.kill()

    def kill(self) -> None:
        """End it as KILL does: its hands are tied first, so that nothing it does on its way out is felt."""
        self._engine.cut()
        self.writer.close()
        self._life.end()
        self._world.writer = None


def store_on_server(state_dir: Path, url: str) -> None:
    """Have the store of a state directory on a server."""
    (state_dir / _URL).write_text(url)


def open_store(path: Path) -> Store:
    """Open a database, or the one on a server that was chosen; nobody pulls the plug here."""
    chosen = path.with_name(_URL)
    if chosen.exists():
        return PostgresStore.open(chosen.read_text())
    store = SqliteStore.open(path)
    store._db.run("PRAGMA synchronous = OFF")
    return store
