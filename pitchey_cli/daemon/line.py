"""How an instance is reached: its worker over a Unix socket, or its porter over TLS where no files are shared."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pitchey_cli.domain.errors import EngineError, InstanceGone
from processors import protocol

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Address = tuple[str, int]  #: host, port

_CONNECT_SECONDS = 10.0


class Line(Protocol):
    """Opens connections to one instance."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """What goes with every request."""

    async def open(self) -> Streams:
        """Connect.

        Raises:
            InstanceGone: nobody is there.
        """

    def close(self) -> None:
        """Let go of what it holds. May be called twice."""


class SocketLine:
    """To the worker's socket in its run directory.

    A Unix socket's path may have 107 bytes, and state directories are often deeper: so the socket is reached through
    a descriptor of its directory, by way of /proc/self/fd.
    """

    headers: Sequence[tuple[str, str]] = (("Host", "worker"),)

    def __init__(self, run_dir: Path) -> None:
        self._directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY)

    async def open(self) -> Streams:
        """Connect."""
        try:
            return await asyncio.open_unix_connection(self._socket())
        except OSError as error:
            raise InstanceGone(f"The worker does not answer: {error!r}.") from error

    def close(self) -> None:
        """Let go of the directory. May be called twice: the number may be another file's by then."""
        descriptor, self._directory = self._directory, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _socket(self) -> str:
        path = f"/proc/self/fd/{self._directory}/{protocol.SOCKET_NAME}"
        # The instance owns this directory: a link in it could lead to any socket of the host.
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise InstanceGone("There is no socket where the worker's should be.")
        return path


class PorterLine:
    """To the porter, over TLS, with the secret that it takes."""

    def __init__(self, find: Callable[[], Address], secret: str, known: ssl.SSLContext) -> None:
        """Connect to nothing yet.

        Args:
            find: asks the engine where the porter listens; blocks.
            known: takes nobody else for it.
        """
        self.headers: Sequence[tuple[str, str]] = (("Host", "porter"), ("Authorization", f"Bearer {secret}"))
        self._find, self._known = find, known
        self._found: Address | None = None

    async def open(self) -> Streams:
        """Connect."""
        try:
            if self._found is None:
                self._found = await asyncio.to_thread(self._find)
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await asyncio.open_connection(*self._found, ssl=self._known, server_hostname="")
        except (OSError, EngineError) as error:  # TimeoutError is an OSError
            self._found = None  # an engine that was started anew has another port for it
            raise InstanceGone(f"The porter does not answer: {error!r}.") from error

    def close(self) -> None:
        """There is nothing to let go of."""


class LostLine:
    """To a porter that nobody can be sure of any more: it opens no connection."""

    headers: Sequence[tuple[str, str]] = ()

    def __init__(self, why: str) -> None:
        self._why = why

    async def open(self) -> Streams:
        """Refuse."""
        raise InstanceGone(self._why)

    def close(self) -> None:
        """There is nothing to let go of."""
