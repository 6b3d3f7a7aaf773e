"""The forked process of an attempt: how it is made, and what it does around the handler.

A fork of the warm worker has all imports already, so an attempt starts in milliseconds. Its stdout and stderr are
pipes to the worker; a third pipe carries events as lines of JSON, without number and time, which are the worker's.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from pydantic import ValidationError

from processors.protocol import EVENT_BYTES, AttemptRequest, Reason, Result
from processors.specs import SPECS, Spec
from processors.worker import processes
from processors.worker.context import Context, HandlerError, ProgramFailed, Rejected, Terminated

Handle = Callable[[Context[Any]], Result]

_EVENTS_FD = 3  # in the child; the first after stdin, stdout and stderr
_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
ENDING_CHARS = EVENT_BYTES - 1024  #: of an ending, which gets a number, a time and metrics on its way
DISK_FULL_HINT = "Free some space where the spool is, or run fewer attempts at once."
DISK_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Pipes:
    """One end of each of the child's three pipes."""

    events: int
    stdout: int
    stderr: int


@dataclass(frozen=True, slots=True)
class Work:
    """What the child of an attempt is to do."""

    handle: Handle
    request: AttemptRequest
    inputs: Path
    out: Path
    beside: int = 0  #: attempts that run already
    inline_bytes: int = 0  #: see Context

    def context(self, spec: Spec, emit: Callable[[Mapping[str, Any]], None]) -> Context[Any]:
        """What its handler is given."""
        return Context(spec, self.request, self.inputs, self.out, emit, self.beside, self.inline_bytes)


@dataclass(frozen=True, slots=True)
class Child:
    """A running attempt, seen from the worker."""

    pid: int
    pidfd: int  #: becomes readable when the child ends
    pipes: Pipes  #: to read from


def fork(work: Work) -> Child:
    """Start the child of an attempt."""
    with ExitStack() as opened:
        reading, writing = _pipes(opened)
        pid = _fork(work, writing)
        opened.pop_all()
    for fd in (writing.events, writing.stdout, writing.stderr):
        os.close(fd)
    for fd in (reading.events, reading.stdout, reading.stderr):
        os.set_blocking(fd, False)
    return Child(pid, os.pidfd_open(pid), reading)


def _pipes(opened: ExitStack) -> tuple[Pipes, Pipes]:
    """Three pipes: their ends to read from, and to write to. They are closed with `opened`."""
    pairs: list[tuple[int, int]] = []
    for _ in range(3):
        pairs.append(os.pipe())
        for fd in pairs[-1]:
            opened.callback(os.close, fd)
    reading, writing = (Pipes(*ends) for ends in zip(*pairs, strict=True))
    return reading, writing


def _fork(work: Work, writing: Pipes) -> int:
    # Until the child has its own handlers, a signal to it would be written to the worker's wake-up descriptor.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    parent = os.getpid()
    try:
        pid = os.fork()
        if pid == 0:
            _run(work, writing, parent)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(work: Work, pipes: Pipes, parent: int) -> NoReturn:
    """Be the child, from the fork to the exit."""
    status = 1
    try:
        _detach(pipes, work.request.output_limit_bytes, parent)
        os.chdir(work.out)
        emit = _emitter()
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
            ending = perform(work, emit)
            emit(ending if len(json.dumps(ending)) <= ENDING_CHARS else TOO_LONG)
            status = 0
        except Terminated:
            status = 128 + signal.SIGTERM
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:  # whatever happens, this process must not return into the worker's code
            os._exit(status)


def _detach(pipes: Pipes, output_limit_bytes: int, parent: int) -> None:
    """Leave everything of the worker behind but its imports."""
    # A group to be signalled, and no session: where the kernel gives each session the same share of the processors, as
    # many as there are attempts would be ahead of what has to answer. All of an instance have one share, the worker's.
    os.setpgid(0, 0)
    gc.freeze()  # else a dead socket of the worker's, collected here, closes a descriptor that is by then another file
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(pipes.stdout, 1)
    os.dup2(pipes.stderr, 2)
    if pipes.events != _EVENTS_FD:
        os.dup2(pipes.events, _EVENTS_FD, inheritable=False)
    os.closerange(_EVENTS_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    # The limit is of each file here; their sum is looked at in the end.
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    limit = output_limit_bytes if hard == resource.RLIM_INFINITY else min(output_limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    processes.become_subreaper()
    processes.die_with_parent(parent)
    processes.prefer_for_oom_kill()


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the way out must not be interrupted
    raise Terminated


def _emitter() -> Callable[[Mapping[str, Any]], None]:
    lock = threading.Lock()  # a handler may have threads, and long lines are not written at once

    def emit(event: Mapping[str, Any]) -> None:
        data = json.dumps(event).encode() + b"\n"
        with lock:
            while data:
                data = data[os.write(_EVENTS_FD, data) :]

    return emit


def perform(work: Work, emit: Callable[[Mapping[str, Any]], None]) -> Mapping[str, Any]:
    """Call the handler, and say how it ended."""
    request = work.request
    try:
        return succeeded(work.handle(work.context(spec_of(request), emit)), request)
    except HandlerError as error:
        if error.signal is signal.SIGXFSZ:
            return failed(_too_large(request.output_limit_bytes))
        if isinstance(error, ProgramFailed) and error.met_full_disk:
            return failed(_disk_full())
        return failed(error)
    except MemoryError:
        return failed(HandlerError("out_of_memory", "The attempt ran out of memory."), Reason.OOM)
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            return failed(_disk_full())
        if error.errno == errno.EFBIG:
            return failed(_too_large(request.output_limit_bytes))
        return _bug(error)
    except Exception as error:
        return _bug(error)


def spec_of(request: AttemptRequest) -> Spec:
    """What is asked for.

    Raises:
        Rejected: it makes no sense.
    """
    try:
        return SPECS[request.service].model_validate(request.spec)
    except ValidationError as error:
        raise Rejected("invalid_spec", f"The spec is not valid: {error.errors()[0]['msg']}.") from error


def succeeded(result: Result, request: AttemptRequest) -> Mapping[str, Any]:
    """The ending of an attempt that has come to a result, as an event.

    Raises:
        HandlerError: it is larger than it may be.
    """
    if sum(output.size for output in result.outputs) > request.output_limit_bytes:
        raise _too_large(request.output_limit_bytes)
    return {"type": "result", "result": result.model_dump(mode="json")}


def _too_large(limit_bytes: int) -> HandlerError:
    return HandlerError(
        "output_too_large",
        f"The outputs take more than the {limit_bytes} bytes that the job may write.",
        "Ask for a lower quality or resolution, or raise the limit.",
        retryable=False,
    )


def _disk_full() -> HandlerError:
    return HandlerError("disk_full", "There is no space left for the attempt's outputs.", DISK_FULL_HINT)


def _bug(error: Exception) -> Mapping[str, Any]:
    traceback.print_exc()
    message = f"The service failed unexpectedly: {type(error).__name__}: {error}"
    return failed(HandlerError("internal_error", message, "The attempt's log has the traceback."))


def failed(error: HandlerError, reason: Reason | None = None) -> Mapping[str, Any]:
    """The ending of an attempt that has failed, as an event."""
    return {
        "type": "error",
        "signal": error.signal,
        "error": {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "retryable": error.retryable,
            "reason": reason or error.reason,
        },
    }


TOO_LONG = failed(
    HandlerError(
        "result_too_long",
        f"What the attempt says of its result takes more than {ENDING_CHARS} characters.",
        "Ask for less, or for a format that goes into a file.",
        retryable=False,
    )
)
