"""The slots that wait for jobs: a line for each class, made and removed in the background.

Whoever takes one gets the first that is ready, or the next that becomes so. No slot is ever put back.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.domain.limits import MIB
from pitchey_cli.engines.port import Mount
from pitchey_cli.supervisor.slot import Slot
from pitchey_cli.supervisor.stock import Demand

_MAKERS = 4  # containers that are made at once: more of them take longer, and starve what runs
_HEAD_START_SECONDS = 0.1  # that a job has before the next slot is made, which takes a processor: most need no more
_LOOK_SECONDS = 5.0  # between two looks for what is not wanted any more
_AGAIN_SECONDS = 5.0  # after an engine has refused
_LONGEST_PAUSE_SECONDS = 60.0  # between two tries to remove one


class SlotClass(NamedTuple):
    """What slots have to have in common to stand in one line."""

    memory_bytes: int
    mounts: tuple[Mount, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    job_bytes: int = 64 * MIB  #: size of /job
    job_files: int = 4096


@dataclass
class _Line:
    """The slots of one class."""

    demand: Demand
    ready: deque[Slot] = field(default_factory=deque)
    waiting: deque[asyncio.Future[Slot]] = field(default_factory=deque)
    making: int = 0
    not_before: float = 0.0  #: monotonic; none is made for the shelf before
    is_apart: bool = False  #: of one job; not on the shelf


class Shelf:
    """All slots of an instance that have no job."""

    def __init__(self, make: Callable[[SlotClass], Awaitable[Slot]], *, most: int) -> None:
        """Begin with none.

        Args:
            make: makes one, in a container that is new.
            most: that wait, of all classes together.
        """
        self._make = make
        self._most = most
        self._lines: dict[SlotClass, _Line] = {}
        self._makers = asyncio.Semaphore(_MAKERS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def expect(self, wanted: SlotClass) -> None:
        """Have one ready: the next job is likely to be of this class."""
        self._line(wanted)
        self._fill(wanted)

    async def take(self, wanted: SlotClass) -> Slot:
        """A slot that has never had a job, and that is the caller's now.

        Raises:
            PitcheyError: the engine refuses to make one.
        """
        line = self._line(wanted)
        line.demand.note_asked(time.monotonic())
        while line.ready:
            slot = line.ready.popleft()
            if slot.is_well():
                asyncio.get_running_loop().call_later(_HEAD_START_SECONDS, self._fill, wanted)
                return slot
            self.discard(slot)
        coming: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        line.waiting.append(coming)
        self._fill(wanted)
        return await self._arrival(line, coming)

    async def take_apart(self, wanted: SlotClass) -> Slot:
        """The same for one that nobody else could use: it is made now, and none of its class waits afterwards.

        Raises:
            PitcheyError: the engine refuses to make one.
        """
        line = _Line(Demand(time.monotonic()), is_apart=True)
        coming: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        line.waiting.append(coming)
        line.making += 1
        self._spawn(self._make_one(wanted, line))
        return await self._arrival(line, coming)

    async def _arrival(self, line: _Line, coming: asyncio.Future[Slot]) -> Slot:
        try:
            return await coming
        except asyncio.CancelledError:
            if not coming.cancelled() and coming.exception() is None:  # it came at the same moment
                self._hand_out(line, coming.result())
            raise

    def discard(self, slot: Slot) -> None:
        """Remove one, in the background."""
        self._spawn(self._remove(slot))

    async def keep(self) -> None:
        """Throw away what is not wanted any more, for ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._trim()
            for wanted in list(self._lines):
                self._fill(wanted)

    async def close(self) -> None:
        """Remove all that is here, and wait for it."""
        self._is_closed = True
        for line in self._lines.values():
            while line.ready:
                self.discard(line.ready.popleft())
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---

    def _line(self, wanted: SlotClass) -> _Line:
        if wanted not in self._lines:
            self._lines[wanted] = _Line(Demand(time.monotonic()))
        return self._lines[wanted]

    def _fill(self, wanted: SlotClass) -> None:
        """Begin to make what is missing of a class."""
        line, now = self._lines.get(wanted), time.monotonic()
        if line is None or (self._is_closed and not line.waiting):
            return
        others = sum(len(other.ready) for name, other in self._lines.items() if name != wanted)
        stock = line.demand.wanted(now, max(0, self._most - others)) if now >= line.not_before else 0
        for _ in range(len(line.waiting) + stock - len(line.ready) - line.making):
            line.making += 1
            self._spawn(self._make_one(wanted, line))

    async def _make_one(self, wanted: SlotClass, line: _Line) -> None:
        try:
            async with self._makers:
                if self._is_closed and not line.waiting:
                    return
                began = time.monotonic()
                slot = await self._make(wanted)
                line.demand.note_made(time.monotonic() - began)
        except Exception as error:
            line.not_before = time.monotonic() + _AGAIN_SECONDS
            if (coming := self._next(line)) is not None:
                coming.set_exception(error)
            else:
                sys.stderr.write(f"No slot could be made: {error}\n")
            if not isinstance(error, PitcheyError):
                raise
        else:
            self._hand_out(line, slot)
        finally:
            line.making -= 1

    def _hand_out(self, line: _Line, slot: Slot) -> None:
        """Give a slot that nobody has had to who has waited longest, or have it wait itself."""
        if (coming := self._next(line)) is not None:
            coming.set_result(slot)
        elif self._is_closed or line.is_apart:
            self.discard(slot)
        else:
            line.ready.append(slot)

    @staticmethod
    def _next(line: _Line) -> asyncio.Future[Slot] | None:
        """Who has waited longest, and still does."""
        while line.waiting:
            if not (coming := line.waiting.popleft()).done():
                return coming
        return None

    def _trim(self) -> None:
        now = time.monotonic()
        # The class that was asked for last is the last to lose any.
        for wanted, line in sorted(self._lines.items(), key=lambda each: each[1].demand.asked_at):
            total = sum(len(each.ready) for each in self._lines.values())
            surplus = max(len(line.ready) - line.demand.wanted(now, self._most), total - self._most)
            for _ in range(min(surplus, len(line.ready))):
                self.discard(line.ready.popleft())
            if not (line.ready or line.waiting or line.making or line.demand.wanted(now, 1)):
                del self._lines[wanted]

    async def _remove(self, slot: Slot) -> None:
        """Remove one, however long the engine is away; what is left at the end goes with the instance."""
        pause = _AGAIN_SECONDS
        while True:
            with contextlib.suppress(PitcheyError):
                return await slot.remove()
            if self._is_closed:
                return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
