"""The part of the store's port that is about alerts. `port.py` has the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.turns import QueuePolicy

if TYPE_CHECKING:  # `pitchey status` starts without
    from pitchey_cli.domain.alerts import Alert, Reading, Rule, Silence
    from pitchey_cli.domain.readings import Facts


class Alerts(Protocol):
    """What the rules look at, and where they stand. What follows from it is decided in domain/alerts.py."""

    def alert_facts(self, as_of: AsOf, policy: QueuePolicy) -> Facts:
        """What the rules look at.

        Args:
            policy: by which jobs may run; budgets that are used up are found out here.
        """

    def judge_alerts(
        self, rules: Sequence[Rule], readings: Mapping[str, Reading], *, now: datetime, dry_run: bool = False
    ) -> list[Alert]:
        """Where the rules stand by these readings, in their order; what is to be told becomes an event.

        Args:
            dry_run: only look.
        """

    def silence_alert(self, rule: str, silence: Silence | None) -> None:
        """Tell nobody of an alert for a while; None: tell again."""

    def test_alert(self, rule: Rule, *, now: datetime) -> None:
        """Raise the event of a rule as a test, which is marked as one and changes nothing else."""
