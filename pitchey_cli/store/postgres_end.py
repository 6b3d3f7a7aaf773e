"""A PostgreSQL database as one end of a copy of a whole store."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.connecting import BUSY_SECONDS, SCHEMA, connected, unlimited
from pitchey_cli.store.database import Row
from pitchey_cli.store.ends import Table, Values
from pitchey_cli.store.refusals import translated
from pitchey_cli.store.schema import recognised, take_steps
from pitchey_cli.store.server import Server
from pitchey_cli.store.session import MIGRATION_LOCK, NOTED, WRITER_LOCK, Session
from pitchey_cli.store.sql_store import SqlStore

_PAGE = 1000  # rows that are fetched at once
_OUR_OWN = frozenset({"commits"})  # what is of this database alone, and means nothing in another
_COLUMNS = f"""
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
 GROUP BY c.relname
"""
_REFERENCES = f"""
SELECT c.relname, f.relname
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
 WHERE k.connamespace = '{SCHEMA}'::regnamespace AND k.contype = 'f'
"""
_NUMBERED = f"""
SELECT c.relname, a.attname, pg_get_serial_sequence('{SCHEMA}.' || c.relname, a.attname)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind = 'r' AND a.attidentity <> ''
"""
_NEWEST = "SELECT coalesce(max(number), 0) FROM commits"


@contextmanager
def reading(server: Server) -> Iterator[PostgresEnd]:
    """A store as it is now, which is only read.

    Raises:
        StoreError: it does not answer, or is none that this program knows.
    """
    with closing(_connected(server)) as raw:
        session = Session(server, raw, busy_seconds=BUSY_SECONDS, is_heard=False)
        if not recognised(session):
            raise StoreError(f"{server} has no tables of Pitchey.", hint="Name the store that has the jobs.")
        with _translating(server), session.snapshot():
            yield PostgresEnd(raw, session)


@contextmanager
def writing(server: Server) -> Iterator[PostgresEnd]:
    """A store that is written in one transaction, in which its tables are made as well where there are none.

    Raises:
        StoreError: it does not answer, is somebody else's, or another writes.
    """
    with closing(_connected(server)) as raw:
        session = Session(server, raw, busy_seconds=BUSY_SECONDS, is_heard=False)
        with _translating(server), session.scripted(MIGRATION_LOCK):
            if not recognised(session):
                take_steps(session, 0)
            session.run(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
            yield PostgresEnd(raw, session)
            session.run(NOTED, (secrets.token_hex(8),))


def _connected(server: Server) -> psycopg.Connection[Row]:
    """A connection that may be busy, and silent while the other end is, for as long as it takes."""
    raw = connected(server, busy_seconds=BUSY_SECONDS)
    raw.execute(f"{unlimited(raw)}; SET idle_in_transaction_session_timeout = 0".encode())
    return raw


@contextmanager
def _translating(server: Server) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise translated(error, server) from error


class PostgresEnd:
    """A database whose rows are read or written; its transaction is whoever opened it's."""

    def __init__(self, raw: psycopg.Connection[Row], session: Session) -> None:
        self._raw = raw
        self._session = session
        self._newest = session.value(_NEWEST)

    @property
    def where(self) -> str:
        """The server and database, without a password."""
        return str(self._session.server)

    def asked(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a question that all databases understand."""
        return [tuple(row) for row in self._session.rows(sql)]

    def schema_version(self) -> int:
        """Which migration it is at."""
        return self._session.schema_version()

    def tables(self) -> Mapping[str, Table]:
        """All tables of the schema by name, but for what is of this database alone."""
        references = self.asked(_REFERENCES)
        return {
            name: Table(name, tuple(columns), frozenset(to for of, to in references if of == name) - {name})
            for name, columns in self.asked(_COLUMNS)
            if name not in _OUR_OWN
        }

    def rows(self, table: Table, condition: str) -> Generator[Values, None, None]:
        """Rows as the server has them, a page at a time."""
        with _translating(self._session.server), self._raw.cursor(name="carried", row_factory=tuple_row) as cursor:
            cursor.itersize = _PAGE
            cursor.execute(f"SELECT {_columns(table)} FROM {table.name} WHERE {condition}".encode())
            yield from cursor

    def last_numbers(self) -> Mapping[str, int]:
        """The last number that was given to a row, by table."""
        found = {}
        for name, column, sequence in self.asked(_NUMBERED):
            given = f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}"
            largest = f"SELECT coalesce(max({column}), 0) FROM {name}"
            found[name] = max(self.asked(given)[0][0], self.asked(largest)[0][0])
        return found

    def has_changed(self) -> bool:
        """Whether somebody has committed since; ends the snapshot."""
        self._raw.execute("COMMIT")
        return bool(self._session.value(_NEWEST) != self._newest)

    @contextmanager
    def without_triggers(self) -> Iterator[None]:
        """Without ours; those of the foreign keys are not, and stay."""
        for verb in ("DISABLE", "ENABLE"):
            for name in self.tables():
                self._session.run(f"ALTER TABLE {name} {verb} TRIGGER USER")
            if verb == "DISABLE":
                yield

    def forget(self, table: Table, condition: str) -> None:
        """Remove rows."""
        self._session.run(f"DELETE FROM {table.name} WHERE {condition}")

    def write(self, table: Table, rows: Iterable[Values]) -> None:
        """Add rows by COPY."""
        row: Values = ()
        try:
            with self._raw.cursor().copy(f"COPY {table.name} ({_columns(table)}) FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.DataError as error:
            if "NUL" not in str(error):
                raise translated(error, self._session.server) from error
            text = f"A text in {table.name} has a NUL character, which PostgreSQL cannot keep ({row[0]!r})."
            raise StoreError(text, hint="Nothing has been written. Remove that row first.") from error
        except psycopg.Error as error:
            raise translated(error, self._session.server) from error

    def follow_on(self, table: str, last: int) -> None:
        """Have the identity go on behind a number."""
        for name, column, _ in self.asked(_NUMBERED):
            if name == table:  # unlike setval, this is undone with the transaction
                self._session.run(f"ALTER TABLE {name} ALTER COLUMN {column} RESTART WITH {last + 1}")

    def listen(self) -> None:
        """Have the trigger of the webhooks where somebody wants to be told."""
        SqlStore(self._session)._listen()


def _columns(table: Table) -> str:
    return ", ".join(f'"{column}"' for column in table.columns)
