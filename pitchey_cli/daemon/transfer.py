"""One transfer of a file from or to elsewhere, in a thread that ends with the process.

A server may be silent for half a minute before that is an error, and nothing ends a thread from outside: so whoever
waits for it can be let go at once, and the thread is none of those that the end of the process waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from pitchey_cli.domain.errors import PitcheyError

T = TypeVar("T")


class Transfer(Generic[T]):
    """Begins when it is made, in the running event loop."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._what = work
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[T] = self._loop.create_future()
        threading.Thread(target=self._work, name="pitchey-transfer", daemon=True).start()

    async def result(self) -> T:
        """What has come of it.

        Raises:
            PitcheyError: why nothing has.
        """
        return await self._done

    async def is_over(self, *, within_seconds: float) -> bool:
        """Wait for its end, and no longer than that."""
        return bool((await asyncio.wait([self._done], timeout=within_seconds))[0])

    def end(self) -> None:
        """Let go whoever waits for it. The thread ends when it next asks whether it is to go on."""
        self._settle(None, PitcheyError("The transfer was ended."))

    def _work(self) -> None:
        done: list[T] = []
        error: BaseException | None = None
        try:
            done.append(self._what())
        except BaseException as raised:  # for whoever waits, whatever it is
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._settle, done, error)

    def _settle(self, done: list[T] | None, error: BaseException | None) -> None:
        if self._done.done():
            return
        if done:
            self._done.set_result(done[0])
        else:
            self._done.set_exception(error or PitcheyError("Nothing was transferred."))
