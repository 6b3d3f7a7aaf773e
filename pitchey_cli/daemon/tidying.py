"""What a daemon tidies up by itself, and how often. The loop asks at every tick; the work is a task of its own."""

from __future__ import annotations

import asyncio

from pitchey_cli.daemon import strays
from pitchey_cli.daemon.housekeeping import Housekeeping
from pitchey_cli.daemon.node import Node

_SECONDS = 300.0
_FILES_SECONDS = 3600.0  # reads who refers to which file: seconds of work with a million jobs
_STRAYS_SECONDS = 600.0


class Tidying:
    """The tidying of one node."""

    def __init__(self, node: Node, state_id: str, in_the_books: strays.InTheBooks) -> None:
        self._node = node
        self._state_id = state_id
        self._in_the_books = in_the_books
        self._due_at = 0.0
        self._files_at = 0.0
        self._strays_at = node.clock.monotonic() + _STRAYS_SECONDS  # recovery has looked at the start
        self._task: asyncio.Task[None] | None = None

    def begin_if_due(self) -> None:
        """Start a round, unless it is too early or the last one still goes on."""
        now = self._node.clock.monotonic()
        if now >= self._due_at and (self._task is None or self._task.done()):
            self._due_at = now + _SECONDS
            self._task = asyncio.create_task(self._noting_failure(now))

    async def _noting_failure(self, now: float) -> None:
        try:
            await self._round(now)
        except Exception as error:  # the next round tries again
            self._node.report(f"tidy failed: {error!r}")

    async def _round(self, now: float) -> None:
        node = self._node
        await node.call(node.store.tidy_queue, now=node.clock.now())
        if node.config.is_foreground:  # somebody waits for a job, and has asked for nothing else
            return
        if now >= self._strays_at:
            self._strays_at = now + _STRAYS_SECONDS
            await strays.remove_containers(node, self._state_id, self._in_the_books)
            await strays.remove_directories(node, self._in_the_books)
        with_files = now >= self._files_at
        if with_files:
            self._files_at = now + _FILES_SECONDS
        config = node.config
        keeper = Housekeeping(node.store, node.writer, node.artifacts, config.state_dir, config.retention, node.clock)
        pruned = await keeper.prune(with_files=with_files)
        if pruned.is_something:
            node.report(f"pruned: {pruned.summary()}")
