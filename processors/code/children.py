"""Children of the first process: trusted helpers that are the job's user, and the end of everything that runs.

The first process cannot read or write the job's files itself: it is another user, and has no capability to overrule
that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from processors.code.jail import become

_GIVE_UP_SECONDS = 10.0  # a process that hangs in the kernel goes with the container
_PAUSE_SECONDS = 0.002


class Helper(NamedTuple):
    """A child of our own code that has become the job's user."""

    pid: int
    fd: int  #: to read what it says


def start_helper(uid: int, work: Callable[[int], None]) -> Helper:
    """Fork a child that does some work as a user.

    Args:
        work: is given a descriptor to write to. An exception ends the child with an exit code other than 0.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _be_helper(uid, work, writing)
    os.close(writing)
    return Helper(pid, reading)


def _be_helper(uid: int, work: Callable[[int], None], writing: int) -> NoReturn:
    code = 1
    try:
        become(uid)
        os.umask(0o077)
        work(writing)
        code = 0
    finally:  # whatever happens, this process must not return into the code of its parent
        os._exit(code)


def wait_for_helper(helper: Helper) -> bool:
    """Wait for a helper's end, and say whether it has done its work. It waits for nobody without a deadline itself."""
    os.close(helper.fd)
    _, status = os.waitpid(helper.pid, 0)
    return os.waitstatus_to_exitcode(status) == 0


def end_helper(helper: Helper) -> None:
    """Kill a helper that is not needed any more."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(helper.pid, signal.SIGKILL)
    wait_for_helper(helper)


class Ending(NamedTuple):
    """How the main process of a program ended."""

    status: int
    peak_bytes: int  #: most memory that it, or one that it has waited for, ever held


def reap(main: int) -> Ending | None:
    """Take in whoever has ended; orphans come to the first process.

    Returns:
        The end of one of them, when it was among them.
    """
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == main:
                found = Ending(status, used.ru_maxrss * 1024)
    return found


def kill_everybody(main: int) -> tuple[Ending | None, bool]:
    """Kill and reap every process but this one.

    Returns:
        The end of the main one, when it had not been reaped before; and whether nobody is left.
    """
    if os.getpid() != 1:
        raise RuntimeError("not the first process: this would kill everybody on the machine")
    found = None
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while True:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return reap(main) or found, True
        found = reap(main) or found
        if time.monotonic() > deadline:
            return found, False
        time.sleep(_PAUSE_SECONDS)
