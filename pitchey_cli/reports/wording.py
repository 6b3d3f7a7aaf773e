"""Numbers as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

from pitchey_cli.domain.prices import dollars
from pitchey_cli.domain.projection import LEAST, Pace


def size(number: float | None) -> str:
    """Bytes, in binary units."""
    if number is None:
        return "-"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def duration(seconds: float | None) -> str:
    """A span of time, with two figures that matter."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago something was."""
    return "-" if then is None else f"{duration(max(0.0, round((now - then).total_seconds())))} ago"


def money(nanodollars: int | None) -> str:
    """A cost, if there is one."""
    return "-" if nanodollars is None else dollars(nanodollars)


def going_on(pace: Pace) -> str:
    """What a projection goes by, or why there is none."""
    if pace.is_known:
        return f"if it goes on as in the last {_whole(pace.history)}"
    return f"not projected from {_whole(pace.history)} of history: it takes {_whole(LEAST)}"


def _whole(span: timedelta) -> str:
    """A span as people say it: in whole units, never more than it is."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def percent(fraction: float | None) -> str:
    """A share."""
    return "" if fraction is None else f"{fraction * 100:.0f} %"


def printable(text: str) -> str:
    """A text from outside, without the control characters that could fool a terminal or break a table."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
