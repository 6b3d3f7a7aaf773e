"""What each day of a period has cost, by what it was for: what a chart shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import date, datetime, timedelta

from pitchey_cli.domain.cost import USED, Entry, Line
from pitchey_cli.domain.spending import Span
from pitchey_cli.values import dataclass
from processors.vocabulary import Service


@dataclass(frozen=True)
class Day:
    """One day, in nanodollars."""

    date: date
    used: Mapping[Service, int] = field(default_factory=dict)  #: by attempts, whatever came of them
    idle: int = 0  #: paid for and used by nobody; of one organisation there is none

    @property
    def total(self) -> int:
        """All that it cost."""
        return sum(self.used.values()) + self.idle


def days(
    known: Iterable[Entry],
    span: Span,
    *,
    now: datetime,
    service: Service | None = None,
    organisation: str | None = None,
) -> list[Day]:
    """Every day of a period until now, also those on which nothing was spent.

    Args:
        now: in the zone that days are meant in.
    """
    used: dict[date, dict[Service, int]] = {}
    whole: dict[date, int] = {}
    for entry in known:
        if not span.has(entry) or service not in (None, entry.service):
            continue
        day = entry.hour.astimezone(now.tzinfo).date()
        if entry.line in USED and organisation in (None, entry.account.organisation):
            its = used.setdefault(day, {})
            its[entry.service] = its.get(entry.service, 0) + entry.nanodollars
        elif entry.line is Line.INSTANCE and organisation is None:
            whole[day] = whole.get(day, 0) + entry.nanodollars
    first = span.since.astimezone(now.tzinfo).date()
    last = (min(span.until, now) - timedelta(microseconds=1)).astimezone(now.tzinfo).date()
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        its = used.get(day, {})
        found.append(Day(day, its, whole.get(day, 0) - sum(its.values()) if organisation is None else 0))
    return found
