"""Moments and spans as people write them. Pure: a text and the time go in, a moment comes out, and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from pitchey_cli.domain.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*(s|m|h|d|w|secs?|seconds?|mins?|minutes?|hours?|days?|weeks?)")
_RATE = re.compile(r"(\d{1,12}(?:\.\d+)?(?:e\d)?)\s*(?:/|per)\s*(s|sec|second|m|min|minute|h|hour|d|day|w|week)")
_CLOCK = re.compile(r"(?:(today|tomorrow|yesterday)(?:\s+at)?)?\s*(?:(\d{1,2}):(\d{2}))?")
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_LONGEST_SECONDS = 100 * 365 * 86400.0
_FIRST_YEAR, _LAST_YEAR = 1000, 9000  # so that a span before or after a moment is one as well


def span(text: str, *, what: str) -> timedelta:
    """Read `20m`, `90 s` or `2 hours`.

    Args:
        what: what it is for; for the message.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(f"{what}: {text!r} is no length of time.", hint="30s, 20m, 2h, 1d.")
    return timedelta(seconds=min(float(match[1]) * _UNITS[match[2][0]], _LONGEST_SECONDS))


def rate(text: str, *, what: str) -> float:
    """Read `100/h`, `5/s` or `10,000,000 / d` as so many a second.

    Args:
        what: what it is the rate of; for the message.
    """
    match = _RATE.fullmatch(text.strip().lower().replace(",", "").replace("_", ""))
    if match is None or not float(match[1]) > 0:
        raise UsageError(f"{what}: {text!r} is no rate.", hint="100/h, 5/s, 2000/min, 1e6/d.")
    return float(match[1]) / _UNITS[match[2][0]]


def later(text: str, *, now: datetime, what: str) -> datetime:
    """Read a moment to come: `in 20 min`, `2h`, `02:00`, `tomorrow 02:00`, or an ISO time.

    Args:
        now: an aware time, in the zone that times of day are meant in.
    """
    words = text.strip().lower()
    if _SPAN.fullmatch(words.removeprefix("in ").strip()):
        return (now + span(words.removeprefix("in "), what=what)).astimezone(UTC)
    found = _named(words, now)
    if found is not None:
        is_passed = found <= now and words[0].isdigit()  # 02:00 is the next one; "today 02:00" means what it says
        return (found + timedelta(days=1) if is_passed else found).astimezone(UTC)
    return _iso(text, what, "in 20 min, 2h, 02:00, tomorrow 02:00, or 2026-01-31T12:00.")


def earlier(text: str, *, now: datetime, what: str) -> datetime:
    """Read a moment that has passed: `30m` ago, `yesterday 18:00`, `09:00`, or an ISO time."""
    words = text.strip().lower()
    ago = words.removesuffix("ago").strip()
    if _SPAN.fullmatch(ago):
        return (now - span(ago, what=what)).astimezone(UTC)
    found = _named(words, now)
    if found is not None:
        return (found - timedelta(days=1) if found > now and words[0].isdigit() else found).astimezone(UTC)
    return _iso(text, what, "30m, 2h, 1d, yesterday 18:00, or 2026-01-31T12:00.")


def worded(moment: datetime, *, now: datetime) -> str:
    """Say a moment: `22:00` today, `07:40 tomorrow`, else with its date.

    Args:
        moment: a local time, like `now`: the clock may have been changed between the two.
    """
    match (moment.date() - now.date()).days:
        case 0:
            return f"{moment:%H:%M}"
        case 1:
            return f"{moment:%H:%M} tomorrow"
        case _:
            return f"{moment:%Y-%m-%d %H:%M}"


def _named(words: str, now: datetime) -> datetime | None:
    """A time of day, with or without its day."""
    match = _CLOCK.fullmatch(words)
    if match is None or not (match[1] or match[2]):
        return None
    hour, minute = int(match[2] or 0), int(match[3] or 0)
    if hour > 23 or minute > 59:
        return None
    day = now.date() + timedelta(days=_DAYS[match[1]] if match[1] else 0)
    return datetime.combine(day, time(hour, minute), now.tzinfo)


def _iso(text: str, what: str, examples: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip()).astimezone(UTC)  # one without a zone is local time
        is_near = _FIRST_YEAR <= found.year <= _LAST_YEAR
    except (ValueError, OverflowError):
        is_near = False
    if not is_near:
        raise UsageError(f"{what}: {text!r} is no time.", hint=examples)
    return found
