"""What may be spent in a day, a week or a month, how far that has come, and whose jobs wait because of it. Pure.

A budget of an organisation counts what its attempts cost. One of a service, or of everything, counts the instances, the
idle ones too. At its cap nothing more is started; what runs runs on, and may go beyond.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from pitchey_cli.domain.cost import Entry
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.periods import Period, Term
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.domain.projection import of_scope
from pitchey_cli.domain.scope import Scope
from pitchey_cli.values import dataclass

THRESHOLDS = (50, 80, 100)  #: percent of a budget, each of which is told once in a period
MOST_DOLLARS = 1_000_000_000


@dataclass(frozen=True)
class AsOf:
    """A moment, on every clock that money is counted by."""

    now: datetime
    boot: str  #: of the machine, since which the ticks count; see domain/cost.py
    tick: int
    zone: tzinfo  #: in which days begin


@dataclass(frozen=True)
class Budget:
    """An amount for each period. There is one at most for each scope and period."""

    scope: Scope
    period: Period
    nanodollars: int

    def __str__(self) -> str:
        """As people call it."""
        return f"the budget of {self.scope} for the {self.period}"


@dataclass(frozen=True)
class Standing:
    """How far a budget has come in the period that is now."""

    budget: Budget
    span: Term
    spent: int  #: nanodollars

    @property
    def left(self) -> int:
        """Nanodollars that may still be spent."""
        return max(0, self.budget.nanodollars - self.spent)

    @property
    def percent(self) -> float:
        """The share that is spent."""
        return 100 * self.spent / self.budget.nanodollars

    @property
    def reached(self) -> tuple[int, ...]:
        """The thresholds that are behind it."""
        return tuple(each for each in THRESHOLDS if 100 * self.spent >= each * self.budget.nanodollars)

    @property
    def is_capped(self) -> bool:
        """Whether all of it is spent."""
        return self.spent >= self.budget.nanodollars


def spent_alive(scope: Scope, since: datetime, live: Iterable[Entry]) -> int:
    """Nanodollars of what lives that count for a scope, from the hour of a moment on, as the ledger counts them."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    return sum(each.nanodollars for each in of_scope(scope, live) if each.hour >= hour)


def capping(standings: Iterable[Standing], scope: Scope) -> list[Standing]:
    """All that holds the jobs of an organisation and a service, what holds them longest first."""
    found = [
        each for each in standings if each.is_capped and each.budget.scope.covers(scope.organisation, scope.service)
    ]
    return sorted(found, key=lambda each: each.span.end, reverse=True)


def caps(standings: Sequence[Standing]) -> frozenset[Scope]:
    """Whose jobs are held."""
    return frozenset(each.budget.scope for each in standings if each.is_capped)


def parse_amount(text: str) -> int:
    """Read `25.00` or `$25`: nanodollars.

    Raises:
        UsageError: it is no amount, or none that can be a budget.
    """
    import re  # both late: `pitchey status` knows budgets, and reads no amounts
    from decimal import Decimal

    match = re.fullmatch(r"\$?(\d+(?:\.\d{1,9})?)", text.strip(), re.ASCII)
    if match is None:
        raise UsageError(f"{text!r} is no amount of dollars.", hint="Write 25 or 25.00.")
    dollars = Decimal(match[1])
    if not 0 < dollars <= MOST_DOLLARS:
        hint = "`pitchey budget remove` removes one; without any there is no cap."
        raise UsageError(f"A budget is more than nothing and at most ${MOST_DOLLARS:,}, not {text.strip()}.", hint=hint)
    return int(dollars * NANODOLLARS)
