"""pitchey audit: who has changed what."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def audit(
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="Only what is of this organisation.", metavar="NAME")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many.", min=1, max=100_000)] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """Show what people and programs have changed, the newest last.

    The log is only added to, in the transaction of each change; the database refuses to change or remove a line of it.
    """
    found = reach.wiring().store().audit_log(organisation=organisation, limit=limit)[::-1]
    from pitchey_cli.reports import access  # late: it loads rich

    if json:
        terminal.show_json_lines(map(access.audit_entry, found))
    else:
        terminal.show(access.audit(found))
