"""Give the space of what has been removed back to the file system."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pitchey_cli.store.connection import Connection
from pitchey_cli.store.migrate import recognise


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """How much the database took, its WAL with it."""

    before_bytes: int
    after_bytes: int
    is_folded: bool  #: False when somebody still reads the old WAL: the rest is given back when they have ended


def vacuum(path: Path, *, busy_seconds: float) -> Vacuumed:
    """Write the database anew, without gaps. Needs as much room again while it runs, and keeps others from writing.

    Raises:
        StoreError: another process has been writing for too long, or the disk is full.
    """
    before = _size(path)
    with closing(Connection.open(path, create=False, busy_seconds=busy_seconds)) as connection:
        recognise(connection, path)
        # In a file: the whole database is written to the temporary one, and must not be held in memory.
        connection.run("PRAGMA temp_store = FILE")
        connection.run("VACUUM")
        # The new pages are in the WAL; only folding it into the file makes that shorter.
        busy, _, _ = connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0]
    return Vacuumed(before, _size(path), not busy)


def _size(path: Path) -> int:
    there = (path, path.with_name(path.name + "-wal"))
    return sum(each.stat().st_size for each in there if each.exists())
