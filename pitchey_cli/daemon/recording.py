"""The end of an attempt, on record: what it makes of its job is decided and written in one transaction."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from pitchey_cli.daemon.node import Node, ServiceConfig
from pitchey_cli.domain.errors import StaleToken, StoreError
from pitchey_cli.domain.job import JobId, Outcome, Token, input_kind
from pitchey_cli.domain.limits import larger_type
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.unfit import is_unfit, pass_on
from processors.vocabulary import Reason

_PAUSES = (0.1, 0.5, 2.0, 5.0, 5.0, 5.0)  # seconds between tries


@dataclass(frozen=True, slots=True)
class Recording:
    """Of one attempt."""

    node: Node
    job_id: JobId
    token: Token
    config: ServiceConfig

    async def record(self, outcome: Outcome, now: datetime, tick: int) -> None:
        """Record it, and do not give up at a disk that is full for a moment: a second run would cost more.

        The slot stays taken meanwhile, so nobody discards the instance and its spool. It has an end all the same: a
        daemon that is told to stop waits for this.

        Args:
            tick: until when it is paid for.

        Raises:
            StaleToken: another attempt has taken over.
            StoreError: it cannot be.
        """
        for pause in _PAUSES:
            try:
                await self._try(outcome, now, tick)
                return
            except StaleToken:
                raise
            except StoreError as error:
                self.node.report(f"{self.token} has ended, which cannot be recorded: {error}")
                await asyncio.sleep(pause)
        await self._try(outcome, now, tick)

    async def _try(self, outcome: Outcome, now: datetime, tick: int) -> None:
        await self.node.call(self._conclude, outcome, now, tick, self.node.dice())

    def _conclude(self, outcome: Outcome, now: datetime, tick: int, dice: float) -> None:
        """The job is read again: a cancellation may have been asked for meanwhile, and it wins over a retry."""
        store, config = self.node.store, self.config
        job = store.job(self.job_id)
        larger, on_node = larger_type(config.instance_type), None
        if is_unfit(outcome):
            outcome, on_node = pass_on(job, outcome, self.node.identity.id, store.nodes())
        decided = after_attempt(job, outcome, now=now, dice=dice, policy=config.retry, larger_size=larger)
        transition = replace(decided, on_node=on_node)
        store.finish(job.id, self.token, outcome, transition, now=now, tick=tick)
        if outcome.reason is Reason.COMPLETED and job.size and self._had_too_little_memory():
            store.set_size_hint(job.service, input_kind(job.kind, job.inputs), job.size)

    def _had_too_little_memory(self) -> bool:
        return any(attempt.reason is Reason.OOM for attempt in self.node.store.attempts(self.job_id))
