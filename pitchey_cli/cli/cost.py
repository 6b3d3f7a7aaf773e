"""pitchey cost: what a period has cost, and what for."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import advising, terminal
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations import cost as operation
from pitchey_cli.operations.specs import service_named
from pitchey_cli.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def cost(
    period: Annotated[str, typer.Option("--period", help="The day, week or month so far; month by default.")] = "",
    since: Annotated[str, typer.Option("--since", help="Since 2h, 3d ago, yesterday 18:00, or an ISO time.")] = "",
    until: Annotated[str, typer.Option("--until", help="Until then instead of now.")] = "",
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="A table by service, organisation, batch, day or type; repeatable."),
    ] = None,
    service: Annotated[str | None, typer.Option("--service", help="Only this service.")] = None,
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="Only what attempts of this organisation cost.")
    ] = None,
    advice: Annotated[
        bool, typer.Option("--advice", help="Try other settings on the jobs of the period, at most of its last 7 days.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, in whole nanodollars.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the tables as CSV, in whole nanodollars.")] = False,
) -> None:
    """Show what was spent, what it may come to, what was idle and what was waste; in whole hours."""
    if json and csv:
        raise UsageError("--json and --csv do not go together.", hint="Leave one of them out.")
    if advice and csv:
        raise UsageError("--advice and --csv do not go together.", hint="--json has both the tables and the advice.")
    wiring = Wiring.from_environment()
    now = wiring.clock.now().astimezone()
    span = operation.span_of(period, since, until, now=now)
    asking = operation.Asking(
        wiring.store(), now, wiring.clock.boot(), wiring.clock.monotonic(), tariff_of=wiring.tariff
    )
    only = None if service is None else service_named(service)
    found = operation.report(asking, span, operation.ways(by or ()), service=only, organisation=organisation)
    from pitchey_cli.reports import costs

    advised = advising.advised(wiring, span, now=now, service=only) if advice else None
    if json:
        document = costs.as_json(found)
        if advised is not None:
            from pitchey_cli.reports import advice as advice_reports  # late: it loads numpy

            document["advised"] = advice_reports.as_json(advised)
        terminal.show_json(document)
    elif csv:
        for line in costs.as_csv(found):
            typer.echo(line)
    else:
        terminal.show(costs.tables(found))
        if advised is not None:
            from pitchey_cli.reports import advice as advice_reports  # late, as above

            terminal.show(advice_reports.text(advised))
