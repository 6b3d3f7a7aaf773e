"""Who holds a state directory, seen at the moments at which that changes."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pitchey_cli.daemon import lock


def test_the_name_of_a_holder_that_has_died_is_not_taken_for_that_of_the_next(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    name = {"pid": dead.pid, "is_daemon": True, "started_at": 0.0, "engine": "docker"}
    (tmp_path / lock.LOCK_NAME).write_text(json.dumps(name))
    with (tmp_path / lock.LOCK_NAME).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # and has not written its name yet
        found = lock.holder(tmp_path)
    assert found is not None
    assert (found.pid, found.engine) == (0, "")


def test_the_holder_is_known_while_it_holds(tmp_path: Path) -> None:
    with lock.lock(tmp_path, is_daemon=False, engine="podman"):
        found = lock.holder(tmp_path)
        assert found is not None
        assert (found.pid, found.is_daemon, found.engine) == (os.getpid(), False, "podman")
    assert lock.holder(tmp_path) is None


@contextmanager
def listening(state_dir: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as receiver:
        with lock.socket_path(state_dir) as path:
            receiver.bind(path)
        yield receiver


def heard(receiver: socket.socket) -> list[bytes]:
    said = []
    try:
        while True:
            said.append(receiver.recv(64))
    except BlockingIOError:
        return said


def third_time(do: Callable[[], object]) -> Callable[[], bool]:
    """Somebody who is there, and does something when that is asked for the third time."""
    asked: list[int] = []

    def is_there() -> bool:
        asked.append(1)
        if len(asked) == 3:
            do()
        return True

    return is_there


def test_who_is_behind_with_all_that_it_was_told_hears_the_rest_when_it_has_caught_up(tmp_path: Path) -> None:
    with listening(tmp_path) as receiver:
        while lock.poke(tmp_path):
            pass  # until no more go in
        lock.tell(tmp_path, lock.DRAIN, third_time(lambda: heard(receiver)))
        assert heard(receiver) == [lock.DRAIN]


def test_who_does_not_listen_yet_hears_it_when_it_does(tmp_path: Path) -> None:
    begun = listening(tmp_path)
    found: list[socket.socket] = []
    lock.tell(tmp_path, lock.AT_ONCE, third_time(lambda: found.append(begun.__enter__())))
    assert heard(found[0]) == [lock.AT_ONCE]
    begun.__exit__(None, None, None)


def test_nothing_is_told_for_ever_to_who_has_gone(tmp_path: Path) -> None:
    lock.tell(tmp_path, lock.DRAIN, lambda: False)
