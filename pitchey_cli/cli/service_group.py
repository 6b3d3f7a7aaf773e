"""The services as verbs of `run` and `submit`: one that there is not is answered with those that there are."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from typer.core import TyperGroup

from pitchey_cli.domain.errors import UsageError
from processors.vocabulary import Service

if TYPE_CHECKING:
    from typer._click.core import Command, Context


class ServiceGroup(TyperGroup):
    """A group whose commands are services."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the command; an error that names the services where there is none.

        Raises:
            UsageError: there is no such service, or not in this version.
        """
        name = args[0]
        if name in self.commands or name.startswith("-"):
            return super().resolve_command(ctx, args)
        known = ", ".join(self.commands)
        if name in set(Service):
            raise UsageError(f"The {name} service is not served by this version.", hint=f"There is {known}.")
        near = difflib.get_close_matches(name, self.commands, n=1, cutoff=0.7)
        raise UsageError(
            f"There is no service {name!r}.", hint=f"Did you mean {near[0]!r}?" if near else f"There is {known}."
        )
