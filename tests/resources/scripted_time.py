"""A clock whose hands the test turns, and an event loop that goes by it.

When nothing is left to do at a moment, the loop turns the hands to the next timer: hours of a daemon's life take as
long as what happens in them. What the daemon does in threads happens in the loop, after a moment whose length is diced,
so that things meet in different orders, and in the same one for the same seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context, ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from pitchey_cli.store.writer import Writer

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_THREAD_SECONDS = 0.02  # what is done in a thread takes so long at most

_LIFE: ContextVar[Life] = ContextVar("life")


@dataclass
class ScriptedClock:
    """Time as the test has it."""

    seconds: float = 0.0
    wall_seconds: float = 0.0  #: how far the wall clock has been turned beside the other one
    boots: int = 1
    booted_at: float = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds + self.wall_seconds)

    def monotonic(self) -> float:
        return self.seconds - self.booted_at

    def boot_anew(self) -> None:
        self.boots += 1
        self.booted_at = self.seconds

    def boot(self) -> str:
        return f"boot-{self.boots}"


class CountingWriter(Writer):
    """A writer that is known to be at work: time does not pass meanwhile."""

    unanswered = 0

    async def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.unanswered += 1
        try:
            return await super().call(fn, *args, **kwargs)
        finally:
            self.unanswered -= 1

    async def join(self, fn: Callable[[Sequence[A]], Sequence[T | Exception]], item: A) -> T:
        self.unanswered += 1
        try:
            return await super().join(fn, item)
        finally:
            self.unanswered -= 1

    async def note(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.unanswered += 1
        try:
            return await super().note(fn, *args, **kwargs)
        finally:
            self.unanswered -= 1


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Turns the hands instead of waiting."""

    clock: ScriptedClock
    is_thread_at_work: Callable[[], bool]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if (found := super().select(0)) or timeout == 0:
            return found
        if self.is_thread_at_work():
            return super().select(None)  # it wakes the loop
        assert timeout is not None, "nothing will ever happen again"
        self.clock.seconds += max(timeout, 0.0)
        return []


class ScriptedLoop(asyncio.SelectorEventLoop):
    """An event loop on a scripted clock."""

    def __init__(self, clock: ScriptedClock, seed: int = 0) -> None:
        selector = _Selector()
        selector.clock = self.clock = clock
        selector.is_thread_at_work = lambda: self.writer is not None and self.writer.unanswered > 0
        self.writer: CountingWriter | None = None  #: the one thread there is
        self._dice = random.Random(seed)
        super().__init__(selector)
        self.set_task_factory(_note_life)

    def time(self) -> float:
        return self.clock.seconds

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        done: asyncio.Future[T] = self.create_future()
        life = _LIFE.get(None)

        def act() -> None:
            if done.cancelled():  # a thread would have done it all the same, unless its process has died with it
                if life is None or not life.has_ended:
                    with contextlib.suppress(Exception):
                        func(*args)
                return
            try:
                done.set_result(func(*args))
            except Exception as error:
                done.set_exception(error)

        self.call_later(self._dice.random() * _THREAD_SECONDS, act)
        return done

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass, and what is due in it happen; the store is at rest then."""
        self.run_until_complete(asyncio.sleep(seconds))
        while self.writer is not None and self.writer.unanswered:
            self.run_until_complete(asyncio.sleep(0))


class Life:
    """Tasks that belong together, and die together: a daemon that a test can kill."""

    def __init__(self, loop: ScriptedLoop, main: Coroutine[Any, Any, None]) -> None:
        self._loop = loop
        self.tasks: set[asyncio.Task[Any]] = set()
        self.has_ended = False
        context = Context()
        context.run(_LIFE.set, self)
        self.main = loop.create_task(main, context=context)

    def end(self) -> None:
        """Cancel all of it, until nothing is left; its hands are to be tied before."""
        self.has_ended = True
        while left := {task for task in self.tasks if not task.done()}:
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(left))


def _note_life(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, T],
    context: Context | None = None,
    **_: Mapping[str, Any],
) -> asyncio.Task[T]:
    task = asyncio.Task(work, loop=loop, context=context)
    life = _LIFE.get(None) if context is None else context.get(_LIFE)
    if life is not None:
        life.tasks.add(task)
        task.add_done_callback(life.tasks.discard)
    return task
