"""The end of an attempt, on record: what it makes of its job is decided and written in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from pitchey_cli.daemon.node import Node, ServiceConfig
from pitchey_cli.domain.errors import StaleToken, StoreError
from pitchey_cli.domain.job import Attempt, Job, JobId, Outcome, Token, input_kind
from pitchey_cli.domain.limits import larger_type
from pitchey_cli.domain.states import Transition, after_attempt
from pitchey_cli.domain.unfit import PassedOn, is_unfit, pass_on
from pitchey_cli.store.port import Ending
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
        outcome, on_node = await self._pass_on(outcome) if is_unfit(outcome) else PassedOn(outcome)
        decide = partial(self._decide, outcome, on_node, now, self.node.dice())
        await self.node.join(_conclude, (self, Ending(self.job_id, self.token, outcome, decide, now, tick)))

    async def _pass_on(self, outcome: Outcome) -> PassedOn:
        node = self.node
        job, nodes = await node.call(node.store.job, self.job_id), await node.call(node.store.nodes)
        return pass_on(job, outcome, node.identity.id, nodes)

    def _decide(self, outcome: Outcome, on_node: str | None, now: datetime, dice: float, job: Job) -> Transition:
        """Of the job as it is now: a cancellation may have been asked for meanwhile, and it wins over a retry."""
        larger = larger_type(self.config.instance_type)
        decided = after_attempt(job, outcome, now=now, dice=dice, policy=self.config.retry, larger_size=larger)
        return replace(decided, on_node=on_node)

    def learn(self, outcome: Outcome, job: Job) -> None:
        """Remember that this kind of input needs a larger instance, if that is what the job's end has shown."""
        store = self.node.store
        if outcome.reason is Reason.COMPLETED and job.size and _had_too_little_memory(store.attempts(job.id)):
            store.set_size_hint(job.service, input_kind(job.kind, job.inputs), job.size)


def _conclude(ended: Sequence[tuple[Recording, Ending]]) -> Sequence[Job | StaleToken]:
    """Write the ends of a node's attempts that have ended together."""
    found = ended[0][0].node.store.finish_all([ending for _, ending in ended])
    for (recording, ending), job in zip(ended, found, strict=True):
        if isinstance(job, Job):
            recording.learn(ending.outcome, job)
    return found


def _had_too_little_memory(attempts: Sequence[Attempt]) -> bool:
    return any(attempt.reason is Reason.OOM for attempt in attempts)
