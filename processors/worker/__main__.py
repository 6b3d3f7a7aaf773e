"""Options, and the life and death of the worker's process."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import ModuleType

from processors.protocol import EVENT, INPUTS_DIR, RUN_DIR, SOCKET_NAME, SPECS, SPOOL_DIR, AttemptRequest, Service
from processors.worker import processes
from processors.worker.attempt import INTERRUPTED
from processors.worker.attempts import Attempts
from processors.worker.http import Connection
from processors.worker.routes import Routes

_STOP_GRACE_SECONDS = 5.0  # engines give a container 10 s from TERM to KILL
_LAST_WORDS_SECONDS = 1.0  # for streams to pass on the last events


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="processors.worker", description=__doc__)
    parser.add_argument("--service", type=Service, required=True, help="which service's attempts to take")
    parser.add_argument("--slots", type=int, default=1, help="attempts at once")
    parser.add_argument("--run", type=Path, default=Path(RUN_DIR), help="directory of the socket")
    parser.add_argument("--inputs", type=Path, default=Path(INPUTS_DIR), help="directory of the attempts' inputs")
    parser.add_argument("--spool", type=Path, default=Path(SPOOL_DIR), help="directory for what attempts give")
    parser.add_argument("--idle-exit", type=float, default=0, metavar="SECONDS",
                        help="end when nothing has run and nobody has asked for so long; 0 is never")  # fmt: skip
    parser.add_argument("--handler", metavar="MODULE", help="module of the handler, instead of the service's own")
    return parser.parse_args()


def main() -> None:
    """Run the worker."""
    options = _options()
    inputs, spool = options.inputs.resolve(), options.spool.resolve()
    handler = importlib.import_module(options.handler or f"processors.{options.service}.handler")
    if hasattr(handler, "check"):
        handler.check()
    for model in (SPECS[options.service], AttemptRequest):
        model.model_rebuild()  # here, once, and not in every fork
    EVENT.rebuild()
    processes.become_subreaper()
    _freeze()
    # The socket is named relative to here: a path of a socket may have 107 bytes, and a state directory more.
    os.chdir(options.run)
    asyncio.run(_serve(options, handler, inputs, spool))
    Path(SOCKET_NAME).unlink(missing_ok=True)


def _freeze() -> None:
    gc.collect()
    gc.freeze()  # what is imported stays: a collection in a child would only copy its pages


def _warm(handler: ModuleType) -> None:
    if hasattr(handler, "warm"):
        handler.warm()
        _freeze()


async def _serve(options: argparse.Namespace, handler: ModuleType, inputs: Path, spool: Path) -> None:
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    connections: dict[asyncio.Task[None], Connection] = {}
    async with asyncio.TaskGroup() as tasks:
        attempts = Attempts(handler.handle, slots=options.slots, inputs=inputs, spool=spool, tasks=tasks)
        routes = Routes(options.service, attempts)
        is_warm = False
        is_of_use = True

        def answered(task: asyncio.Task[None]) -> None:
            nonlocal is_warm, is_of_use
            del connections[task]
            if not is_warm:  # only now: whoever asked whether the worker is ready has had its answer
                is_warm = True
                try:
                    _warm(handler)
                except Exception as error:  # every attempt would fail for the same; said first, for whoever looks why
                    sys.stderr.write(f"The {options.service} service cannot work here: {error!r}.\n")
                    is_of_use = False
                    told_to_stop.set()

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = Connection(reader, writer)
            task = asyncio.create_task(connection.serve(routes.answer))
            connections[task] = connection
            task.add_done_callback(answered)

        server = await asyncio.start_unix_server(serve, sock=_listen())
        await _until_told_or_idle(told_to_stop, routes, attempts, options.idle_exit)
        attempts.stop_all(INTERRUPTED, _STOP_GRACE_SECONDS)
    server.close()
    for connection in connections.values():
        connection.end()
    if answering := [task for task, connection in connections.items() if connection.is_answering]:
        await asyncio.wait(answering, timeout=_LAST_WORDS_SECONDS)
    if not is_of_use:
        raise SystemExit(1)


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


if __name__ == "__main__":
    main()
