"""The rows of a PostgreSQL store, for other programs; what export.py does for SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from pitchey_cli.store.export import Row, Table, no_such_table, readable
from pitchey_cli.store.refusals import translated
from pitchey_cli.store.server import Server
from pitchey_cli.store.session import SCHEMA

_PAGE = 1000  # rows that are fetched at once
#: What is of this database alone, and means nothing in another.
OUR_OWN = frozenset({"commits"})
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"


def export(server: Server, wanted: Sequence[str] = ()) -> Iterator[Table]:
    """Tables and their rows, as they are at one moment; each table's rows have to be taken before the next table.

    Args:
        wanted: names of tables; none means all.

    Raises:
        InputNotFound: there is no such table; names the nearest.
        StoreError: there is no database, or it cannot be read.
    """
    try:
        with psycopg.connect(server.url, row_factory=dict_row, **server.manners) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            names = [row["tablename"] for row in connection.execute(_TABLES, (SCHEMA,))]
            names = [name for name in names if name not in OUR_OWN]
            for name in wanted:
                if name not in names:
                    raise no_such_table(name, names)
            for name in wanted or names:
                with connection.cursor(name="exported") as cursor:
                    cursor.itersize = _PAGE
                    cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMA, name)))
                    columns = tuple(column.name for column in cursor.description or ())
                    yield Table(name, columns, _rows_of(cursor, server))
    except psycopg.Error as error:
        raise translated(error, server) from error


def _rows_of(cursor: psycopg.ServerCursor[dict[str, Any]], server: Server) -> Iterator[Row]:
    try:
        for row in cursor:
            yield readable(row)
    except psycopg.Error as error:
        raise translated(error, server) from error
