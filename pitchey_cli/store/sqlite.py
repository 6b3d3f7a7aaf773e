"""The store on SQLite: one file, which WAL lets others read while somebody writes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pitchey_cli.store.connection import BUSY_SECONDS, Connection
from pitchey_cli.store.migrate import migrate, recognise
from pitchey_cli.store.numbering import go_on
from pitchey_cli.store.sql_store import SqlStore


class SqliteStore(SqlStore):
    """A Store in one file."""

    @classmethod
    def open(
        cls, path: Path, *, create: bool = True, busy_seconds: float = BUSY_SECONDS, boot: str = ""
    ) -> SqliteStore:
        """Open a database, and bring its schema up to date.

        Args:
            boot: names the boot of the machine; empty: the machine has not gone down since it was last written.

        Raises:
            Denied: the file or its folder may not be used.
            StoreError: damaged, foreign, of a newer version, or missing while `create` is false.
        """
        connection = Connection.open(path, create=create, busy_seconds=busy_seconds)
        try:
            recognise(connection, path)
            connection.tune()
            migrate(connection)
            store = cls(connection)
            store._listen_as_now()
            if boot:
                connection.at_first(partial(go_on, connection, boot))
        except BaseException:
            connection.close()
            raise
        return store
