"""The schema on SQLite and its versions: the steps of steps.py, applied in order, each in a transaction of its own.

The version stands in `user_version`, and `application_id` says that the file is ours: both are in the file's header, so
that a foreign or a newer database is recognised before anything in it is touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pitchey_cli.store.connection import Connection, not_a_database
from pitchey_cli.store.steps import READABLE_BY, check, newest, readable_by, steps

APPLICATION_ID = 0x50495443  # "PITC"
_DIALECT = "sqlite"


def recognise(connection: Connection, path: Path) -> None:
    """Refuse what this program must not touch.

    Raises:
        StoreError: another program's database, or one of a newer Pitchey that is not for this one.
    """
    found = connection.schema_version()
    is_ours = connection.value("PRAGMA application_id") == APPLICATION_ID
    if not is_ours and (found or connection.value("SELECT count(*) FROM sqlite_schema")):
        raise not_a_database(path)
    if found > (known := newest(_DIALECT)):
        said = connection.value("SELECT value FROM meta WHERE name = ?", (READABLE_BY,))
        check(path, found=found, known=known, readable_by=None if said is None else int(said))


def recognised(raw: sqlite3.Connection, path: Path) -> Connection:
    """A database of ours that is there already.

    Raises:
        StoreError: as `recognise`; an empty one is none of ours.
    """
    connection = Connection(raw, path)
    if connection.value("PRAGMA application_id") != APPLICATION_ID or connection.schema_version() < 1:
        raise not_a_database(path)
    recognise(connection, path)
    return connection


def migrate(connection: Connection) -> None:
    """Bring the database up to the newest step. Another process may be doing the same: the lock decides."""
    every = steps(_DIALECT)
    if connection.schema_version() >= every[-1].number:
        return
    for step in every:
        with connection.transaction():
            if connection.schema_version() >= step.number:
                continue
            for statement in _statements(step.script):
                connection.run(statement)
            allowed = (READABLE_BY, str(readable_by(every, step.number)))
            connection.run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", allowed)
            connection.run(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.run(f"PRAGMA user_version = {step.number}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: sqlite3's own executescript would commit our transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
