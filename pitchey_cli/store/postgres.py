"""The store on PostgreSQL: one database for several machines, whose daemons wake each other."""

from __future__ import annotations

from datetime import datetime

from pitchey_cli.store.connecting import BUSY_SECONDS
from pitchey_cli.store.schema import make_sure
from pitchey_cli.store.server import Server
from pitchey_cli.store.session import Session
from pitchey_cli.store.sql_store import SqlStore


class PostgresStore(SqlStore):
    """A Store in a schema of a PostgreSQL database."""

    _db: Session

    @classmethod
    def open(
        cls, url: str, *, create: bool = True, busy_seconds: float = BUSY_SECONDS, is_heard: bool = True
    ) -> PostgresStore:
        """Connect to a database, and bring its schema up to date.

        Args:
            is_heard: whoever runs jobs is woken by each commit; not for what they do themselves.

        Raises:
            StoreError: it does not answer or lets nobody in, has no schema of ours while `create` is false, a foreign
                or a newer one.
        """
        session = Session.open(Server.parse(url), busy_seconds=busy_seconds, is_heard=is_heard)
        try:
            make_sure(session, create=create)
            store = cls(session)
            store._listen_as_now()
        except BaseException:
            session.close()
            raise
        return store

    def tidy_queue(self, *, now: datetime) -> None:
        """Forget lines in which nobody has stood for long, and what is known of old commits."""
        super().tidy_queue(now=now)
        self._db.tidy()

    def integrity(self) -> list[str]:
        """What is wrong with the database, however long it takes to read everything."""
        with self._db.unhurried():
            return super().integrity()
