"""The store on PostgreSQL: one database for several machines, whose daemons wake each other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.store.port import CancelResult
from pitchey_cli.store.schema import make_sure
from pitchey_cli.store.server import Server
from pitchey_cli.store.session import BUSY_SECONDS, Session
from pitchey_cli.store.sql_store import SqlStore


class PostgresStore(SqlStore):
    """A Store in a schema of a PostgreSQL database."""

    _db: Session

    @classmethod
    def open(cls, url: str, *, create: bool = True, busy_seconds: float = BUSY_SECONDS) -> PostgresStore:
        """Connect to a database, and bring its schema up to date.

        Raises:
            StoreError: it does not answer or lets nobody in, has no schema of ours while `create` is false, a foreign
                or a newer one.
        """
        session = Session.open(Server.parse(url), busy_seconds=busy_seconds)
        try:
            make_sure(session, create=create)
            store = cls(session)
            store._listen_as_now()
        except BaseException:
            session.close()
            raise
        return store

    def enqueue(self, jobs: Sequence[NewJob], *, now: datetime) -> list[JobId]:
        """Add jobs; all or none. Whoever runs jobs is woken when they are there."""
        with self.transaction():
            ids = super().enqueue(jobs, now=now)
            self._db.wake()
        return ids

    def cancel(self, job_id: JobId, *, why: str, now: datetime) -> CancelResult:
        """End a waiting job, or ask for the end of a running one, and wake whoever runs it."""
        with self.transaction():
            done = super().cancel(job_id, why=why, now=now)
            self._db.wake()
        return done

    def redrive(self, job_id: JobId, *, now: datetime) -> bool:
        """Queue a dead letter again, and wake whoever runs jobs."""
        with self.transaction():
            if is_done := super().redrive(job_id, now=now):
                self._db.wake()
        return is_done

    def tidy_queue(self, *, now: datetime) -> None:
        """Forget lines in which nobody has stood for long, and what is known of old commits."""
        super().tidy_queue(now=now)
        self._db.tidy()
