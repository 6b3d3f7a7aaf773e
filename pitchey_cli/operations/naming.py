"""Names, as people write them. Light: nearly every verb takes one."""

from __future__ import annotations

import difflib

from pitchey_cli.domain.errors import UsageError
from processors.vocabulary import Service


def name(text: str, option: str) -> str:
    """A name goes into tables and reports: of one line, and not without end.

    Raises:
        UsageError: it is not.
    """
    if len(text) > 100 or not text.isprintable() or text.startswith("-"):
        raise UsageError(f"{option}: {text[:40]!r} is no name.", hint="Up to 100 printable characters, no - in front.")
    return text


def service_named(name: str) -> Service:
    """The service of this name.

    Raises:
        UsageError: offers the nearest one.
    """
    try:
        return Service(name)
    except ValueError:
        near = difflib.get_close_matches(name, [str(service) for service in Service], n=1)
        raise UsageError(
            f"There is no service {name!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(Service)}.",
        ) from None
