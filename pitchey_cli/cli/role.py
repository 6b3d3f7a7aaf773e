"""pitchey role: the members of an organisation, and what they may do."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.operations import access as operation

app = typer.Typer(
    help="Members of an organisation: viewer, submitter, operator or admin.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Member = Annotated[str, typer.Argument(metavar="MEMBER", help="As the sign-on names them: an address, or an id.")]
Organisation = Annotated[str, typer.Option("--organisation", help="Of this organisation.", metavar="NAME")]


@app.command()
def grant(
    member: Member,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, submitter, operator or admin.")],
    organisation: Organisation = DEFAULT_ORGANISATION,
) -> None:
    """Give MEMBER a role, in place of the one before."""
    wiring = reach.wiring()
    chosen = operation.role_named(role)
    operation.grant(wiring.store(), organisation, member, chosen, now=wiring.clock.now())
    terminal.say(f"{member} is {chosen} of {organisation}.")


@app.command()
def revoke(member: Member, organisation: Organisation = DEFAULT_ORGANISATION) -> None:
    """Forget MEMBER: their tokens may do nothing any more."""
    operation.revoke_role(reach.wiring().store(), organisation, member)
    terminal.say(f"{member} is no member of {organisation} any more.")


@app.command(name="list")
def list_(
    organisation: Organisation = DEFAULT_ORGANISATION,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """List the members of an organisation."""
    store = reach.wiring().store()
    found = store.members(store.organisation(organisation).name)
    from pitchey_cli.reports import access  # late: it loads rich

    if json:
        terminal.show_json_lines(map(access.member, found))
    else:
        terminal.show(access.members(found))
