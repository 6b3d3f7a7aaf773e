"""Days, weeks and months, as the calendar of a time zone has them. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from pitchey_cli.values import dataclass


class Period(StrEnum):
    """What comes again and again."""

    DAY = "day"
    WEEK = "week"  #: from Monday on
    MONTH = "month"


@dataclass(frozen=True)
class Term:
    """A period that has a date."""

    begin: datetime
    end: datetime


def term_of(period: Period, now: datetime, zone: tzinfo) -> Term:
    """The period that a moment lies in. Days begin at midnight, however long the clock changes make them."""
    today = now.astimezone(zone).date()
    match period:
        case Period.DAY:
            first, following = today, today + timedelta(days=1)
        case Period.WEEK:
            first = today - timedelta(days=today.weekday())
            following = first + timedelta(days=7)
        case Period.MONTH:
            first = today.replace(day=1)
            following = (first + timedelta(days=31)).replace(day=1)
    return Term(_midnight(first, zone), _midnight(following, zone))


def _midnight(day: date, zone: tzinfo) -> datetime:
    # One that a clock change leaves out is read with the offset from before it: the day begins as soon as there is one.
    return datetime.combine(day, time(), zone).astimezone(UTC)
