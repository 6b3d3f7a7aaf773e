"""A SQLite file as one end of a copy of a whole store."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.connection import BUSY_SECONDS, SQLITE_ERRORS, Connection, translated
from pitchey_cli.store.copying import new_file_beside, publish
from pitchey_cli.store.ends import ORDINAL, Table, Values
from pitchey_cli.store.migrate import migrate, recognised
from pitchey_cli.store.sql_store import SqlStore

_CACHE_KIB = 64 * 1024  # eight times the usual: rows come in no order that the indexes have
_TRIGGERS = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"


@contextmanager
def reading(path: Path) -> Iterator[SqliteEnd]:
    """A store as it is now, which is only read.

    Raises:
        StoreError: there is none, or not one that this program knows.
    """
    if not path.exists():
        raise StoreError(f"There is no database at {path}.", hint="`pitchey submit` makes one.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as raw:
            connection = recognised(raw, path)
            with connection.snapshot():
                yield SqliteEnd(raw, connection, path)
    except SQLITE_ERRORS as error:
        raise translated(error, path) from error


@contextmanager
def writing(path: Path) -> Iterator[SqliteEnd]:
    """A store that is written in one transaction: one that is there, or a new file, which is whole or absent.

    Raises:
        StoreError: it is no database that this program knows, or locked.
    """
    if path.exists():
        with _writing(path) as end:
            yield end
        return
    _refuse_remains(path)
    with new_file_beside(path) as temporary:
        with closing(_connected(temporary)) as raw:
            connection = Connection(raw, path)
            connection.tune()
            migrate(connection)
        with _writing(temporary, name=path) as end:
            yield end
        _refuse_remains(path)
        publish(temporary, path, overwrite=False)


def _refuse_remains(path: Path) -> None:
    """A WAL that was left behind would be read into the new file; and the old one lacks what is in it."""
    for suffix in layout.BESIDE_DATABASE:
        if (remains := Path(f"{path}{suffix}")).exists():
            text = f"There is no {path}, but {remains}, which belongs to a database that was moved from there."
            raise StoreError(text, hint=f"Move it to that one, and call it after it: OTHER{suffix}.")


@contextmanager
def _writing(path: Path, name: Path | None = None) -> Iterator[SqliteEnd]:
    try:
        with closing(_connected(path)) as raw:
            connection = recognised(raw, name or path)
            connection.tune()
            connection.run(f"PRAGMA cache_size = -{_CACHE_KIB}")
            with connection.transaction():
                yield SqliteEnd(raw, connection, name or path)
    except SQLITE_ERRORS as error:
        raise translated(error, name or path) from error


def _connected(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    raw.row_factory = sqlite3.Row
    return raw


class SqliteEnd:
    """A file whose rows are read or written; its transaction is whoever opened it's."""

    def __init__(self, raw: sqlite3.Connection, connection: Connection, path: Path) -> None:
        self._raw = raw
        self._connection = connection
        self._path = path
        self._version = connection.data_version()

    @property
    def where(self) -> str:
        """The file."""
        return str(self._path)

    def asked(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a question that all databases understand."""
        return [tuple(row) for row in self._connection.rows(sql)]

    def schema_version(self) -> int:
        """Which migration it is at."""
        return self._connection.schema_version()

    def tables(self) -> Mapping[str, Table]:
        """All tables by name, but for SQLite's own."""
        found = {}
        for name, without_rowid in self.asked("SELECT name, wr FROM pragma_table_list WHERE schema = 'main'"):
            if name.startswith("sqlite_"):
                continue
            columns = tuple(row[0] for row in self.asked(f"SELECT name FROM pragma_table_info('{name}')"))
            if not without_rowid and self._number_of(name) is None:
                columns = (ORDINAL, *columns)
            needs = self.asked(f"SELECT \"table\" FROM pragma_foreign_key_list('{name}')")
            found[name] = Table(name, columns, frozenset(row[0] for row in needs) - {name})
        return found

    def _number_of(self, table: str) -> str | None:
        """The column that is the rowid as well."""
        keys = self.asked(f"SELECT name, type FROM pragma_table_info('{table}') WHERE pk > 0")
        return str(keys[0][0]) if len(keys) == 1 and keys[0][1] == "INTEGER" else None

    def rows(self, table: Table, condition: str) -> Generator[Values, None, None]:
        """Rows as SQLite reads them."""
        try:
            cursor = self._raw.cursor()
            cursor.row_factory = None
            yield from cursor.execute(f"SELECT {_columns(table)} FROM {table.name} WHERE {condition}")
        except SQLITE_ERRORS as error:
            raise translated(error, self._path) from error

    def last_numbers(self) -> Mapping[str, int]:
        """The last number that was given to a row, by table: an AUTOINCREMENT remembers those that are gone."""
        found = {}
        remembered = {row[0]: row[1] for row in self.asked("SELECT name, seq FROM sqlite_sequence")}
        for name, table in self.tables().items():
            if ORDINAL in table.columns or self._number_of(name) is not None:
                ((largest,),) = self.asked(f"SELECT coalesce(max(rowid), 0) FROM {name}")
                found[name] = max(largest, remembered.get(name, 0))
        return found

    def has_changed(self) -> bool:
        """Whether somebody has committed since; ends the snapshot."""
        self._connection.run("COMMIT")
        has_changed = self._connection.data_version() != self._version
        self._connection.run("BEGIN")
        return has_changed

    @contextmanager
    def without_triggers(self) -> Iterator[None]:
        """Without them; SQLite cannot pass over a trigger, so they are made anew with their own words."""
        triggers = self.asked(_TRIGGERS)
        for name, _ in triggers:
            self._connection.run(f"DROP TRIGGER {name}")
        yield
        for _, words in triggers:
            self._connection.run(words)

    def forget(self, table: Table, condition: str) -> None:
        """Remove rows."""
        self._connection.run(f"DELETE FROM {table.name} WHERE {condition}")

    def write(self, table: Table, rows: Iterable[Values]) -> None:
        """Add rows."""
        marks = ", ".join("?" * len(table.columns))
        self._connection.run_many(f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({marks})", rows)

    def follow_on(self, table: str, last: int) -> None:
        """Remember the last number where SQLite does; elsewhere it goes on after the largest."""
        if last and "AUTOINCREMENT" in self.asked(f"SELECT sql FROM sqlite_schema WHERE name = '{table}'")[0][0]:
            self._connection.run("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            self._connection.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    def listen(self) -> None:
        """Have the trigger of the webhooks where somebody wants to be told."""
        SqlStore(self._connection)._listen()


def _columns(table: Table) -> str:
    return ", ".join("rowid" if column == ORDINAL else f'"{column}"' for column in table.columns)
