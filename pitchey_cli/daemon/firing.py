"""Recurring schedules in the daemon: it looks when the next one is due, and has its jobs submitted in a thread."""

from __future__ import annotations

import asyncio

from pitchey_cli.daemon.node import Node


class Firing:
    """The schedules of one node."""

    def __init__(self, node: Node, changed: asyncio.Event) -> None:
        self._node = node
        self._changed = changed
        self._look_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def begin_if_due(self) -> None:
        """Begin, if a schedule is due and the last look has ended. A `pitchey run` leaves schedules to the daemon."""
        node, now = self._node, self._node.clock.monotonic()
        if node.config.is_foreground or now < self._look_at or (self._task is not None and not self._task.done()):
            return
        self._look_at = now + node.config.poll_seconds
        due_at = await node.call(node.store.next_firing)
        if due_at is not None and due_at <= node.clock.now():
            self._task = asyncio.create_task(self._noting_failure())

    async def _noting_failure(self) -> None:
        try:
            for line in await asyncio.to_thread(lambda: list(self._node.fire())):
                self._node.report(line)
        except Exception as error:  # the next look tries again
            self._node.report(f"schedules could not be served: {error!r}")
        self._changed.set()
