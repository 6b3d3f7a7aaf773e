"""What the screen asks and orders: operations on one connection to the store, which one thread at a time uses.

Knows nothing of the terminal. A connection that an error has shaken is closed, and the next call opens another: the
database may be locked, away or replaced for a while, and the screen goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pitchey_cli.domain.errors import PitcheyError, StoreError
from pitchey_cli.domain.job import JobId
from pitchey_cli.domain.overview import Overview
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.operations import cancel, dead_letters, scaling
from pitchey_cli.store.port import CancelResult, Store
from processors.vocabulary import Service

WARM_FOR = timedelta(hours=1)
_WHY = "cancelled in pitchey top"


@dataclass
class Desk:
    """Everything that the screen can do to the outside."""

    open_store: Callable[[], Store]  #: one that is there; it makes none
    database: Path | None  #: None where it is a server's
    see: Callable[[Store], Overview]  #: how everything is now
    most_instances: Callable[[Service], int]
    wake: Callable[[], object]  #: whoever runs the jobs
    now: Callable[[], datetime]
    _store: Store | None = None
    _file: tuple[int, int] | None = None  #: that the connection has open

    def look(self) -> Overview:
        """How everything is now."""
        with self._connected() as store:
            return self.see(store)

    def cancel(self, job_id: JobId) -> str:
        """Cancel a job; what became of it."""
        with self._connected() as store:
            (done,) = cancel.cancel(store, [job_id], why=_WHY, now=self.now()).values()
        self.wake()
        match done:
            case CancelResult.CANCELLED:
                return f"{job_id} is cancelled."
            case CancelResult.REQUESTED:
                return f"{job_id} is being stopped."
            case CancelResult.FINISHED:
                return f"{job_id} had ended already."

    def retry(self, job_id: JobId) -> str:
        """Queue a dead letter again."""
        with self._connected() as store:
            count = dead_letters.redrive(store, [job_id], now=self.now())
        self.wake()
        return f"{job_id} is queued again." if count else f"{job_id} is no dead letter any more."

    def warm(self, pool: PoolKey) -> str:
        """Keep one more of a service warm than is asked for; where its instances are not shared, of an organisation."""
        now, service = self.now(), pool.service
        whose = PoolKey(service, organisation=pool.organisation)
        with self._connected() as store:
            asked = sum(each.instances for each in store.warm_requests(now=now) if each.pool == whose)
            most = self.most_instances(service)
            request = scaling.keep_warm(store, whose, asked + 1, lasting=WARM_FOR, most=most, now=now)
        self.wake()
        are = "is" if request.instances == 1 else "are"
        return f"{request.instances} of {whose} {are} kept warm until {request.until.astimezone():%H:%M}."

    def cool(self, pool: PoolKey) -> str:
        """Keep none of a service warm; where its instances are not shared, none of an organisation."""
        whose = PoolKey(pool.service, organisation=pool.organisation)
        with self._connected() as store:
            was_warm = store.stop_warming(whose)
        self.wake()
        return f"{whose} is not kept warm any more." if was_warm else f"{whose} was not kept warm."

    def close(self) -> None:
        """Close the connection."""
        if self._store is not None:
            self._store.close()
        self._store = self._file = None

    @contextmanager
    def _connected(self) -> Iterator[Store]:
        # A file that was removed or replaced can still be read through a connection: it would be shown for ever.
        if self._store is not None and self._file != self._identity():
            self.close()
        if self._store is None:
            self._file = self._identity()
            self._store = self.open_store()
        try:
            yield self._store
        except StoreError:
            if self.database is not None:  # a server's trouble is no matter of the connection to it
                self.close()
            raise

    def _identity(self) -> tuple[int, int] | None:
        if self.database is None:
            return None
        try:
            found = self.database.stat()  # never opened here, see store/connection.py
        except OSError:
            return None
        return found.st_dev, found.st_ino


def sentence(error: PitcheyError) -> str:
    """An error in one line, with the way out."""
    return f"{error} {error.hint}" if error.hint else str(error)
