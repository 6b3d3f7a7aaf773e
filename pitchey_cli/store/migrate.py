"""The schema and its versions: numbered SQL files, applied in order, each in a transaction of its own.

The version stands in `user_version`, and `application_id` says that the file is ours: both are in the file's header, so
that a foreign or a newer database is recognised before anything in it is touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.connection import Connection, not_a_database
from pitchey_cli.store.queries import SQL

APPLICATION_ID = 0x50495443  # "PITC"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    path: Path


def migrations() -> list[Migration]:
    """Every step this program knows, in order."""
    files = sorted((SQL / "sqlite" / "migrations").glob("[0-9]*.sql"))
    return [Migration(int(file.name.partition("_")[0]), file) for file in files]


def recognise(connection: Connection, path: Path) -> None:
    """Refuse what this program must not touch.

    Raises:
        StoreError: another program's database, or one of a newer Pitchey.
    """
    found, newest = connection.schema_version(), migrations()[-1].version
    is_ours = connection.value("PRAGMA application_id") == APPLICATION_ID
    if not is_ours and (found or connection.value("SELECT count(*) FROM sqlite_schema")):
        raise not_a_database(path)
    if found > newest:
        raise StoreError(
            f"{path} has schema version {found}; this Pitchey knows versions up to {newest}.",
            hint="A newer Pitchey has written it: upgrade this one.",
        )


def migrate(connection: Connection) -> None:
    """Bring the database up to the newest step. Another process may be doing the same: the lock decides."""
    steps = migrations()
    if connection.schema_version() == steps[-1].version:
        return
    for step in steps:
        with connection.transaction():
            if connection.schema_version() >= step.version:
                continue
            for statement in _statements(step.path.read_text(encoding="utf-8")):
                connection.run(statement)
            connection.run(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.run(f"PRAGMA user_version = {step.version}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: sqlite3's own executescript would commit our transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
