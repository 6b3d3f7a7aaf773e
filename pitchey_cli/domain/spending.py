"""What a period has cost: entries of the ledger added up, by whom and what for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from pitchey_cli.domain.cost import USED, Entry, Line
from pitchey_cli.domain.projection import Pace
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

_HOUR = timedelta(hours=1)


class By(StrEnum):
    """What a table has a row for."""

    SERVICE = "service"
    ORGANISATION = "organisation"
    BATCH = "batch"
    DAY = "day"
    TYPE = "type"


#: that only attempts belong to: an instance, and so what nobody used of it, is no organisation's
BY_ACCOUNT = frozenset({By.ORGANISATION, By.BATCH})


@dataclass(frozen=True)
class Span:
    """Whole hours, because the ledger has a row for each."""

    since: datetime
    until: datetime

    @classmethod
    def around(cls, since: datetime, until: datetime) -> Span:
        """The hours that lie in a span, those at its ends included."""
        begin = since.replace(minute=0, second=0, microsecond=0)
        end = until.replace(minute=0, second=0, microsecond=0)
        return cls(begin, end if end == until else end + _HOUR)

    def has(self, entry: Entry) -> bool:
        """Whether an hour lies in it."""
        return self.since <= entry.hour < self.until


@dataclass
class Sums:
    """What some entries come to, in nanodollars."""

    by_line: dict[Line, int] = field(default_factory=lambda: dict.fromkeys(Line, 0))
    attempts: int = 0

    def add(self, entry: Entry) -> None:
        """Count an entry."""
        self.by_line[entry.line] += entry.nanodollars
        self.attempts += entry.attempts

    @property
    def used(self) -> int:
        """By attempts, whatever came of them."""
        return sum(self.by_line[line] for line in USED)

    @property
    def idle(self) -> int:
        """Paid for and used by nobody; starts and pauses are in it."""
        return self.by_line[Line.INSTANCE] - self.used


@dataclass(frozen=True)
class Report:
    """What there is to say of a period."""

    span: Span
    now: datetime
    service: Service | None
    organisation: str | None
    whole: Sums
    spent: int
    tables: Mapping[By, Mapping[str, Sums]]
    projected: int | None  #: at the end of the period; None when that has passed, or too little is known
    pace: Pace  #: by which that goes
    always_on: int | None  #: what one instance of each service that was used would have cost all the time

    @property
    def is_over(self) -> bool:
        """Whether nothing is to come."""
        return self.span.until <= self.now

    @property
    def has_instances(self) -> bool:
        """Whether instances are in it; of one organisation there are only attempts."""
        return self.organisation is None


def summarise(
    known: Iterable[Entry],
    span: Span,
    by: Sequence[By],
    *,
    now: datetime,
    pace: Pace,
    service: Service | None = None,
    organisation: str | None = None,
    always_on: int | None = None,
) -> Report:
    """Add up a period.

    Args:
        known: what is booked or lives, of the period at least.
        now: in the zone that days are meant in.
        pace: of what is asked for.
    """
    wanted = [
        entry
        for entry in known
        if (service is None or entry.service is service)
        and (organisation is None or (entry.line in USED and entry.account.organisation == organisation))
    ]
    inside = [entry for entry in wanted if span.has(entry)]
    whole = _sums(inside)
    spent = whole.by_line[Line.INSTANCE] if organisation is None else whole.used
    return Report(
        span=span,
        now=now,
        service=service,
        organisation=organisation,
        whole=whole,
        spent=spent,
        tables={each: _table(inside, each, now) for each in by},
        projected=pace.projected(spent, now=now, end=span.until) if span.until > now else None,
        pace=pace,
        always_on=always_on if organisation is None else None,
    )


def _sums(found: Iterable[Entry]) -> Sums:
    sums = Sums()
    for entry in found:
        sums.add(entry)
    return sums


def _table(found: Iterable[Entry], by: By, now: datetime) -> dict[str, Sums]:
    rows: dict[str, Sums] = {}
    for entry in found:
        if by not in BY_ACCOUNT or entry.line in USED:
            rows.setdefault(_row_of(entry, by, now), Sums()).add(entry)
    return dict(sorted(rows.items()))


def _row_of(entry: Entry, by: By, now: datetime) -> str:
    match by:
        case By.SERVICE:
            return entry.service
        case By.ORGANISATION:
            return entry.account.organisation
        case By.BATCH:
            return entry.account.batch
        case By.DAY:
            return f"{entry.hour.astimezone(now.tzinfo):%Y-%m-%d}"
        case By.TYPE:
            return entry.instance_type
