"""Short work that blocks, for many attempts: what waits goes to a thread together, and one wake-up answers all.

A visit to a thread for each costs more than to write a small file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

_MOST_AT_WORK = 4  # threads: artifacts may be kept far away
_MOST_AT_ONCE = 16  # errands of one visit, whose first waits for the last


@dataclass(slots=True, eq=False)
class _Errand:
    run: Callable[[], Any]
    done: asyncio.Future[Any]


@dataclass(slots=True)
class Errands:
    """What is to be done in threads."""

    _waiting: list[_Errand] = field(default_factory=list)
    _at_work: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, fn: Callable[[], T]) -> T:
        """Run a function in a thread, after others or beside them."""
        errand = _Errand(fn, asyncio.get_running_loop().create_future())
        self._waiting.append(errand)
        if len(self._at_work) < _MOST_AT_WORK:
            task = asyncio.create_task(self._work())
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)
        result: T = await errand.done
        return result

    async def _work(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            for errand, (value, error) in zip(some, await asyncio.to_thread(_run_all, some), strict=True):
                if errand.done.done():
                    continue  # whoever waited has given up
                if error is None:
                    errand.done.set_result(value)
                else:
                    errand.done.set_exception(error)


def _run_all(errands: list[_Errand]) -> list[tuple[Any, BaseException | None]]:
    return [_ran(errand) for errand in errands]


def _ran(errand: _Errand) -> tuple[Any, BaseException | None]:
    try:
        return errand.run(), None
    except BaseException as error:
        return None, error
