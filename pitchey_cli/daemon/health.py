"""How this node does, as it tells the others with its beat: asked now and then, beside the loop."""

from __future__ import annotations

import asyncio

from pitchey_cli.artifacts.room import disk_free_bytes
from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.nodes import Health
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


class HealthWatch:
    """The health of one node, some seconds old. A `pitchey run` has none that anybody looks at."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._engine = EngineWatch(node)
        self._due_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._last = Health()

    def last(self) -> Health:
        """What was found last."""
        return self._last

    def begin_if_due(self) -> None:
        """Start a look, unless it is too early or the last one still goes on."""
        now = self._node.clock.monotonic()
        if self._node.config.is_foreground or now < self._due_at:
            return
        if self._task is None or self._task.done():
            self._due_at = now + _SECONDS
            self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        free = await asyncio.to_thread(disk_free_bytes, self._node.config.state_dir)
        self._last = Health(free, await self._engine.look())
