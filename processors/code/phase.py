"""One program from its start to its end: within its limits, watched from outside, and nothing of it left behind.

What it may use is decided here and by the kernel, never in its own process. It is looked at twenty-five times a second,
and at once when it prints, ends, or asks for more memory than its container has.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import time
from typing import NamedTuple, NoReturn

from processors.code import children
from processors.code.jail import Jail, cpu_limit_seconds
from processors.code.pipes import Ended
from processors.code.slot_protocol import JOB_DIR, TMP_DIR, Phase, PhaseLimits
from processors.code.streams import Capture, Feed
from processors.code.usage import Usage
from processors.code.verdict import Kill, Observed

_FIRST_TICK_SECONDS = 0.005
_TICK_SECONDS = 0.04
_OWN_STDIN = 0
_ERROR_BYTES = 4096
_OF_THE_IMAGE = "/usr/"
_NO_PROGRAM = 126  # as shells say it


class Outcome(NamedTuple):
    """How a program ended, and what it wrote."""

    seen: Observed
    wall_seconds: float
    stdout: bytes
    stderr: bytes
    returned: bytes
    is_clean: bool  #: nobody was left


def run(phase: Phase, stdin: bytes, jail: Jail, usage: Usage) -> Outcome:
    """Run one program to its end.

    Raises:
        Ended: the supervisor is gone, and so nobody wants to know.
    """
    return _Program(phase, stdin, jail, usage).run()


class _Program:
    def __init__(self, phase: Phase, stdin: bytes, jail: Jail, usage: Usage) -> None:
        self._limits: PhaseLimits = phase.limits
        self._usage = usage
        self._oom_before = usage.oom_kills()
        self._hits_before = usage.process_limit_hits()
        self._cpu_before = usage.cpu_seconds()
        self._memory_peak = 0
        self._is_disk_full = False
        self._ending: children.Ending | None = None
        self._began = time.monotonic()
        self._start(phase, stdin, jail)

    def _start(self, phase: Phase, stdin: bytes, jail: Jail) -> None:
        pipes = [_open_to_all(os.pipe()) for _ in range(4)]
        (stdin_out, stdin_in), (stdout_out, stdout_in), (stderr_out, stderr_in), (return_out, return_in) = pipes
        error_out, error_in = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _be_program(phase, jail, (stdin_out, stdout_in, stderr_in, return_in), error_in)
        self._pidfd = os.pidfd_open(self._pid)
        for fd in (stdin_out, stdout_in, stderr_in, return_in, error_in):
            os.close(fd)
        os.set_blocking(error_out, False)
        self._error = error_out
        self._feed = Feed(stdin_in, stdin)
        self._captures = {
            Kill.STDOUT: Capture(stdout_out, phase.limits.stdout_bytes),
            Kill.STDERR: Capture(stderr_out, phase.limits.stderr_bytes),
            Kill.RETURN: Capture(return_out, phase.limits.return_bytes),
        }

    def run(self) -> Outcome:
        killed_for = self._watch()
        ended = time.monotonic()
        ending, is_clean = children.kill_everybody(self._pid)
        self._ending = self._ending or ending
        self._look_at_disks()
        for capture in self._captures.values():
            capture.drain()
        start_error = ""
        with contextlib.suppress(BlockingIOError):  # somebody hangs in the kernel and has it still open
            start_error = os.read(self._error, _ERROR_BYTES).decode("utf-8", "replace")
        self._feed.close()
        os.close(self._error)
        os.close(self._pidfd)
        code = None if self._ending is None else os.waitstatus_to_exitcode(self._ending.status)
        seen = Observed(
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            killed_for=killed_for,
            start_error=start_error,
            oom_kills=max(0, self._usage.oom_kills() - self._oom_before),
            process_limit_hits=max(0, self._usage.process_limit_hits() - self._hits_before),
            is_disk_full=self._is_disk_full,
            cut=tuple(which for which, capture in self._captures.items() if capture.is_cut),
            cpu_seconds=max(0.0, self._usage.cpu_seconds() - self._cpu_before),
            cpu_limit_seconds=cpu_limit_seconds(self._limits),
            memory_peak_bytes=self._peak(),
            memory_limit_bytes=self._limits.memory_bytes,
        )
        kept = [capture.content() for capture in self._captures.values()]
        return Outcome(seen, ended - self._began, kept[0], kept[1], kept[2], is_clean)

    def _peak(self) -> int:
        """What was seen at the ticks, or what the kernel has seen of a single process between two of them."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # a child begins with as much, as a copy of us
        single = self._ending.peak_bytes if self._ending is not None else 0
        return max(self._memory_peak, single if single > own else 0)

    def _watch(self) -> Kill | None:
        """Wait for the program's end, or for a reason to end it."""
        deadline = self._began + self._limits.wall_seconds
        next_look, pause = 0.0, _FIRST_TICK_SECONDS
        while True:
            now = time.monotonic()
            if now >= next_look:
                self._look_at_disks()
                if reason := self._overuse():
                    return reason
                next_look = now + pause
                pause = min(2 * pause, _TICK_SECONDS)  # most programs are short: their memory is to be seen as well
            self._poll(max(0.0, min(next_look, deadline) - now))
            for reason, capture in self._captures.items():
                if capture.is_cut:
                    return reason
            self._ending = children.reap(self._pid)
            if self._ending is not None:
                return None
            if time.monotonic() >= deadline:
                return Kill.WALL

    def _poll(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(_OWN_STDIN, select.POLLIN)
        poll.register(self._pidfd, select.POLLIN)
        if self._feed.is_open:
            poll.register(self._feed.fd, select.POLLOUT)
        captures = {capture.fd: capture for capture in self._captures.values() if capture.is_open}
        for fd in captures:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(max(1, int(seconds * 1000))):
            if fd == _OWN_STDIN:
                if not os.read(fd, 1 << 16):
                    raise Ended
            elif fd in captures:
                captures[fd].read()
            elif self._feed.is_open and fd == self._feed.fd:
                self._feed.write()

    def _overuse(self) -> Kill | None:
        used = self._usage.memory_bytes()
        self._memory_peak = max(self._memory_peak, used)
        if used > self._limits.memory_bytes or self._usage.oom_kills() > self._oom_before:
            return Kill.MEMORY
        most = self._limits.cpu_seconds
        if most is not None and self._usage.cpu_seconds() - self._cpu_before > most:
            return Kill.CPU
        return None

    def _look_at_disks(self) -> None:
        for directory in (JOB_DIR, TMP_DIR):
            disk = os.statvfs(directory)
            if (disk.f_blocks and not disk.f_bavail) or (disk.f_files and not disk.f_favail):
                self._is_disk_full = True


def _open_to_all(pipe: tuple[int, int]) -> tuple[int, int]:
    """Let the job's user open it again by its name in /proc, as /dev/stdin is."""
    os.fchmod(pipe[0], 0o666)
    return pipe


def _be_program(phase: Phase, jail: Jail, streams: tuple[int, int, int, int], error: int) -> NoReturn:
    """Be the child, from the fork to the exec. Why that failed is said on a descriptor that the exec closes."""
    try:
        os.setsid()
        for target, fd in enumerate(streams):  # 0, 1, 2 and RETURN_FD; their own numbers are all above
            os.dup2(fd, target)
        os.umask(0o077)
        os.chdir(JOB_DIR)
        jail.enter(phase.limits)
        try:
            os.execve(phase.command[0], phase.command, phase.environment)
        except OSError as problem:
            if phase.command[0].startswith(_OF_THE_IMAGE):
                raise
            os.write(2, f"{phase.command[0]} is no program: {problem.strerror}\n".encode())
            os._exit(_NO_PROGRAM)  # the job has made it, as a package of Go that is not `main`
    except BaseException as problem:
        with contextlib.suppress(OSError):
            os.write(error, f"{phase.command[0]}: {problem}".encode("utf-8", "replace")[:_ERROR_BYTES])
    finally:
        os._exit(127)
