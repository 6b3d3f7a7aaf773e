"""A look at the database from outside, for `pitchey doctor`: tables, indexes, sizes, health. Changes nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.connection import SQLITE_ERRORS, translated


@dataclass(frozen=True, slots=True)
class TableSummary:
    """One table."""

    name: str
    rows: int
    columns: tuple[str, ...]
    indexes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseSummary:
    """One database file."""

    path: Path
    schema_version: int
    size_bytes: int
    wal_bytes: int  #: written, and not yet folded into the file
    journal_mode: str
    tables: tuple[TableSummary, ...]
    problems: tuple[str, ...]  #: what the integrity check found; empty when all is well


def describe(path: Path) -> DatabaseSummary:
    """Read what a database holds. Counts and checks every row: seconds for gigabytes.

    Raises:
        StoreError: there is no database, or it cannot be read at all.
    """
    from sqlite_utils import Database  # late: its import takes longer than most of our verbs

    if not path.exists():
        raise StoreError(f"There is no database at {path}.")
    wal = path.with_name(path.name + "-wal")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            database = Database(connection)
            tables = tuple(
                TableSummary(
                    name=table.name,
                    rows=table.count,
                    columns=tuple(column.name for column in table.columns),
                    indexes=tuple(sorted(index.name for index in table.indexes)),
                )
                for table in sorted(database.tables, key=lambda table: table.name)
                if not table.name.startswith("sqlite_")
            )
            found = [row[0] for row in database.execute("PRAGMA integrity_check").fetchall()]
            return DatabaseSummary(
                path=path,
                schema_version=database.execute("PRAGMA user_version").fetchone()[0],
                size_bytes=path.stat().st_size,
                wal_bytes=wal.stat().st_size if wal.exists() else 0,
                journal_mode=database.journal_mode,
                tables=tables,
                problems=tuple(line for line in found if line != "ok"),
            )
        finally:
            connection.close()
    except SQLITE_ERRORS as error:
        raise translated(error, path) from error
