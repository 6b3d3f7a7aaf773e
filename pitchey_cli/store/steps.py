"""The steps of the schema, and which programs may work on it while an upgrade rolls over the nodes.

A step is a numbered SQL file, sql/<dialect>/migrations/NNNN_name.sql; both dialects have the same numbers. Steps only
add: tables, columns that may be left out, indexes. A step after which older programs may go on says so in a comment,
`-- readable by: N`: whoever knows the steps up to N may work on the database that this step has made. A step without
one is for programs that know it. Which programs may go on stands in the database, so that one which knows fewer steps
can tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pitchey_cli.domain.errors import SchemaTooNew
from pitchey_cli.store import queries
from pitchey_cli.values import dataclass

READABLE_BY = "readable_by"  #: its name in the table meta
_SAID = re.compile(r"^-- readable by: (\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One step of the schema."""

    number: int
    path: Path

    @property
    def script(self) -> str:
        """Its SQL."""
        return self.path.read_text(encoding="utf-8")

    @property
    def readable_by(self) -> int:
        """The newest step that a program has to know at least, to work on what this one has made."""
        said = _SAID.search(self.script)
        return self.number if said is None else min(int(said[1]), self.number)


def steps(dialect: str) -> Sequence[Step]:
    """Every step this program knows, in order."""
    files = sorted((queries.SQL / dialect / "migrations").glob("[0-9]*.sql"))
    return [Step(int(file.name.partition("_")[0]), file) for file in files]


def newest(dialect: str = "sqlite") -> int:
    """The last step this program knows."""
    return steps(dialect)[-1].number


def readable_by(applied: Sequence[Step], number: int) -> int:
    """Who may work on a database once the steps up to a number are done: whoever may after each of them."""
    return max(step.readable_by for step in applied if step.number <= number)


def check(where: object, *, found: int, known: int, readable_by: int | None) -> None:
    """Raise SchemaTooNew for a schema that is newer than this program knows, and not made for it to go on.

    Args:
        where: the database, for people.
        readable_by: as the database says; None: it says nothing.
    """
    if found <= known or (readable_by is not None and readable_by <= known):
        return
    least = found if readable_by is None else readable_by
    raise SchemaTooNew(
        f"{where} has schema version {found}, for programs that know version {least}; this Pitchey knows versions up to"
        f" {known}.",
        hint="A newer Pitchey has written it: upgrade this one.",
    )
