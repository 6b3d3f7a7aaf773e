"""A connection to a PostgreSQL server: how long anybody waits on it, what goes over it, and how its rows are read."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, cast

import psycopg
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from pitchey_cli.domain.errors import StoreError, UsageError
from pitchey_cli.store.database import Row
from pitchey_cli.store.refusals import translated
from pitchey_cli.store.server import Server

BUSY_SECONDS = 10.0  #: how long to wait for another's write, and for a server that is away
SCHEMA = "pitchey"
#: A holder of the lock that says nothing for so long is stopped, or cut off: the server ends its session.
SILENCE_SECONDS = 8
#: Longest statement; none of ours takes a tenth of it, but for what reads or changes everything: see `unhurried`.
STATEMENT_SECONDS = 60
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5
_UNKNOWN_PARAMETER = re.compile(r"invalid URI query parameter: \"([^\"]*)\"")
_KEPT_PLANS = 400  # statements that are prepared; ours are some 250, and more than that with their types


def connected(server: Server, *, busy_seconds: float, lock_seconds: float = BUSY_SECONDS) -> psycopg.Connection[Row]:
    """A connection that knows our schema, and that the server ends when its holder says nothing in a transaction.

    Args:
        busy_seconds: how long to wait for a server that is starting.
        lock_seconds: how long whoever has the connection waits for others' writes.
    """
    deadline = time.monotonic() + busy_seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return _connected(server, lock_seconds)
        except psycopg.OperationalError as error:
            # A server that starts or ends says so; one that is not there at all may just be restarted by somebody.
            if "starting up" not in str(error) and "shutting down" not in str(error):
                raise translated(error, server) from error
            if time.monotonic() > deadline:
                raise translated(error, server) from error
        except psycopg.ProgrammingError as error:
            # The driver reads the URL, and says of a parameter that it does not know its name alone.
            if error.sqlstate is None and (unknown := _UNKNOWN_PARAMETER.search(str(error))):
                hint = "It takes those of libpq, as sslmode, sslrootcert and connect_timeout."
                raise UsageError(f"{server}: there is no parameter {unknown[1]!r}.", hint=hint) from error
            raise translated(error, server) from error
        except psycopg.Error as error:
            raise translated(error, server) from error
        time.sleep(pause)
        pause = min(LONGEST_PAUSE_SECONDS, pause * 2)


def _connected(server: Server, lock_seconds: float) -> psycopg.Connection[Row]:
    raw = cast(
        "psycopg.Connection[Row]",
        psycopg.connect(server.url, autocommit=True, row_factory=cast(Any, found), **server.manners),
    )
    try:
        server.check_version(raw.info.server_version)
    except StoreError:
        raw.close()
        raise
    raw.prepared_max = _KEPT_PLANS
    raw.adapters.register_dumper(str, StrDumper)  # and not `unknown`: of two meanings that one could have, text
    raw.adapters.register_dumper(int, Int8Dumper)  # one type for all, so that one plan serves all
    chosen = [
        f"search_path = {SCHEMA}",
        f"idle_in_transaction_session_timeout = '{SILENCE_SECONDS}s'",
        f"lock_timeout = '{max(lock_seconds * 1000, 1):.0f}ms'",
        "client_connection_check_interval = '2s'",
        "jit = off",
        "timezone = 'UTC'",
        "default_transaction_isolation = 'read committed'",
    ]
    try:
        raw.execute(settings([*chosen, *limits(raw)]).encode())
    except psycopg.Error:
        raw.close()
        raise
    return raw


def limits(raw: psycopg.Connection[Row]) -> list[str]:
    transaction = [f"transaction_timeout = '{2 * STATEMENT_SECONDS}s'"] if raw.info.server_version >= 170000 else []
    return [f"statement_timeout = '{STATEMENT_SECONDS}s'", *transaction]


def unlimited(raw: psycopg.Connection[Row]) -> str:
    """What lets statements and transactions take as long as they take."""
    return settings(f"{each.partition(' ')[0]} = 0" for each in limits(raw))


def settings(chosen: Iterable[str]) -> str:
    return "; ".join(f"SET {each}" for each in chosen)


class _Found(tuple[Any, ...]):
    """A row, by the names of its columns or their places."""

    __slots__ = ()
    _places: ClassVar[Mapping[str, int]] = {}

    def __getitem__(self, column: Any) -> Any:
        return tuple.__getitem__(self, self._places[column] if isinstance(column, str) else column)

    def keys(self) -> Iterable[str]:
        return self._places.keys()


@cache
def _class_of(names: tuple[str, ...]) -> type[_Found]:
    places = {name: place for place, name in enumerate(names)}
    return type("Found", (_Found,), {"__slots__": (), "_places": places})


def found(cursor: psycopg.Cursor[Any]) -> Any:
    """What psycopg makes rows with."""
    if cursor.description is None:
        return tuple
    return _class_of(tuple(column.name for column in cursor.description))
