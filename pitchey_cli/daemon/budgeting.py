"""Budgets in the daemon: whose jobs are held because all that they may cost is spent.

Looks every few seconds, because what runs costs more all the time, and at once when somebody has changed a budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.budget import Budget, Standing, caps
from pitchey_cli.domain.errors import StoreError
from pitchey_cli.domain.turns import QueuePolicy

_LOOK_SECONDS = 5.0


class Budgeting:
    """The budgets, as one node knows them."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.policy: QueuePolicy = node.config.queue  #: with those whose jobs are held
        self._known: Sequence[Budget] | None = None
        self._look_at = 0.0

    @property
    def has_any(self) -> bool:
        """Whether there was a budget at the last look."""
        return bool(self._known)

    @property
    def is_due(self) -> bool:
        """Whether the last look is too long ago."""
        return self._known is None or self._node.clock.monotonic() >= self._look_at

    def look(self, *, at_changes_only: bool = False) -> bool:
        """Look at the budgets, on the writer's thread; whether other jobs are held now than before.

        Args:
            at_changes_only: do it only when somebody has set or removed one, or the last look is too long ago.
        """
        store = self._node.store
        found = store.budgets()
        if at_changes_only and found == self._known and not self.is_due:
            return False
        standings = store.standings(self._node.as_of()) if found else []
        changed = self._hold(standings)
        self._known, self._look_at = found, self._node.clock.monotonic() + _LOOK_SECONDS
        try:
            store.note_reached(standings, now=self._node.clock.now())
        except StoreError as error:  # a cap holds, whether it can be told or not; the next look tells it
            self._node.report(f"what budgets have reached cannot be noted: {error}")
        return changed

    def _hold(self, standings: Sequence[Standing]) -> bool:
        before, now = self.policy.capped, caps(standings)
        if before == now:
            return False
        self.policy = replace(self.policy, capped=now)
        for scope in sorted(now - before, key=str):
            self._node.report(f"the budget of {scope} is used up: its jobs wait")
        for scope in sorted(before - now, key=str):
            self._node.report(f"the budget of {scope} has room again: its jobs go on")
        return True
