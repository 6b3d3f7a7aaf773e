"""Alert rules as data, and when an alert fires, is told, and is over. Pure: readings and the last state go in.

What the readings are taken from: domain/readings.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import floor

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.values import dataclass


class Severity(StrEnum):
    """How bad it is."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Reading:
    """What a rule looks at, now; None is not known."""

    value: float | None
    about: str = ""  #: which service, which budget


@dataclass(frozen=True)
class Rule:
    """One alert rule: it is broken at its threshold and beyond."""

    name: str
    text: str  #: what a reading says, with its amount at {}; true whether it is broken or not
    threshold: float
    unit: str
    severity: Severity = Severity.WARNING
    for_seconds: float = 0.0  #: it has to be broken for so long before it fires
    is_floor: bool = False  #: broken below its threshold
    of_one: tuple[str, str] = ("", "")  #: text and unit for an amount of one, where they are others

    def is_broken(self, value: float) -> bool:
        """Whether a value is one to be told of."""
        return value < self.threshold if self.is_floor else value >= self.threshold

    def amount(self, value: float) -> str:
        """A value with its unit; rounded down, unless that would put it on the other side of the threshold."""
        rounded = floor(value * 100) / 100
        shown = rounded if self.is_broken(rounded) == self.is_broken(value) else value
        return f"{shown:.10g} {(self.of_one[1] if shown == 1 else '') or self.unit}"

    def sentence(self, reading: Reading) -> str:
        """What a reading says."""
        limit = f"it should be {'at least' if self.is_floor else 'below'} {self.amount(self.threshold)}"
        about = f" ({reading.about})" if reading.about else ""
        if reading.value is None:
            return f"{self.name} ({self.severity}): the value of now is not known here{about}; {limit}."
        amount = self.amount(reading.value)
        text = (self.of_one[0] if amount.startswith("1 ") else "") or self.text
        return f"{self.name} ({self.severity}): {text.format(amount)}{about}; {limit}."


#: every rule there is, with its default
RULES = (
    Rule(
        "dead_letters",
        "{} became dead letters within the hour",
        10,
        "jobs",
        of_one=("{} became a dead letter within the hour", "job"),
    ),
    Rule(
        "crash_loop",
        "{} of one service were lost within 15 minutes",
        3,
        "instances",
        Severity.CRITICAL,
        of_one=("{} was lost within 15 minutes", "instance"),
    ),
    Rule("queue_wait", "the oldest job that could run has waited for {}", 120, "s"),
    Rule("idle_cost", "{} of what the instances cost in a day is idle", 90, "%", for_seconds=3600),
    Rule("budget", "{} of a budget is spent", 100, "%", Severity.CRITICAL),
    Rule("disk_free", "the disk of the state directory has {} free", 2, "GiB", Severity.CRITICAL, is_floor=True),
    Rule("engine_away", "the engine answered {} ago", 60, "s", Severity.CRITICAL),
    Rule(
        "node_away",
        "{} should be at work, and are not heard of",
        1,
        "nodes",
        Severity.CRITICAL,
        of_one=("{} should be at work, and is not heard of", "node"),
    ),
    Rule(
        "room_short",
        "{} are short of room on the host",
        1,
        "pools",
        for_seconds=300,
        of_one=("{} is short of room on the host", "pool"),
    ),
)


@dataclass(frozen=True)
class Silence:
    """Somebody does not want to be told."""

    until: datetime
    reason: str
    by: str


@dataclass(frozen=True)
class Alert:
    """Where a rule stands."""

    rule: str
    broken_since: datetime | None = None
    firing_since: datetime | None = None
    told_at: datetime | None = None  #: of the firing that goes on
    resolved_at: datetime | None = None  #: of the last one
    about: str = ""  #: as it was when it began to fire
    silence: Silence | None = None

    def is_silenced(self, now: datetime) -> bool:
        """Whether nobody is to be told."""
        return self.silence is not None and now < self.silence.until


class News(StrEnum):
    """What is told of an alert: the type of its event."""

    FIRED = "alert_fired"
    RESOLVED = "alert_resolved"


def judge(rule: Rule, reading: Reading, before: Alert, now: datetime) -> tuple[Alert, News | None]:
    """Where a rule stands after a reading, and what is to be told of it. What is not known changes nothing.

    A firing that nobody was told of because it was silenced is told when the silence ends.
    """
    if reading.value is None:
        return before, None
    if not rule.is_broken(reading.value):
        if before.broken_since is None and before.firing_since is None:
            return before, None
        resolved_at = before.resolved_at if before.firing_since is None else now
        after = Alert(rule.name, resolved_at=resolved_at, silence=before.silence)
        return after, News.RESOLVED if before.told_at is not None else None
    after = replace(before, broken_since=before.broken_since or now)
    if after.firing_since is None:
        if now - (after.broken_since or now) < timedelta(seconds=rule.for_seconds):
            return after, None
        after = replace(after, firing_since=now, about=reading.about)
    if after.told_at is None and not after.is_silenced(now):
        return replace(after, told_at=now), News.FIRED
    return after, None


def parse_rules(text: str, *, where: str) -> tuple[Rule, ...]:
    """Read `queue_wait=60,idle_cost=off`: the rules that are on, with these thresholds instead of their own."""
    from pitchey_cli.domain.policy import pairs  # late: the store knows rules, and `pitchey status` has to start fast

    rules = {rule.name: rule for rule in RULES}
    for name, value in pairs(text, where=where):
        rule_named(name, where=f"{where}: ")
        if value == "off":
            rules.pop(name, None)
            continue
        try:
            threshold = float(value)
        except ValueError:
            threshold = -1.0
        if not 0 < threshold < float("inf"):
            raise UsageError(f"{where}: the threshold of {name} is {value!r}.", hint=f"Write {name}=60, or {name}=off.")
        rules[name] = replace(rules[name], threshold=threshold) if name in rules else rules[name]
    return tuple(rules.values())


def rule_named(name: str, rules: tuple[Rule, ...] = RULES, *, where: str = "") -> Rule:
    """A rule by its name.

    Raises:
        UsageError: there is none, or it is off.
    """
    found: Mapping[str, Rule] = {rule.name: rule for rule in rules}
    if name not in found and name in {rule.name for rule in RULES}:
        raise UsageError(f"{where}The alert rule {name} is off.", hint="The setting alerts.rules turns it on.")
    if name not in found:
        raise UsageError(f"{where}There is no alert rule {name!r}.", hint=f"There are {', '.join(found)}.")
    return found[name]
