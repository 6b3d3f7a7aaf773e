"""The alerts of a daemon: it takes the readings now and then, beside the loop, and has them judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.errors import logged
from pitchey_cli.domain.nodes import Health
from pitchey_cli.domain.readings import Here, readings

_SECONDS = 10.0


class Alerting:
    """The alerts of a queue, as one of its nodes judges them."""

    def __init__(self, node: Node, health: Callable[[], Health]) -> None:
        """Begin with a node that has just come.

        Args:
            health: of the node, by now; that of the others is a beat old.
        """
        self._node = node
        self._health = health
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
            await self._node.call(self._judge)
        except Exception as error:  # the next round tries again
            self._node.report(f"alerts could not be judged: {logged(error)}")

    def _judge(self) -> None:
        node, now = self._node, self._node.clock.now()
        facts = node.store.alert_facts(node.as_of(), node.config.queue)
        found = readings(facts, Here(self._health(), node.identity.id), now=now)
        node.store.judge_alerts(node.config.alerts, found, now=now)
