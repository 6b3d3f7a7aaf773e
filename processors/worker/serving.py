"""The life of a worker: it listens, answers, and ends when it is told to or when nobody needs it any more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from processors.protocol import SOCKET_NAME, Service
from processors.worker.attempt import INTERRUPTED
from processors.worker.attempts import Attempts
from processors.worker.companion import Companion
from processors.worker.http import Connection
from processors.worker.routes import Routes

_STOP_GRACE_SECONDS = 5.0  # engines give a container 10 s from TERM to KILL
_LAST_WORDS_SECONDS = 1.0  # for streams to pass on the last events


async def serve(
    service: Service,
    attempts_of: Callable[[asyncio.TaskGroup], Attempts],
    *,
    idle_exit: float,
    warm: Callable[[], None],
    companion: Companion | None = None,
) -> bool:
    """Serve on a socket in the current directory, until TERM, or until the worker has been idle for so many seconds.

    The socket is named relative to here: a path of a socket may have 107 bytes, and a state directory more.

    Args:
        attempts_of: makes the table of attempts, whose tasks belong to the group.
        idle_exit: 0 is never.
        warm: called after the first answer: whoever asked whether the worker is ready has had its answer.
        companion: started then, too.

    Returns:
        Whether it was of use: False when warming failed, because every attempt would fail for the same.
    """
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    connections: dict[asyncio.Task[None], Connection] = {}
    async with asyncio.TaskGroup() as tasks:
        attempts = attempts_of(tasks)
        routes = Routes(service, attempts, companion.loaded_models if companion else dict)
        is_warm = False
        is_of_use = True

        def answered(task: asyncio.Task[None]) -> None:
            nonlocal is_warm, is_of_use
            del connections[task]
            if not is_warm:
                is_warm = True
                try:
                    warm()
                    if companion is not None:
                        companion.start(attempts.spared)
                except Exception as error:
                    sys.stderr.write(f"The {service} service cannot work here: {error!r}.\n")
                    is_of_use = False
                    told_to_stop.set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = Connection(reader, writer)
            task = asyncio.create_task(connection.serve(routes.answer))
            connections[task] = connection
            task.add_done_callback(answered)

        server = await asyncio.start_unix_server(connected, sock=_listen())
        await _until_told_or_idle(told_to_stop, routes, attempts, idle_exit)
        attempts.stop_all(INTERRUPTED, _STOP_GRACE_SECONDS)
    if companion is not None:
        companion.end()
    server.close()
    for connection in connections.values():
        connection.end()
    if answering := [task for task, connection in connections.items() if connection.is_answering]:
        await asyncio.wait(answering, timeout=_LAST_WORDS_SECONDS)
    return is_of_use


def _listen() -> socket.socket:
    """Bind the socket under another name: when it appears under its own, it is ready, and no stale one is left."""
    listening = socket.socket(socket.AF_UNIX)
    unready = Path(f"{SOCKET_NAME}.{os.getpid()}")
    unready.unlink(missing_ok=True)
    listening.bind(str(unready))
    unready.chmod(0o600)
    listening.listen(128)
    unready.rename(SOCKET_NAME)
    return listening


async def _until_told_or_idle(told: asyncio.Event, routes: Routes, attempts: Attempts, idle_exit: float) -> None:
    """Return when the worker was told to stop, or when nobody has needed it for so long that its host must be gone."""
    while not told.is_set():
        rest = max(routes.last_request, attempts.last_ended) + idle_exit - time.monotonic()
        if attempts.running:
            rest = idle_exit
        if idle_exit and rest <= 0:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), rest if idle_exit else None)
