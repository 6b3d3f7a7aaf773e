"""A companion that cannot be started leaves nothing behind: it is tried again and again."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from processors.document import apart
from processors.worker.beside import Host
from processors.worker.companion import Companion


def beside(listening: socket.socket, worker: Host) -> None:
    listening.accept()


def no_process() -> None:
    """Let there be no more processes."""

    def refuse(event: str, _: tuple[Any, ...]) -> None:
        if event == "os.fork":
            raise BlockingIOError(errno.EAGAIN, "no process")

    sys.addaudithook(refuse)


def two_descriptors() -> None:
    """Let there be two more descriptors: for the pipe, and not for watching."""
    most = max(fd for fd in range(1000) if _is_open(fd)) + 8
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    taken: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.dup(0))
    for fd in taken[-2:]:
        os.close(fd)


@pytest.mark.parametrize("shortage", [no_process, two_descriptors])
def test_one_that_cannot_be_started_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shortage: Callable[[], None]
) -> None:
    monkeypatch.chdir(tmp_path)

    async def fail() -> list[Any]:
        companion = Companion(beside, slots=1)
        shortage()
        live: set[int] = set()
        before = opened()
        with contextlib.suppress(OSError):
            companion.start(live)
            return ["it has started"]
        return [has_child(), opened() - before, sorted(live)]

    # In a process of its own: what it is short of, it is to its end.
    assert apart.call(lambda: asyncio.run(fail()), "the test") == [False, 0, []]


def has_child() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def opened() -> int:
    """How many descriptors are open; none is needed for asking."""
    return sum(_is_open(fd) for fd in range(1000))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
