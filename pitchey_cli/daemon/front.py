"""A process beside the daemon that serves a socket: started with it, started again if it breaks, ended with it.

The socket is the daemon's: it is there before the process and stays while that is started again, so whoever connects
meanwhile waits a moment and is not refused. The process hears of the daemon through a pipe to its standard input. That
ends when the daemon does, even by kill -9, and no process is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pitchey_cli.domain.errors import DaemonError, Denied
from pitchey_cli.domain.listening import Address

_BACKLOG = 512
_AGAIN_SECONDS = (0.2, 1.0, 5.0, 30.0)  # after the first, the second, ... break
_STEADY_SECONDS = 60.0  # one that ran for so long has not broken again, but anew
_END_SECONDS = 10.0  # it answers what it has begun to answer, and ends; then it is killed
_LOOK_SECONDS = 0.05
_BIND_SECONDS = 10.0  # for the front of a daemon that was killed to let go of the address
_DRAIN = b"drain\n"


async def listen(address: Address) -> tuple[socket.socket, Address]:
    """Open a socket that listens, and say where: port 0 has become a real one.

    Raises:
        Denied: the address may not be taken.
        DaemonError: it is taken by somebody else, or is none of this machine's.
    """
    deadline = asyncio.get_running_loop().time() + _BIND_SECONDS
    while True:
        try:
            return _listen(address)
        except PermissionError as error:
            text = f"{address} may not be listened on: {error.strerror}."
            raise Denied(text, hint="Take a port above 1023.") from error
        except OSError as error:
            may_end = error.errno == errno.EADDRINUSE and _may_be_a_daemons(address)
            if not may_end or asyncio.get_running_loop().time() >= deadline:
                text = f"{address} cannot be listened on: {error.strerror}."
                raise DaemonError(text, hint="--api takes another address.") from error
        await asyncio.sleep(_LOOK_SECONDS)


def _may_be_a_daemons(address: Address) -> bool:
    return not address.path or Path(address.path).is_socket()


def _listen(address: Address) -> tuple[socket.socket, Address]:
    if address.path:
        opened = socket.socket(socket.AF_UNIX)
        _remove_stale(Path(address.path))
        before = os.umask(0o177)  # the file is its owner's alone from its first moment
        try:
            opened.bind(address.path)
        finally:
            os.umask(before)
    else:
        opened = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Head and body of an answer are two writes: without this the second may wait 40 ms for word of the first.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.bind((address.host, address.port))
        address = replace(address, port=opened.getsockname()[1])
    opened.listen(_BACKLOG)
    return opened, address


def _remove_stale(path: Path) -> None:
    """Remove the socket of a daemon that was killed; one that somebody serves stays, and is in the way."""
    with contextlib.suppress(FileNotFoundError):
        if not path.is_socket():
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()


@dataclass
class Front:
    """The process, and the socket that it serves."""

    command: Sequence[str]  #: without the descriptor and the address, which come behind
    listener: socket.socket
    address: Address
    report: Callable[[str], None]
    _process: asyncio.subprocess.Process | None = None
    _is_draining: bool = False
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have it run."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            self._ending.set()
            await self._end()
            await keeping
            self.listener.close()
            self._forget_path()

    def _forget_path(self) -> None:
        if self.address.path:
            Path(self.address.path).unlink(missing_ok=True)

    def drain(self) -> None:
        """Tell it that the daemon takes nothing new."""
        self._is_draining = True
        self._tell()

    def _tell(self) -> None:
        if self._is_draining and self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(_DRAIN)

    async def _keep(self) -> None:
        """Start it, and start it again when it breaks."""
        loop, broken = asyncio.get_running_loop(), 0
        while not self._ending.is_set():
            began = loop.time()
            process = await self._start()
            if self._ending.is_set():  # while it was being started
                await self._end()
            code = await process.wait()
            if self._ending.is_set():
                return
            broken = 0 if loop.time() - began > _STEADY_SECONDS else broken
            pause = _AGAIN_SECONDS[min(broken, len(_AGAIN_SECONDS) - 1)]
            broken += 1
            self.report(f"the API ended with {code}; it is started again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)

    async def _start(self) -> asyncio.subprocess.Process:
        where = [self.address.path] if self.address.path else [self.address.host, str(self.address.port)]
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            str(self.listener.fileno()),
            *where,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=[self.listener.fileno()],
        )
        self._tell()
        return self._process

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            process.kill()
