"""Alerts in the SQLite store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pitchey_cli.domain.alerts import Alert, News, Reading, Rule, Silence, judge
from pitchey_cli.domain.budget import AsOf, caps
from pitchey_cli.domain.cost import Line
from pitchey_cli.domain.readings import COST_WITHIN, DEAD_LETTERS_WITHIN, LOST_WITHIN, Facts
from pitchey_cli.domain.scaling import Limit
from pitchey_cli.domain.turns import QueuePolicy, Turns
from pitchey_cli.store import rows
from pitchey_cli.store.budgeting import SqliteBudgets
from pitchey_cli.store.observing import SqliteObservations
from pitchey_cli.store.reading import QUERIES
from processors.vocabulary import Service

_DECISION_COUNTS_FOR = timedelta(minutes=1)  # a pool at rest is decided about no more


class SqliteAlerts(SqliteBudgets, SqliteObservations):
    """The alerts of a SqliteStore."""

    def alert_facts(self, as_of: AsOf, policy: QueuePolicy) -> Facts:
        """What the rules look at."""
        now = as_of.now
        with self._db.snapshot():
            standings = self.standings(as_of)
            lost = self._db.rows(QUERIES["lost_instances"], {"since": rows.micros(now - LOST_WITHIN)})
            return Facts(
                dead_letters=self._db.value(QUERIES["dead_since"], {"since": rows.micros(now - DEAD_LETTERS_WITHIN)}),
                lost=Counter(row["service"] for row in lost),
                waits=self._waits(replace(policy, capped=caps(standings)), now),
                costs=self._costs_of_a_day(as_of),
                standings=standings,
                short_of_room=[
                    each.service + (f" ({each.size})" if each.size else "")
                    for each in self.last_decisions()
                    if now - each.at < _DECISION_COUNTS_FOR
                    and any(clamp["limit"] == Limit.ROOM for clamp in each.explanation.get("clamps", ()))
                ],
            )

    def _waits(self, policy: QueuePolicy, now: datetime) -> dict[str, float]:
        waits: dict[str, float] = {}
        for service in Service:
            for size in self.waiting_sizes(service):
                turns = Turns(self.queue(service, size=size), policy, now=now, local=now.astimezone())
                if (since := turns.oldest()) is not None:
                    name = f"{service} ({size})" if size else str(service)
                    waits[name] = max(0.0, (now - since).total_seconds())
        return waits

    def _costs_of_a_day(self, as_of: AsOf) -> Mapping[Line, int]:
        since = (as_of.now - COST_WITHIN).replace(minute=0, second=0, microsecond=0)
        booked = self._db.rows(QUERIES["cost_by_line"], {"since": rows.micros(since)})
        costs = Counter({Line(row["line"]): row["nanodollars"] for row in booked})
        for each in self._live(as_of):
            if each.hour >= since:
                costs[each.line] += each.nanodollars
        return costs

    def judge_alerts(
        self, rules: Sequence[Rule], readings: Mapping[str, Reading], *, now: datetime, dry_run: bool = False
    ) -> list[Alert]:
        """Where the rules stand by these readings, in their order; what is to be told becomes an event."""
        before = self._alerts()
        found = [judge(rule, readings[rule.name], before.get(rule.name, Alert(rule.name)), now) for rule in rules]
        if dry_run or all(after == before.get(after.rule, Alert(after.rule)) for after, _ in found):
            return [after for after, _ in found]  # the usual case takes no write lock
        with self._db.transaction():
            before = self._alerts()  # somebody else may have been quicker
            found = [judge(rule, readings[rule.name], before.get(rule.name, Alert(rule.name)), now) for rule in rules]
            for rule, (after, news) in zip(rules, found, strict=True):
                if after != before.get(rule.name):
                    self._db.run(QUERIES["set_alert"], _values(after))
                if news is not None:
                    self._raise_event(news.value, _told(rule, readings[rule.name], is_test=False), now=now)
        return [after for after, _ in found]

    def silence_alert(self, rule: str, silence: Silence | None) -> None:
        """Tell nobody of an alert for a while; None: tell again."""
        with self._db.transaction():
            before = self._alerts().get(rule, Alert(rule))
            self._db.run(QUERIES["set_alert"], _values(replace(before, silence=silence)))

    def test_alert(self, rule: Rule, *, now: datetime) -> None:
        """Raise the event of a rule as a test, which is marked as one and changes nothing else."""
        self._raise_event(News.FIRED.value, _told(rule, Reading(rule.threshold), is_test=True), now=now)

    def _alerts(self) -> dict[str, Alert]:
        return {row["rule"]: _alert(row) for row in self._db.rows(QUERIES["alerts"])}


def _values(alert: Alert) -> tuple[Any, ...]:
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


def _alert(row: rows.Row) -> Alert:
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


def _told(rule: Rule, reading: Reading, *, is_test: bool) -> dict[str, Any]:
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
