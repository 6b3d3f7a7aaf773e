"""pitchey scaling: how many instances there are, why, what has changed, and how many there would be."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.simulate import simulate
from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.operations import budgets
from pitchey_cli.operations import scaling as operation
from pitchey_cli.operations.naming import service_named
from pitchey_cli.wiring import Wiring
from processors.vocabulary import Service

app = typer.Typer(
    help="See why there are as many instances as there are, and how many there would be.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")]
OfService = Annotated[str | None, typer.Option("--service", help="Only the pools of this service.")]
_NOBODY = "No daemon runs: nothing is being decided now."
app.command()(simulate)


@app.command()
def status(json: Json = False) -> None:
    """Show each pool as it is now, the last decision about it, and how long starts and pick-ups took."""
    from pitchey_cli.engines import images
    from pitchey_cli.operations.overview import pools_now
    from pitchey_cli.reports import scaling

    wiring = reach.wiring()
    store, now = wiring.store(), wiring.clock.now()
    is_run = wiring.is_run(store)
    pools, decisions = pools_now(store, images.available(), is_run=is_run, now=now), store.last_decisions()
    if json:
        last, names = {each.pool: each for each in decisions}, wiring.node_names(store)
        terminal.show_json_lines(scaling.pool_as_json(each, last.get(each.pool), nodes=names) for each in pools)
        return
    measured, warm = operation.measured(store), store.warm_requests(now=now)
    terminal.show(scaling.status(pools, decisions, measured, warm, store.forecasts(), now=now))
    if not is_run:
        terminal.say(_NOBODY)


@app.command()
def explain(
    service: Annotated[str | None, typer.Argument(help="Only the pools of this service.")] = None, json: Json = False
) -> None:
    """Show the last decision about each pool: what went in, what each rule asked for, what bounded it.

    Where several nodes share the queue, that of each which is up, with its name.

    Jobs that a budget, off-peak hours, a key or a node that may be taken away holds are not counted as waiting there:
    they are named below.
    """
    from pitchey_cli.reports import scaling

    wiring = reach.wiring()
    store, now = wiring.store(), wiring.clock.now()
    only = None if service is None else service_named(service)
    decisions, names = operation.last_decisions(store, only), wiring.node_names(store)
    if json:
        terminal.show_json_lines(scaling.decision_as_json(each, nodes=names) for each in decisions)
        return
    held = operation.held(store, only, budgets.capped(store, wiring.as_of), wiring.policies.queue(), now=now)
    if not decisions and not held:
        of_it = f" about {service}" if service else ""
        raise InputNotFound(f"Nothing has been decided{of_it} yet.", hint="A daemon decides once a job has come.")
    for place, each in enumerate(decisions):
        if place:
            typer.echo()
        terminal.show(scaling.explanation(each, now=now, nodes=names))
    if held:
        terminal.show(scaling.held(held))
    if not wiring.is_run(store):
        terminal.say(_NOBODY)


@app.command()
def history(
    service: OfService = None,
    limit: Annotated[int, typer.Option("--limit", help="How many of the newest.", min=1, max=10_000)] = 50,
    chart: Annotated[bool, typer.Option("--chart", help="Draw waiting jobs and instances over time instead.")] = False,
    since: Annotated[str, typer.Option("--since", help="Of the chart: since 2h, 3d ago; 24h by default.")] = "",
    json: Json = False,
) -> None:
    """Show what has changed about the pools, the newest last, and why. A decision that changes nothing is not kept."""
    from pitchey_cli.reports import scaling

    wiring = reach.wiring()
    only = None if service is None else service_named(service)
    if chart:
        if json:
            raise UsageError("--json and --chart do not go together.", hint="Leave one of them out.")
        _draw(wiring, only, since or "24h")
        return
    if since:
        raise UsageError("--since is for --chart.", hint="--limit says how many of the newest changes are shown.")
    store = wiring.store()
    events, names = store.scaling_events(service=only, limit=limit)[::-1], wiring.node_names(store)
    if json:
        terminal.show_json_lines(scaling.event_as_json(each, nodes=names) for each in events)
    else:
        terminal.show(scaling.history(events, nodes=names))


def _draw(wiring: Wiring, service: Service | None, since: str) -> None:
    from pitchey_cli.domain.moments import earlier
    from pitchey_cli.domain.pool_history import stretches
    from pitchey_cli.reports import charts

    now, width = wiring.clock.now(), terminal.out().width
    begin = earlier(since, now=now.astimezone(), what="--since")
    if begin >= now:
        raise UsageError(f"--since {since!r} is not in the past.", hint="As 2h, or 3d.")
    samples = [each for each in wiring.store().pool_samples(since=begin) if service in (None, each.service)]
    terminal.show(charts.pools(stretches(samples, since=begin, until=now, count=width), width=width))
