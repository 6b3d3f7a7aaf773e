"""The proxy of one slot: a Unix socket that speaks CONNECT, and every visit told to whoever keeps the job's log.

    async with EgressProxy(directory, egress, on_visit=log, upstream=find_upstream(os.environ)):
        ...  # mount the directory into the slot, run it

Nothing of it outlives the block. What comes in is a stranger's: each wait has an end, each number a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pitchey_cli.domain.egress import Egress, Target, refusal
from pitchey_cli.domain.upstream import Upstream
from pitchey_cli.proxy.dialling import Resolve, Streams, dial, dial_through, discard, resolve
from pitchey_cli.proxy.relay import Allowance, Relay, TooMuch
from pitchey_cli.proxy.request import ESTABLISHED, HEAD_BYTES, Refused, answer, read_target

MOST_VISITS_TOLD = 1000  #: a program may ask without end, and its log must not grow without end
_BACKLOG = 64
_PARTING_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """What the programs of one slot may use together."""

    connections: int = 32  #: at once
    traffic_bytes: int = 1 << 30  #: of all tunnels, both ways
    head_seconds: float = 10.0
    connect_seconds: float = 15.0
    idle_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of one connection."""

    target: Target | None  #: None where nobody could be asked for
    problem: str  #: why not, or what ended it; empty when all went well
    is_allowed: bool
    sent_bytes: int = 0
    received_bytes: int = 0
    seconds: float = 0.0

    def line(self) -> str:
        """It, as a line of the job's log."""
        where = str(self.target) if self.target else "network"
        if not self.is_allowed:
            return f"{where}: refused: {self.problem}"
        end = f"; {self.problem}" if self.problem else ""
        return f"{where}: {self.sent_bytes} bytes sent, {self.received_bytes} received in {self.seconds:.1f} s{end}"


class EgressProxy:
    """The proxy of one slot, while it is entered."""

    def __init__(
        self,
        path: Path,
        egress: Egress,
        on_visit: Callable[[Visit], object],
        *,
        upstream: Upstream | None = None,
        limits: ProxyLimits = ProxyLimits(),
        lookup: Resolve = resolve,
    ) -> None:
        """Args:
        path: of the socket, in a directory of the slot's own. Anybody who may enter that may connect.
        on_visit: called for each connection when it is over; at most MOST_VISITS_TOLD times.
        """
        self._path = path
        self._egress = egress
        self._on_visit = on_visit
        self._upstream = upstream
        self._limits = limits
        self._lookup = lookup
        self._allowance = Allowance(limits.traffic_bytes)
        self._connections: set[asyncio.Task[None]] = set()
        self._told = 0
        self._is_over = False
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        listening = _listen(self._path)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=HEAD_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None  # it was entered
        self._is_over = True
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        with contextlib.suppress(OSError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._is_over:  # it was taken as the end came
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # the slot has ended, and with it all of this
                await self._answer((reader, writer))
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _answer(self, near: Streams) -> None:
        target: Target | None = None
        try:
            if len(self._connections) > self._limits.connections:
                raise Refused(
                    503, f"there are {self._limits.connections} connections already, which is all there may be"
                )
            target = await self._target(near[0])
            far = await self._connect(target)
        except (EOFError, OSError):  # it has gone before it has asked
            return
        except Refused as refused:
            self._tell(Visit(target, refused.message, is_allowed=False))
            await _say(near[1], answer(refused))
            return
        try:
            await self._carry(target, near, far)
        finally:
            await discard(far[1])

    async def _target(self, reader: asyncio.StreamReader) -> Target:
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                return await read_target(reader)
        except TimeoutError:
            raise Refused(408, "the request did not come in time") from None

    async def _connect(self, target: Target) -> Streams:
        if problem := refusal(self._egress, target):
            raise Refused(403, problem)
        if self._allowance.left <= 0:
            raise Refused(403, f"the {self._limits.traffic_bytes} bytes that a job may send and receive are used up")
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                if self._upstream is not None and self._upstream.takes(target):
                    return await dial_through(self._upstream, target)
                return await dial(target, self._egress, self._lookup)
        except TimeoutError:
            raise Refused(504, f"{target} does not answer in {self._limits.connect_seconds:.0f} s") from None

    async def _carry(self, target: Target, near: Streams, far: Streams) -> None:
        relay = Relay(near, far, self._allowance, self._limits.idle_seconds)
        began = time.monotonic()
        problem = ""
        try:
            near[1].write(ESTABLISHED)
            await relay.run()
            for _, writer in (near, far):
                await _part(writer)
        except TooMuch:
            problem = f"ended: the {self._limits.traffic_bytes} bytes that a job may send and receive are used up"
        except TimeoutError:
            problem = f"ended: nothing has moved for {self._limits.idle_seconds:.0f} s"
        except OSError:
            problem = "a side has broken off"
        except asyncio.CancelledError:
            problem = "ended with its program"
            raise
        finally:
            self._tell(Visit(target, problem, True, relay.sent, relay.received, time.monotonic() - began))

    def _tell(self, visit: Visit) -> None:
        self._told += 1
        if self._told <= MOST_VISITS_TOLD:
            self._on_visit(visit)


def _listen(path: Path) -> socket.socket:
    """Listen on a path, which may be longer than the name of a socket: by a descriptor of its directory."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    listening = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listening.bind(f"/proc/self/fd/{directory}/{path.name}")
        path.chmod(0o666)  # in the slot it is another user who connects
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    finally:
        os.close(directory)
    return listening


async def _say(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Say the last words, and see that they leave."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PARTING_SECONDS):
            writer.write(data)
            await writer.drain()
    await _part(writer)


async def _part(writer: asyncio.StreamWriter) -> None:
    """Close a connection when what was said has left."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PARTING_SECONDS):
            writer.close()
            await writer.wait_closed()
