"""When it is off-peak, and when a job that asks for it is to start. Pure.

Off-peak are the hours that the operator has named; where none are named, those in which the price is the lowest of the
day; where it is the same all day, any time. What a job is promised is decided once, when it is submitted: see `plan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import groupby

from pitchey_cli.domain.prices import FREE, NANODOLLARS, PriceWindow, Tariff
from pitchey_cli.domain.windows import Window
from pitchey_cli.values import dataclass

_MINUTE = timedelta(minutes=1)
_MINUTES_OF_A_DAY = 24 * 60
# Every hour of the day comes within it, also where a change of the clock, or of the date, leaves one out.
_HORIZON = timedelta(days=3)
_TO_START = timedelta(minutes=1)  # what the start of an instance may take, before a job is at work


@dataclass(frozen=True)
class OffPeak:
    """The calendar. It is asked at every tick, so it keeps nothing but the hours."""

    hours: tuple[Window, ...] = ()  #: empty: any time
    zone: tzinfo | None = None  #: that they are meant in; None: that of the machine
    prices: Tariff = FREE  #: by which a time is chosen where the hours come too late

    def contains(self, moment: datetime) -> bool:
        """Whether it is off-peak."""
        if not self.hours:
            return True
        local = moment.astimezone(self.zone)
        return any(window.contains(local) for window in self.hours)

    def begins(self, moment: datetime) -> datetime:
        """When it is off-peak from a moment on: at once, or at the beginning of a minute."""
        return moment if self.contains(moment) else _next(self, moment.replace(second=0, microsecond=0))

    def began(self, moment: datetime) -> datetime:
        """Since when it has been off-peak, at a moment that is: to the minute, and three days back at most."""
        return _first_of(self, moment.replace(second=0, microsecond=0))

    def cheapest(self, earliest: datetime, latest: datetime) -> datetime:
        """The first moment of the lowest price between two; both are admissible."""
        at = earliest = earliest.astimezone(UTC)
        best, least = earliest, self.prices.price_at(earliest)
        last = min(latest, earliest + _HORIZON) if self.prices.windows else earliest
        while (at := self.prices.price_until(at)[2]) <= last:
            if (price := self.prices.price_at(at)) < least:
                best, least = at, price
        return best


ANY_TIME = OffPeak()


def calendar(hours: Sequence[Window], windows: Sequence[PriceWindow], timezone: str) -> OffPeak:
    """Make the calendar out of what is set.

    Args:
        hours: named by the operator, on the machine's clock.
        windows: of prices, in `timezone`.
    """
    # What any instance costs follows the same factors: a dollar stands for all.
    prices = Tariff(NANODOLLARS, tuple(windows), timezone)
    if hours:
        return OffPeak(tuple(hours), None, prices)
    cheap = cheapest_hours(windows)
    if not cheap:
        return OffPeak(prices=prices)
    from zoneinfo import ZoneInfo  # late: most prices are flat, and `pitchey status` has to start fast

    return OffPeak(cheap, ZoneInfo(timezone), prices)


def cheapest_hours(windows: Sequence[PriceWindow]) -> tuple[Window, ...]:
    """The hours of the lowest price; none where it is the same all day."""
    day = datetime(2000, 1, 1, tzinfo=UTC)  # any: only its clock is read
    factors = []
    for minute in range(_MINUTES_OF_A_DAY):
        local = day + minute * _MINUTE
        factors.append(next((each.factor for each in windows if each.window.contains(local)), 1.0))
    least = min(factors)
    if least == max(factors):
        return ()
    found: list[tuple[int, int]] = []
    for is_cheap, minutes in groupby(range(_MINUTES_OF_A_DAY), lambda minute: factors[minute] == least):
        run = list(minutes)
        if is_cheap:
            found.append((run[0], run[-1] + 1))
    if len(found) > 1 and found[0][0] == 0 and found[-1][1] == _MINUTES_OF_A_DAY:  # they pass midnight
        found = [(found[-1][0], found[0][1]), *found[1:-1]]
    return tuple(Window(_clock(start), _clock(end)) for start, end in found)


def _clock(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


@lru_cache(maxsize=64)  # of many jobs that are submitted together, all ask for the same minute
def _next(calendar: OffPeak, minute: datetime) -> datetime:
    for number in range(1, _HORIZON // _MINUTE):
        if calendar.contains(minute + number * _MINUTE):
            return minute + number * _MINUTE
    raise AssertionError(f"{calendar.hours} never come")  # whoever reads hours refuses such


@lru_cache(maxsize=64)  # the daemon asks at every tick
def _first_of(calendar: OffPeak, minute: datetime) -> datetime:
    for number in range(_HORIZON // _MINUTE):
        if not calendar.contains(minute - (number + 1) * _MINUTE):
            return minute - number * _MINUTE
    return minute - _HORIZON


@dataclass(frozen=True)
class Start:
    """What a job with --off-peak, and a deadline or a time to live, is promised."""

    is_off_peak: bool  #: it waits for off-peak hours, until its last call
    last_call_at: datetime  #: from then on it runs at any price
    run_at: datetime | None = None  #: not before; None: as was asked


def plan(off_peak: OffPeak, *, earliest: datetime, latest: datetime) -> Start:
    """Decide how a job gets the cheapest time that meets its deadline.

    Where off-peak hours begin before its latest start, it waits for them, and has its last call at its latest start: a
    long backlog, or a daemon that was away, must not cost it its deadline. Where they come too late, waiting for them
    has no sense: it is to start at the cheapest moment before, the first of equals.

    Args:
        earliest: now, or the time that was asked for.
        latest: as latest_start.
    """
    if off_peak.begins(earliest) <= latest:
        return Start(True, latest)
    at = off_peak.cheapest(earliest, latest)
    return Start(False, at, at if at > earliest else None)


def latest_start(
    *,
    earliest: datetime,
    deadline: datetime | None,
    expires_at: datetime,
    expected_seconds: float | None,
    timeout_seconds: float,
) -> datetime:
    """When a job has to start, at the latest, to meet its deadline; the earliest moment when it is too late already.

    What it will take is the upper end of the estimate, where there is one, and a minute for the start of an instance.
    Of a job like no other before, only its timeout is known, which is far more than most jobs take: it counts, but as
    half of the time that is left at most, or a job with the usual timeout of an hour and a deadline in fifty minutes
    could never wait for anything. An estimate is not cut so: a job that is known to take most of the time that is left
    has to start soon. A retry is in neither: who needs one has to ask for an earlier deadline.

    Args:
        deadline: None: it has none, and is only not to be started after `expires_at`.
        expires_at: not to be started after that, for its time to live; else the deadline.
        expected_seconds: nine of ten jobs like it are quicker; with the interruptions that a spot node has to expect.
    """
    in_time = expires_at - min(_TO_START, (expires_at - earliest) / 2)
    if deadline is None:
        return max(earliest, in_time)
    left = deadline - earliest
    if expected_seconds is None:
        takes = min(timedelta(seconds=timeout_seconds), left / 2)
    else:
        takes = timedelta(seconds=expected_seconds) + _TO_START
    return max(earliest, min(deadline - takes, in_time))
