"""What an operator writes about the queue in one line, read into what the queue works with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import time

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.retry import RetryAction, RetryRule
from pitchey_cli.domain.turns import KeyLimit
from pitchey_cli.domain.warmth import WarmHours
from pitchey_cli.domain.windows import Window

_KEY_LIMIT = re.compile(r"(\d+)(?:@(\d+(?:\.\d+)?)/min)?")
_WINDOW = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")


def parse_weights(text: str, *, where: str) -> dict[str, float]:
    """Read `acme=3,others=1`."""
    found: dict[str, float] = {}
    for name, value in pairs(text, where=where):
        try:
            weight = float(value)
        except ValueError:
            weight = 0.0
        if not 0 < weight < float("inf"):
            raise UsageError(f"{where}: the share of {name!r} is a number above 0, not {value!r}.")
        found[name] = weight
    return found


def parse_key_limits(text: str, *, where: str) -> dict[str, KeyLimit]:
    """Read `camera=2,api=5@10/min`: at once, and starts per minute."""
    found: dict[str, KeyLimit] = {}
    for name, value in pairs(text, where=where):
        match = _KEY_LIMIT.fullmatch(value)
        if match is None or int(match[1]) < 1 or (match[2] is not None and float(match[2]) <= 0):
            raise UsageError(f"{where}: the limit of {name!r} is {value!r}.", hint="Write 2, or 2@10/min.")
        found[name] = KeyLimit(int(match[1]), None if match[2] is None else float(match[2]))
    return found


def parse_window(text: str, *, where: str) -> Window | None:
    """Read `22:00-06:00`; nothing means no window."""
    if not text.strip():
        return None
    match = _WINDOW.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        start, end = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    except ValueError:
        raise UsageError(f"{where}: {text!r} are no hours.", hint="Write them as 22:00-06:00.") from None
    if start == end:
        raise UsageError(f"{where}: {text!r} is never; leave it empty for any time.")
    return Window(start, end)


def parse_windows(text: str, *, where: str) -> tuple[Window, ...]:
    """Read `22:00-06:00,12:00-13:00`; nothing means no window."""
    found = (parse_window(part, where=where) for part in text.split(","))
    return tuple(each for each in found if each is not None)


def parse_warm_hours(text: str, *, where: str) -> WarmHours | None:
    """Read `2@08:00-18:00`; nothing means no instance."""
    if not text.strip():
        return None
    count, at, hours = text.strip().partition("@")
    window = parse_window(hours, where=where) if at else None
    if window is None or not count.isdecimal() or not int(count):
        raise UsageError(f"{where}: {text!r} names no hours.", hint="Write 1@08:00-18:00: instances, and when.")
    return WarmHours(int(count), window)


def parse_retry_rules(text: str, *, where: str) -> tuple[RetryRule, ...]:
    """Read `ffmpeg_failed=stop,timeout=larger`."""
    rules: list[RetryRule] = []
    for pattern, action in pairs(text, where=where):
        if action not in tuple(RetryAction):
            raise UsageError(f"{where}: {pattern!r} has {action!r}.", hint="Say retry, stop or larger.")
        rules.append(RetryRule(pattern, RetryAction(action)))
    return tuple(rules)


def pairs(text: str, *, where: str) -> Iterator[tuple[str, str]]:
    """Read `name=value,name=value`."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.rpartition("=")
        if not equals or not name.strip():
            raise UsageError(f"{where}: {part!r} is not NAME=VALUE.")
        yield name.strip(), value.strip()
