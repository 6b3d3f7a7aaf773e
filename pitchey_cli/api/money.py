"""What things cost, and what may be spent."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import empty_answer, json_answer
from pitchey_cli.api.call import Call
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.spending import By
from pitchey_cli.operations import budgets, cost, naming, projections
from pitchey_cli.reports import budgets as budget_report
from pitchey_cli.reports import costs
from pitchey_cli.store.port import Store


async def get_cost(call: Call, asked: models.CostQuery) -> Response:
    """Show what was spent, what it may come to and what was idle, in whole nanodollars and whole hours."""
    wiring = call.desk.wiring
    as_of = wiring.as_of()
    organisation = asked.organisation if call.actor.is_of_all else call.organisation

    def look(store: Store) -> dict[str, Any]:
        asking = cost.Asking(store, as_of, tariff_of=wiring.policies.tariff)
        span = cost.span_of(asked.period or "", asked.since or "", asked.until or "", now=asking.now)
        known, ways = cost.known(asking, span), cost.ways(asked.by or ())
        ways = ways if call.actor.is_of_all else tuple(each for each in ways if each is not By.ORGANISATION)
        return costs.as_json(cost.report(asking, known, span, ways, service=asked.service, organisation=organisation))

    return json_answer(await call.read(look))


async def list_budgets(call: Call) -> Response:
    """List the budgets: spent, left, and where it is going."""
    as_of = call.desk.wiring.as_of()

    def look(store: Store) -> list[dict[str, Any]]:
        standings = store.standings(as_of)
        paces = projections.of_budgets(store, as_of, standings)
        return [budget_report.document(*each, now=as_of.now) for each in zip(standings, paces, strict=True)]

    return json_answer({"budgets": await call.read(look)})


async def set_budget(call: Call, asked: models.SetBudget) -> Response:
    """Set a budget, or change it. At the cap jobs wait; what runs is not killed."""
    budget = budgets.budget_of(_scope(call, asked), asked.period, asked.amount)
    as_of = call.desk.wiring.as_of()
    await call.write(lambda store: store.set_budget(budget, now=call.now))
    call.desk.poke()

    def look(store: Store) -> dict[str, Any]:
        standings = [each for each in store.standings(as_of) if each.budget == budget]
        paces = projections.of_budgets(store, as_of, standings)
        return budget_report.document(standings[0], paces[0], now=as_of.now)

    return json_answer(await call.read(look))


async def remove_budget(call: Call, asked: models.BudgetQuery) -> Response:
    """Remove a budget. Jobs that waited for it go on at once."""
    scope = _scope(call, asked)
    await call.write(lambda store: budgets.remove(store, scope, asked.period))
    call.desk.poke()
    return empty_answer()


def _scope(call: Call, asked: models.SetBudget | models.BudgetQuery) -> Scope:
    """Whose budget: whoever is of one organisation means that one."""
    said = naming.name(asked.organisation or "", "organisation")
    return Scope(said or call.actor.organisation, asked.service)
