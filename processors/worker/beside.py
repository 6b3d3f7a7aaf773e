"""The companion's side of what it has with the worker: it says what is loaded, and does the attempts that are shared.

Those are done in threads here, beside the attempts that are forks (shared.py). Where a service says how, those that are
alike are done at once: a thread does what has come in, and what comes meanwhile is the next group. Where there is more
than one group to do, other threads do the others, as many as the instance has processors.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import socket
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processors.protocol import AttemptRequest, Result
from processors.worker.child import ENDING_CHARS, TOO_LONG, Handle, Work, perform, spec_of, succeeded
from processors.worker.context import Context, HandlerError, Terminated
from processors.worker.threads import granted_threads

PACKET_BYTES = 128 * 1024  # of one message; a socket's buffer takes more
QUIET_SECONDS = 0.25  # from the beginning: what is over by then needs to tell no progress
_MOST_THREADS = 128  # of the 64 slots that an instance may have, and as many that were left behind (companion.py)
MOST_AT_ONCE = 16  #: attempts in a group: more gain little, and keep the first of them waiting
_PART_CHARS = 60 * 1024  # of an ending in one packet, where a quote becomes two characters
_BESIDE_CHARS = 200  # that are said beside each


@dataclass(frozen=True, slots=True)
class Together:
    """How a service does several attempts at once."""

    likeness: Callable[[AttemptRequest], Hashable]  #: of two that may be, it is the same
    gains: Callable[[AttemptRequest], bool]  #: whether those that are like it are quicker at once; else none are
    size: Callable[[AttemptRequest], int]  #: of those that are like it the nearest are quickest at once
    handle: Callable[[Sequence[Context[Any]]], Sequence[Result] | None]  #: None: not these. What it raises says as much


@dataclass(frozen=True, slots=True)
class _Task:
    """An attempt that is to be done here."""

    request: AttemptRequest
    inputs: Path
    out: Path
    ended: threading.Event = field(default_factory=threading.Event)  #: set: it is to end

    def work(self, handle: Handle) -> Work:
        """The same, for the handler."""
        return Work(handle, self.request, self.inputs, self.out, inline_bytes=self.request.inline_bytes or 0)


@dataclass(slots=True)
class _Gathered:
    """Attempts that are alike, and whose turn has not come."""

    waiting: list[_Task] = field(default_factory=list)
    threads: int = 0  #: that do them

    @property
    def groups(self) -> int:
        """That those who wait make."""
        return -(-len(self.waiting) // MOST_AT_ONCE)

    def take(self, size: Callable[[AttemptRequest], int]) -> list[_Task]:
        """The next group: who has waited longest, and those of about the same size."""
        group = _nearest(self.waiting, size)
        taken = {task.request.token for task in group}
        self.waiting = [task for task in self.waiting if task.request.token not in taken]
        return group


class Host:
    """The worker, as the companion sees it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._running: dict[str, _Task] = {}
        self._threads = ThreadPoolExecutor(_MOST_THREADS)
        self._most_turns = max(2, granted_threads())  # threads that do those of one likeness
        self._gathering = threading.Lock()
        self._gathered: dict[Hashable, _Gathered] = {}

    def say(self, loaded: Mapping[str, int]) -> None:
        """Tell what is loaded, each time anew: names, and bytes of memory."""
        self._send({"loaded": dict(loaded)})

    def serve(self, handle: Handle, together: Together | None = None) -> None:
        """Do the attempts that may be shared, from now on, in other threads."""
        threading.Thread(target=self._serve, args=(handle, together), daemon=True).start()

    def _serve(self, handle: Handle, together: Together | None) -> None:
        while packet := self._link.recv(PACKET_BYTES):
            message = json.loads(packet)
            if (ended := self._running.get(message.get("end", ""))) is not None:
                ended.ended.set()
            self._begin([_task(each) for each in message.get("attempts", ())], handle, together)

    def _begin(self, tasks: Sequence[_Task], handle: Handle, together: Together | None) -> None:
        self._running.update((task.request.token, task) for task in tasks)
        if together is None:
            self._begin_each(tasks, handle)
            return
        alike: dict[Hashable, list[_Task]] = {}
        for task in tasks:
            alike.setdefault(together.likeness(task.request), []).append(task)
        for key, its in alike.items():
            if key in self._gathered or _gains(its[0], together):
                self._gather(key, its, handle, together)
            else:
                self._begin_each(its, handle)

    def _begin_each(self, tasks: Sequence[_Task], handle: Handle) -> None:
        for task in tasks:
            self._submit([task], self._perform, handle, task)

    def _gather(self, key: Hashable, tasks: Sequence[_Task], handle: Handle, together: Together) -> None:
        starts: list[list[_Task]] = []
        with self._gathering:
            found = self._gathered.setdefault(key, _Gathered())
            found.waiting += tasks
            while found.threads < min(self._most_turns, found.groups):
                found.threads += 1
                starts.append(list(found.waiting))
        for its in starts:
            self._submit(its, self._perform_gathered, key, handle, together)

    def _submit(self, tasks: Sequence[_Task], perform: Callable[..., None], *args: Any) -> None:
        try:
            self._threads.submit(perform, *args)
        except RuntimeError:  # no more threads: they wait for one, but the worker need not
            for task in tasks:
                task.ended.set()
                self._send({"token": task.request.token, "isOver": True, "isRefused": True})

    # --- in a thread

    def _perform(self, handle: Handle, task: _Task) -> None:
        loud_at, cpu_seconds = time.monotonic() + QUIET_SECONDS, time.thread_time()

        def emit(event: Mapping[str, Any]) -> None:
            if task.ended.is_set():
                raise Terminated
            if event["type"] != "progress" or time.monotonic() > loud_at:
                self._send({"token": task.request.token, "event": event, "isOver": False})

        ending: Mapping[str, Any] | None = None
        try:
            if task.ended.is_set():  # while it waited for a thread
                raise Terminated
            ending = perform(task.work(handle), emit)
        except BaseException as error:
            if not isinstance(error, Terminated):
                traceback.print_exc()
        self._end([(task, ending)], time.thread_time() - cpu_seconds)

    def _perform_gathered(self, key: Hashable, handle: Handle, together: Together) -> None:
        """Do those of one likeness, a group after the other, until there are none."""
        while tasks := self._next_group(key, together.size):
            if len(tasks) == 1:  # as if nobody could come with it: it tells how far it is
                self._perform(handle, tasks[0])
                continue
            cpu_seconds = time.thread_time()
            endings: list[Mapping[str, Any]] | None = None
            if not any(task.ended.is_set() for task in tasks):
                try:
                    endings = _performed(tasks, handle, together)
                except HandlerError:
                    pass  # one of them is to blame, and by itself it will say why
                except BaseException:
                    traceback.print_exc()  # a bug, which each by itself might not show
            if endings is not None:
                self._end(list(zip(tasks, endings, strict=True)), time.thread_time() - cpu_seconds)
                continue
            self._begin_each(tasks, handle)

    def _next_group(self, key: Hashable, size: Callable[[AttemptRequest], int]) -> list[_Task]:
        with self._gathering:
            found = self._gathered[key]
            if not (group := found.take(size)):
                found.threads -= 1
                if not found.threads:
                    del self._gathered[key]
            return group

    # --- what the worker is told

    def _end(self, endings: Sequence[tuple[_Task, Mapping[str, Any] | None]], cpu_seconds: float) -> None:
        """Tell how attempts have ended that were done at once: many in a packet, or one in as many as it takes."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # of all that are done here
        used = {"cpuSeconds": cpu_seconds / len(endings), "peakBytes": peak}
        short: list[dict[str, Any]] = []
        room = _PART_CHARS
        for task, ending in endings:
            token = task.request.token
            del self._running[token]
            text = json.dumps(None if task.ended.is_set() else ending)
            *parts, last = _parts_of(text if len(text) <= ENDING_CHARS else json.dumps(TOO_LONG))
            for part in parts:
                self._send({"token": token, "part": part, "isOver": False})
            if len(last) > room:
                self._send({"over": short})
                short, room = [], _PART_CHARS
            short.append({"token": token, "part": last, "isOver": True, **used})
            room -= len(last) + _BESIDE_CHARS
        self._send({"over": short})

    def _send(self, message: Mapping[str, Any]) -> None:
        """Send a message whole, whichever thread sends it.

        Raises:
            OSError: it is longer than a packet.
        """
        packet = json.dumps(message).encode()
        if len(packet) > PACKET_BYTES:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self._link.send(packet)


def _task(given: Mapping[str, Any]) -> _Task:
    return _Task(AttemptRequest.model_validate(given["request"]), Path(given["inputs"]), Path(given["out"]))


def _nearest(waiting: Sequence[_Task], size: Callable[[AttemptRequest], int]) -> list[_Task]:
    if not waiting:
        return []
    try:
        first = size(waiting[0].request)
        return sorted(waiting, key=lambda task: abs(size(task.request) - first))[:MOST_AT_ONCE]
    except Exception:
        traceback.print_exc()  # by itself it will say what is wrong, and the others do not wait for it
        return [waiting[0]]


def _gains(task: _Task, together: Together) -> bool:
    try:
        return together.gains(task.request)
    except Exception:
        traceback.print_exc()  # by itself it will say what is wrong, and no other has to wait for it
        return False


def _performed(tasks: Sequence[_Task], handle: Handle, together: Together) -> list[Mapping[str, Any]] | None:
    """How attempts end that are done at once; None where each is to be done by itself."""

    def quiet(event: Mapping[str, Any]) -> None:
        del event  # progress, which is of none of them alone

    contexts = [task.work(handle).context(spec_of(task.request), quiet) for task in tasks]
    results = together.handle(contexts)
    if results is None:
        return None
    return [succeeded(result, task.request) for task, result in zip(tasks, results, strict=True)]


def _parts_of(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PART_CHARS):
        yield text[start : start + _PART_CHARS]
