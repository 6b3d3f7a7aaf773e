"""The daemon as a process: woken through a socket, ended by signals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pitchey_cli.daemon import recovery
from pitchey_cli.daemon.lock import DRAIN, WAKE_NAME, socket_path
from pitchey_cli.daemon.loop import Loop


@contextmanager
def _wake_socket(state_dir: Path, on_message: Callable[[bytes], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as receiver:
        (state_dir / WAKE_NAME).unlink(missing_ok=True)
        with socket_path(state_dir) as path:
            receiver.bind(path)

        def readable() -> None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    on_message(receiver.recv(64))

        loop.add_reader(receiver, readable)
        try:
            yield
        finally:
            loop.remove_reader(receiver)
            (state_dir / WAKE_NAME).unlink(missing_ok=True)


@dataclass(slots=True)
class Ending:
    """How a running daemon is told to end."""

    stop: asyncio.Event
    at_once: asyncio.Event
    is_drain_unlimited: bool = False

    def ask(self) -> None:
        """The first time: drain. The second time: hand back at once."""
        if self.stop.is_set():
            self.at_once.set()
        self.stop.set()

    def drain(self) -> None:
        """Finish all that runs, however long it takes, and end."""
        self.is_drain_unlimited = True
        self.stop.set()


async def serve(loop: Loop, *, on_ready: Callable[[], None]) -> None:
    """Run as the daemon until a signal or a drain ends it."""
    node = loop.node
    ending = Ending(asyncio.Event(), asyncio.Event())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.ask)

    def on_message(message: bytes) -> None:
        if message == DRAIN:
            ending.drain()
        loop.changed.set()

    with _wake_socket(node.config.state_dir, on_message):
        await recovery.take_over(loop)
        await loop.take_up()
        on_ready()
        try:
            await loop.run(ending.stop)
            node.report("draining: nothing new is taken")
            loop.firing.stop()
            seconds = None if ending.is_drain_unlimited else node.config.drain_seconds
            await loop.finish_running(seconds=seconds, at_once=ending.at_once)
            await loop.stop_instances(why="the daemon stops")
        finally:  # before the lock goes: the next daemon would serve the same times
            loop.firing.stop()
            await loop.firing.ended()


async def serve_foreground(loop: Loop, stop: asyncio.Event, *, on_ready: Callable[[], None]) -> None:
    """Run the jobs that somebody waits for, without a daemon, until `stop` is set.

    Attempts that belong to others run on: whoever waits for them takes over the state directory next, and finds them
    as a daemon finds them after a crash. Those whose inputs are still being fetched are handed back: a download ends
    with the process that makes it.
    """
    with _wake_socket(loop.node.config.state_dir, lambda _: loop.changed.set()):
        await recovery.take_over(loop)
        await loop.take_up()
        on_ready()
        await loop.run(stop)
        await loop.hand_back([each for each in loop.executions.values() if each.is_fetching])
        await loop.let_finish()
        await loop.stop_instances(why="nobody waits any more")
