"""pitchey org: organisations, whose jobs, files and costs are apart from each other's."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.operations import access as operation

app = typer.Typer(
    help="Organisations: add and remove them, bound what they may have.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the organisation.")]


@app.command()
def add(name: Name) -> None:
    """Make an organisation known, so that it can have members, tokens and a quota."""
    wiring = reach.wiring()
    is_new = operation.add_organisation(wiring.store(), name, now=wiring.clock.now())
    terminal.say(f"{name} is known." if is_new else f"{name} is known already.")


@app.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False) -> None:
    """List the organisations and their quotas."""
    found = reach.wiring().store().organisations()
    from pitchey_cli.reports import access  # late: it loads rich

    if json:
        terminal.show_json_lines(map(access.organisation, found))
    else:
        terminal.show(access.organisations(found))


@app.command()
def quota(
    name: Name,
    queued: Annotated[
        int | None, typer.Option("--queued", help="Jobs that wait, at most; -1: any number.", min=-1)
    ] = None,
    running: Annotated[
        int | None, typer.Option("--running", help="Jobs that run at once; -1: any number.", min=-1)
    ] = None,
    bytes_: Annotated[
        int | None, typer.Option("--bytes", help="Bytes of all files that its jobs refer to; -1: any number.", min=-1)
    ] = None,
) -> None:
    """Bound what an organisation may have. What it may spend is a budget: `pitchey budget set`."""
    wiring = reach.wiring()
    bounds = operation.set_quota(wiring.store(), name, queued=queued, running=running, bytes=bytes_)
    from pitchey_cli.reports import access

    terminal.say(access.quota_sentence(name, bounds))


@app.command()
def remove(name: Name) -> None:
    """Forget an organisation: its members and its quota go, its tokens end. Its jobs stay."""
    wiring = reach.wiring()
    operation.remove_organisation(wiring.store(), name, now=wiring.clock.now())
    terminal.say(f"{name} is forgotten, and its tokens are revoked.")
