"""One thread that owns a store and commits many callers' work at once.

Making a transaction durable is a wait for the disk, and the disk takes as long for one call as for a hundred. So the
thread takes whatever has come in, runs it in one transaction, and commits once; what comes in meanwhile is the next
group. A lone call is never held back to wait for company.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.port import Store

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")

GROUP_LIMIT = 512  # calls in one commit: bounds how long the first of them waits for the last


@dataclass(slots=True, eq=False)
class _Call:
    serve: Callable[[Sequence[Any]], Sequence[Any]]  # for several calls at once, where it is equal to that of others
    item: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    is_lasting: bool
    value: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Tell the caller, on the caller's loop; one that has given up meanwhile hears nothing."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.value)
        else:
            self.future.set_exception(self.error)


class Writer:
    """Runs calls against a store on a thread of its own, in groups.

    Each call has its own savepoint, or the transaction to itself: one that fails (for a job that is not there) undoes
    nothing else. A caller is answered after the commit, so an answer is durable. A cancelled call has happened entirely
    or not at all; one that is cancelled before its group starts does not happen.
    """

    def __init__(self, store: Store) -> None:
        self.store = store  #: for naming what to call; only the writer's thread may run it
        self._inbox: SimpleQueue[_Call | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._is_closed = False
        # A daemon thread: an interpreter that exits without close() must not hang, and nothing unanswered is promised.
        self._thread = threading.Thread(target=self._work, name="pitchey-writer", daemon=True)
        self._thread.start()

    async def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(*args, **kwargs)` in the writer's thread, and answer once it is on disk.

        `fn` is a method of the store (`writer.call(writer.store.claim, ...)`), or a function that makes several such
        calls, which then happen together or not at all.

        Raises:
            StoreError: the group could not be committed, or the writer is closed; also whatever `fn` raises.
        """
        return await self._call(lambda _: [fn(*args, **kwargs)], None, is_lasting=True)

    async def join(self, fn: Callable[[Sequence[A]], Sequence[T | Exception]], item: A) -> T:
        """Have `fn` called with all the items of it that come in one after the other, and answer with what it says of
        this one, once that is on disk. An exception among its answers is raised to whose item it is about.

        What `fn` raises itself may be one item's fault: it has then done nothing, and is called again with each item
        alone. So it must change nothing but the store.

        Raises:
            StoreError: as of `call`; also whatever `fn` raises or answers.
        """
        answer = await self._call(fn, item, is_lasting=True)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def note(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it as `call` does, where a power cut may undo it: nobody is told of it, and it would be done again.

        The disk is waited for only if somebody else's call in the group has to last.

        Raises:
            StoreError: as of `call`.
        """
        return await self._call(lambda _: [fn(*args, **kwargs)], None, is_lasting=False)

    async def _call(self, serve: Callable[[Sequence[A]], Sequence[T]], item: A, *, is_lasting: bool) -> T:
        loop = asyncio.get_running_loop()
        call = _Call(serve, item, loop.create_future(), loop, is_lasting)
        with self._closing:
            if self._is_closed:
                raise StoreError("The database has been closed.")
            self._inbox.put(call)
        result: T = await call.future
        return result

    def close(self) -> None:
        """Finish what has been asked for, stop the thread, close the store. May be called twice."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            self._inbox.put(None)  # under the lock: no call comes behind it
        self._thread.join()
        self.store.close()

    def _work(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._next_group()
            try:
                self._commit(group)
            except BaseException as error:
                for call in group:
                    call.error = call.error or error
            _answer(group)

    def _next_group(self) -> tuple[list[_Call], bool]:
        """Wait for one call, and take those that are there already; False when there will be no more."""
        call = self._inbox.get()
        group: list[_Call] = []
        with suppress(Empty):
            while call is not None:
                group.append(call)
                if len(group) == GROUP_LIMIT:
                    break
                call = self._inbox.get_nowait()
        return group, call is not None

    def _commit(self, group: Sequence[_Call]) -> None:
        is_lasting = any(call.is_lasting for call in group)
        wanted = (call for call in group if not call.future.cancelled())
        runs = [list(calls) for _, calls in groupby(wanted, key=lambda call: call.serve)]
        if len(runs) == 1:  # the transaction is theirs: what fails undoes it
            with suppress(_Undone), self.store.transaction(is_lasting=is_lasting):
                _serve(runs[0])
                return
            if len(runs[0]) == 1:
                return
            runs = [[call] for call in runs[0]]  # an error of one is nobody else's
        with self.store.transaction(is_lasting=is_lasting):
            for calls in runs:
                self._serve_apart(calls)

    def _serve_apart(self, calls: Sequence[_Call]) -> None:
        with suppress(_Undone), self.store.transaction():
            _serve(calls)
            return
        if len(calls) > 1:
            for call in calls:
                self._serve_apart([call])


class _Undone(Exception):
    """Calls have failed, and whatever they did has to be undone; each knows its error."""


def _serve(calls: Sequence[_Call]) -> None:
    try:
        answers = calls[0].serve([call.item for call in calls])
    except BaseException as error:
        for call in calls:
            call.error = error
        raise _Undone from error
    for call, answer in zip(calls, answers, strict=True):
        call.error, call.value = None, answer


def _answer(group: list[_Call]) -> None:
    """Settle each call on its loop; one wake-up of a loop serves all of its calls."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
    for call in group:
        by_loop.setdefault(call.loop, []).append(call)
    for loop, calls in by_loop.items():
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, calls)


def _settle(calls: list[_Call]) -> None:
    for call in calls:
        call.settle()
