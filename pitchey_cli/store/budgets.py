"""The part of the store's port that is about budgets. `port.py` has the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pitchey_cli.domain.budget import AsOf, Budget, Standing
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.scope import Scope
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class WaitingJobs:
    """Jobs that are queued, of one organisation, service and batch."""

    scope: Scope
    batch: str
    jobs: int


class Budgets(Protocol):
    """What may be spent, and what has been. The arithmetic is that of domain/budget.py."""

    def set_budget(self, budget: Budget, *, now: datetime) -> None:
        """Keep a budget, in place of the one for the same scope and period."""

    def remove_budget(self, scope: Scope, period: Period) -> bool:
        """Forget a budget; False when there is none."""

    def budgets(self) -> Sequence[Budget]:
        """All budgets. Costs microseconds."""

    def standings(self, as_of: AsOf) -> list[Standing]:
        """How far each budget has come: what has been booked, and what lives costs so far."""

    def note_reached(self, standings: Sequence[Standing], *, now: datetime) -> int:
        """Raise an event for each threshold that nobody has noted in this period; how many there were.

        A budget that is given another amount has its thresholds anew.
        """

    def waiting_jobs(self) -> list[WaitingJobs]:
        """Who waits in the lines."""

    def forget_notices(self, *, before: datetime) -> None:
        """Forget the events that belong to no job, and the thresholds of periods that began before a time."""
