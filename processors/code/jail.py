"""What a program leaves behind before it starts: privileges, most files, most system calls, and any limit to its greed.

Applied in the child, after the fork and before the exec. The order matters: limits and priority while it is still root,
then the user, then no_new_privs, which both filters need, and the filter of system calls last.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
from typing import NamedTuple

from processors.code import landlock, syscalls
from processors.code.slot_protocol import PROXY_PORT, PhaseLimits

FILTER_FILE = "/opt/pitchey/syscalls.bpf"

_PR_SET_NO_NEW_PRIVS = 38
_STACK_BYTES = 8 << 20
_LOCKED_BYTES = 64 << 10
_FIRST_TO_BE_KILLED = b"1000"  # of the kernel when memory runs out
_NICENESS = 19  # the first process has to keep its eyes open beside a fork bomb
_NO_TIME_SECONDS = 1 << 30

_libc = ctypes.CDLL(None, use_errno=True)


class Jail(NamedTuple):
    """What all programs of a slot share."""

    uid: int
    ruleset: int | None  #: of Landlock
    landlock: int  #: version in use; 0 for none
    filter: bytes

    @staticmethod
    def build(uid: int, landlock_wanted: str, *, is_networked: bool = False, filter_file: str = FILTER_FILE) -> Jail:
        """Prepare all that can be prepared before there is a program.

        Args:
            is_networked: programs connect to the proxy, and to no other port.

        Raises:
            OSError: there is no filter of system calls, or Landlock is required and missing. Nothing runs without.
        """
        fd = os.open(filter_file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            program = os.read(fd, 1 << 20)
        finally:
            os.close(fd)
        if not program or len(program) % 8:
            raise OSError(f"{filter_file} is no filter of system calls")
        version = 0 if landlock_wanted == "off" else landlock.version()
        if landlock_wanted == "required" and not version:
            raise OSError("Landlock is required, and this kernel does not have it or the engine forbids it")
        # Above the numbers that a program's streams will have: in the child those overwrite what is there.
        connectable = (PROXY_PORT,) if is_networked else None
        ruleset = landlock.make_ruleset(connectable=connectable) if version else None
        if ruleset is not None:
            ruleset = fcntl.fcntl(ruleset, fcntl.F_DUPFD_CLOEXEC, 16)
        return Jail(uid, ruleset, version, program)

    def enter(self, limits: PhaseLimits) -> None:
        """Become a program of the job. There is no way back."""
        _take_default_signals()
        _write("/proc/self/oom_score_adj", _FIRST_TO_BE_KILLED)
        os.nice(_NICENESS)
        _limit(limits)
        become(self.uid)
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no_new_privs")
        if self.ruleset is not None:
            landlock.restrict(self.ruleset)
        syscalls.restrict(self.filter)


def become(uid: int) -> None:
    """Give up root for good. The kernel takes the capabilities as well."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def cpu_limit_seconds(limits: PhaseLimits) -> int:
    """When the kernel ends a single process, in case that the first process does not get to it."""
    return int(limits.cpu_seconds) + 2 if limits.cpu_seconds is not None else _NO_TIME_SECONDS


def _limit(limits: PhaseLimits) -> None:
    """Every limit has a number: one that is infinite is none."""
    cpu = cpu_limit_seconds(limits)
    for what, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (resource.RLIMIT_MEMLOCK, _LOCKED_BYTES, _LOCKED_BYTES),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_NICE, 0, 0),
        (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (resource.RLIMIT_NPROC, limits.processes, limits.processes),
        (resource.RLIMIT_RTPRIO, 0, 0),
        (resource.RLIMIT_SIGPENDING, 1024, 1024),
        (resource.RLIMIT_STACK, _STACK_BYTES, _STACK_BYTES),
    ):
        most = resource.getrlimit(what)[1]
        if most != resource.RLIM_INFINITY:  # the engine's is lower: not ours to raise
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(what, (soft, hard))


def _take_default_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _write(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)
