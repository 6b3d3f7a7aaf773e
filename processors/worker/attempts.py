"""The table of attempts: who has a slot, which tokens are known, whether new ones are taken."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from processors.protocol import AttemptRequest, Failure
from processors.worker.attempt import CANCELLED, Attempt
from processors.worker.spool import Spool

_MAX_ENDED = 1000  # endings that are not on disk are remembered for so many attempts


class Refused(Exception):
    """An attempt is not taken."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Attempts:
    """All attempts of this worker."""

    def __init__(
        self,
        make: Callable[[AttemptRequest, Spool], Attempt],
        *,
        slots: int,
        spool: Path,
        tasks: asyncio.TaskGroup,
        is_light: Callable[[AttemptRequest], bool] = lambda request: False,
    ) -> None:
        """Begin with none.

        Args:
            make: makes what does an attempt.
            spool: where each has a directory.
            is_light: whether what an attempt leaves need not be on disk; what made it says when it has to.
        """
        self._is_light = is_light
        self.slots = slots
        self.is_draining = False
        self.last_ended = time.monotonic()
        self.spared: set[int] = set()  #: the processes that no sweep after an attempt may kill
        self._make = make
        self._spool = spool
        self._tasks = tasks
        self._running: dict[str, Attempt] = {}
        self._ended: dict[str, Spool] = {}  # of these the disk does not have everything

    @property
    def running(self) -> list[str]:
        return list(self._running)

    def accept(self, request: AttemptRequest) -> None:
        """Give an attempt a slot. It starts as soon as the caller lets go of the loop.

        Raises:
            Refused: there is no slot, or not for this one.
        """
        token = request.token
        if self.find(token) is not None:
            raise Refused(409, "known_token", f"Attempt {token} is known already.")
        if self.is_draining:
            raise Refused(503, "draining", "This instance takes no new attempts.")
        if len(self._running) >= self.slots:
            raise Refused(429, "no_slot", f"All {self.slots} slots are taken.")
        directory = self._spool / token
        attempt = self._make(request, Spool(directory) if self._is_light(request) else Spool.create(directory))
        self._running[token] = attempt
        self._tasks.create_task(self._run(token, attempt))

    def spool_of(self, token: str) -> Spool:
        """The events of an attempt that runs."""
        return self._running[token].spool

    def find(self, token: str) -> Spool | None:
        """Find the events of an attempt: one that runs, or one that ended, also under an earlier worker."""
        if token in self._running:
            return self._running[token].spool
        if token in self._ended:
            return self._ended[token]
        directory = self._spool / token
        return Spool.reopen(directory) if Spool.exists(directory) else None

    def cancel(self, token: str, grace_seconds: float) -> bool:
        """Stop an attempt; say whether it was running."""
        if token not in self._running:
            return False
        self._running[token].stop(CANCELLED, grace_seconds)
        return True

    def stop_all(self, cause: Failure, grace_seconds: float) -> None:
        """Take no new attempts, and stop those that run."""
        self.is_draining = True
        for attempt in self._running.values():
            attempt.stop(cause, grace_seconds)

    async def _run(self, token: str, attempt: Attempt) -> None:
        try:
            await attempt.run(self.spared)
        except Exception as error:  # a bug of ours; the other attempts must not pay for it
            traceback.print_exc()
            attempt.abandon(error)
        del self._running[token]
        self.last_ended = time.monotonic()
        if attempt.spool.is_in_memory:
            self._ended[token] = attempt.spool
            if len(self._ended) > _MAX_ENDED:
                del self._ended[next(iter(self._ended))]
