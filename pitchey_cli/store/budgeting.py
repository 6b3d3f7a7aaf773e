"""Budgets in the store. What has been reached is decided in domain/budget.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pitchey_cli.domain.budget import AsOf, Budget, Standing, spent_alive
from pitchey_cli.domain.cost import Entry, live_entries
from pitchey_cli.domain.periods import Period, term_of
from pitchey_cli.domain.scope import Scope
from pitchey_cli.store import instance_rows, rows
from pitchey_cli.store.budgets import WaitingJobs
from pitchey_cli.store.ledger import Ledger
from pitchey_cli.store.queries import QUERIES
from processors.vocabulary import Service


class Budgeting(Ledger):
    """The budgets of a store."""

    def set_budget(self, budget: Budget, *, now: datetime) -> None:
        """Keep a budget, in place of the one for the same scope and period."""
        self._db.run(QUERIES["set_budget"], (*_key(budget.scope, budget.period), budget.nanodollars, rows.micros(now)))

    def remove_budget(self, scope: Scope, period: Period) -> bool:
        """Forget a budget; False when there is none."""
        organisation, service, name = _key(scope, period)
        key = {"organisation": organisation, "service": service, "period": name}
        return self._db.row(QUERIES["remove_budget"], key) is not None

    def budgets(self) -> Sequence[Budget]:
        """All budgets. Costs microseconds."""
        return [
            Budget(_scope(row), Period(row["period"]), row["nanodollars"]) for row in self._db.rows(QUERIES["budgets"])
        ]

    def standings(self, as_of: AsOf) -> list[Standing]:
        """How far each budget has come: what has been booked, and what lives costs so far."""
        with self._db.snapshot():
            found = self.budgets()
            if not found:
                return []
            live = self._live(as_of)
            standings: list[Standing] = []
            for budget in found:
                scope, span = budget.scope, term_of(budget.period, as_of.now, as_of.zone)
                booked = self.spent(organisation=scope.organisation or None, service=scope.service, since=span.begin)
                standings.append(Standing(budget, span, booked + spent_alive(scope, span.begin, live)))
        return standings

    def _live(self, as_of: AsOf) -> list[Entry]:
        """What lives, and what it costs so far."""
        attempts = [instance_rows.live_attempt_from(row) for row in self._db.rows(QUERIES["live_attempts"])]
        return live_entries(self.instances(), attempts, boot=as_of.boot, tick=as_of.tick)

    def note_reached(self, standings: Sequence[Standing], *, now: datetime) -> int:
        """Raise an event for each threshold that nobody has noted in this period; how many there were."""
        reached = [(each, percent) for each in standings for percent in each.reached]
        unknown = [(each, percent) for each, percent in reached if not self._is_noted(each, percent)]
        if not unknown:  # the usual case takes no write lock
            return 0
        told = 0
        with self._db.transaction():
            for standing, percent in unknown:
                if self._db.row(QUERIES["note_threshold"], _notice(standing, percent)) is not None:
                    self._raise_event("budget_reached", _told(standing, percent), now=now)
                    told += 1
        return told

    def _is_noted(self, standing: Standing, percent: int) -> bool:
        return self._db.row(QUERIES["threshold"], _notice(standing, percent)) is not None

    def waiting_jobs(self) -> list[WaitingJobs]:
        """Who waits in the lines."""
        found = self._db.rows(QUERIES["waiting_jobs"])
        return [WaitingJobs(_scope(row), row["batch"], row["jobs"]) for row in found]

    def _raise_event(self, kind: str, data: dict[str, object], *, now: datetime) -> None:
        """Note a fact that belongs to no job."""
        self._db.run(QUERIES["insert_event"], (None, rows.micros(now), kind, rows.encode(data)))

    def forget_notices(self, *, before: datetime) -> None:
        """Forget the events that belong to no job, and the thresholds of periods that began before a time."""
        with self._db.transaction():
            self._db.run(QUERIES["forget_events"], {"before": rows.micros(before)})
            self._db.run(QUERIES["forget_thresholds"], {"before": rows.micros(before)})


def _key(scope: Scope, period: Period) -> tuple[str, str, str]:
    return scope.organisation, scope.service.value if scope.service else "", period.value


def _scope(row: rows.Row) -> Scope:
    return Scope(row["organisation"], Service(row["service"]) if row["service"] else None)


def _notice(standing: Standing, percent: int) -> tuple[object, ...]:
    budget = standing.budget
    key = _key(budget.scope, budget.period)
    return (*key, rows.micros(standing.span.begin), percent, budget.nanodollars)


def _told(standing: Standing, percent: int) -> dict[str, object]:
    budget = standing.budget
    return {
        "percent": percent,
        "organisation": budget.scope.organisation or None,
        "service": budget.scope.service and budget.scope.service.value,
        "period": budget.period.value,
        "amountNanodollars": budget.nanodollars,
        "spentNanodollars": standing.spent,
        "begin": standing.span.begin.isoformat(),
        "end": standing.span.end.isoformat(),
        "isCapped": standing.is_capped,
    }
