"""Alerts, as people look at them, try them out and silence them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from pitchey_cli.artifacts.room import disk_free_bytes
from pitchey_cli.domain import layout
from pitchey_cli.domain.alerts import Alert, Reading, Rule, Silence
from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.domain.moments import span
from pitchey_cli.domain.nodes import Health
from pitchey_cli.domain.readings import Here, readings
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass

LONGEST_SILENCE = timedelta(days=366)  #: what is not to be told for longer is a rule that should be off


@dataclass(frozen=True)
class Standing:
    """A rule, what it reads now, and where it stands."""

    rule: Rule
    reading: Reading
    alert: Alert


def look(
    store: Store,
    rules: Sequence[Rule],
    as_of: AsOf,
    policy: QueuePolicy,
    *,
    state_dir: Path,
    is_daemon_running: bool,
    dry_run: bool,
) -> list[Standing]:
    """Take the readings now, and judge them.

    Args:
        is_daemon_running: here: then it knows of the engine, and what it has found of it stands. Without one nobody
            needs that engine.
        dry_run: note nothing, and tell nobody.
    """
    health = Health(disk_free_bytes(state_dir), None if is_daemon_running else 0.0)
    found = readings(store.alert_facts(as_of, policy), Here(health, _node_id(state_dir)), now=as_of.now)
    alerts = store.judge_alerts(rules, found, now=as_of.now, dry_run=dry_run)
    return [Standing(rule, found[rule.name], alert) for rule, alert in zip(rules, alerts, strict=True)]


def firing(found: Sequence[Standing], now: datetime) -> list[Standing]:
    """Those that fire and are not silenced."""
    return [each for each in found if each.alert.firing_since is not None and not each.alert.is_silenced(now)]


def sentence(each: Standing) -> str:
    """What is the matter."""
    return each.rule.sentence(replace(each.reading, about=each.reading.about or each.alert.about))


def silence(store: Store, rule: Rule, *, lasts: str, reason: str, by: str, now: datetime) -> Silence:
    """Tell nobody of an alert for a while.

    Raises:
        UsageError: for no time, or for no reason.
    """
    if not reason.strip():
        raise UsageError("--reason is empty.", hint="Whoever looks at it next wants to know why.")
    until = now + span(lasts, what="--for")
    if until <= now:
        raise UsageError(f"--for {lasts} is no time.", hint="30m, 2h, 1d.")
    if until - now > LONGEST_SILENCE:
        hint = f"A rule that nobody wants is turned off: {rule.name}=off in the setting alerts.rules."
        raise UsageError(f"--for {lasts} is longer than {LONGEST_SILENCE.days} days.", hint=hint)
    found = Silence(until, reason.strip(), by)
    store.silence_alert(rule.name, found)
    return found


def unsilence(store: Store, each: Standing, now: datetime) -> None:
    """Tell of an alert again.

    Raises:
        InputNotFound: it is not silenced.
    """
    if not each.alert.is_silenced(now):
        raise InputNotFound(f"The alert {each.rule.name} is not silenced.", hint="`pitchey alerts list` shows them.")
    store.silence_alert(each.rule.name, None)


def _node_id(state_dir: Path) -> str:
    """The node that works in a state directory; empty where none ever has."""
    try:
        return layout.node_id(state_dir).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
