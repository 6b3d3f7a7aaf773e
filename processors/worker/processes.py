"""Signals, orphans and zombies: nothing that an attempt has started may outlive it.

The worker and the child of every attempt are subreapers. So a daemonised grandchild is adopted by its attempt's child,
and when that child is dead, by the worker: whatever is a child of the worker and no live attempt is left over.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # both in linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_STAT_BYTES = 4096  # of one process, whose name has 16 at most
_SWEEP_SECONDS = 0.005  # between two looks at what is dying
_GIVE_UP_SECONDS = 5.0  # a process that hangs in the kernel does not hold up the slot; the next sweep takes it

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Adopt descendants whose parent dies."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the worker is: nobody would take what this process makes.

    Args:
        parent: the process that has forked this one. It may have been killed since.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def prefer_for_oom_kill() -> None:
    """Let the kernel kill this process and its children before the worker."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to the process group that a child leads, or to the child while it has none yet."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, number)


def descendants(root: int, spared: Container[int] = ()) -> list[int]:
    """List all processes below one, each parent before its children; but none that is spared, nor what is below it."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - names are enough
        # The name, in parentheses, may itself hold parentheses, blanks, and bytes that are no UTF-8.
        if (stat := _read(f"/proc/{name}/stat")) is not None:
            children.setdefault(int(stat.rpartition(b")")[2].split(None, 2)[1]), []).append(int(name))
    found = [root]
    for pid in found:
        found.extend(child for child in children.get(pid, ()) if child not in spared)
    return found[1:]


def _read(path: str) -> bytes | None:
    """What is in a file of a process; None when that has ended. Done after every attempt, for every process there is:
    without a file object it takes half the time."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, _STAT_BYTES) or None
    except OSError:
        return None
    finally:
        os.close(fd)


def reap(pid: int) -> tuple[int, resource.struct_rusage]:
    """Take the exit status of a child that has ended, negative for a signal, and what it had used."""
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage


async def sweep(live: Container[int]) -> list[resource.struct_rusage]:
    """Kill and reap all that is left of attempts that have ended.

    Args:
        live: the children that must be spared, with all that is below them. Looked at in every round anew.

    Returns:
        What the reaped processes had used.
    """
    usages: list[resource.struct_rusage] = []
    deadline = asyncio.get_running_loop().time() + _GIVE_UP_SECONDS
    while orphans := descendants(os.getpid(), spared=live):
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        usages.extend(_reap_some(orphans))
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(_SWEEP_SECONDS)
    return usages


def _reap_some(pids: Iterable[int]) -> Iterator[resource.struct_rusage]:
    for pid in pids:
        with contextlib.suppress(ChildProcessError):  # not yet ours: its own parent is still dying
            reaped, _, usage = os.wait4(pid, os.WNOHANG)
            if reaped:
                yield usage
