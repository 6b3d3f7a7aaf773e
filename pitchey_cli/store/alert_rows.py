"""Where alerts stand as rows, and what follows from readings. Loaded when needed: `pitchey status` starts without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pitchey_cli.domain.alerts import Alert, News, Reading, Rule, Silence, judge
from pitchey_cli.store import rows


def judged(
    rules: Sequence[Rule], readings: Mapping[str, Reading], before: Mapping[str, Alert], now: datetime
) -> list[tuple[Alert, News | None]]:
    """Where each rule stands after its reading, and what is to be told of it."""
    return [judge(rule, readings[rule.name], before.get(rule.name, Alert(rule.name)), now) for rule in rules]


def changed(found: Sequence[tuple[Alert, News | None]], before: Mapping[str, Alert]) -> list[Alert]:
    """Those that do not stand where they stood."""
    return [after for after, _ in found if after != before.get(after.rule, Alert(after.rule))]


def silenced(before: Alert | None, rule: str, silence: Silence | None) -> Alert:
    """The same alert with a silence, or without."""
    return replace(before or Alert(rule), silence=silence)


def test_of(rule: Rule) -> tuple[str, dict[str, Any]]:
    """The event by which a rule is tried out: its type and its data."""
    value = rule.threshold / 2 if rule.is_floor else rule.threshold  # one that is broken
    return News.FIRED.value, told(rule, Reading(value, "a test"), is_test=True)


def values(alert: Alert) -> tuple[Any, ...]:
    """An alert as the values of `set_alert`."""
    silence = alert.silence
    return (
        alert.rule,
        rows.micros_or_none(alert.broken_since),
        rows.micros_or_none(alert.firing_since),
        rows.micros_or_none(alert.told_at),
        rows.micros_or_none(alert.resolved_at),
        alert.about,
        silence and rows.micros(silence.until),
        silence and silence.reason,
        silence and silence.by,
    )


def alert_from(row: rows.Row) -> Alert:
    """A row of alerts."""
    until = rows.moment_or_none(row["silenced_until"])
    return Alert(
        row["rule"],
        rows.moment_or_none(row["broken_since"]),
        rows.moment_or_none(row["firing_since"]),
        rows.moment_or_none(row["told_at"]),
        rows.moment_or_none(row["resolved_at"]),
        row["about"],
        None if until is None else Silence(until, row["silenced_because"], row["silenced_by"]),
    )


def told(rule: Rule, reading: Reading, *, is_test: bool) -> dict[str, Any]:
    """The data of an event."""
    return {
        "rule": rule.name,
        "severity": rule.severity.value,
        "value": reading.value,
        "threshold": rule.threshold,
        "unit": rule.unit,
        "text": rule.sentence(reading),
        "about": reading.about,
        "isTest": is_test,
    }
