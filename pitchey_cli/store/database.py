"""What the store asks of a connection, whatever the database. Adapters: connection.py, session.py.

Knows nothing of jobs. What differs between the databases beside the words of the queries is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from pitchey_cli.store.queries import Query

Parameters = Sequence[Any] | Mapping[str, Any]


class Row(Protocol):
    """A row as it was found; rows.py needs only the names of it."""

    def __getitem__(self, column: str | int, /) -> Any:
        """The value of a column, by its name or its place."""

    def __iter__(self) -> Iterator[Any]:
        """The values."""

    def keys(self) -> Iterable[str]:
        """The names of the columns."""


class Database(Protocol):
    """A connection whose reads and writes are one statement each, or share a `transaction()`.

    Everything that a driver raises leaves it as a StoreError that says what to do.
    """

    def words(self, query: Query) -> str:
        """What a query is called in this dialect: its SQL."""

    def rows(self, query: Query, parameters: Parameters = ()) -> list[Row]:
        """Every row of a statement."""

    def row(self, query: Query, parameters: Parameters = ()) -> Row | None:
        """The only row of a statement, if it has one."""

    def value(self, query: Query, parameters: Parameters = ()) -> Any:
        """The first column of the only row; None when there is no row."""

    def run(self, query: Query, parameters: Parameters = ()) -> None:
        """A statement whose rows do not matter."""

    def run_many(self, query: Query, parameters: Iterable[Parameters]) -> None:
        """One statement for each set of parameters; call it inside a transaction."""

    def run_list(self, queries: Sequence[Query], values: Sequence[Mapping[str, Any]]) -> None:
        """Statements that each change something for each element of a list, by the names in it; call it inside a
        transaction. Where the way to the database is what takes long, each is sent once, and takes `:list`.
        """

    def transaction(self, *, is_lasting: bool = True) -> AbstractContextManager[None]:
        """All or nothing, and on disk when it ends. A nested one is a savepoint, and is_lasting the outermost's.

        Args:
            is_lasting: False: a power cut may undo it, with whatever came after it; the end of this process does not.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """Read all of one moment; inside a transaction it is that one's moment."""

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""

    def schema_version(self) -> int:
        """Which migration the database is at; 0 before the first."""

    def version(self) -> str:
        """What the database is, as `PostgreSQL 16.4`."""

    def damage(self) -> list[str]:
        """What the database says of its own health; empty when all is well. Reads everything."""

    def close(self) -> None:
        """End the connection."""
