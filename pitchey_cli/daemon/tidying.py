"""What a daemon tidies up by itself, and how often. The loop asks at every tick; the work is a task of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pitchey_cli.daemon import strays
from pitchey_cli.daemon.housekeeping import Housekeeping
from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.clock_trust import ClockTrust, Trust
from pitchey_cli.domain.errors import logged
from pitchey_cli.domain.retention import RetentionPolicy
from pitchey_cli.domain.webhooks import LONGEST_WAIT

_SECONDS = 300.0
_FILES_SECONDS = 3600.0  # reads who refers to which file: seconds of work with a million jobs
_STRAYS_SECONDS = 600.0
_OBSERVATIONS_KEPT = timedelta(days=35)  # a forecast learns from weeks, and a month is billed
_NOTICES_KEPT = timedelta(days=90)  # events that belong to no job; longer than the longest period of a budget
_PRUNE_FROM_SECONDS = 600.0  # after the start: the network may have to put the clock right first


class Tidying:
    """The tidying of one node."""

    def __init__(self, node: Node, state_id: str, in_the_books: strays.InTheBooks) -> None:
        self._node = node
        self._state_id = state_id
        self._in_the_books = in_the_books
        self._due_at = 0.0
        self._files_at = 0.0
        self._strays_at = node.clock.monotonic() + _STRAYS_SECONDS  # recovery has looked at the start
        self._prune_from = node.clock.monotonic() + _PRUNE_FROM_SECONDS
        self._trust = ClockTrust(node.clock.now(), node.clock.monotonic())
        self._is_doubted = False
        self._has_told_of_spared = False
        self._task: asyncio.Task[None] | None = None

    def begin_if_due(self) -> None:
        """Start a round, unless it is too early or the last one still goes on."""
        now = self._node.clock.monotonic()
        if now >= self._due_at and (self._task is None or self._task.done()):
            self._due_at = now + _SECONDS
            self._task = asyncio.create_task(self._noting_failure(now))

    async def _noting_failure(self, now: float) -> None:
        try:
            await self._round(now)
        except Exception as error:  # the next round tries again
            self._node.report(f"tidy failed: {logged(error)}")

    async def _round(self, now: float) -> None:
        node = self._node
        await node.call(node.store.tidy_queue, now=node.clock.now())
        if node.config.is_foreground:  # somebody waits for a job, and has asked for nothing else
            return
        wall = node.clock.now()
        await node.call(node.store.bring_deliveries_forward, now=wall, latest=wall + LONGEST_WAIT)
        if now >= self._strays_at:
            self._strays_at = now + _STRAYS_SECONDS
            await strays.remove_containers(node, self._state_id, self._in_the_books)
            await strays.remove_directories(node, self._in_the_books)
        if now >= self._prune_from and (policy := await self._policy()) is not None:
            await self._prune(policy, now)

    async def _policy(self) -> RetentionPolicy | None:
        """What may go at this moment; None when it is no moment to remove anything."""
        node, whole = self._node, self._node.config.retention
        wall, known = node.clock.now(), await node.call(node.store.known_time)
        tolerance = whole.clock_tolerance()
        trust = self._trust.look(wall, node.clock.monotonic(), known=known, tolerance=tolerance)
        if trust is Trust.JUMPED:
            return None
        was_doubted, self._is_doubted = self._is_doubted, trust is Trust.DOUBTED
        if trust is Trust.BELIEVED:
            await node.call(node.store.note_time, now=wall)
            await node.call(node.store.forget_observations, before=wall - _OBSERVATIONS_KEPT)
            await node.call(node.store.forget_notices, before=wall - _NOTICES_KEPT)
            while await node.call(node.store.give_up_deliveries, now=wall):
                pass
            while await node.call(node.store.forget_deliveries, before=wall - node.config.deliveries_kept):
                pass
            return whole
        if not was_doubted:
            node.report(
                f"the clock says {wall:%Y-%m-%d %H:%M} UTC, and the last time known is {known:%Y-%m-%d %H:%M}: nothing"
                " is removed for its age until it has run on for a day; `pitchey db prune` removes it at once"
            )
        return whole.without_ages()

    async def _prune(self, policy: RetentionPolicy, now: float) -> None:
        node = self._node
        with_files = now >= self._files_at
        if with_files:
            self._files_at = now + _FILES_SECONDS
        keeper = Housekeeping(node.store, node.writer, node.artifacts, node.config.state_dir, policy, node.clock)
        pruned = await keeper.prune(with_files=with_files)
        if pruned.is_something:
            node.report(f"pruned: {pruned.summary()}")
        if with_files:
            await strays.discard_outputs(node)
        if pruned.spared_for is not None and not self._has_told_of_spared:
            self._has_told_of_spared = True
            node.report(f"no artifact is removed while {pruned.spared_for} is there: it may refer to them")
