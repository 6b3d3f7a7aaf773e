"""Bytes both ways, counted, until both sides have ended, nothing moves any more, or there have been too many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pitchey_cli.proxy.dialling import Streams

_PIECE_BYTES = 1 << 16


@dataclass(slots=True)
class Allowance:
    """Bytes that are left for all tunnels of a proxy together."""

    left: int


class TooMuch(Exception):
    """There is no allowance left."""


class Relay:
    """One tunnel."""

    def __init__(self, near: Streams, far: Streams, allowance: Allowance, idle_seconds: float) -> None:
        self.sent = 0  #: to the far side
        self.received = 0
        self._near = near
        self._far = far
        self._allowance = allowance
        self._idle_seconds = idle_seconds

    async def run(self) -> None:
        """Carry what comes, until there is an end.

        Raises:
            TooMuch: the allowance is used up.
            TimeoutError: nothing has moved, in either direction.
            OSError: a side has broken off.
        """
        try:
            async with asyncio.timeout(self._idle_seconds) as patience, asyncio.TaskGroup() as group:
                group.create_task(self._carry(self._near[0], self._far[1], patience, is_sending=True))
                group.create_task(self._carry(self._far[0], self._near[1], patience, is_sending=False))
        except ExceptionGroup as problems:
            raise problems.exceptions[0] from None

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, patience: asyncio.Timeout, *, is_sending: bool
    ) -> None:
        now = asyncio.get_running_loop().time
        while data := await source.read(_PIECE_BYTES):
            self._allowance.left -= len(data)
            if self._allowance.left < 0:
                raise TooMuch
            if is_sending:
                self.sent += len(data)
            else:
                self.received += len(data)
            sink.write(data)
            await sink.drain()
            if not patience.expired():  # else it is being ended, and cannot be put off any more
                patience.reschedule(now() + self._idle_seconds)
        if sink.can_write_eof():
            sink.write_eof()
