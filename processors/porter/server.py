"""TLS, with a secret that whoever asks has to know; ends when it is told to, or when nobody needs it any more."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import signal
import socket
import ssl
import time
from collections.abc import Callable
from typing import cast

from processors.porter.routes import PorterRoutes
from processors.worker.attempt import INTERRUPTED
from processors.worker.attempts import Attempts
from processors.worker.http import Connection

_MOST_CONNECTIONS = 256  # those that have not shown yet that they know anything are among them
_HANDSHAKE_SECONDS = 10.0
_STOP_GRACE_SECONDS = 5.0
_LAST_WORDS_SECONDS = 1.0


def admits(secret: str) -> Callable[[bytes], bool]:
    """Whether an Authorization is this secret's; how long that takes says nothing of it."""
    expected = b"Bearer " + secret.encode()

    def admit(authorization: bytes) -> bool:
        return hmac.compare_digest(authorization, expected)

    return admit


async def serve(
    listening: socket.socket,
    known: ssl.SSLContext,
    secret: str,
    made: Callable[[asyncio.TaskGroup], tuple[Attempts, PorterRoutes]],
    *,
    idle_exit: float,
) -> None:
    """Serve until TERM, or until nothing has run and nobody has asked for so many seconds.

    Args:
        known: has the key by which whoever asks knows this porter.
        made: makes the table of attempts, whose tasks belong to the group, and the routes to it.
        idle_exit: 0 is never.
    """
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    admit = admits(secret)
    connections: dict[asyncio.Task[None], Connection] = {}
    async with asyncio.TaskGroup() as tasks:
        attempts, routes = made(tasks)

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(connections) >= _MOST_CONNECTIONS:
                writer.transport.abort()
                return
            cast(asyncio.Transport, writer.transport).pause_reading()  # what comes is for TLS to read
            connection = Connection(reader, writer, admit)

            async def converse() -> None:
                if await _is_secured(writer, known):
                    await connection.serve(routes.answer)

            task = asyncio.create_task(converse())
            connections[task] = connection
            task.add_done_callback(connections.pop)

        server = await asyncio.start_server(connected, sock=listening)
        while not told_to_stop.is_set():
            rest = max(routes.last_request, attempts.last_ended) + idle_exit - time.monotonic()
            rest = idle_exit if attempts.running else rest
            if idle_exit and rest <= 0:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told_to_stop.wait(), rest if idle_exit else None)
        attempts.stop_all(INTERRUPTED, _STOP_GRACE_SECONDS)
    server.close()
    for connection in connections.values():
        connection.end()
    if answering := [task for task, connection in connections.items() if connection.is_answering]:
        await asyncio.wait(answering, timeout=_LAST_WORDS_SECONDS)


async def _is_secured(writer: asyncio.StreamWriter, known: ssl.SSLContext) -> bool:
    try:
        await writer.start_tls(known, ssl_handshake_timeout=_HANDSHAKE_SECONDS)
    except OSError:  # it speaks something else, too slowly, or no more
        writer.transport.abort()
        return False
    return True
