"""What a period comes to if it goes on as in the last days: the one rule, for budgets and for `pitchey cost`. Pure.

The rate is the same for a day, a week and a month, so what is projected for a longer one is never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from pitchey_cli.domain.cost import USED, Entry, Line
from pitchey_cli.domain.job import Instance
from pitchey_cli.domain.scope import Scope
from pitchey_cli.values import dataclass

RATE_OVER = timedelta(days=7)  #: what the rate is the mean of
LEAST = timedelta(days=1)  #: of less there is no rate: a burst of some minutes knows of no night
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Pace:
    """What was spent lately, and in what time."""

    nanodollars: int = 0
    history: timedelta = timedelta(0)

    @property
    def is_known(self) -> bool:
        """Whether it says anything of the days to come."""
        return self.history >= LEAST

    def projected(self, spent: int, *, now: datetime, end: datetime) -> int | None:
        """Nanodollars at the end of a period in which so much is spent; None where too little is known."""
        if not self.is_known:
            return None
        return spent + round(self.nanodollars * (max(end - now, timedelta(0)) / self.history))


def recent_since(now: datetime) -> datetime:
    """From when on a rate counts: the beginning of an hour, as the ledger has them."""
    return _hour_of(now - RATE_OVER)


def of_scope(scope: Scope, known: Iterable[Entry]) -> Iterator[Entry]:
    """What counts for a scope: of an organisation its attempts, else the instances, the idle ones too."""
    lines = USED if scope.organisation else frozenset({Line.INSTANCE})
    return (each for each in known if each.line in lines and scope.covers(each.account.organisation, each.service))


def pace(scope: Scope, known: Iterable[Entry], *, first: datetime | None, now: datetime) -> Pace:
    """How fast a scope spends.

    Args:
        known: what is booked or lives, from `recent_since` on at least.
        first: since when there has been anything of the scope; None: never.
    """
    if first is None:
        return Pace()
    since = recent_since(now)
    spent = sum(each.nanodollars for each in of_scope(scope, known) if since <= each.hour <= now)
    return Pace(spent, max(now - max(first, since), timedelta(0)))


def first_moment(hour: datetime, instances: Iterable[Instance]) -> datetime:
    """When in an hour of the ledger something began to exist; the hour itself where no instance of it is remembered."""
    there = [
        max(each.created_at, hour)
        for each in instances
        if each.created_at < hour + _HOUR and (each.stopped_at is None or each.stopped_at > hour)
    ]
    return min(there, default=hour)


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)  # zones may be half an hour off
