"""Alerts in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pitchey_cli.domain.budget import AsOf, caps
from pitchey_cli.domain.cost import Line
from pitchey_cli.domain.turns import QueuePolicy, Turns
from pitchey_cli.store import rows
from pitchey_cli.store.membership import Members
from pitchey_cli.store.observing import Observing
from pitchey_cli.store.queries import QUERIES
from processors.vocabulary import Service

if TYPE_CHECKING:  # what `pitchey status` does not need is loaded when it is called
    from pitchey_cli.domain.alerts import Alert, Reading, Rule, Silence
    from pitchey_cli.domain.readings import Facts

_DECISION_COUNTS_FOR = timedelta(minutes=1)  # a pool at rest is decided about no more


class Alerting(Members, Observing):
    """The alerts of a store."""

    def alert_facts(self, as_of: AsOf, policy: QueuePolicy) -> Facts:
        """What the rules look at."""
        from pitchey_cli.domain.readings import DEAD_LETTERS_WITHIN, LOST_WITHIN, Facts

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
                short_of_room=self._short_of_room(now),
                nodes=[each for each in self.nodes() if each.is_known],
            )

    def _short_of_room(self, now: datetime) -> list[str]:
        """The pools for which no node that has lately decided about them has room."""
        from pitchey_cli.domain.decision import Limit

        found: dict[str, bool] = {}
        for each in self.last_decisions():
            if now - each.at < _DECISION_COUNTS_FOR:
                is_short = any(clamp["limit"] == Limit.ROOM for clamp in each.explanation.get("clamps", ()))
                found[str(each.pool)] = is_short and found.get(str(each.pool), True)
        return [pool for pool, is_short in found.items() if is_short]

    def _waits(self, policy: QueuePolicy, now: datetime) -> dict[str, float]:
        waits: dict[str, float] = {}
        for service in Service:
            for pool in self.waiting_pools(service):
                turns = Turns(self.queue(pool), policy, now=now)
                if (since := turns.oldest()) is not None:
                    waits[str(pool)] = max(0.0, (now - since).total_seconds())
        return waits

    def _costs_of_a_day(self, as_of: AsOf) -> Mapping[Line, int]:
        from pitchey_cli.domain.readings import COST_WITHIN

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
        from pitchey_cli.store import alert_rows

        before = self._alerts()
        found = alert_rows.judged(rules, readings, before, now)
        if dry_run or not alert_rows.changed(found, before):  # the usual case takes no write lock
            return [after for after, _ in found]
        with self._db.transaction():
            before = self._alerts()  # somebody else may have been quicker
            found = alert_rows.judged(rules, readings, before, now)
            for after in alert_rows.changed(found, before):
                self._db.run(QUERIES["set_alert"], alert_rows.values(after))
            for rule, (_, news) in zip(rules, found, strict=True):
                if news is not None:
                    data = alert_rows.told(rule, readings[rule.name], is_test=False)
                    self._raise_event(news.value, data, now=now)
        return [after for after, _ in found]

    def silence_alert(self, rule: str, silence: Silence | None) -> None:
        """Tell nobody of an alert for a while; None: tell again."""
        from pitchey_cli.store import alert_rows

        with self._db.transaction():
            after = alert_rows.silenced(self._alerts().get(rule), rule, silence)
            self._db.run(QUERIES["set_alert"], alert_rows.values(after))

    def test_alert(self, rule: Rule, *, now: datetime) -> None:
        """Raise the event of a rule as a test, which is marked as one and changes nothing else."""
        from pitchey_cli.store import alert_rows

        self._raise_event(*alert_rows.test_of(rule), now=now)

    def _alerts(self) -> dict[str, Alert]:
        from pitchey_cli.store import alert_rows

        return {row["rule"]: alert_rows.alert_from(row) for row in self._db.rows(QUERIES["alerts"])}
