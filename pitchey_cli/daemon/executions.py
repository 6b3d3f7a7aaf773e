"""The attempts that run here: each in a task of its own, from its start to its end, or until nobody follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Protocol

from pitchey_cli.daemon.execution import Execution
from pitchey_cli.daemon.instance import PooledInstance
from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.job import Job, Token
from processors.vocabulary import Reason

_END_SECONDS = 2.5  # after the grace, for a worker to say how an attempt has ended; notice.py leaves 5 s for all of it


class OnEnd(Protocol):
    """Told once when an attempt has ended, or when nobody will follow it any more."""

    def __call__(self, execution: Execution, *, is_broken: bool) -> None:
        """Give back what the attempt held."""


class Executions:
    """All executions of one daemon."""

    def __init__(self, node: Node, changed: asyncio.Event) -> None:
        self._node = node
        self._changed = changed
        self._running: dict[Token, Execution] = {}
        self._tasks: dict[Token, asyncio.Task[None]] = {}
        self._broken: dict[Token, Callable[[], None]] = {}  #: gives back what an attempt holds that nobody follows
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many attempts run."""
        return len(self._running)

    def __contains__(self, token: object) -> bool:
        """Whether somebody follows an attempt."""
        return token in self._running

    @property
    def running(self) -> list[Execution]:
        """Those that run."""
        return list(self._running.values())

    @property
    def tokens(self) -> list[Token]:
        """The tokens of those that run."""
        return list(self._running)

    def begin(
        self,
        job: Job,
        instance: PooledInstance,
        *,
        is_adopted: bool,
        on_pickup: Callable[[float], None] | None,
        on_end: OnEnd,
    ) -> None:
        """Carry out a claimed job, or follow one that runs already."""
        assert job.token is not None  # a claimed job has one
        self._forget(job.token)
        execution = Execution(self._node, job, instance, job.token, on_pickup)
        self._running[execution.token] = execution
        task = asyncio.create_task(execution.adopt() if is_adopted else execution.run())
        self._tasks[execution.token] = task
        task.add_done_callback(partial(self._ended, execution, on_end))

    def _ended(self, execution: Execution, on_end: OnEnd, task: asyncio.Task[None]) -> None:
        token = execution.token
        del self._running[token], self._tasks[token]
        if not task.cancelled() and (error := task.exception()) is not None:
            # The job stays as it is in the store, and the loop's step `recover` takes it up again. Until then it keeps
            # its slots: its worker may be at work, and its instance has what it left.
            self._broken[token] = partial(on_end, execution, is_broken=True)
            self._node.report(f"{token} could not be carried to its end: {error!r}")
        else:
            on_end(execution, is_broken=False)
        self._changed.set()

    def _forget(self, token: Token) -> None:
        if (give_back := self._broken.pop(token, None)) is not None:
            give_back()

    def forget_broken(self, *, but: Collection[Token | None]) -> None:
        """Give back what attempts hold that nobody follows, but for some."""
        for token in self._broken.keys() - set(but):
            self._forget(token)

    def end(self, token: Token, reason: Reason, *, grace_seconds: float | None = None) -> None:
        """Ask for the end of one, without waiting for it.

        Args:
            grace_seconds: between TERM and KILL; None: as is set.
        """
        execution = self._running.get(token)
        if execution is not None and execution.ending_as is None:
            self._ending.add(task := asyncio.create_task(execution.end(reason, grace_seconds=grace_seconds)))
            task.add_done_callback(self._ending.discard)

    async def hand_back(self, executions: Iterable[Execution], *, grace_seconds: float) -> None:
        """End attempts as interrupted: their jobs are queued again, and have not used up an attempt.

        Where an attempt's worker has not ended it shortly after the grace, its job is handed back without the worker.
        What an attempt that is over has left is taken, however long that takes: it lies in the spool, and should the
        process end before, the next one finds it there.
        """
        handed_back = list(executions)
        for each in handed_back:
            self.end(each.token, Reason.INTERRUPTED, grace_seconds=grace_seconds)
        late = await self._until_over(handed_back, within_seconds=grace_seconds + _END_SECONDS)
        await asyncio.gather(*map(self._give_up, late))
        await self._until_over(handed_back)

    async def _give_up(self, execution: Execution) -> None:
        task = self._tasks.get(execution.token)
        if task is None or execution.is_finishing:
            return
        task.cancel()
        await asyncio.wait([task])
        try:
            await execution.give_up()
        except Exception as error:  # the others go on
            self._node.report(f"{execution.token} could not be handed back: {error!r}")

    async def abandon(self) -> None:
        """Follow none of them any more, and record nothing: their jobs are others' now."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._broken.clear()

    async def let_finish(self) -> None:
        """Wait for the attempts that are over: what they left lies in their instances."""
        await self._until_over([each for each in self.running if each.is_finishing])

    async def _until_over(
        self, executions: Sequence[Execution], *, within_seconds: float | None = None
    ) -> list[Execution]:
        """Wait for attempts to be accounted for; those that are not, in time."""
        if waiting := [self._tasks[each.token] for each in executions if each.token in self._tasks]:
            await asyncio.wait(waiting, timeout=within_seconds)
        return [each for each in executions if each.token in self._tasks]
