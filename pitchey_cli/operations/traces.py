"""A trace of jobs in a file: CSV with a line of names, or one JSON object per line.

Each has `at` (seconds, or an ISO time), `service`, `seconds` (that it holds a slot) and, if need be, `size` (an
instance type) and `organisation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pitchey_cli.domain.arrivals import Arrival
from pitchey_cli.domain.errors import Denied, InputNotFound, UsageError
from pitchey_cli.domain.limits import INSTANCE_TYPES
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.operations.manifests import from_csv, from_json
from processors.vocabulary import Service

_FIELDS = ("at", "service", "seconds", "size", "organisation")
_HINT = "Each line has at (seconds, or an ISO time), service, seconds and, if need be, size and organisation."


def read(path: Path) -> list[Arrival]:
    """The jobs of a trace file.

    Raises:
        InputNotFound, Denied, UsageError: it cannot be read, or a line of it is not what it should be.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        hint = "--load takes poisson, diurnal, burst, recorded, or a file."
        raise InputNotFound(f"There is no trace at {str(path)!r}.", hint=hint) from error
    except PermissionError as error:
        raise Denied(f"The trace {path} may not be read.") from error
    except IsADirectoryError as error:
        raise UsageError(f"The trace {path} is a folder, and no file.", hint=_HINT) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The trace {path} is no text: it is CSV, or JSON Lines.", hint=_HINT) from error
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"The trace {path} cannot be read: {why}.") from error
    where = str(path)
    lines = from_csv(text, where) if path.suffix.lower() == ".csv" else from_json(text, where)
    try:
        found = [_arrival(line, f"{where}, {place}") for place, line in lines]
    except UsageError as error:
        raise UsageError(str(error), hint=error.hint or _HINT) from error
    except RecursionError as error:
        raise UsageError(f"{where} is no trace: it is nested too deeply.", hint=_HINT) from error
    if not found:
        raise UsageError(f"{where}: there is no job in it.", hint=_HINT)
    return found


def _arrival(line: Mapping[str, Any], where: str) -> Arrival:
    unknown = sorted(line.keys() - set(_FIELDS))
    missing = [name for name in _FIELDS[:3] if name not in line]
    if unknown or missing:
        what = f"there is no field {unknown[0]!r}" if unknown else f"{missing[0]} is missing"
        raise UsageError(f"{where}: {what}.", hint=_HINT)
    service, size = str(line["service"]), str(line.get("size") or "")
    if service not in set(Service):
        raise UsageError(f"{where}: there is no service {service!r}.", hint=f"There is {', '.join(Service)}.")
    if size and size not in INSTANCE_TYPES:
        raise UsageError(f"{where}: there is no instance type {size!r}.", hint=f"There is {', '.join(INSTANCE_TYPES)}.")
    organisation = str(line.get("organisation") or DEFAULT_ORGANISATION)
    seconds = _number(line["seconds"], f"{where}: seconds")
    if seconds < 0:
        raise UsageError(f"{where}: seconds is at least 0, not {seconds:g}.")
    return Arrival(_moment(line["at"], f"{where}: at"), service, seconds, size, organisation)


def _moment(value: Any, where: str) -> float:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            pass
    return _number(value, where)


def _number(value: Any, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{where} is a number, not {value!r}.", hint=_HINT)
    return number
