"""What one instance costs per hour at any moment. How that follows from what is set: domain/pricelist.py.

Whole nanodollars per hour, so that sums are exact.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from pitchey_cli.domain.windows import Window
from pitchey_cli.values import dataclass

NANODOLLARS = 1_000_000_000
_CENT = NANODOLLARS // 100
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def dollars(nanodollars: int) -> str:
    """An amount as people write it: of less than a dollar with as many digits as tell it from nothing."""
    is_of_cents = nanodollars % _CENT == 0
    return f"${nanodollars / NANODOLLARS:,.{2 if is_of_cents or nanodollars >= NANODOLLARS else 6}f}"


@dataclass(frozen=True)
class PriceWindow:
    """Hours of the day, and what a price is multiplied by in them."""

    window: Window
    factor: float


@dataclass(frozen=True)
class Tariff:
    """The price of one instance at any time. It is kept with the instance: what is set later changes no bill."""

    nanodollars_per_hour: int = 0
    windows: tuple[PriceWindow, ...] = ()  #: the first that holds a moment counts
    timezone: str = "UTC"  #: that the windows are meant in

    def price_at(self, moment: datetime) -> int:
        """Nanodollars per hour at a moment."""
        if not self.windows:
            return self.nanodollars_per_hour
        from zoneinfo import ZoneInfo  # late: most prices are flat, and `pitchey status` has to start fast

        local = moment.astimezone(ZoneInfo(self.timezone))
        factor = next((each.factor for each in self.windows if each.window.contains(local)), 1.0)
        return round(self.nanodollars_per_hour * factor)

    def price_until(self, moment: datetime) -> tuple[datetime, int, datetime]:
        """The hour of a moment, the price then, and until when it is the same: the end of the hour at the latest."""
        hour = moment.replace(minute=0, second=0, microsecond=0)
        if not self.windows:
            return hour, self.nanodollars_per_hour, hour + _HOUR
        prices = _by_minute(self, hour)
        price = prices[moment.minute]
        later = (minute for minute in range(moment.minute + 1, 60) if prices[minute] != price)
        return hour, price, hour + next(later, 60) * _MINUTE


FREE = Tariff()


@lru_cache(maxsize=128)
def _by_minute(tariff: Tariff, hour: datetime) -> list[int]:
    # Windows and the clock changes of a zone come at full minutes, wherever within the hour.
    return [tariff.price_at(hour + minute * _MINUTE) for minute in range(60)]
