"""What work costs. Money is counted in whole nanodollars, so that sums are exact."""

from __future__ import annotations

NANODOLLARS = 1_000_000_000
SECONDS_PER_HOUR = 3600


def slot_cost(seconds: float, *, price_per_hour: float, slots: int) -> int:
    """The price of holding one of an instance's slots, in nanodollars.

    Args:
        seconds: how long the slot was held; billed to 10 ms, as the instance is.
        price_per_hour: of the whole instance, in dollars.
        slots: how many slots share the instance.
    """
    billed = round(max(0.0, seconds), 2)
    return round(billed * price_per_hour * NANODOLLARS / SECONDS_PER_HOUR / slots)
