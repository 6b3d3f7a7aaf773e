"""One SQLite connection: how it is opened, its transactions, and what its errors mean.

Knows nothing of jobs. Everything that sqlite3 raises leaves here as a StoreError that says what to do; the exception is
ProgrammingError, which is a mistake of ours and should be seen as one.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pitchey_cli.domain.errors import Denied, StoreError
from pitchey_cli.store.database import Parameters, Row
from pitchey_cli.store.queries import Query, load

BUSY_SECONDS = 10.0  #: how long to wait for another process's write
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables; RETURNING came with 3.35
#: A submission touches eight pages, each in another tree, and a commit writes them whole: half the usual page size is
#: half the bytes to sync (a tenth less time for a durable submission). Twice as many of them make the usual WAL, 4 MB.
WAL_PAGES = 2000
UNSYNCED_ROWS = 100_000  #: after so many that need not last the disk is waited for all the same; see numbering.py

_SMALLEST_DATABASE = 512  # bytes; one page of the smallest size

#: Also what Python raises when SQLite's message quotes a damaged schema that is no text any more.
SQLITE_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)

_WORDS = load("sqlite")


class Connection:
    """A connection whose reads and writes are one statement each, or share a `transaction()`."""

    def __init__(self, raw: sqlite3.Connection, path: Path) -> None:
        self._raw = raw
        self._path = path
        self._depth = 0
        self._is_lasting = True  # as tune() sets it
        self._synced_rows = 0  # of those that this connection has written
        self._first: Callable[[], None] | None = None

    @classmethod
    def open(cls, path: Path, *, create: bool, busy_seconds: float = BUSY_SECONDS) -> Connection:
        """Open a database file, without changing one that is not a database.

        Raises:
            Denied: the file or its folder may not be used.
            StoreError: there is no such file and `create` is false, or it is no SQLite database.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreError(
                f"This Python has SQLite {sqlite3.sqlite_version}; Pitchey needs 3.37 or newer.",
                hint="Use a Python that was built with a newer SQLite.",
            )
        _prepare_file(path, create=create)
        try:
            # One thread at a time uses a store, but not always the one that opened it: the writer has its own.
            raw = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        except SQLITE_ERRORS as error:
            raise translated(error, path) from error
        raw.row_factory = sqlite3.Row
        return cls(raw, path)

    def tune(self) -> None:
        """Set what every connection needs. WAL stays with the file, the rest belongs to the connection."""
        if self.value("PRAGMA journal_mode") != "wal":
            self.run("PRAGMA page_size = 2048")  # only a new file takes it; see WAL_PAGES
            self._switch_to_wal()
        self.run(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        self.run("PRAGMA synchronous = FULL")  # what has been acknowledged survives a power cut
        self.run("PRAGMA foreign_keys = ON")
        self.run("PRAGMA secure_delete = ON")  # a secret that is removed from a spec is in no free page either
        # 8 MiB at most. A claim from a million jobs is as quick as with eight times as much, and a daemon stays small.
        self.run("PRAGMA cache_size = -8192")
        self.run("PRAGMA temp_store = MEMORY")

    def _switch_to_wal(self) -> None:
        # Two processes that open a new database at once: SQLite answers the second with BUSY at once, without waiting,
        # because waiting could deadlock. Trying again is the documented way.
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._raw.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.DatabaseError as error:
                is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() > deadline:
                    raise translated(error, self._path) from error
                time.sleep(0.005)

    def words(self, query: Query) -> str:
        """What a query is called here: its SQL."""
        return _WORDS[query.name]

    def rows(self, query: Query | str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a statement: of a named one, or of SQLite's own."""
        try:
            return cast(list[Row], self._raw.execute(_sql(query), parameters).fetchall())
        except SQLITE_ERRORS as error:
            raise translated(error, self._path) from error

    def row(self, query: Query | str, parameters: Parameters = ()) -> Row | None:
        """The only row of a statement, if it has one."""
        found = self.rows(query, parameters)
        return found[0] if found else None

    def value(self, query: Query | str, parameters: Parameters = ()) -> Any:
        """The first column of the only row; None when there is no row."""
        found = self.rows(query, parameters)
        return found[0][0] if found else None

    def run(self, query: Query | str, parameters: Parameters = ()) -> None:
        """A statement whose rows do not matter."""
        self.rows(query, parameters)

    def run_many(self, query: Query | str, parameters: Iterable[Parameters]) -> None:
        """One statement for each set of parameters; call it inside a transaction."""
        try:
            self._raw.executemany(_sql(query), parameters)
        except SQLITE_ERRORS as error:
            raise translated(error, self._path) from error

    def run_list(self, queries: Sequence[Query], values: Sequence[Mapping[str, Any]]) -> None:
        """One statement for each: were a list taken apart in SQL, a claim and its end would cost a third more."""
        for query in queries:
            self.run_many(query, values)

    @contextmanager
    def transaction(self, *, is_lasting: bool = True) -> Iterator[None]:
        """All or nothing, and on disk when it ends. A nested one is a savepoint.

        One that need not last is in the WAL, which is synced with the next that has to: what is lost of it in a power
        cut is its end.

        SQLite itself rolls everything back on some errors (a full disk, for one): the savepoints are gone then, and the
        callers further out are told instead of carrying on without a transaction.
        """
        depth = self._depth
        begin, commit, rollback = _COMMANDS if depth == 0 else _savepoint(depth)
        first = None if depth else self._first
        if depth:
            self._require_transaction()
        else:
            self._sync_from_now_on(is_lasting or first is not None)
        self.run(begin)
        self._depth = depth + 1
        try:
            if first is not None:
                first()
            yield
            self._require_transaction()
            self.run(commit)
            if not depth:
                self._first = None
                self._synced_rows = self._raw.total_changes if self._is_lasting else self._synced_rows
        except BaseException:
            if self._raw.in_transaction:
                for command in rollback:
                    self.run(command)
            raise
        finally:
            self._depth = depth

    def _sync_from_now_on(self, is_lasting: bool) -> None:
        is_lasting = is_lasting or self._raw.total_changes - self._synced_rows >= UNSYNCED_ROWS
        if is_lasting is not self._is_lasting:
            self.run(f"PRAGMA synchronous = {'FULL' if is_lasting else 'NORMAL'}")
            self._is_lasting = is_lasting

    def at_first(self, act: Callable[[], None]) -> None:
        """Do something at the beginning of the next transaction, which lasts; and again, if nothing comes of that."""
        self._first = act

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read all of one moment. Takes no write lock; inside a transaction it is that one's moment."""
        if self._raw.in_transaction:
            yield
            return
        self.run("BEGIN")
        try:
            yield
        finally:
            self.run("COMMIT")

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        return int(self.value("PRAGMA data_version"))

    def schema_version(self) -> int:
        """Which migration the database is at; 0 before the first."""
        return int(self.value("PRAGMA user_version"))

    def version(self) -> str:
        """What the database is."""
        return f"SQLite {sqlite3.sqlite_version}"

    def damage(self) -> list[str]:
        """What SQLite finds wrong; reads the whole file."""
        found = [str(row[0]) for row in self.rows("PRAGMA integrity_check")]
        found += [f"{row[0]}: row without its {row[2]}" for row in self.rows("PRAGMA foreign_key_check")]
        return [line for line in found if line != "ok"]

    def _require_transaction(self) -> None:
        if not self._raw.in_transaction:
            raise StoreError(f"The transaction on {self._path} was rolled back after an earlier error.")

    def close(self) -> None:
        """Close the file; the last connection to close folds the WAL into it."""
        self._raw.close()


_COMMANDS = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))


