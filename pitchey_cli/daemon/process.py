"""The daemon as a process: woken through a socket, ended by signals or because its node is taken away."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pitchey_cli.daemon import recovery
from pitchey_cli.daemon.front import Front
from pitchey_cli.daemon.lock import AT_ONCE, DRAIN, WAKE_NAME, socket_path
from pitchey_cli.daemon.loop import Loop
from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.errors import SchemaTooNew
from pitchey_cli.domain.notice import (
    SHORTEST_SECONDS,
    Notice,
    drain_seconds_of,
    grace_seconds_of,
    left_seconds,
    spare_seconds,
)


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


Listen = Callable[[Callable[[], object]], AbstractContextManager[None]]  #: calls back from a thread of its own


@contextmanager
def _heard(listen: Listen, changed: asyncio.Event) -> Iterator[None]:
    """Wake the loop when somebody at another machine has changed something."""
    loop = asyncio.get_running_loop()
    with listen(lambda: loop.call_soon_threadsafe(changed.set)):
        yield


def _nobody(_: Callable[[], object]) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass(slots=True)
class Shutdown:
    """How a running daemon is told to end."""

    node: Node
    stop: asyncio.Event = field(default_factory=asyncio.Event)  #: take nothing new
    at_once: asyncio.Event = field(default_factory=asyncio.Event)  #: hand back what still runs
    _is_asked: bool = False
    _node_goes_at: float = math.inf  # monotonic

    def ask(self) -> None:
        """The first time: drain for as long as is set. The second time: hand back at once."""
        if self._is_asked:
            self.at_once.set()
        config = self.node.config
        seconds = config.drain_seconds
        if config.is_spot:
            seconds = drain_seconds_of(seconds, grace_seconds=config.grace_seconds)
            if not self._is_asked:
                self._node_goes_in(SHORTEST_SECONDS)
        self._is_asked = True
        self._within(seconds)

    def ask_twice(self) -> None:
        """Hand back at once, whether it has been asked already or not."""
        self.ask()
        self.at_once.set()

    def drain(self) -> None:
        """Finish all that runs, however long it takes, and end."""
        self._is_asked = True
        self.stop.set()

    def taken_away(self, notice: Notice, unheard_seconds: float) -> None:
        """Finish what can still end before the node is gone, hand back the rest, and end."""
        left = left_seconds(notice, now=self.node.clock.now(), unheard_seconds=unheard_seconds)
        self._node_goes_in(left)
        seconds = spare_seconds(left, grace_seconds=self.node.config.grace_seconds)
        when = f" at {notice.at:%H:%M:%S} UTC" if notice.at is not None else ""
        what = f" ({notice.what})" if notice.what else ""
        self.node.report(f"this node is taken away{when}{what}: what has not ended in {seconds:.0f} s is handed back")
        self._within(seconds)

    def grace_seconds(self) -> float:
        """What handed back work gets now to end by itself."""
        left = self._node_goes_at - self.node.clock.monotonic()
        return grace_seconds_of(self.node.config.grace_seconds, left_seconds=left)

    def _node_goes_in(self, seconds: float) -> None:
        self._node_goes_at = min(self._node_goes_at, self.node.clock.monotonic() + seconds)

    def _within(self, seconds: float) -> None:
        self.stop.set()
        asyncio.get_running_loop().call_later(seconds, self.at_once.set)


@contextmanager
def _watched(node: Node, shutdown: Shutdown) -> Iterator[None]:
    notifier = node.config.spot_notice
    if notifier is None:
        yield
        return
    from pitchey_cli.daemon import notice  # late: it loads an HTTP client, which no other daemon needs at its start

    node.report(f"{notifier} is asked whether this node is taken away")
    watching = asyncio.create_task(notice.watch(node, notifier, shutdown.taken_away))
    try:
        yield
    finally:
        watching.cancel()


async def serve(
    loop: Loop, *, on_ready: Callable[[], None], front: Front | None = None, listen: Listen = _nobody
) -> None:
    """Run as the daemon until a signal, a drain, or the notice that its node is taken away ends it.

    Args:
        front: runs from before the daemon is ready until after its last attempt has ended: whoever follows a job
            is told of its end also while the daemon drains.
        listen: how those at other machines are heard.
    """
    node = loop.node
    shutdown = Shutdown(node)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, shutdown.ask)

    def on_message(message: bytes) -> None:
        if message == DRAIN:
            shutdown.drain()
        elif message == AT_ONCE:
            shutdown.ask_twice()
        loop.changed.set()

    beside = contextlib.nullcontext() if front is None else front.running()
    with (
        _wake_socket(node.config.state_dir, on_message),
        _heard(listen, loop.changed),
        _watched(node, shutdown),
    ):
        async with beside:
            await _run(loop, shutdown, on_ready, front)


async def _run(loop: Loop, shutdown: Shutdown, on_ready: Callable[[], None], front: Front | None) -> None:
    """From the takeover to the last instance."""
    await recovery.take_over(loop)
    await loop.take_up()
    on_ready()
    try:
        await recovery.run(loop, shutdown.stop)
        if loop.membership.is_outdated:
            shutdown.ask()
        loop.node.report("draining: nothing new is taken")
        if front is not None:
            front.drain()
        loop.firing.stop()
        await loop.finish_running(at_once=shutdown.at_once, grace_seconds=shutdown.grace_seconds)
        await loop.stop_instances(why="the daemon stops")
        await loop.leave()
        if loop.membership.is_outdated:  # whoever starts daemons is to know that this one has not ended well
            text = "This daemon has ended: its database is for newer programs."
            raise SchemaTooNew(text, hint="Upgrade this Pitchey, and start it again.")
    finally:  # before the lock goes: the next daemon would serve the same times
        loop.firing.stop()
        await loop.firing.ended()
        await loop.webhooks.end()


async def serve_foreground(
    loop: Loop, stop: asyncio.Event, *, on_ready: Callable[[], None], listen: Listen = _nobody
) -> None:
    """Run the jobs that somebody waits for, without a daemon, until `stop` is set.

    Attempts that belong to others run on: whoever waits for them takes over the state directory next, and finds them
    as a daemon finds them after a crash. Those whose inputs are still being fetched are handed back: a download ends
    with the process that makes it. Where other nodes share the queue all are handed back: one of them goes on with them
    at once, and nobody may come to this state directory for long. So they are where the database is for newer programs:
    whoever waits is told so by an error.
    """
    with (
        _wake_socket(loop.node.config.state_dir, lambda _: loop.changed.set()),
        _heard(listen, loop.changed),
    ):
        await recovery.take_over(loop)
        await loop.take_up()
        on_ready()
        await recovery.run(loop, stop)
        is_all = bool(loop.membership.others) or loop.membership.is_outdated
        left = [each for each in loop.executions.running if each.is_fetching or is_all]
        async with loop.lease.beating():
            await loop.executions.hand_back(left, grace_seconds=loop.node.config.grace_seconds)
            await loop.executions.let_finish()
        await loop.stop_instances(why="nobody waits any more")
        await loop.leave()
        if loop.membership.outdated is not None:
            raise loop.membership.outdated  # to whoever waits
