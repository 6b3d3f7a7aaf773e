"""Threads for what would keep the loop: each kind of work has its own, so that one that hangs keeps no other waiting.

A thread cannot be ended. So whoever asked is told after a while that there is no answer, and when all threads of a kind
hang, the next are told at once enough, and all that others do goes on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from pitchey_cli.api.problems import Refused
from pitchey_cli.store.port import Store

T = TypeVar("T")
_BEGIN_SECONDS = 10.0  # that something waits for a thread
_ANSWER_SECONDS = 60.0  # that a thread has for it, where nothing else is said
_AGAIN = {"Retry-After": "5"}


class Threads:
    """So many threads."""

    def __init__(
        self,
        count: int,
        *,
        seconds: float = _ANSWER_SECONDS,
        begin_seconds: float = _BEGIN_SECONDS,
    ) -> None:
        self._seconds, self._begin_seconds = seconds, begin_seconds
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="pitchey-hand")

    async def run(self, fn: Callable[[], T]) -> T:
        """Run a function on one of them.

        Raises:
            Refused: none has had time for it, or it has taken too long.
        """
        loop, is_late = asyncio.get_running_loop(), False
        asked = self._pool.submit(fn)

        def give_up() -> None:
            nonlocal is_late
            is_late = asked.cancel()  # not where it has begun

        late = loop.call_later(self._begin_seconds, give_up)
        try:
            async with asyncio.timeout(self._seconds) as limit:
                return await asyncio.wrap_future(asked, loop=loop)
        except asyncio.CancelledError:
            if not is_late:
                raise
            text = "There is too much to do for this."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "busy", text, hint="Try again.", headers=_AGAIN) from None
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise no_answer(self._seconds) from error
        finally:
            late.cancel()

    async def tidy(self, fn: Callable[[], object]) -> None:
        """Run what has to be done at the end, whenever a thread has time for it, and whether anybody waits or not."""
        await asyncio.shield(asyncio.wrap_future(self._pool.submit(fn)))

    def close(self) -> None:
        """End them."""
        self._pool.shutdown(cancel_futures=True)


class Hands(Threads):
    """Threads, each with its own connection."""

    def __init__(self, connect: Callable[[], Store], count: int, *, seconds: float = _ANSWER_SECONDS) -> None:
        self._connect = connect
        self._own = threading.local()
        self._opened: list[Store] = []
        super().__init__(count, seconds=seconds)

    async def call(self, fn: Callable[[Store], T]) -> T:
        """Run a function on one of them.

        Raises:
            Refused: as `run`.
            StoreError: the database cannot be reached now; the next call tries again.
        """
        return await self.run(lambda: fn(self._store()))

    def _store(self) -> Store:
        # Not as the pool's initializer: one that fails ends the pool for good.
        found: Store | None = getattr(self._own, "store", None)
        if found is None:
            found = self._own.store = self._connect()
            self._opened.append(found)
        return found

    def close(self) -> None:
        """End the threads, and close their connections."""
        super().close()
        for store in self._opened:
            store.close()


def no_answer(seconds: float) -> Refused:
    """Something has taken too long."""
    text = f"There was no answer within {seconds:g} s."
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "timed-out", text, hint="Try again.", headers=_AGAIN)
