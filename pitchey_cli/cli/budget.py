"""pitchey budget: what may be spent, and how much of it is."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.errors import ExitCode, UsageError
from pitchey_cli.domain.prices import dollars
from pitchey_cli.domain.scope import Scope
from pitchey_cli.operations import budgets as operation
from pitchey_cli.operations import projections
from pitchey_cli.operations.naming import name, service_named
from pitchey_cli.reports.wording import printable

app = typer.Typer(
    help="Budgets: what an organisation, a service or everything may cost in a day, a week or a month.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Organisation = Annotated[
    str | None, typer.Option("--organisation", help="Only of this organisation.", metavar="NAME", show_default=False)
]
Service = Annotated[str | None, typer.Option("--service", help="Only of this service.", show_default=False)]
PeriodOption = Annotated[str, typer.Option("--period", help="day, week (from Monday) or month.")]


@app.command(name="set")
def set_(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Dollars, as 25 or 25.00.")],
    organisation: Organisation = None,
    service: Service = None,
    period: PeriodOption = "month",
) -> None:
    """Set a budget, or change it. At the cap jobs wait; what runs is not killed.

    The budget of an organisation counts what its attempts cost; one of a service or of everything counts the instances,
    the idle ones too. Raising it lets the jobs go on at once.
    """
    wiring = reach.wiring()
    budget = operation.budget_of(_scope(organisation, service), period, amount)
    store = wiring.store()
    store.set_budget(budget, now=wiring.clock.now())
    wiring.poke()
    standing = next(each for each in store.standings(wiring.as_of()) if each.budget == budget)
    since = f"{standing.span.begin.astimezone():%Y-%m-%d %H:%M %Z}"
    terminal.say(
        f"{budget.scope}: {dollars(budget.nanodollars)} for each {budget.period};"
        f" {dollars(standing.spent)} spent since {since}."
    )
    if standing.is_capped:
        terminal.say(printable(operation.sentence([standing])))


@app.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False) -> None:
    """List all budgets: spent, left, and where it is going. Exit code 7 when one of them is used up, else 0."""
    wiring = reach.wiring()
    store, as_of = wiring.store(), wiring.as_of()
    standings = store.standings(as_of)
    found = list(zip(standings, projections.of_budgets(store, as_of, standings), strict=True))
    from pitchey_cli.reports import budgets  # late: it loads rich

    if json:
        terminal.show_json_lines(budgets.document(*each, now=as_of.now) for each in found)
    else:
        terminal.show(budgets.table(found, now=as_of.now))
    if any(each.is_capped for each in standings):
        raise typer.Exit(ExitCode.BUDGET)


@app.command()
def remove(organisation: Organisation = None, service: Service = None, period: PeriodOption = "month") -> None:
    """Remove a budget. Jobs that waited for it go on at once."""
    wiring = reach.wiring()
    scope = _scope(organisation, service)
    operation.remove(wiring.store(), scope, period)
    wiring.poke()
    terminal.say(f"The budget of {scope} for the {period} is removed.")


def _scope(organisation: str | None, service: str | None) -> Scope:
    if organisation == "":
        raise UsageError("--organisation is empty.", hint="Is the variable set that it comes from?")
    return Scope(
        name(organisation, "--organisation") if organisation else "", service_named(service) if service else None
    )
