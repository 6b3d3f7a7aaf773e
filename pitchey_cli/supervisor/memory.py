"""The memory of an instance, shared out among the slots that have a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Memory:
    """Holds what is taken below what there is. The host gives an instance no more jobs than fit: this is a fence."""

    def __init__(self, size: int) -> None:
        """Begin with all of it free.

        Args:
            size: bytes.
        """
        self.size = size
        self.taken = 0
        self._given_back = asyncio.Condition()

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[None]:
        """Hold some of it, once there is as much; whoever wants more than there is has it alone."""
        async with self._given_back:
            await self._given_back.wait_for(lambda: not self.taken or self.taken + size <= self.size)
            self.taken += size
        try:
            yield
        finally:
            self.taken -= size
            # Without waiting: this may be the end of a task that was cancelled.
            asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._given_back:
            self._given_back.notify_all()
