"""Hears when somebody at another machine has changed something: PostgreSQL's LISTEN, on a connection of its own.

A notification that is lost, while the connection is, costs one poll of the daemon, as a lost poke does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.connecting import BUSY_SECONDS, SCHEMA, connected
from pitchey_cli.store.server import Server

_LOOK_SECONDS = 1.0  # how often it is asked whether the daemon has ended
_SILENCE_SECONDS = 20.0  # after which the server is asked whether it is still there
_PAUSE_SECONDS = 1.0  # between two tries to connect


@contextmanager
def listening(server: Server, on_wake: Callable[[], object]) -> Iterator[None]:
    """Call `on_wake`, from a thread of our own, whenever another session has told that there is something to do.

    Nobody waits for the thread in the end: it may be in the middle of connecting. It notices within a second, and keeps
    to itself what it hears until then.
    """
    ending = threading.Event()
    thread = threading.Thread(target=_listen, args=(server, on_wake, ending), name="pitchey-listener", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()


def _listen(server: Server, on_wake: Callable[[], object], ending: threading.Event) -> None:
    def wake() -> None:
        if not ending.is_set():
            with suppress(RuntimeError):  # the loop that is to be woken has been closed at this very moment
                on_wake()

    while not ending.is_set():
        try:
            with connected(server, busy_seconds=0, lock_seconds=BUSY_SECONDS) as connection:
                connection.execute(f"LISTEN {SCHEMA}")
                wake()  # for what was told while nobody listened
                _hear(connection, wake, ending)
        except (psycopg.Error, StoreError):
            ending.wait(_PAUSE_SECONDS)


def _hear(connection: psycopg.Connection[object], on_wake: Callable[[], object], ending: threading.Event) -> None:
    quiet_seconds = 0.0
    while not ending.is_set():
        heard = list(connection.notifies(timeout=_LOOK_SECONDS, stop_after=1))
        if heard:
            on_wake()
            quiet_seconds = 0.0
        else:
            quiet_seconds += _LOOK_SECONDS
        if quiet_seconds >= _SILENCE_SECONDS:
            connection.execute("SELECT 1")
            quiet_seconds = 0.0
