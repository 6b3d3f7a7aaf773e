"""Our statements as psycopg takes them: its parameters, and several rows in one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from pitchey_cli.store.database import Parameters
from pitchey_cli.store.queries import Query, load

_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|CREATE|DROP)\b", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)|\?|%")
_ROWS_AT_ONCE = (64, 16, 4, 1)  # that one statement adds


@cache
def words() -> dict[str, str]:
    return load("postgres")


@cache
def phrased(query: Query | str) -> tuple[str, str, bool]:
    """The words; the same for psycopg, whose parameters are %s and %(name)s; and whether they change anything."""
    text = query if isinstance(query, str) else words()[query.name]
    return text, _PARAMETER.sub(_placeholder, text), _WRITES.match(text) is not None


@cache
def one_row(sql: str) -> tuple[str, str] | None:
    """What adds a row, up to `VALUES` and from there; None of what does more, or something else."""
    into, _, values = sql.partition("VALUES ")
    values = values.rstrip("; \n")
    is_all = into.startswith("INSERT") and values.endswith(")") and "ON CONFLICT" not in values
    return (f"{into}VALUES", values) if is_all and "%s" in values else None


def some_at_once(rows: Sequence[Parameters]) -> Iterator[Sequence[Parameters]]:
    """Rows in a few sizes: each size is a statement of its own, which is prepared once."""
    place = 0
    while place < len(rows):
        size = next(size for size in _ROWS_AT_ONCE if size <= len(rows) - place)
        yield rows[place : place + size]
        place += size


def _placeholder(found: re.Match[str]) -> str:
    if found[1]:
        return f"%({found[1]})s"
    return "%s" if found[0] == "?" else "%%"
