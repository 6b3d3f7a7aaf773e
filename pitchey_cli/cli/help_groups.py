"""The options of a command in groups, for commands that have too many of them for one list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from typer.core import TyperArgument, TyperOption

if TYPE_CHECKING:
    from typer._click.core import Context, Parameter
    from typer._click.formatting import HelpFormatter

_OTHERS = "Options"


def write_groups(parameters: Sequence[Parameter], context: Context, formatter: HelpFormatter) -> None:
    """Write the arguments, then each group of options in the order of its first; those that have none come last."""
    groups: dict[str, list[tuple[str, str]]] = {"Arguments": []}
    others: list[tuple[str, str]] = []
    for each in parameters:
        record = each.get_help_record(context)
        if record is None:
            continue
        if isinstance(each, TyperArgument):
            groups["Arguments"].append(record)
        else:
            panel = each.rich_help_panel if isinstance(each, TyperOption) else None
            (groups.setdefault(panel, []) if panel else others).append(record)
    for title, records in {**groups, _OTHERS: others}.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
