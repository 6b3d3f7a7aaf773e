"""`--estimate` of `run` and `submit`: say what the jobs would take and cost, and submit none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from pitchey_cli.cli import terminal
from pitchey_cli.domain.scope import Scope
from pitchey_cli.operations import budgets, requests
from pitchey_cli.operations import estimates as operation
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.reports.wording import printable
from pitchey_cli.wiring import Wiring

EstimateOption = Annotated[
    bool, typer.Option("--estimate", help="Say what it would take and cost, from jobs before; submit nothing.")
]


def show_estimate(wiring: Wiring, asked: requests.Request, checked: Sequence[Draft], *, json: bool) -> None:
    """Print what is expected of jobs that the queue would take as they are."""
    from pitchey_cli.reports import budgets as documents  # late: these load rich
    from pitchey_cli.reports import estimates as reports

    store, now = wiring.store(), wiring.clock.now()
    settings = requests.check(wiring.submitting(store), asked.service, checked, asked.queueing, now)
    policies, slots = wiring.policies, wiring.policies.service(asked.service).slots
    prices = {each.size: policies.tariff(asked.service, each.size).price_at(now) for each in settings}
    rates = [operation.Rate(prices[each.size], each.slots, slots, policies.spot()) for each in settings]
    found = operation.expectations(store, checked, rates)
    standings = store.standings(wiring.as_of())
    scopes = [Scope(each.organisation, asked.service) for each in settings]
    tight = budgets.tight(standings, list(zip(scopes, found, strict=True)))
    if json:
        terminal.show_json(
            reports.as_json(found, asked.service) | {"budgets": [documents.left(each) for each in tight]}
        )
    else:
        remarks = [printable(budgets.warning(each)) for each in tight]
        terminal.show(reports.table(found, asked.service, remarks=remarks))
