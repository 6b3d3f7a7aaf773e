"""The lease of a node: kept by beats, and what follows when it has run out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pitchey_cli.daemon.executions import Executions
from pitchey_cli.daemon.membership import Membership
from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.errors import logged
from pitchey_cli.domain.nodes import BEATS_PER_LEASE
from processors.vocabulary import Reason

_LEAST_WAIT = 0.01  # seconds: a timer may go off a little early, and is set anew then


class Lease:
    """Of one node, and of the attempts that run on it."""

    def __init__(self, node: Node, membership: Membership, executions: Executions, changed: asyncio.Event) -> None:
        self._node, self._membership = node, membership
        self._executions, self._changed = executions, changed
        self._lapse: asyncio.TimerHandle | None = None

    async def keep(self) -> None:
        """Let the other nodes know that this one lives, and take over from those that do not."""
        try:
            for said in await self._membership.keep():
                self._node.report(said)
                self._changed.set()
        finally:
            self._look()

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Go on beating meanwhile: for what may take longer than a lease, and comes before the ticks or after them."""
        beats = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beats.cancel()
            await asyncio.wait([beats])

    async def _beat(self) -> None:
        while True:
            try:
                await self.keep()
            except Exception as error:  # as in a tick: the database may be back the next time
                self._node.report(f"keep failed: {logged(error)}")
            await asyncio.sleep(self._node.config.lease_seconds / BEATS_PER_LEASE / 2)

    def _look(self) -> None:
        """When the lease has run out others may be at work at the same: what has not ended yet is not worth ending.

        The end of the lease has a timer: each step of a tick waits for a database that does not answer, all of them
        together for longer than a lease.
        """
        if self._lapse is not None:
            self._lapse.cancel()
            self._lapse = None
        membership = self._membership
        if not membership.is_lapsed:
            left = max(membership.lease_left, _LEAST_WAIT)
            self._lapse = asyncio.get_running_loop().call_later(left, self._look)
        elif membership.others:
            for each in self._executions.running:
                self._executions.end(each.token, Reason.INTERRUPTED)
