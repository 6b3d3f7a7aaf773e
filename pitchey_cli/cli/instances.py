"""pitchey instances: list them, and keep some warm."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain import moments
from pitchey_cli.domain.cost import cost_of
from pitchey_cli.engines import images
from pitchey_cli.operations import scaling as operation
from pitchey_cli.operations.naming import service_named
from processors.vocabulary import Service

app = typer.Typer(
    help="List the instances, and keep some warm.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
OfService = Annotated[str, typer.Argument(metavar="SERVICE", help="video, document, inference, media or code.")]
OfOrganisation = Annotated[
    str | None,
    typer.Option("--organisation", help="For whom, where instances are not shared: of code.", metavar="NAME"),
]


@app.command(name="list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """List the instances that there are, and what each has cost so far."""
    wiring = reach.wiring()
    store, as_of = wiring.store(), wiring.as_of()
    instances = store.instances(active_only=not all_)
    found = [(each, cost_of(each, boot=as_of.boot, tick=as_of.tick)) for each in instances]
    names = wiring.node_names(store)
    if json:
        from pitchey_cli.reports import as_json

        terminal.show_json_lines(
            as_json.billed_instance(*each) | {"nodeName": names.get(each[0].node)} for each in found
        )
        return
    from pitchey_cli.reports import scaling

    terminal.show(scaling.instances(found, now=as_of.now, nodes=names))


@app.command()
def warm(
    service: OfService,
    instances: Annotated[int, typer.Argument(help="How many are to be ready.")] = 1,
    lasting: Annotated[str, typer.Option("--for", help="For how long, as 30m or 8h.")] = "1h",
    organisation: OfOrganisation = None,
) -> None:
    """Have instances of SERVICE ready before anybody asks for them."""
    wiring = reach.wiring()
    of, store = _available(service), wiring.store()
    pool = operation.pool_to_warm(of, organisation)
    request = operation.keep_warm(
        store,
        pool,
        instances,
        lasting=moments.span(lasting, what="--for"),
        most=wiring.policies.service(of).max_instances,
        now=wiring.clock.now(),
    )
    wiring.poke()
    until = f"{request.until.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    terminal.say(f"{instances} of {pool} {'is' if instances == 1 else 'are'} kept warm until {until}.")
    if not wiring.is_run(store):
        terminal.say("No daemon runs: `pitchey daemon start` starts one.")


def _available(name: str) -> Service:
    service = service_named(name)
    operation.check_available(service, images.available())
    return service


@app.command()
def cool(service: OfService, organisation: OfOrganisation = None) -> None:
    """Keep none of SERVICE warm any more; those that are idle go by themselves."""
    wiring = reach.wiring()
    of = operation.pool_to_warm(_available(service), organisation)
    was_warm = wiring.store().stop_warming(of)
    wiring.poke()
    terminal.say(f"{of} is not kept warm any more." if was_warm else f"{of} was not kept warm.")
