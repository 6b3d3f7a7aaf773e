"""The rows of a PostgreSQL store, for other programs; what export.py does for SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from pitchey_cli.store import postgres_end
from pitchey_cli.store.export import Table, no_such_table, readable
from pitchey_cli.store.server import Server


def export(server: Server, wanted: Sequence[str] = ()) -> Iterator[Table]:
    """Tables and their rows, as they are at one moment; each table's rows have to be taken before the next table.

    Args:
        wanted: names of tables; none means all.

    Raises:
        InputNotFound: there is no such table; names the nearest.
        StoreError: there is no database, none of ours, or it cannot be read.
    """
    with postgres_end.reading(server) as end:
        tables = end.tables()
        names = sorted(tables)
        for name in wanted:
            if name not in tables:
                raise no_such_table(name, names)
        for name in wanted or names:
            columns = tables[name].columns
            with closing(end.rows(tables[name], "true")) as found:
                yield Table(name, columns, (readable(dict(zip(columns, row, strict=True))) for row in found))
