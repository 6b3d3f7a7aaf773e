"""What only the passing of time makes due in the store: done now and then, and again at once while there is more."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Protocol

from pitchey_cli.daemon.node import Node


class Due(Protocol):
    """A method of the store that does what is due."""

    def __call__(self, *, now: datetime) -> object:
        """Whether, or how much of it, there was: there may be more than one call does."""


class Sweep:
    """One such look, kept to its times."""

    def __init__(self, node: Node, changed: asyncio.Event, due: Due) -> None:
        self._node = node
        self._changed = changed
        self._due = due
        self._look_at = 0.0  # monotonic

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self._node.clock.monotonic() >= self._look_at

    async def look(self) -> None:
        """Do what is due, if it is time to look."""
        if not self.is_due:
            return
        now = self._node.clock.monotonic()
        found = await self._node.call(self._due, now=self._node.clock.now())
        self._look_at = now + (0.0 if found else self._node.config.poll_seconds)
        if found:
            self._changed.set()
