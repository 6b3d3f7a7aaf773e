"""Recurring schedules in the daemon: it looks when the next one is due, and has its jobs submitted in a thread."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.errors import logged
from pitchey_cli.domain.recurrence import PUNCTUAL

_LOOK_AT_ALL_SECONDS = 60.0  # a clock that was ahead may have left schedules behind that never seem to be due


class Firing:
    """The schedules of one node."""

    def __init__(self, node: Node, changed: asyncio.Event) -> None:
        self._node = node
        self._changed = changed
        self._look_at = 0.0
        self._look_at_all_at = 0.0
        self._seen_at: datetime | None = None
        self._awake_since = node.clock.now()
        self._is_ending = threading.Event()  # asked by the thread
        self._task: asyncio.Task[None] | None = None

    async def begin_if_due(self) -> None:
        """Begin, if a schedule is due and the last look has ended. A `pitchey run` leaves schedules to the daemon."""
        node, now = self._node, self._node.clock.monotonic()
        if node.config.is_foreground:
            return
        self._note_presence(node.clock.now())
        if self._is_ending.is_set() or now < self._look_at or (self._task is not None and not self._task.done()):
            return
        self._look_at = now + node.config.poll_seconds
        due_at = await node.call(node.store.next_firing)
        if due_at is not None and (due_at <= node.clock.now() or now >= self._look_at_all_at):
            self._look_at_all_at = now + _LOOK_AT_ALL_SECONDS
            self._task = asyncio.create_task(self._noting_failure())

    def _note_presence(self, now: datetime) -> None:
        """A machine that slept, or a clock that jumped, is a break: what came meanwhile was missed."""
        longest = PUNCTUAL + timedelta(seconds=self._node.config.poll_seconds)
        if self._seen_at is not None and abs(now - self._seen_at) > longest:
            self._awake_since = now
        self._seen_at = now

    def stop(self) -> None:
        """Begin nothing any more, and drop what is being staged: its time stays due."""
        self._is_ending.set()

    async def ended(self) -> None:
        """Wait until nothing is being staged."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _noting_failure(self) -> None:
        def fire() -> list[str]:
            return list(self._node.fire(awake_since=self._awake_since, is_ending=self._is_ending.is_set))

        try:
            for line in await asyncio.to_thread(fire):
                self._node.report(line)
        except Exception as error:  # the next look tries again
            self._node.report(f"schedules could not be served: {logged(error)}")
        self._changed.set()
