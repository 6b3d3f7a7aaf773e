"""pitchey token: what programs show to the API."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.access import ALL_ORGANISATIONS
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.operations import access as operation

app = typer.Typer(
    help="Tokens for the API: make, list and revoke them.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Everybody = Annotated[bool, typer.Option("--all-organisations", help="For the whole installation.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, as ci-runner.")],
    role: Annotated[str, typer.Option("--role", help="viewer, submitter, operator or admin.")] = "submitter",
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="Whose it is; else `default`.", metavar="NAME")
    ] = None,
    everybody: Everybody = False,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="Only for jobs, schedules, pools, cost, access, webhooks or system; repeatable.",
            metavar="AREA",
        ),
    ] = None,
    member: Annotated[
        str, typer.Option("--member", help="Whose: it may do no more than they may.", metavar="MEMBER")
    ] = "",
    expires: Annotated[str, typer.Option("--expires", help="After so long, as 90d.", metavar="SPAN")] = "",
) -> None:
    """Make a token, and print it. It is shown this once: only its hash is kept."""
    if everybody and organisation is not None:
        raise UsageError("--organisation and --all-organisations do not go together.", hint="Leave one of them out.")
    wiring = reach.wiring()
    chosen, areas = operation.role_named(role), operation.areas_named(scope or ())
    if wiring.elsewhere is not None:
        whose = ALL_ORGANISATIONS if everybody else organisation
        made, text = wiring.elsewhere.add_token(
            name=name, organisation=whose, role=chosen, scopes=sorted(areas), member=member or None,
            expires=expires or None,
        )  # fmt: skip
    else:
        made, text = operation.add_token(
            wiring.store(),
            None,
            name,
            organisation=ALL_ORGANISATIONS if everybody else organisation or DEFAULT_ORGANISATION,
            role=chosen,
            areas=areas,
            member=member,
            lasts=expires,
            now=wiring.clock.now(),
        )
    sys.stdout.write(f"{text}\n")
    from pitchey_cli.reports import access

    terminal.say(access.token_sentence(made))


@app.command(name="list")
def list_(
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="Only of this organisation.", metavar="NAME")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """List the tokens, the oldest first, without their secrets."""
    wiring = reach.wiring()
    found = wiring.store().tokens(organisation=organisation)
    from pitchey_cli.reports import access  # late: it loads rich

    if json:
        terminal.show_json_lines(map(access.token, found))
    else:
        terminal.show(access.tokens(found, now=wiring.clock.now()))


@app.command()
def revoke(token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, or its name.")]) -> None:
    """End a token for good, from the next request on."""
    wiring = reach.wiring()
    found = operation.revoke_token(wiring.store(), token, now=wiring.clock.now())
    terminal.say(f"The token {found.name} ({found.id}) is revoked.")
