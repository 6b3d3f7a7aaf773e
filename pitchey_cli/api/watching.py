"""Tells those who wait that something was committed: one look at the database serves all of them.

Asking SQLite whether anybody has committed costs microseconds, so the look is a short poll, and there is none while
nobody waits. A server may be slow to answer, so it is asked on a thread. What has changed everybody reads for
themselves, out of the store that they may see.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pitchey_cli.api.hands import Threads
from pitchey_cli.api.problems import Refused
from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.port import Store

_LOOK_SECONDS = 0.02


class Watch:
    """Wakes whoever waits at every commit of anybody else."""

    def __init__(self, store: Store, thread: Threads | None = None) -> None:
        """Look at a database.

        Args:
            thread: where it is asked; None: on the loop.
        """
        self._store, self._thread = store, thread
        self._waiting: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set at once and at every commit; whoever has taken note clears it."""
        changed = asyncio.Event()
        changed.set()
        self._waiting.add(changed)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield changed
        finally:
            self._waiting.discard(changed)

    async def _look(self) -> None:
        seen: int | None = None
        while self._waiting:
            try:
                ask = self._store.data_version
                version = ask() if self._thread is None else await self._thread.run(ask)
            except (StoreError, Refused):  # a moment's trouble: whoever waits finds out what it is
                version = None
            if version is None or version != seen:
                seen = version
                for each in self._waiting:
                    each.set()
            await asyncio.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
        if self._thread is not None:
            self._thread.close()
        self._store.close()
