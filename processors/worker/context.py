"""What a handler is given and what it may raise: the contract with the authors of services.

A service is a module `processors.<service>.handler` with

    def handle(context: Context[VideoSpec]) -> Result:
        ...do the work, synchronously and in the order that is natural...

    def check() -> None:     # optional
        ...raise SystemExit with a sentence when this instance can never work; before the worker is ready...

    def warm() -> None:      # optional
        ...import what is heavy, once; the worker is ready by then, and its first attempt is usually not there yet;
        what it raises ends the worker...

    def use_models(directory: Path) -> None:     # of a service that works with models
        ...remember where those of this machine lie; before `check`...

    def beside(listening: socket, worker: Host) -> None:     # optional; see companion.py
        ...keep for all attempts what each would else load for itself: accept on the socket, for ever, in a process of
        its own, in which threads are allowed; `worker.serve(handle)` does the attempts there that may be shared...

    def may_share(request: AttemptRequest) -> bool:     # optional, beside `beside`; see shared.py
        ...say of an attempt that it is short, reads no files, and makes them by `context.write` alone: where its
        request has `inline_bytes`, there may be no `out` directory...

`check` and `warm` run in the worker, and must start no thread and open no file: every attempt is a fork of that
process. `handle` runs in the fork, a process of its own that serves this attempt only and in which anything is allowed:
it may block, use threads, leak, crash. It has no network by default, reads its inputs, and writes below `context.out`
(which is also the working directory). When it returns, or raises, all processes that it has started are killed.

- Say what goes on: `context.progress(stage, fraction)`, as often as you like; the worker thins it out.
- Run programs with `context.run(argv)`. Their stderr goes to the attempt's log, and so does what the handler prints.
- Name outputs with `context.output(path, ...)` and return them in the `Result`: a file that is not named is not kept.
- Raise `Rejected` when the input or the spec can never work, `HandlerError` when the work failed; the message is one
  sentence for the user and names the input (`context.input_name(field)`). Any other exception is a bug of the handler:
  its traceback goes to the log, and the attempt may be tried again.
- A cancelled attempt gets SIGTERM, which is raised in `handle` as `Terminated`; `context.run` lets the program, which
  got it too, come to its own end. There is nothing to do but to let it pass. After the grace comes SIGKILL.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import stat
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar, cast

from processors.protocol import AttemptRequest, InputFile, OutputFile, Reason
from processors.specs import Spec
from processors.worker.lines import LineSplitter

SpecT = TypeVar("SpecT", bound=Spec)

LINE_BYTES = 8 * 1024  # of a line of a log; the rest is cut
_TAIL_LINES = 20  # of stderr, kept for the message of a failure


class HandlerError(Exception):
    """The work failed."""

    reason = Reason.FAILED

    def __init__(self, code: str, message: str, hint: str | None = None, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.signal: signal.Signals | None = None  #: what killed the program that failed


class Rejected(HandlerError):
    """The input or the spec can never work."""

    reason = Reason.REJECTED

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(code, message, hint, retryable=False)


class ProgramFailed(HandlerError):
    """A program ended with a status other than 0, or by a signal. `tail` has its last words."""

    def __init__(self, program: str, status: int, tail: Sequence[str]) -> None:
        self.tail = tuple(tail)
        killed = signal.Signals(-status) if status < 0 else None
        how = f"was killed by {killed.name}" if killed else f"ended with status {status}"
        words = f": {tail[-1]}" if tail else "."
        super().__init__("program_failed", f"{program} {how}{words}", "The attempt's log has all that it said.")
        self.signal = killed

    @property
    def met_full_disk(self) -> bool:
        """Say whether the program's last words are that there is no space left."""
        return any(os.strerror(errno.ENOSPC) in line for line in self.tail)


class Terminated(BaseException):
    """The attempt is being cancelled."""


