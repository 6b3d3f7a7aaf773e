"""The rows of the database, for other programs: one after the other, whatever their number."""

from __future__ import annotations

import difflib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import InputNotFound, StoreError
from pitchey_cli.domain.secrecy import WITH_SECRETS, masked
from pitchey_cli.store import rows
from pitchey_cli.store.connection import SQLITE_ERRORS, translated
from processors.vocabulary import Service

_TIMES = ("at", "deadline", "hour", "lease_until", "old_secret_until", "rests_until")  # and all that end with _at
_SECRETS = ("secret", "old_secret")  # of webhooks

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """One table, and its rows as they are read."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row]


def export(path: Path, wanted: Sequence[str] = ()) -> Iterator[Table]:
    """Tables and their rows, as they are at one moment; each table's rows have to be taken before the next table.

    Times are ISO text in UTC, money is whole nanodollars, JSON stays the text that it is, but for
    the secrets of a spec and of webhooks.

    Args:
        wanted: names of tables; none means all.

    Raises:
        InputNotFound: there is no such table; names the nearest.
        StoreError: there is no database, or it cannot be read.
    """
    from sqlite_utils import Database  # late: its import takes longer than most of our verbs

    if not path.exists():
        raise StoreError(f"There is no database at {path}.", hint="`pitchey submit` makes one.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as raw:
            raw.execute("BEGIN")  # one moment for all tables
            database = Database(raw)
            names = sorted(name for name in database.table_names() if not name.startswith("sqlite_"))
            for name in wanted:
                if name not in names:
                    raise no_such_table(name, names)
            for name in wanted or names:
                columns = tuple(column.name for column in database[name].columns)
                yield Table(name, columns, _rows_of(database[name].rows, path))
    except SQLITE_ERRORS as error:
        raise translated(error, path) from error


def _rows_of(found: Iterator[Row], path: Path) -> Iterator[Row]:
    try:
        for row in found:
            yield readable(row)
    except SQLITE_ERRORS as error:
        raise translated(error, path) from error


def readable(row: Row) -> Row:
    """A row for other programs: with ISO times, and without secrets."""
    return {column: _value(column, value) for column, value in _masked(row).items()}


def _masked(row: Row) -> Row:
    """A row without the secrets of what it asks of a service: of a job in its spec, of a schedule in its request."""
    if not ({"spec", "request"} & row.keys() and row["service"] in WITH_SECRETS):
        return row
    if "spec" in row:
        spec = json.loads(row["spec"])
        kept = masked(Service(row["service"]), spec)
        return row if kept == spec else {**row, "spec": rows.encode(kept)}
    request = json.loads(row["request"])
    kept = {**request, "fields": masked(Service(row["service"]), request["fields"])}
    return row if kept == request else {**row, "request": rows.encode(kept)}


def _value(column: str, value: Any) -> Any:
    if column in _SECRETS and value is not None:
        return "***"
    if isinstance(value, int) and (column.endswith("_at") or column in _TIMES):
        return rows.moment(value).isoformat().replace("+00:00", "Z")
    return value


def no_such_table(name: str, names: Sequence[str]) -> InputNotFound:
    """The error for a table that is not there, with the nearest one that is."""
    near = [each for each in names if name and name in each] or difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(names)}."
    return InputNotFound(f"There is no table {name!r}.", hint=hint)
