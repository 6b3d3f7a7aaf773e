"""Who runs the jobs of a state directory, and how to wake them. Light: every verb imports it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pitchey_cli.domain.errors import DaemonError
from pitchey_cli.values import dataclass

LOCK_NAME = "daemon.lock"
WAKE_NAME = "wake.sock"
WAKE = b"wake"
DRAIN = b"drain"
AT_ONCE = b"at once"
_LOCK_TRIES = 20
_LOCK_PAUSE_SECONDS = 0.01
_TELL_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Holder:
    """Who runs the jobs of a state directory."""

    pid: int
    is_daemon: bool  #: else a `pitchey run` that does the work itself
    started_at: float  #: Unix time
    engine: str


def holder(state_dir: Path) -> Holder | None:
    """Look who holds the lock, without disturbing anybody for longer than a moment."""
    try:
        with (state_dir / LOCK_NAME).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _read_holder(file.read())
            return None
    except FileNotFoundError:
        return None


def _read_holder(text: str) -> Holder:
    try:
        named = Holder(**json.loads(text))
        os.kill(named.pid, 0)
    except PermissionError:  # it lives, and is another user's
        return named
    except (ValueError, TypeError, ProcessLookupError):
        # It has the lock and has not yet written its name: there is none, or that of somebody who has died.
        return Holder(pid=0, is_daemon=True, started_at=time.time(), engine="")
    return named


class StateHeld(DaemonError):
    """Somebody else runs the jobs of the state directory."""


def held_by(state_dir: Path, other: Holder | None) -> StateHeld:
    """The error for a state directory that somebody else holds."""
    if other is not None and not other.is_daemon:
        return StateHeld(
            f"A `pitchey run` does the work for {state_dir}, as process {other.pid}.",
            hint="Start the daemon when it has ended.",
        )
    return StateHeld(
        f"A daemon runs already for {state_dir}" + (f", as process {other.pid}." if other else "."),
        hint="`pitchey daemon status` shows it, `pitchey daemon stop` ends it.",
    )


@contextmanager
def lock(state_dir: Path, *, is_daemon: bool, engine: str) -> Iterator[None]:
    """Hold the state directory.

    Raises:
        DaemonError: somebody else holds it.
    """
    descriptor = os.open(state_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for left in reversed(range(_LOCK_TRIES)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if left == 0:
                    other = holder(state_dir)
                    raise held_by(state_dir, other) from None
                time.sleep(_LOCK_PAUSE_SECONDS)  # it may only be somebody who looks
        text = json.dumps(asdict(Holder(os.getpid(), is_daemon, time.time(), engine)))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def socket_path(state_dir: Path) -> Iterator[str]:
    """The wake-up socket's path in a form that is never too long for a Unix socket."""
    descriptor = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{WAKE_NAME}"
    finally:
        os.close(descriptor)


def poke(state_dir: Path, message: bytes = WAKE) -> bool:
    """Wake whoever runs the jobs; False when nobody listens. A poke that is lost costs one poll."""
    import socket  # late: what only reads wakes nobody

    with (
        contextlib.suppress(OSError),
        socket_path(state_dir) as path,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
    ):
        sender.sendto(message, path)
        return True
    return False


def tell(state_dir: Path, message: bytes, is_there: Callable[[], bool]) -> None:
    """Make sure that it hears: one that has just started does not listen yet, and one that is busy may be behind.

    Args:
        is_there: whether there still is somebody to hear it; asked as long as it is not heard.
    """
    while not poke(state_dir, message) and is_there():
        time.sleep(_TELL_PAUSE_SECONDS)
