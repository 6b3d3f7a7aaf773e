"""Time zones by name, from what the machine knows of them."""

from __future__ import annotations

from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pitchey_cli.domain.errors import UsageError


def zone_of(name: str) -> tzinfo:
    """The rules of a time zone, with its changes of the clock; of this machine's own for no name."""
    if not name:
        own = Path("/etc/localtime")
        if not own.exists():
            return UTC
        with own.open("rb") as file:
            return ZoneInfo.from_file(file)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"There is no time zone {name!r}.", hint="Name one as Europe/Berlin or UTC.") from error
