"""All prices, as set: flat or by rates, by region, by the time of day, on demand or spot; how the settings are read.

Pure: settings' texts and sizes go in, tariffs come out. No price of anybody is known here but what is set.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.limits import GIB, INSTANCE_TYPES, Limits
from pitchey_cli.domain.policy import pairs, parse_window
from pitchey_cli.domain.prices import NANODOLLARS, PriceWindow, Tariff
from pitchey_cli.domain.spot import Spot
from pitchey_cli.values import dataclass

_SECONDS_PER_HOUR = 3600
_SPOT = re.compile(r"([\d.]+)(?:@([\d.]+)/h)?")


@dataclass(frozen=True)
class Rates:
    """A rate card, in dollars per second."""

    vcpu: float = 0.0
    gib: float = 0.0  #: of memory: 2^30 bytes
    gb: float = 0.0  #: of disk: 10^9 bytes


@dataclass(frozen=True)
class PriceList:
    """All prices, as set."""

    rates: Rates | None = None  #: None: each service has its flat price
    disk_gb: Mapping[str, float] = field(default_factory=dict)  #: by instance type; what the rate for disk is paid for
    windows: tuple[PriceWindow, ...] = ()
    timezone: str = "UTC"
    regions: Mapping[str, float] = field(default_factory=dict)  #: factors
    spot: Spot | None = None

    def tariff(
        self, instance_type: str, limits: Limits, *, flat_per_hour: float, region: str, is_spot: bool = False
    ) -> Tariff:
        """The price of an instance.

        Args:
            flat_per_hour: in dollars; where there is no rate card.
            is_spot: its node may be taken away; without a spot price that changes nothing.
        """
        per_hour = flat_per_hour
        if self.rates is not None:
            disk = self.disk_gb.get(instance_type, 0.0)
            memory = limits.memory_bytes / GIB
            per_second = self.rates.vcpu * limits.cpus + self.rates.gib * memory + self.rates.gb * disk
            per_hour = per_second * _SECONDS_PER_HOUR
        per_hour *= self.factor(region, is_spot=is_spot)
        return Tariff(round(per_hour * NANODOLLARS), self.windows, self.timezone)

    def factor(self, region: str, *, is_spot: bool) -> float:
        """What a node's place and kind make of the usual price."""
        spot = self.spot.factor if is_spot and self.spot is not None else 1.0
        return self.regions.get(region, 1.0) * spot


_RATES = {"vcpu-second": "vcpu", "gib-second": "gib", "gb-second": "gb"}


def parse_rates(text: str, *, where: str) -> Rates | None:
    """Read `vcpu-second=0.00002,gib-second=0.0000025`; nothing means flat prices."""
    found: dict[str, float] = {}
    for name, value in pairs(text, where=where):
        if name not in _RATES:
            raise UsageError(f"{where}: there is no rate {name!r}.", hint=f"There are {', '.join(_RATES)}.")
        found[_RATES[name]] = _number(value, f"{where}: the rate of {name}", "dollars per second, as 0.00002")
    return Rates(**found) if found else None


def parse_disks(text: str, *, where: str) -> dict[str, float]:
    """Read `lite=2,standard-1=8`: GB of disk by instance type."""
    found: dict[str, float] = {}
    for name, value in pairs(text, where=where):
        if name not in INSTANCE_TYPES:
            hint = f"There are {', '.join(INSTANCE_TYPES)}."
            raise UsageError(f"{where}: there is no instance type {name!r}.", hint=hint)
        found[name] = _number(value, f"{where}: the disk of {name}", "GB, as 8")
    return found


def parse_price_windows(text: str, *, where: str) -> tuple[PriceWindow, ...]:
    """Read `22:00-06:00=0.5,12:00-13:00=2`."""
    found: list[PriceWindow] = []
    for hours, value in pairs(text, where=where):
        window = parse_window(hours, where=where)
        assert window is not None  # a pair has a name
        found.append(PriceWindow(window, _number(value, f"{where}: the factor of {hours}", "a factor, as 0.5")))
    return tuple(found)


def parse_region_factors(text: str, *, where: str) -> dict[str, float]:
    """Read `eu=1.1,us=0.9`; 1 where nothing is said."""
    return {
        name: _number(value, f"{where}: the factor of {name!r}", "a factor, as 1.1")
        for name, value in pairs(text, where=where)
    }


def parse_spot(text: str, *, where: str) -> Spot | None:
    """Read `0.35`, or `0.35@0.05/h` with the interruptions that one instance has to expect in an hour."""
    if not text.strip():
        return None
    match = _SPOT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{where}: {text!r} is no spot price.", hint="Write a factor, as 0.35, or 0.35@0.05/h.")
    factor = _number(match[1], f"{where}: the factor", "a number, as 0.35")
    return Spot(factor, _number(match[2] or "0", f"{where}: the interruptions", "a number per hour, as 0.05"))


def parse_timezone(text: str, *, where: str) -> str:
    """Read `Europe/Berlin`; nothing means UTC."""
    name = text.strip() or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"{where}: there is no time zone {name!r}.", hint="Name one as Europe/Berlin or UTC."
        ) from None
    return name


def _number(text: str, what: str, takes: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise UsageError(f"{what} is {text!r}.", hint=f"It takes {takes}.")
    return number
