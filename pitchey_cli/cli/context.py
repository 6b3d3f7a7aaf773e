"""pitchey context: servers by name, and which of them is in use."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.remote import contexts
from pitchey_cli.remote.contexts import ENVIRONMENT, FILE, KEYRING, LOCAL, NONE, Context

app = typer.Typer(
    help="Servers by name: add one, use it, list and remove them.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the context; local is this machine.")]
_NAME_LETTERS = 60


@app.command()
def add(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="https://HOST, http://HOST:PORT or unix:PATH.")],
    organisation: Annotated[
        str,
        typer.Option("--organisation", help="For whom jobs are submitted, with a token of all.", metavar="NAME"),
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="Read the token from there each time.", metavar="FILE")
    ] = None,
    ask_token: Annotated[
        bool, typer.Option("--ask-token", help="Read the token from the terminal, or from standard input, and keep it.")
    ] = False,
    no_token: Annotated[bool, typer.Option("--no-token", help="The server asks for none.")] = False,
    use: Annotated[bool, typer.Option("--use", help="Use it from now on.")] = False,
) -> None:
    """Add a server, or change one. Its token is kept in the keyring, or in a file that is for you alone.

    Without an option about the token it comes from PITCHEY_TOKEN each time. A token is never an argument: others on
    this machine see those.
    """
    from pitchey_cli.remote import tokens
    from pitchey_cli.remote.address import checked_token, server_at, token_in_file

    _check_name(name)
    if sum((token_file is not None, ask_token, no_token)) > 1:
        raise UsageError("These are several places for one token.", hint="Leave all but one of them out.")
    server = str(server_at(url, what="URL"))
    known = contexts.read(os.environ)
    source = ENVIRONMENT
    if token_file is not None:
        token_in_file(token_file)
        source = f"file:{token_file.expanduser().absolute()}"
    elif ask_token:
        source = tokens.keep(name, checked_token(_read_token(), "What was read"), os.environ)
        if source == FILE:
            place = tokens.path_of(name, os.environ)
            terminal.say(f"There is no keyring here: the token is in {place}, for you alone.")
    elif no_token:
        source = NONE
    changed = known.with_context(name, Context(server, organisation, source))
    contexts.write(_using(changed, name) if use else changed)
    terminal.say(f"{name} is {server}{', and in use' if use else ''}.")


def _read_token() -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("Token: ").strip()
    return sys.stdin.readline().strip()


def _check_name(name: str) -> None:
    is_plain = name.replace("-", "").replace("_", "").replace(".", "").isalnum() and name.isascii()
    if not is_plain or len(name) > _NAME_LETTERS or name[0] in ".-":
        raise UsageError(f"{name[:80]!r} is no name of a context.", hint="Letters, digits, dots, - and _.")
    if name == LOCAL:
        raise UsageError(f"{LOCAL} is this machine already.", hint="Give it another name.")


def _using(known: contexts.Contexts, name: str) -> contexts.Contexts:
    from dataclasses import replace

    return replace(known, current="" if name == LOCAL else name)


@app.command()
def use(name: Name) -> None:
    """Let every verb work at a server from now on; `local` lets them work here again."""
    known = contexts.read(os.environ)
    where = "this machine" if name == LOCAL else known.named(name).server
    contexts.write(_using(known, name))
    terminal.say(f"Every verb works at {where} from now on.")
    if variable := next((each for each in (reach.SERVER_VARIABLE, reach.CONTEXT_VARIABLE) if os.environ.get(each)), ""):
        terminal.say(f"warning: {variable} is set, and goes before that.")


@app.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False) -> None:
    """List the contexts; * is the one in use."""
    known = contexts.read(os.environ)
    if json:
        terminal.show_json_lines(_document(known, name) for name in known.contexts)
        return
    from pitchey_cli.reports.tables import plain_table

    table = plain_table("", "context", "server", "organisation", "token")
    table.add_row("*" if not known.current else "", LOCAL, "this machine", "", "")
    for name, each in known.contexts.items():
        table.add_row("*" if name == known.current else "", name, each.server, each.organisation, each.token)
    terminal.show(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="By default the one in use.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one context, and where its token comes from; never the token itself."""
    known = contexts.read(os.environ)
    wanted = name or known.current
    if wanted in ("", LOCAL):
        if json:
            terminal.show_json({"schema": 1, "context": LOCAL, "server": None, "isInUse": not known.current})
        else:
            typer.echo(f"{LOCAL}: this machine")
        return
    known.named(wanted)
    said = _document(known, wanted)
    if json:
        terminal.show_json(said)
        return
    in_use = ", in use" if said["isInUse"] else ""
    terminal.show_line(f"{wanted}: {said['server']}{in_use}")
    if said["organisation"]:
        terminal.show_line(f"  organisation: {said['organisation']}")
    terminal.show_line(f"  token: {_SOURCES.get(said['token'], said['token'])}")


_SOURCES = {
    KEYRING: "in the keyring",
    FILE: "in a file of the settings' folder, for you alone",
    ENVIRONMENT: "from PITCHEY_TOKEN",
    NONE: "none",
}


def _document(known: contexts.Contexts, name: str) -> dict[str, Any]:
    found = known.named(name)
    return {
        "schema": 1,
        "context": name,
        "server": found.server,
        "organisation": found.organisation or None,
        "token": found.token,
        "isInUse": name == known.current,
    }


@app.command()
def remove(name: Name) -> None:
    """Forget a context and its token."""
    from pitchey_cli.remote import tokens

    known = contexts.read(os.environ)
    if name == LOCAL:
        raise InputNotFound("This machine is no context that could be removed.")
    found = known.named(name)
    contexts.write(known.without(name))
    tokens.forget(name, found, os.environ)
    terminal.say(f"{name} is forgotten.")
