"""Attempts that the companion does itself, side by side, where others are a fork each.

For an answer of a few milliseconds a process of its own costs more than the answer: so a service may say of an attempt
that it is done where its models are (`may_share`). It gives up what a process would give: it cannot be killed, and what
crashes it is begun by all once more, as forks. Therefore it reads no file of a stranger, and is short.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from resource import struct_rusage
from typing import Any

from processors.protocol import AttemptRequest, Failure, Reason
from processors.worker import child
from processors.worker.attempt import TIMEOUT_GRACE_SECONDS, Attempt, timed_out
from processors.worker.companion import Companion
from processors.worker.spool import Spool

_LOST = Failure(
    code="models_lost",
    message="The process that has the models went away under the attempt.",
    hint="It is started anew: try again.",
    retryable=True,
    reason=Reason.FAILED,
)


class SharedAttempt(Attempt):
    """An attempt that the companion does, or a fork where the companion cannot take it."""

    def __init__(
        self, request: AttemptRequest, handle: child.Handle, inputs: Path, spool: Spool, companion: Companion
    ) -> None:
        self._companion = companion
        self._is_over = asyncio.Event()
        self._is_shared = False
        self._has_said = False
        self._is_lost = False  #: before it has said anything
        self._parts: list[str] = []  # of what it says at its end
        self._used = (0.0, 0)  # seconds of the processor, and the most memory in KiB
        super().__init__(request, handle, inputs, spool)  # which stops it at once where the spool cannot be written

    def stop(self, cause: Failure, grace_seconds: float) -> None:
        """Let the attempt end; after the grace it is over for us, whatever its thread still does."""
        super().stop(cause, grace_seconds)
        if self._is_shared:
            self._companion.give_up(self.request.token)
            self._after(grace_seconds, self._kill)

    def _kill(self) -> None:
        """A thread cannot be killed: it is left behind, and what it still writes is not kept."""
        super()._kill()
        if not self._is_shared:
            return
        if self._companion.leave(self.request.token):
            self.spool.discard_outputs()
        self._is_over.set()

    async def _run_child(self, live: set[int]) -> tuple[int, list[struct_rusage]]:
        request = self.request
        told = {"request": request.model_dump(mode="json"), "inputs": str(self._inputs), "out": str(self.spool.out)}
        self._is_shared = self._companion.take(request.token, told, self._on_told)
        if not self._is_shared:
            self.spool.keep()
            return await super()._run_child(live)
        timeout = request.timeout_seconds
        self._after(timeout, lambda: self.stop(timed_out(timeout), TIMEOUT_GRACE_SECONDS))
        await self._is_over.wait()
        if self._is_lost and self._stopped_by is None:
            self._is_shared = False
            self.spool.keep()
            return await super()._run_child(live)
        seconds, most = self._used
        return 0, [struct_rusage((seconds, 0.0, most, *[0] * 13))]

    def _on_told(self, message: Mapping[str, Any] | None) -> None:
        if self.spool.is_complete:
            return  # it has taken longer than its grace
        if message is None:
            if self._has_said:  # a second time would repeat it
                self._ending = _LOST
                self._had_killed_program = True  # if the kernel killed for memory meanwhile, it was this
            else:
                self._is_lost = True
            self._is_over.set()
            return
        if "part" not in message:
            self._has_said = self._has_said or message["event"]["type"] != "progress"  # which may be told again
            self.spool.keep()  # whoever follows the log reads it there
            self._on_message(message["event"])
            return
        self._parts.append(message["part"])
        if message["isOver"]:
            if (ending := json.loads("".join(self._parts))) is not None:
                self._on_message(ending)
            self._used = message["cpuSeconds"], message["peakBytes"] // 1024
            self._is_over.set()
