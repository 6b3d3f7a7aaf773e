"""The named SQL blocks of a dialect, read from sql/<dialect>/queries.sql.

SQL lives in files of its own, so that it can be read, formatted and explained as SQL; each block has a name, and Python
knows only the names. Each dialect has the same names with the same parameters: which words a name stands for is for the
connection to know.
"""

from __future__ import annotations

import re
from pathlib import Path

from pitchey_cli.values import dataclass

SQL = Path(__file__).with_name("sql")


@dataclass(frozen=True)
class Query:
    """A named block, whatever the dialect."""

    name: str


class _Queries(dict[str, Query]):
    """Every name that was ever asked for; a connection has no words for one that is misspelt."""

    def __missing__(self, name: str) -> Query:
        self[name] = Query(name)
        return self[name]


QUERIES = _Queries()

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n?", re.MULTILINE)


def load(dialect: str) -> dict[str, str]:
    """All blocks of a dialect by name, without their comments."""
    _, *parts = _NAME.split((SQL / dialect / "queries.sql").read_text(encoding="utf-8"))
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a name stands twice in the {dialect} queries")
    return {name: _COMMENT.sub("", body).strip().removesuffix(";") for name, body in zip(names, bodies, strict=True)}
