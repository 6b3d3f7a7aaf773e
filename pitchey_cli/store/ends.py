"""The two ends of a copy of a whole store: what carrying.py asks of them. Adapters: sqlite_end.py, postgres_end.py.

Knows nothing of jobs. Both databases give values of the same Python types for the same columns, so a row of one is a
row of the other as it is.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Values = tuple[Any, ...]

#: What SQLite has as the rowid of a table without a number of its own, and PostgreSQL as a column.
ORDINAL = "ordinal"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, as the catalogue of a database has it."""

    name: str
    columns: tuple[str, ...]
    needs: frozenset[str]  #: other tables that its rows refer to


class Source(Protocol):
    """A store that is read, as it is at one moment. Everything that a driver raises leaves it as a StoreError."""

    @property
    def where(self) -> str:
        """The database, for people."""

    def asked(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a question that all databases understand."""

    def schema_version(self) -> int:
        """Which migration it is at."""

    def tables(self) -> Mapping[str, Table]:
        """All tables of ours by name, but for those that mean nothing in another database."""

    def rows(self, table: Table, condition: str) -> Generator[Values, None, None]:
        """Rows in no particular order, a few at a time, with the values of the table's columns. To be closed."""

    def last_numbers(self) -> Mapping[str, int]:
        """The last number that was given to a row, by table; of those that number their rows."""

    def has_changed(self) -> bool:
        """Whether somebody has committed since its moment. Its moment is over then."""


class Target(Source, Protocol):
    """A store that is written, in one transaction."""

    def without_triggers(self) -> AbstractContextManager[None]:
        """Rows are written as they are: nothing counts them, tells of them or refuses them, but for the constraints."""

    def forget(self, table: Table, condition: str) -> None:
        """Remove rows."""

    def write(self, table: Table, rows: Iterable[Values]) -> None:
        """Add rows."""

    def follow_on(self, table: str, last: int) -> None:
        """Give the next row of a table a number after that."""

    def listen(self) -> None:
        """Have what writes to webhooks where the rows say that somebody wants to be told."""
