"""A shell: a program with a terminal of its own inside the slot, and somebody at the other end of the pipes.

The terminal is made here and not by the engine: so what is typed and shown crosses the same two pipes as a job does,
the end of the one is the end of the slot, and the limits are watched as those of a job.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import struct
import termios
import time
from typing import NoReturn

from processors.code import children
from processors.code.frames import RAW, BadFrame, FrameDecoder, encode_document, encode_raw
from processors.code.jail import Jail, cpu_limit_seconds
from processors.code.pipes import Ended, write_all
from processors.code.reading import BadDocument
from processors.code.shell_protocol import Shell, ShellEnded, Size
from processors.code.slot_protocol import JOB_DIR, Phase, PhaseLimits
from processors.code.usage import Usage
from processors.code.verdict import Kill, Observed, sentence, verdict_of

_STDIN, _STDOUT = 0, 1
_TICK_SECONDS = 0.04
_PIECE_BYTES = 1 << 14
_MOST_HELD_BYTES = 1 << 16  # in either direction; then the other side has to wait
_FAREWELL_SECONDS = 2.0  # for what it wrote last to be read
_WINDOW = struct.Struct("HHHH")


def serve(shell: Shell, jail: Jail, usage: Usage) -> None:
    """Run it to its end, and say how it ended.

    Raises:
        Ended: nobody is at the other end any more; nothing is left running.
    """
    session = _Session(shell, jail, usage)
    try:
        ended = session.run()
    finally:
        children.kill_everybody(session.pid)
    session.say_the_last(ended)


class _Session:
    def __init__(self, shell: Shell, jail: Jail, usage: Usage) -> None:
        self._limits: PhaseLimits = shell.run.limits
        self._usage = usage
        self._oom_before = usage.oom_kills()
        self._hits_before = usage.process_limit_hits()
        self._cpu_before = usage.cpu_seconds()
        self._memory_peak = 0
        self._decoder = FrameDecoder()
        self._typed = bytearray()
        self._shown = bytearray()
        self._deadline = time.monotonic() + shell.run.limits.wall_seconds
        self._terminal, inner = os.openpty()
        self._resize(shell.size)
        error_out, error_in = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _be_shell(shell.run, jail, inner, error_in)
        self._pidfd = os.pidfd_open(self.pid)
        os.close(inner)
        os.close(error_in)
        self._error = error_out
        for fd in (self._terminal, self._error):
            os.set_blocking(fd, False)

    def run(self) -> ShellEnded:
        """Pass on what is typed and what is shown, until it ends or has to."""
        killed_for: Kill | None = None
        ending = None
        look_at = 0.0
        while killed_for is None and ending is None:
            now = time.monotonic()
            if now >= look_at:
                killed_for = self._overuse()
                look_at = now + _TICK_SECONDS
            self._poll(max(0.0, min(look_at, self._deadline) - now))
            ending = children.reap(self.pid)
            if ending is None and time.monotonic() >= self._deadline:
                killed_for = killed_for or Kill.WALL
        last, _ = children.kill_everybody(self.pid)
        ending = ending or last
        code = None if ending is None else os.waitstatus_to_exitcode(ending.status)
        start_error = ""
        with contextlib.suppress(BlockingIOError):
            start_error = os.read(self._error, _PIECE_BYTES).decode("utf-8", "replace")
        seen = Observed(
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            killed_for=killed_for,
            start_error=start_error,
            oom_kills=max(0, self._usage.oom_kills() - self._oom_before),
            process_limit_hits=max(0, self._usage.process_limit_hits() - self._hits_before),
            cpu_seconds=max(0.0, self._usage.cpu_seconds() - self._cpu_before),
            cpu_limit_seconds=cpu_limit_seconds(self._limits),
            memory_peak_bytes=self._memory_peak,
            memory_limit_bytes=self._limits.memory_bytes,
        )
        verdict = verdict_of(seen)
        return ShellEnded(verdict, sentence(verdict, seen, "The shell"), seen.exit_code, seen.signal)

    def say_the_last(self, ended: ShellEnded) -> None:
        """What is still on the terminal, and how it ended."""
        with contextlib.suppress(OSError):  # nobody has the other side open: at its end this is an error
            while piece := os.read(self._terminal, _PIECE_BYTES):
                self._show(piece)
                if len(self._shown) > _MOST_HELD_BYTES:
                    break
        data = bytes(self._shown) + encode_document(ended.document())
        write_all(_STDOUT, data, time.monotonic() + _FAREWELL_SECONDS)

    def _poll(self, seconds: float) -> None:
        poll = select.poll()
        # Its end is told even when nothing more is taken for the moment.
        poll.register(_STDIN, select.POLLIN if len(self._typed) < _MOST_HELD_BYTES else 0)
        poll.register(self._pidfd, select.POLLIN)
        wanted = select.POLLIN if len(self._shown) < _MOST_HELD_BYTES else 0
        poll.register(self._terminal, wanted | (select.POLLOUT if self._typed else 0))
        if self._shown:
            poll.register(_STDOUT, select.POLLOUT)
        for fd, events in poll.poll(max(1, int(seconds * 1000))):
            if fd == _STDIN:
                self._hear()
            elif fd == _STDOUT:
                self._send()
            elif fd == self._terminal:
                if events & select.POLLOUT and self._typed:
                    with contextlib.suppress(BlockingIOError):
                        del self._typed[: os.write(self._terminal, self._typed)]
                if events & select.POLLIN:
                    self._show(self._printed())
                elif events & select.POLLHUP:  # its processes have closed it, and may live on: not for ever
                    time.sleep(_TICK_SECONDS)

    def _printed(self) -> bytes:
        try:
            return os.read(self._terminal, _PIECE_BYTES)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EAGAIN):
                return b""
            raise

    def _show(self, data: bytes) -> None:
        for frame in encode_raw(data):
            self._shown += frame

    def _send(self) -> None:
        try:
            del self._shown[: os.write(_STDOUT, self._shown[: select.PIPE_BUF])]
        except BrokenPipeError as error:
            raise Ended("nobody reads any more") from error

    def _hear(self) -> None:
        data = os.read(_STDIN, _PIECE_BYTES)
        if not data:
            raise Ended("nobody types any more")
        try:
            for frame in self._decoder.feed(data):
                if frame.kind == RAW:
                    self._typed += frame.body
                else:
                    self._resize(Size.read(frame.document()))
        except (BadFrame, BadDocument) as error:
            raise Ended(f"what came is not understood: {error}") from error

    def _resize(self, size: Size) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, _WINDOW.pack(size.rows, size.columns, 0, 0))

    def _overuse(self) -> Kill | None:
        used = self._usage.memory_bytes()
        self._memory_peak = max(self._memory_peak, used)
        if used > self._limits.memory_bytes or self._usage.oom_kills() > self._oom_before:
            return Kill.MEMORY
        return None


def _be_shell(phase: Phase, jail: Jail, terminal: int, error: int) -> NoReturn:
    """Be the child, from the fork to the exec. Why that failed is said on a descriptor that the exec closes."""
    try:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for target in range(3):
            os.dup2(terminal, target)
        os.umask(0o077)
        os.chdir(JOB_DIR)
        jail.enter(phase.limits)
        os.execve(phase.command[0], phase.command, phase.environment)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            os.write(error, f"{phase.command[0]}: {problem}".encode("utf-8", "replace")[:_PIECE_BYTES])
    finally:
        os._exit(127)