@dataclass(frozen=True)
class Context(Generic[SpecT]):
    """One attempt, as its handler sees it."""

    spec: SpecT
    request: AttemptRequest
    inputs: Path  #: the attempt's input directory
    out: Path  #: where outputs go
    emit: Callable[[Mapping[str, Any]], None]  #: passes an event on, still without number and time
    beside: int = 0  #: attempts that ran in this instance when this one began; others may have begun since
    inline_bytes: int = 0  #: what is written of a text up to this size goes into the result, and is no file

    def input_path(self, field: str) -> Path:
        """The file that a field of the spec has named."""
        return self.inputs / self._input(field).path

    def input_name(self, field: str) -> str:
        """What the user calls that file; for messages."""
        return self._input(field).name

    def progress(
        self, stage: str, fraction: float | None = None, *, eta_seconds: float | None = None, speed: float | None = None
    ) -> None:
        """Say how far the attempt is.

        Args:
            fraction: of the whole attempt, from 0 to 1; None while the length of the work is unknown.
            speed: seconds of media per second of work.
        """
        if fraction is not None:
            fraction = min(1.0, max(0.0, fraction))
        self.emit(
            {"type": "progress", "stage": stage, "fraction": fraction, "eta_seconds": eta_seconds, "speed": speed}
        )

    def log(self, line: str) -> None:
        """Add a line to the attempt's log."""
        self.emit({"type": "log", "stream": "worker", "line": line})

    def answer(self, piece: str) -> None:
        """Pass on a piece of the answer before the rest is there; who puts all of them together has the whole."""
        self.emit({"type": "log", "stream": "answer", "line": piece})

    def output(self, name: str, *, media_type: str, role: str, details: Mapping[str, Any] | None = None) -> OutputFile:
        """Describe a file in the out directory as an output; it must be a regular file and its size final."""
        found = (self.out / name).lstat()
        if not stat.S_ISREG(found.st_mode):
            raise HandlerError("output_not_a_file", f"The output {name} is not a regular file.", retryable=False)
        return OutputFile(path=name, media_type=media_type, role=role, size=found.st_size, details=dict(details or {}))

    def write(self, name: str, text: str, *, media_type: str, role: str, details: Mapping[str, Any]) -> OutputFile:
        """Make a text an output."""
        data = text.encode()
        if len(data) <= self.inline_bytes:
            size = len(data)
            return OutputFile(path=name, media_type=media_type, role=role, size=size, details=dict(details), text=text)
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / name).write_bytes(data)
        return self.output(name, media_type=media_type, role=role, details=details)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        on_stdout: Callable[[str], None] | None = None,
        is_killed_at_once: bool = False,
    ) -> None:
        """Run a program to its end.

        Args:
            on_stdout: takes each line of its stdout, which else goes to the log as its stderr does.
            is_killed_at_once: at a cancellation; else it would finish what nobody takes.

        Raises:
            ProgramFailed: its status is not 0.
        """
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def log_stdout(line: str) -> None:
            self.emit({"type": "log", "stream": "stdout", "line": line})

        def log_stderr(line: str) -> None:
            tail.append(line)
            self.emit({"type": "log", "stream": "stderr", "line": line})

        terminated: Terminated | None = None
        program = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with program, selectors.DefaultSelector() as selector:
            for pipe, sink in ((program.stdout, on_stdout or log_stdout), (program.stderr, log_stderr)):
                selector.register(cast(IO[bytes], pipe), selectors.EVENT_READ, LineSplitter(sink, LINE_BYTES))
            while selector.get_map():
                try:
                    _pass_on(selector)
                except Terminated as signalled:  # so is the program: it may clean up, and have its last words
                    terminated = signalled
                    if is_killed_at_once:
                        program.kill()
        if terminated is not None:
            raise terminated
        if program.returncode != 0:
            raise ProgramFailed(Path(argv[0]).name, program.returncode, tail)

    def _input(self, field: str) -> InputFile:
        for file in self.request.inputs:
            if file.field == field:
                return file
        raise Rejected("input_missing", f"The job names no file as {field}.")


def _pass_on(selector: selectors.BaseSelector) -> None:
    """Wait until pipes have something to read, and feed it to their splitters."""
    for key, _ in selector.select():
        if data := os.read(key.fd, 64 * 1024):
            key.data.feed(data)
        else:
            key.data.close()
            selector.unregister(key.fileobj)
