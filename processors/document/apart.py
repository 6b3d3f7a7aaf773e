"""Work on files of strangers in processes of their own, each with so much memory and time and no more.

A page that makes a library crash, or take all memory, ends its process: what was done before stands, the page is tried
once more alone, and when that fails too there is one error that names it.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import resource
import selectors
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from processors.worker import processes
from processors.worker.cgroup import read_usage
from processors.worker.context import HandlerError, Rejected

_MEMORY_BYTES = 512 * 1024 * 1024  # that a process may add to what it was forked with
_LEAST_MEMORY_BYTES = 192 * 1024 * 1024
_SHARE = 0.6  # of the instance's memory that one process may have
_SECONDS = 60.0  # for one page, or one look at a file
_CHUNK_BYTES = 1024 * 1024
_HASTE_SECONDS = 0.02  # between words: to wake the parent for every page would take a tenth of the text's time
_COUNT_BYTES = 8

Say = Callable[[Any], None]  #: passes a value that JSON can say on to the parent, which is a sign of life as well


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may take."""

    memory_bytes: int = _MEMORY_BYTES
    seconds: float = _SECONDS  #: without a word


def limits() -> Limits:
    """Those that fit into this instance."""
    total = read_usage().memory_limit_bytes
    if total is None:
        return Limits()
    return Limits(max(_LEAST_MEMORY_BYTES, min(_MEMORY_BYTES, int(total * _SHARE))))


@dataclass(slots=True)
class _Process:
    pid: int
    fd: int
    tag: int
    due: float
    parts: list[bytes] = field(default_factory=list)  # of a line that has not ended

    def lines(self, data: bytes) -> list[bytes]:
        """The lines that end in what it has said; a long one is put together once, and not for each piece of it."""
        *ended, rest = data.split(b"\n")
        if ended:
            ended[0] = b"".join([*self.parts, ended[0]])
            self.parts.clear()
        self.parts.append(rest)
        return ended


def call(work: Callable[[], Any], name: str, *, allowed: Limits | None = None) -> Any:
    """Do something apart, and give what it returns, which JSON must be able to say.

    Args:
        name: what the user calls the file.

    Raises:
        Rejected: what the work raised, or that it died.
    """
    return list(told(lambda say: say(work()), name, allowed=allowed))[-1]


def told(work: Callable[[Say], None], name: str, *, allowed: Limits | None = None) -> Iterator[Any]:
    """Do something apart that takes longer, and give what it says meanwhile: each value is a sign of life.

    Raises:
        Rejected: what the work raised, or that it died.
    """
    try:
        for _, value in _run([work], 1, allowed or limits()):
            yield value
    except _Ended as error:
        message = f"{name} cannot be read: looking at it {error.why}."
        if error.signal is signal.SIGKILL:  # as of a page
            killed = HandlerError("document_killed", message, "Give the job a larger instance type.")
            killed.signal = error.signal
            raise killed from error
        raise Rejected("damaged_document", message) from error


def each_batch(
    batches: Iterable[Sequence[int]],
    work: Callable[[Sequence[int], Say], None],
    name: str,
    *,
    at_once: int,
    allowed: Limits | None = None,
) -> Iterator[dict[str, Any]]:
    """Do batches of pages apart, several at once; give what the work says.

    Args:
        batches: of pages, counted from 0.
        work: says something of each page when it is done, at least its number: `{"page": 7}`.
        name: what the user calls the file.

    Raises:
        Rejected: what the work raised, or a page that it dies of.
    """
    waiting = deque(tuple(batch) for batch in batches)
    running = allowed or limits()
    while waiting:
        batch_of = list(waiting)
        waiting.clear()
        done: list[set[int]] = [set() for _ in batch_of]
        counts = [mmap.mmap(-1, _COUNT_BYTES) for _ in batch_of]
        tasks = [_task(work, batch, counts[tag]) for tag, batch in enumerate(batch_of)]
        try:
            for tag, value in _run(tasks, at_once, running):
                done[tag].add(value["page"])
                yield value
            return
        except _Ended as error:
            # What was done and not yet said died with the process, and is done again; the culprit is the one after.
            culprit = batch_of[error.tag][min(_count(counts[error.tag]), len(batch_of[error.tag]) - 1)]
            if len(batch_of[error.tag]) == 1:
                raise _too_much(culprit, name, error) from error
            waiting.append((culprit,))
            for batch, finished in zip(batch_of, done, strict=True):
                left = tuple(page for page in batch if page not in finished and page != culprit)
                if left:
                    waiting.append(left)


def _task(work: Callable[[Sequence[int], Say], None], batch: Sequence[int], count: mmap.mmap) -> Callable[[Say], None]:
    """Work that counts its pages in memory that outlives it."""

    def run(say: Say) -> None:
        def say_and_count(value: Any) -> None:
            say(value)
            if value["page"] >= 0:  # less is a mere sign of life
                count[:] = (_count(count) + 1).to_bytes(_COUNT_BYTES, "big")

        work(batch, say_and_count)

    return run


def _count(count: mmap.mmap) -> int:
    return int.from_bytes(count[:], "big")


