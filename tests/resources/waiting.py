"""Waiting for what comes about in another process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

DEADLINE_SECONDS = 120.0  #: far longer than anything takes that is waited for, for a machine that is busy
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.002, 0.05  # what is looked at is to have the processor meanwhile


def until(is_so: Callable[[], object], what: str) -> None:
    """Look until something is so, less often the longer it takes."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = _FIRST_LOOK_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"still not so: {what}"
        time.sleep(pause)
        pause = min(_LONGEST_LOOK_SECONDS, 1.5 * pause)


def until_said(words: str, lines: Iterable[str] | None) -> None:
    """Read what a program says, of its stderr, until a line has some words."""
    assert lines is not None
    said: list[str] = []

    def listen() -> None:
        for line in lines:
            said.append(line)
            if words in line:
                return

    # A read cannot be given up: what is never said keeps this thread until the program ends.
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    listener.join(DEADLINE_SECONDS)
    assert said, f"it has said nothing, and not: {words}"
    assert words in said[-1], f"it has not said: {words}"


def stand_still(pid: int) -> None:
    """Stop a process (SIGCONT lets it go on); on return no thread of it runs, on another processor neither."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: _states(pid) == {"T"}, f"process {pid} is stopped")


def _states(pid: int) -> set[str]:
    """Of its threads, see proc_pid_stat(5): the letter after the name, which may have parentheses itself."""
    found = set()
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ends just now
            found.add(path.read_text().rpartition(") ")[2][0])
    return found
