"""The alerts of a daemon: it takes the readings now and then, beside the loop, and has them judged."""

from __future__ import annotations

import asyncio
import shutil

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.readings import Surroundings, readings
from pitchey_cli.engines.port import EngineInfo

_SECONDS = 10.0
_ANSWER_SECONDS = 5.0


class EngineWatch:
    """How long the engine has not answered. One that hangs is not asked again until it does."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._asking: asyncio.Task[EngineInfo] | None = None
        self._away_since: float | None = None

    async def look(self) -> float:
        """Ask; seconds since it was found to be away, 0 when it answers."""
        now = self._node.clock.monotonic()
        if self._asking is None:
            self._asking = asyncio.create_task(asyncio.to_thread(self._node.engine.info))
        await asyncio.wait([self._asking], timeout=_ANSWER_SECONDS)
        if self._asking.done():
            error, self._asking = self._asking.exception(), None
            if error is None:
                self._away_since = None
                return 0.0
        self._away_since = now if self._away_since is None else self._away_since
        return self._node.clock.monotonic() - self._away_since


class Alerting:
    """The alerts of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._engine = EngineWatch(node)
        self._due_at = node.clock.monotonic() + _SECONDS  # a daemon that has just come knows little
        self._task: asyncio.Task[None] | None = None

    def begin_if_due(self) -> None:
        """Start a round, unless it is too early or the last one still goes on. A `pitchey run` leaves it to others."""
        node, now = self._node, self._node.clock.monotonic()
        if node.config.is_foreground or not node.config.alerts:
            return
        if now >= self._due_at and (self._task is None or self._task.done()):
            self._due_at = now + _SECONDS
            self._task = asyncio.create_task(self._noting_failure())

    async def _noting_failure(self) -> None:
        try:
            await self._round()
        except Exception as error:  # the next round tries again
            self._node.report(f"alerts could not be judged: {error!r}")

    async def _round(self) -> None:
        surroundings = Surroundings(await asyncio.to_thread(self._disk_free), await self._engine.look())
        await self._node.call(self._judge, surroundings)

    def _judge(self, surroundings: Surroundings) -> None:
        node = self._node
        facts = node.store.alert_facts(node.as_of(), node.config.queue)
        node.store.judge_alerts(node.config.alerts, readings(facts, surroundings), now=node.clock.now())

    def _disk_free(self) -> int | None:
        try:
            return shutil.disk_usage(self._node.config.state_dir).free
        except OSError:
            return None