def _sql(query: Query | str) -> str:
    return query if isinstance(query, str) else _WORDS[query.name]


def _savepoint(depth: int) -> tuple[str, str, tuple[str, ...]]:
    name = f"level_{depth}"
    return f"SAVEPOINT {name}", f"RELEASE {name}", (f"ROLLBACK TO {name}", f"RELEASE {name}")


def _prepare_file(path: Path, *, create: bool) -> None:
    """Make a new file readable by its owner alone; one that is there is left to SQLite.

    An existing file must not be opened here, not even to look at it: POSIX drops every lock that a process has on a
    file when it closes any descriptor of it. Another connection of this process would go on without its locks, the next
    process to leave would believe itself the last one and delete the WAL, and what is written from then on is lost
    ("How To Corrupt An SQLite Database File", section 2.2, sqlite.org).
    """
    try:
        if path.exists():
            if 0 < path.stat().st_size < _SMALLEST_DATABASE:  # SQLite would take it for an empty one
                raise not_a_database(path)
            return
        if not create:
            raise StoreError(f"There is no database at {path}.", hint="`pitchey submit` makes one.")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # the WAL takes over the mode
    except FileExistsError:
        return  # another process was quicker
    except PermissionError as error:
        raise Denied(f"{path} may not be used: {error.strerror}.", hint="Check the owner of the folder.") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}.") from error


def not_a_database(path: Path) -> StoreError:
    """What to say of a file that is something else."""
    return StoreError(
        f"{path} is not a Pitchey database.",
        hint="It has been left as it is. Move it away, or choose another state folder.",
    )


_FULL = "Nothing that was acknowledged is lost. Make room and try again."
_MEANINGS = {
    sqlite3.SQLITE_FULL: ("The disk under {path} is full.", _FULL),
    sqlite3.SQLITE_BUSY: (
        "{path} has been locked by another process for too long.",
        "Find the process that holds it (`pitchey db restore`, a database browser) and try again.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "{path} is damaged ({detail}).",
        "Stop the daemon; `pitchey db restore BACKUP` puts a backup in its place, and keeps a copy of this one.",
    ),
    sqlite3.SQLITE_READONLY: ("{path} may not be written.", "Check the owner and the mode of the file and its folder."),
    sqlite3.SQLITE_CANTOPEN: ("{path} cannot be opened.", "Check the owner and the mode of the file and its folder."),
    sqlite3.SQLITE_IOERR: ("The disk under {path} reports an error ({name}).", "Check the disk and the kernel's log."),
}


def translated(error: sqlite3.DatabaseError | UnicodeDecodeError, path: Path) -> Exception:
    """What a foreign error means to the user; our own mistakes are returned as they are."""
    if isinstance(error, sqlite3.ProgrammingError):
        return error
    if isinstance(error, UnicodeDecodeError):
        sentence, hint = _MEANINGS[sqlite3.SQLITE_CORRUPT]
        return StoreError(sentence.format(path=path, detail="its schema is no text"), hint=hint)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:  # it waited for a restore to end, and what it has open was put aside
        return StoreError(
            f"{path} has been replaced by another file meanwhile.",
            hint="`pitchey db restore` does that. Nothing has been written: try again.",
        )
    if code & 0xFF == sqlite3.SQLITE_NOTADB:
        return not_a_database(path)
    sentence, hint = _MEANINGS.get(code & 0xFF, ("The database at {path} refused: {detail}.", ""))
    name = getattr(error, "sqlite_errorname", "")
    return StoreError(sentence.format(path=path, detail=error, name=name), hint=hint)
