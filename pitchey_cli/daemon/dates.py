"""What becomes of waiting jobs by the mere passing of time: they are released, called for the last time, given up."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pitchey_cli.daemon.membership import Membership
from pitchey_cli.daemon.node import Node
from pitchey_cli.daemon.sweep import Sweep
from pitchey_cli.domain.away import CAP_SECONDS


class Dates:
    """The steps of a tick that go by the date."""

    def __init__(self, node: Node, membership: Membership, changed: asyncio.Event) -> None:
        self._node, self._membership = node, membership
        self._releasing = Sweep(node, changed, node.store.release_due)
        self._calling = Sweep(node, changed, node.store.call_last)
        self._expiring = Sweep(node, changed, node.store.expire)

    async def release_due(self) -> None:
        """Queue the scheduled jobs and retries whose time has come."""
        if self._releasing.is_due:
            if not self._membership.is_clock_wrong:
                await self._bring_retries_forward()
            await self._releasing.look()

    async def _bring_retries_forward(self) -> None:
        """A clock that was ahead and has been put right must not make retries wait for the difference."""
        node = self._node
        longest = max((CAP_SECONDS, *(each.retry.cap_seconds for each in node.config.services.values())))
        wall = node.clock.now()
        await node.call(node.store.bring_retries_forward, now=wall, latest=wall + timedelta(seconds=longest))

    async def call_last(self) -> None:
        """Let those run at any price that would come too late if they went on waiting for off-peak hours."""
        await self._calling.look()

    async def expire(self) -> None:
        """Give up the waiting jobs that it is too late for."""
        await self._expiring.look()
