"""How often, and for how long, a transfer that meets trouble is tried again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from processors.protocol import Failure, Reason

SECONDS = 300.0  #: that a transfer may be in trouble for, with nothing moving, before it is given up
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_RENEWALS = 5  # of a link, without a byte in between: who refuses that many refuses all


class TransferFailed(Exception):
    """What was to be carried cannot be."""

    def __init__(self, code: str, message: str, hint: str | None = None, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.failure = Failure(code=code, message=message, hint=hint, retryable=retryable, reason=Reason.FAILED)


class Patience:
    """That of one transfer."""

    def __init__(
        self, code: str, what: str, seconds: float = SECONDS, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with all of it.

        Args:
            code: of the failure, when it is used up.
            what: the beginning of its sentence: "The input a.mov could not be fetched".
            now: a clock, in seconds.
        """
        self._code = code
        self._what = what
        self._seconds = seconds
        self._now = now
        self._since: float | None = None  # the first trouble: how long a transfer takes says nothing of its store
        self._tries = 0
        self._renewals = 0

    def moved(self) -> None:
        """Something came through: all of it is there again."""
        self._since = None
        self._tries = self._renewals = 0

    async def pause(self, problem: str) -> None:
        """Wait before the next try, longer each time.

        Raises:
            TransferFailed: it has been tried for long enough.
        """
        now = self._now()
        self._since = now if self._since is None else self._since
        if now - self._since > self._seconds:
            raise self.failed(problem)
        ceiling = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**self._tries)
        self._tries += 1
        await asyncio.sleep(ceiling * random.uniform(0.5, 1.0))

    def renew(self, problem: str) -> None:
        """Count a link that is not taken any more; another one may be asked for.

        Raises:
            TransferFailed: so many fresh ones were not taken that it is not their age.
        """
        self._renewals += 1
        if self._renewals > _RENEWALS:
            raise self.failed(problem)

    def failed(self, problem: str) -> TransferFailed:
        """The failure to end with."""
        hint = "The object store has to be within reach of the instances' network."
        return TransferFailed(self._code, f"{self._what}: {problem}.", hint)


IS_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
WANTS_ANOTHER_LINK = frozenset({400, 401, 403})  #: expired, or signed with a key that has expired since
