"""pitchey cost: what a period has cost, and what for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pitchey_cli.cli import advising, reach, terminal
from pitchey_cli.domain.daily import days
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.spending import By
from pitchey_cli.operations import cost as operation
from pitchey_cli.operations import pages
from pitchey_cli.operations.naming import service_named
from pitchey_cli.reports import charts, costs
from pitchey_cli.reports.cost_page import GENERATOR
from pitchey_cli.reports.wording import size as size_of
from pitchey_cli.wiring import Wiring

if TYPE_CHECKING:
    from pitchey_cli.domain.advice import Advised
    from pitchey_cli.domain.daily import Day
    from pitchey_cli.domain.spending import Report

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_POOLS_OVER = timedelta(days=7)  # a sample comes every ten seconds
_STRETCHES = 240
_STDOUT = "-"


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
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            help="Write a page with charts there, in one file that opens offline; - prints it.",
            metavar="FILE",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a FILE that is no report of ours, too.")
    ] = False,
    chart: Annotated[bool, typer.Option("--chart", help="Draw the cost of each day.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, in whole nanodollars.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the tables as CSV, in whole nanodollars.")] = False,
) -> None:
    """Show what was spent, what it may come to, what was idle and what was waste; in whole hours."""
    given = [
        name
        for name, is_on in (("--json", json), ("--csv", csv), ("--html", html is not None), ("--chart", chart))
        if is_on
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} do not go together.", hint="Leave one of them out.")
    if advice and csv:
        raise UsageError("--advice and --csv do not go together.", hint="--json has both the tables and the advice.")
    for name, value in (("--organisation", organisation), ("--html", html)):
        if value == "":
            raise UsageError(f"{name} is empty.", hint="Is the variable set that it comes from?")
    if html is not None and html != _STDOUT:
        pages.check_target(Path(html), generator=GENERATOR, overwrite=overwrite)
    wiring = reach.wiring()
    asking = operation.Asking(wiring.store(), wiring.as_of(), tariff_of=wiring.policies.tariff)
    span = operation.span_of(period, since, until, now=asking.now)
    only = None if service is None else service_named(service)
    organisation = organisation or wiring.organisation  # of one organisation there are only attempts
    known = operation.known(asking, span)
    tables = (By.SERVICE, By.ORGANISATION) if html is not None else operation.ways(by or ())
    found = operation.report(asking, known, span, tables, service=only, organisation=organisation)
    per_day = days(known, span, now=asking.now, service=only, organisation=organisation) if html or chart else []
    advised = advising.advised(wiring, span, now=asking.now, service=only) if advice else None
    if html is not None:
        page = _page(wiring, found, per_day, advised)
        if html == _STDOUT:
            typer.echo(page, nl=False)
        else:
            typer.echo(f"{html} {size_of(pages.write(page, Path(html)))}")
        return
    if csv:
        for line in costs.as_csv(found):
            typer.echo(line)
    elif json:
        terminal.show_json(costs.as_json(found) | _advice_as_json(advised))
    else:
        terminal.show(costs.tables(found))
        if chart:
            terminal.show(charts.per_day(per_day, width=terminal.out().width))
        _show_advice(advised)


def _page(wiring: Wiring, found: Report, per_day: list[Day], advised: Advised | None) -> str:
    from pitchey_cli.domain.pool_history import stretches
    from pitchey_cli.reports.cost_page import Material, page

    store, until = wiring.store(), min(found.span.until, found.now)
    since = max(found.span.since, until - _POOLS_OVER)
    samples = [each for each in store.pool_samples(since=since) if each.at < until]
    since = max(since, samples[0].at) if samples else since
    pools = stretches(samples, since=since, until=until, count=_STRETCHES)
    sentences, remarks = [], []
    if advised is not None:
        from pitchey_cli.reports import advice as words  # late: it loads numpy

        sentences = [(words.sentence(each), words.command(each)) for each in advised.advice]
        remarks = words.remarks(advised)
    return page(Material(found, per_day, store.standings(wiring.as_of()), pools, sentences, remarks))


def _advice_as_json(advised: Advised | None) -> dict[str, Any]:
    if advised is None:
        return {}
    from pitchey_cli.reports import advice as words  # late, as above

    return {"advised": words.as_json(advised)}


def _show_advice(advised: Advised | None) -> None:
    if advised is not None:
        from pitchey_cli.reports import advice as words  # late, as above

        terminal.show(words.text(advised))
