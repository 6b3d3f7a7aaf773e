"""Processes that carry an instance's mark in their environment: found, counted and signalled as one.

The mark is inherited over forks, sessions and the death of parents, which process groups are not; and a reused process
number does not have it, whatever the clock says. Knows nothing of records and folders.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

MARK = "PITCHEY_INSTANCE"

_POLL_SECONDS = 0.01
_GIVE_UP_SECONDS = 10.0  # a process that hangs in the kernel is left to it


def is_marked(pid: int, instance_id: str) -> bool:
    """Whether a process lives and belongs to the instance. A zombie has no environment any more."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{MARK}={instance_id}".encode() in environment.split(b"\0")


def members(instance_id: str) -> list[psutil.Process]:
    """All processes of an instance."""
    found: list[psutil.Process] = []
    for pid in psutil.pids():
        if is_marked(pid, instance_id):
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
    return found


def usage(instance_id: str) -> tuple[float, int]:
    """CPU seconds, those of ended children included, and bytes of memory."""
    cpu_seconds, memory_bytes = 0.0, 0
    for process in members(instance_id):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            cpu_seconds += times.user + times.system + times.children_user + times.children_system
            memory_bytes += process.memory_info().rss
    return cpu_seconds, memory_bytes


def freeze(instance_id: str) -> None:
    """Stop all of them."""
    _signal_until_none(instance_id, signal.SIGSTOP, lambda process: process.status() != psutil.STATUS_STOPPED)


def thaw(instance_id: str) -> None:
    """Let all of them go on."""
    _signal_until_none(instance_id, signal.SIGCONT, lambda process: process.status() == psutil.STATUS_STOPPED)


def kill(instance_id: str) -> None:
    """End all of them."""
    _signal_until_none(instance_id, signal.SIGKILL, lambda process: True)


def _signal_until_none(instance_id: str, number: signal.Signals, is_left: Callable[[psutil.Process], bool]) -> None:
    """Signal again and again, because one that has not heard yet may have forked."""
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < deadline:
        left = [process for process in members(instance_id) if _ask(process, is_left)]
        if not left:
            return
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        time.sleep(_POLL_SECONDS)


def _ask(process: psutil.Process, question: Callable[[psutil.Process], bool]) -> bool:
    try:
        return question(process)
    except psutil.Error:
        return False
