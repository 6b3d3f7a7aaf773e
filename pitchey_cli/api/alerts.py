"""What somebody should look at: the rules, where they stand, and who is told."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import empty_answer, json_answer
from pitchey_cli.api.call import Call
from pitchey_cli.domain.alerts import Rule, rule_named
from pitchey_cli.operations import alerts as operation
from pitchey_cli.operations.alerts import Standing
from pitchey_cli.reports import alerts as report
from pitchey_cli.store.port import Store


async def standings(call: Call, *, dry_run: bool = True) -> list[Standing]:
    """Where all rules stand.

    Args:
        dry_run: note nothing, and tell nobody.
    """
    look = partial(call.desk.wiring.alerts, dry_run=dry_run)
    return await (call.read(look) if dry_run else call.work(look))


def _said(call: Call, found: list[Standing]) -> dict[str, Any]:
    now = call.now
    return {"alerts": [report.document(each.rule, each.reading, each.alert, now=now) for each in found]}


async def list_alerts(call: Call) -> Response:
    """List all rules: the threshold, the value now, and whether it fires."""
    return json_answer(_said(call, await standings(call)))


async def check_alerts(call: Call, asked: models.CheckAlerts) -> Response:
    """Judge all rules now, and say which fire and are not silenced. What fires is told unless it has been already."""
    del asked
    return json_answer(_said(call, operation.firing(await standings(call, dry_run=False), call.now)))


async def test_alert(call: Call) -> Response:
    """Raise the event of a rule as a test, so that whoever receives it can be checked."""
    rule = _rule(call)
    await call.write(lambda store: store.test_alert(rule, now=call.now))
    return empty_answer()


async def silence_alert(call: Call, asked: models.SilenceAlert) -> Response:
    """Tell nobody of an alert for a while. One that still fires then is told."""
    rule = _rule(call)

    def silence(store: Store) -> Any:
        now, by = call.now, call.actor.name
        return operation.silence(store, rule, lasts=asked.lasting, reason=asked.reason, by=by, now=now)

    await call.write(silence)
    return json_answer(_said(call, [each for each in await standings(call) if each.rule == rule])["alerts"][0])


async def unsilence_alert(call: Call) -> Response:
    """Tell of an alert again."""
    rule = _rule(call)
    (found,) = [each for each in await standings(call) if each.rule == rule]
    await call.write(lambda store: operation.unsilence(store, found, call.now))
    return empty_answer()


def _rule(call: Call) -> Rule:
    return rule_named(call.part("rule"), call.desk.wiring.policies.alert_rules())
