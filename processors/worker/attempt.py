"""One attempt, from its start to its ending. The only writer of its events: it numbers them, and bounds them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from resource import struct_rusage
from typing import Any

from processors.protocol import (
    EVENT,
    EVENT_BYTES,
    AttemptRequest,
    ErrorEvent,
    Failure,
    Metrics,
    Reason,
    Result,
    ResultEvent,
)
from processors.worker import cgroup, child, processes
from processors.worker.context import LINE_BYTES
from processors.worker.lines import LineSplitter
from processors.worker.spool import Spool

LOG_BYTES = 10 * 1024 * 1024  # of one attempt's log; what is said after that is dropped
_LOG_EVENT_BYTES = 100  # that a line takes beside its words: many empty ones are a long log, too
PROGRESS_SECONDS = 0.25  # between two progress events
TIMEOUT_GRACE_SECONDS = 5.0
_CHUNK_BYTES = 64 * 1024

CANCELLED = Failure(code="cancelled", message="The attempt was cancelled.", retryable=False, reason=Reason.CANCELLED)
INTERRUPTED = Failure(
    code="interrupted", message="The instance was told to stop.", retryable=True, reason=Reason.INTERRUPTED
)


class Attempt:
    """An attempt that has a slot."""

    def __init__(self, request: AttemptRequest, handle: child.Handle, inputs: Path, spool: Spool) -> None:
        self.request = request
        self.spool = spool
        self._handle = handle
        self._inputs = inputs
        self._child: child.Child | None = None
        self._stopped_by: Failure | None = None
        self._ending: Result | Failure | None = None  # what the child said at its end
        self._had_killed_program = False  # and whether a SIGKILL to a program was the cause
        self._log_room = LOG_BYTES
        self._held_progress: Mapping[str, Any] | None = None
        self._progress_due = 0.0
        self._timers: list[asyncio.TimerHandle] = []
        self._add({"type": "accepted"})

    async def run(self, live: set[int]) -> None:
        """Do the attempt.

        Args:
            live: the children of all attempts; this one adds its own, and takes it out when it has ended.
        """
        kills_before = cgroup.read_oom_kills()
        status, usages = 0, list[struct_rusage]()
        if self._stopped_by is None:
            try:
                status, usages = await self._run_child(live)
            except OSError as error:  # no process, no descriptor: the instance is short of something
                self._stopped_by = Failure(
                    code="worker_error", message=f"The attempt did not start: {error}.", retryable=True,
                    reason=Reason.FAILED,
                )  # fmt: skip
        for timer in self._timers:
            timer.cancel()
        kills_after = kills_before if isinstance(self._ending, Result) else cgroup.read_oom_kills()
        self._finish(status, usages, was_oom=None not in (kills_before, kills_after) and kills_after != kills_before)

    def abandon(self, error: Exception) -> None:
        """End an attempt that cannot be followed any more."""
        self._kill()
        for timer in self._timers:
            timer.cancel()
        if not self.spool.is_complete:
            message = f"The worker failed unexpectedly: {type(error).__name__}: {error}"
            failure = Failure(code="worker_error", message=message, retryable=True, reason=Reason.FAILED)
            self.spool.finish(ErrorEvent(**self._stamp(), error=failure, metrics=Metrics()))

    def stop(self, cause: Failure, grace_seconds: float) -> None:
        """Let the attempt end: TERM now, KILL after the grace. The first cause stands, the shortest grace counts."""
        self._stopped_by = self._stopped_by or cause
        if self._child is not None:
            processes.signal_group(self._child.pid, signal.SIGTERM)
            self._after(grace_seconds, self._kill)

    def _kill(self) -> None:
        if self._child is not None:
            processes.signal_group(self._child.pid, signal.SIGKILL)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, action))

    async def _run_child(self, live: set[int]) -> tuple[int, list[struct_rusage]]:
        """Run the child, and whatever it starts, to the end.

        Returns:
            Its exit status, negative for a signal, and what all its processes have used.
        """
        loop = asyncio.get_running_loop()
        started = self._child = child.fork(
            child.Work(self._handle, self.request, self._inputs, self.spool.out, beside=len(live))
        )
        live.add(started.pid)
        pipes = (
            (started.pipes.events, LineSplitter(self._on_event, EVENT_BYTES)),
            (started.pipes.stdout, LineSplitter(lambda line: self._log("stdout", line), LINE_BYTES)),
            (started.pipes.stderr, LineSplitter(lambda line: self._log("stderr", line), LINE_BYTES)),
        )
        for fd, lines in pipes:
            loop.add_reader(fd, self._read, fd, lines)
        timeout = self.request.timeout_seconds
        self._after(timeout, lambda: self.stop(timed_out(timeout), TIMEOUT_GRACE_SECONDS))
        ended = asyncio.Event()
        loop.add_reader(started.pidfd, ended.set)
        try:
            await ended.wait()
            loop.remove_reader(started.pidfd)
            live.remove(started.pid)
            status, usage = processes.reap(started.pid)
            self._child = None  # from here on the number may be another process's
            usages = [usage, *await processes.sweep(live)]
            for fd, lines in pipes:
                self._read_rest(fd, lines)
        finally:
            for fd, _ in pipes:
                loop.remove_reader(fd)
                os.close(fd)
            os.close(started.pidfd)
        return status, usages

    def _read(self, fd: int, lines: LineSplitter) -> bool:
        """Take what a pipe holds; say whether there was anything."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(fd, _CHUNK_BYTES)
            if not data:
                asyncio.get_running_loop().remove_reader(fd)
        lines.feed(data)
        return bool(data)

    def _read_rest(self, fd: int, lines: LineSplitter) -> None:
        """Empty a pipe that nobody writes to any more."""
        while self._read(fd, lines):
            pass
        lines.close()

    # --- events

    def _on_event(self, line: str) -> None:
        try:
            message = json.loads(line)
        except ValueError as error:
            self._log_misunderstood(error)
        else:
            self._on_message(message)

    def _on_message(self, message: Mapping[str, Any]) -> None:
        try:
            match message["type"]:
                case "result":
                    self._ending = Result.model_validate(message["result"])
                case "error":
                    self._ending = Failure.model_validate(message["error"])
                    self._had_killed_program = message["signal"] == signal.SIGKILL
                case "progress":
                    self._progress(message)
                case "log":
                    self._log(message["stream"], message["line"])
                case "metric":
                    self._add(message)
        except (ValueError, KeyError, TypeError) as error:  # ValidationError is a ValueError
            self._log_misunderstood(error)

    def _log_misunderstood(self, error: Exception) -> None:
        self._log("worker", f"The service sent an event that is not understood: {error!r}.")

    def _pass_on_held_progress(self) -> None:
        """Whatever is wrong with what was held back, the ending comes after it."""
        try:
            if self._held_progress is not None:
                self._add(self._held_progress)
        except ValueError as error:
            self._log_misunderstood(error)

    def _progress(self, message: Mapping[str, Any]) -> None:
        """Pass on the first, the last, and one in a while; each with the time at which it is passed on."""
        now = time.monotonic()
        if now < self._progress_due:
            self._held_progress = message
            return
        self._held_progress = None
        self._progress_due = now + PROGRESS_SECONDS
        self._add(message)

    def _log(self, stream: str, line: str) -> None:
        size = len(line.encode()) + _LOG_EVENT_BYTES
        if self._log_room >= size:
            self._log_room -= size
            self._add({"type": "log", "stream": stream, "line": line})
        elif self._log_room >= 0:
            self._log_room = -1
            notice = f"The log has reached {LOG_BYTES} bytes; the rest is left out."
            self._add({"type": "log", "stream": "worker", "line": notice})

    def _add(self, message: Mapping[str, Any]) -> None:
        if self.spool.is_full:
            return
        self.spool.append(EVENT.validate_python({**message, **self._stamp()}))
        if self.spool.write_error is not None and self._stopped_by is None:
            self.stop(unwritable(self.spool.write_error), TIMEOUT_GRACE_SECONDS)

    def _stamp(self) -> dict[str, Any]:
        return {"seq": self.spool.next_seq, "at": time.time()}

    # --- the ending

    def _finish(self, status: int, usages: Iterable[struct_rusage], *, was_oom: bool) -> None:
        cpu_seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
        peak_bytes = max((usage.ru_maxrss * 1024 for usage in usages), default=0)
        self._end(self._decide(status, was_oom=was_oom), cpu_seconds, peak_bytes)

    def _end(self, ending: Result | Failure, cpu_seconds: float, peak_bytes: int) -> None:
        self._pass_on_held_progress()
        metrics = Metrics(
            cpu_seconds=round(cpu_seconds, 3),
            peak_rss_bytes=peak_bytes,
            bytes_in=sum(file.size for file in self.request.inputs),
            bytes_out=sum(file.size for file in ending.outputs) if isinstance(ending, Result) else 0,
        )
        if isinstance(ending, Result):
            self.spool.finish(ResultEvent(**self._stamp(), result=ending, metrics=metrics))
            return
        if ending.code == "disk_full":
            self.spool.discard_outputs()
        self.spool.finish(ErrorEvent(**self._stamp(), error=ending, metrics=metrics))

    def _decide(self, status: int, *, was_oom: bool) -> Result | Failure:
        """Say how the attempt ended: as it was told to, else as the child says, else as the child died."""
        if self._stopped_by is not None:
            return self._stopped_by
        if was_oom and (status == -signal.SIGKILL or self._had_killed_program):
            return _OUT_OF_MEMORY
        return self._ending or _died(status)


def timed_out(seconds: float) -> Failure:
    """Why an attempt is ended that has taken too long."""
    return Failure(
        code="timeout",
        message=f"The attempt took longer than {seconds:g} s.",
        hint="Give the job a longer timeout, or less to do.",
        retryable=True,
        reason=Reason.TIMEOUT,
    )


def unwritable(error: OSError) -> Failure:
    """Why an attempt is ended that leaves more than the disk takes."""
    return Failure(
        code="disk_full" if error.errno in (*child.DISK_FULL_ERRORS, errno.EFBIG) else "spool_failed",
        message=f"The attempt's events cannot be written: {error.strerror}.",
        hint=child.DISK_FULL_HINT,
        retryable=True,
        reason=Reason.FAILED,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"


def _died(status: int) -> Failure:
    how = f"was killed by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
    return Failure(
        code="died", message=f"The attempt's process {how} without a result.", retryable=True, reason=Reason.FAILED
    )


_OUT_OF_MEMORY = Failure(
    code="out_of_memory",
    message="The kernel killed the attempt, because the instance ran out of memory.",
    hint="Run it on a larger instance type, or with fewer attempts at once.",
    retryable=True,
    reason=Reason.OOM,
)