def _too_much(page: int, name: str, ended: _Ended) -> HandlerError:
    message = f"Page {page + 1} of {name} cannot be read: its reading {ended.why}."
    if ended.signal is signal.SIGKILL:  # the kernel's, for memory: a larger instance may have enough
        error = HandlerError("page_killed", message, "Give the job a larger instance type.")
        error.signal = ended.signal
        return error
    return Rejected("page_unreadable", message, "Leave it out with --pages, or repair the file.")


class _Ended(Exception):
    def __init__(self, tag: int, why: str, number: signal.Signals | None = None) -> None:
        super().__init__(why)
        self.tag, self.why, self.signal = tag, why, number


def _run(tasks: Sequence[Callable[[Say], None]], at_once: int, allowed: Limits) -> Iterator[tuple[int, Any]]:
    """Run tasks in processes; give what they say, with the number of the task. One that dies ends all."""
    waiting = deque(enumerate(tasks))
    alive: dict[int, _Process] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or alive:
                while waiting and len(alive) < at_once:
                    tag, task = waiting.popleft()
                    started = _fork(task, tag, allowed)
                    alive[started.fd] = started
                    selector.register(started.fd, selectors.EVENT_READ)
                soonest = min(process.due for process in alive.values())
                ready = selector.select(max(0.0, soonest - time.monotonic()))
                for key, _ in ready:
                    process = alive[key.fd]
                    process.due = time.monotonic() + allowed.seconds
                    data = os.read(process.fd, _CHUNK_BYTES)
                    if data:
                        for line in process.lines(data):
                            yield process.tag, _value(line)
                        continue
                    selector.unregister(process.fd)
                    del alive[process.fd]
                    _end(process, allowed)
                for process in alive.values():
                    if time.monotonic() > process.due:
                        raise _Ended(process.tag, f"takes longer than {allowed.seconds:g} s")
        finally:
            for process in alive.values():
                processes.signal_group(process.pid, signal.SIGKILL)
                os.close(process.fd)
                os.waitpid(process.pid, 0)


def _end(process: _Process, allowed: Limits) -> None:
    os.close(process.fd)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and its number is still its own
    processes.signal_group(process.pid, signal.SIGKILL)  # what it has started does not outlive it
    _, status = os.waitpid(process.pid, 0)
    if status == 0:
        return
    code = os.waitstatus_to_exitcode(status)
    # Libraries end themselves in several ways when they get no memory: by abort, by a trap, by a null pointer.
    why = f"needs more than {allowed.memory_bytes >> 20} MiB of memory" if code == _NO_MEMORY else "makes it crash"
    if code in (-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL):
        why = f"needs more than {allowed.memory_bytes >> 20} MiB of memory, or makes it crash"
    if code == -signal.SIGKILL:
        why = "was killed, as what takes too much memory is"
    raise _Ended(process.tag, why, signal.Signals(-code) if code < 0 else None)


_NO_MEMORY = 77


def _value(line: bytes) -> Any:
    message = json.loads(line)
    match message:
        case {"rejected": [code, text, hint]}:
            raise Rejected(code, text, hint)
        case {"failed": [code, text, hint, number]}:
            error = HandlerError(code, text, hint)
            error.signal = signal.Signals(number) if number else None
            raise error
        case {"system": [number, text]}:
            raise OSError(number, text)
        case {"bug": text}:
            raise RuntimeError(text)
        case _:
            return message["value"]


def _fork(task: Callable[[Say], None], tag: int, allowed: Limits) -> _Process:
    reading, writing = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    parent = os.getpid()
    try:
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _be(task, writing, allowed, parent)
        os.close(writing)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return _Process(pid, reading, tag, time.monotonic() + allowed.seconds)


def _be(task: Callable[[Say], None], fd: int, allowed: Limits, parent: int) -> NoReturn:
    """Be the process, to its end."""
    status = 1
    try:
        os.setpgid(0, 0)  # with all that it starts, as tesseract, so that they can be killed together
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        processes.die_with_parent(parent)
        gc.freeze()  # a collection would copy the pages of all that the parent has
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = _address_space() + allowed.memory_bytes
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
        words = _Words(fd)
        try:
            task(words.say)
            words.flush()
        except Rejected as error:
            _write(fd, {"rejected": [error.code, error.message, error.hint]})
        except HandlerError as error:
            _write(fd, {"failed": [error.code, error.message, error.hint, error.signal]})
        except OSError as error:  # a full disk is told as such by the attempt, and is no bug
            if error.errno is None:
                raise
            traceback.print_exc()
            _write(fd, {"system": [error.errno, error.strerror or str(error)]})
        status = 0
    except MemoryError:
        status = _NO_MEMORY
    except BaseException as error:
        traceback.print_exc()
        _write(fd, {"bug": f"{type(error).__name__}: {error}"})
        status = 0
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


class _Words:
    """Passes values on, those of one moment together."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._kept: list[Any] = []
        self._passed_at = 0.0

    def say(self, value: Any) -> None:
        self._kept.append(value)
        if time.monotonic() - self._passed_at >= _HASTE_SECONDS:
            self.flush()

    def flush(self) -> None:
        _write(self._fd, *({"value": value} for value in self._kept))
        self._kept.clear()
        self._passed_at = time.monotonic()


def _address_space() -> int:
    """What this process has mapped, in bytes."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _write(fd: int, *messages: Any) -> None:
    data = memoryview("".join(f"{json.dumps(message)}\n" for message in messages).encode())
    while data:
        data = data[os.write(fd, data) :]
