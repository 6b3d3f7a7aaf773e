"""Alert rules and where they stand, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pitchey_cli.domain.alerts import Alert, Reading, Rule
from pitchey_cli.reports.tables import plain_table
from pitchey_cli.reports.wording import ago, printable

_SCHEMA = 1

Row = tuple[Rule, Reading, Alert]


def table(found: Sequence[Row], *, now: datetime) -> RenderableType:
    """All rules."""
    if not found:
        return Text("All alert rules are off; the setting alerts.rules turns them on.")
    rows = plain_table(
        "rule", "severity", "threshold", "for", "now", "state", "about", right=("threshold", "for", "now")
    )
    for rule, reading, alert in found:
        threshold = f"{'below' if rule.is_floor else 'from'} {rule.amount(rule.threshold)}"
        value = "-" if reading.value is None else rule.amount(reading.value)
        about = Text(printable(_about(rule, reading, alert, now)))
        lasts = _span(rule.for_seconds)
        rows.add_row(rule.name, rule.severity, threshold, lasts, value, _state(rule, alert, now), about)
    return rows


def _span(seconds: float) -> str:
    """How long a rule has to be broken before it fires, in the unit that it is a round number of."""
    if not seconds:
        return "at once"
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _about(rule: Rule, reading: Reading, alert: Alert, now: datetime) -> str:
    why = alert.silence.reason if alert.silence is not None and alert.is_silenced(now) else ""
    if why and alert.firing_since is None:
        return why
    is_broken = reading.value is not None and rule.is_broken(reading.value)
    return "; ".join(filter(None, [reading.about if is_broken else "", why]))


def _state(rule: Rule, alert: Alert, now: datetime) -> Text:
    if alert.silence is not None and alert.is_silenced(now):
        fires = "fires, " if alert.firing_since is not None else ""
        until = f"{alert.silence.until.astimezone():%Y-%m-%d %H:%M}"
        return Text(f"{fires}silenced until {until} by {printable(alert.silence.by)}", style="yellow")
    if alert.firing_since is not None:
        return Text(f"fires, began {ago(alert.firing_since, now)}", style="red")
    if alert.broken_since is not None:
        fires = f", fires after {_span(rule.for_seconds)}"
        return Text(f"broken, began {ago(alert.broken_since, now)}{fires}", style="yellow")
    return Text("ok" if alert.resolved_at is None else f"ok, was over {ago(alert.resolved_at, now)}")


def document(rule: Rule, reading: Reading, alert: Alert, *, now: datetime) -> dict[str, Any]:
    """One rule."""
    silence = alert.silence if alert.is_silenced(now) else None
    return {
        "schema": _SCHEMA,
        "rule": rule.name,
        "severity": rule.severity,
        "threshold": rule.threshold,
        "unit": rule.unit or None,
        "isFloor": rule.is_floor,
        "forSeconds": rule.for_seconds,
        "value": reading.value,
        "about": reading.about or None,
        "isFiring": alert.firing_since is not None,
        "brokenSince": _time(alert.broken_since),
        "firingSince": _time(alert.firing_since),
        "resolvedAt": _time(alert.resolved_at),
        "silence": silence and {"until": _time(silence.until), "reason": silence.reason, "by": silence.by},
    }


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")
