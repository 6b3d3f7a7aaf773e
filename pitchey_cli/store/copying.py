"""Whole copies of the database: a backup while others write, and a backup put back in its place.

A copy is made by SQLite itself, never byte by byte: what is written is spread over the file and its WAL.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import Denied, InputNotFound, PitcheyError, StoreError, UsageError
from pitchey_cli.store.connection import SQLITE_ERRORS, Connection, translated
from pitchey_cli.store.migrate import recognised
from pitchey_cli.store.numbering import FORGET_BOOT
from pitchey_cli.store.reading import Reader

CopyProgress = Callable[[int, int], None]  #: pages done, pages in all

_PAGES_AT_ONCE = 1024  # 2 MiB; progress is told after each step
_IN_USE_SECONDS = 2.0  # how long other commands may take to end
_TRIES = 10  # to be alone: another command that begins at that very moment may be quicker
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EXDEV)  # what a file system without hard links answers


def back_up(source: Path, target: Path, *, overwrite: bool = False, progress: CopyProgress | None = None) -> int:
    """Write a consistent copy of a database that may be in use; its size.

    The copy is whole or absent: it is made beside the target, checked, synced, and renamed.

    Raises:
        StoreError: the database is damaged, or the disk is full.
        UsageError: the target exists, or is in use.
    """
    if not source.exists():
        raise StoreError(f"There is no database at {source}.", hint="`pitchey submit` makes one.")
    _refuse_target(source, target, overwrite=overwrite)
    with new_file_beside(target) as temporary:
        with closing(sqlite3.connect(source, isolation_level=None)) as reader:
            _copy(reader, source, temporary, progress)
        _require(_problems(temporary, is_quick=True), f"The copy of {source} is damaged")
        publish(temporary, target, overwrite=overwrite)
    return target.stat().st_size


def restore(backup: Path, database: Path, *, aside: Path, progress: CopyProgress | None = None) -> Path | None:
    """Put a backup in the place of a database; where that has been put aside, or None when there was none.

    Nobody may run jobs meanwhile: the caller holds the state directory. Nor can anybody submit one: the present
    database is locked from the beginning to the end, because what is acknowledged in between would be in the file that
    is put aside. It may be damaged: one that cannot be opened can take no submission. Until the last step, a rename, it
    is in its place.

    Raises:
        StoreError: the backup is no whole database of a version that this program knows; or another process uses the
            present one.
    """
    if backup.exists() and database.exists() and backup.samefile(database):
        raise UsageError(f"{backup} is the database itself.", hint="Name a file that `pitchey db backup` has made.")
    kept = aside if _exists(database) else None
    with closing(_open_backup(backup)) as reader, _alone(database), new_file_beside(database) as temporary:
        try:
            _copy(reader, backup, temporary, progress)
        except StoreError as error:  # its usual hint is about a database in use
            raise StoreError(str(error), hint="Nothing has been changed. Name another backup.") from error
        _require(_problems(temporary, is_quick=False), f"{backup} is damaged")
        _sync(temporary)
        if kept is not None:
            _put_aside(database, kept)
        elif _exists(database):
            raise _made_meanwhile(database)
        for suffix in layout.BESIDE_DATABASE:  # they belong to the old file: beside the new one they would destroy it
            with suppress(FileNotFoundError):
                Path(f"{database}{suffix}").rename(f"{aside}{suffix}")
        if kept is not None or not _linked(temporary, database, _made_meanwhile(database)):
            temporary.replace(database)
        _sync(database.parent)
    return kept


def _copy(reader: sqlite3.Connection, source: Path, target: Path, progress: CopyProgress | None) -> None:
    def tell(_: int, left: int, total: int) -> None:
        if progress is not None:
            progress(total - left, total)

    with closing(sqlite3.connect(target, isolation_level=None)) as writer:
        try:
            recognised(reader, source)
            # One read transaction around all steps: without it a copy begins again whenever another process commits,
            # and of a busy database there would never be one. It keeps no writer waiting; the WAL grows meanwhile.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            reader.backup(writer, pages=_PAGES_AT_ONCE, progress=tell)
            writer.execute(FORGET_BOOT)
            writer.execute("PRAGMA journal_mode = DELETE")  # one file, that can be read where nothing can be written
        except SQLITE_ERRORS as error:
            is_target = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
            raise translated(error, target if is_target else source) from error


def _open_backup(path: Path) -> sqlite3.Connection:
    if not _exists(path):
        raise InputNotFound(f"There is no file at {path}.")
    if not path.is_file():
        raise UsageError(f"{path} is not a file.", hint="Name a file that `pitchey db backup` has made.")
    if not os.access(path, os.R_OK):
        raise Denied(f"{path} may not be read.")
    # Without a WAL beside it nobody has it open, and `immutable` leaves none there either.
    options = "mode=ro" if Path(f"{path}-wal").exists() else "mode=ro&immutable=1"
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None)
    except SQLITE_ERRORS as error:
        raise translated(error, path) from error


def _problems(path: Path, *, is_quick: bool) -> list[str]:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.row_factory = sqlite3.Row
        connection = Connection(raw, path)
        if not is_quick:
            return Reader(connection).integrity()
        found = [str(row[0]) for row in connection.rows("PRAGMA quick_check")]
        return [line for line in found if line != "ok"]


def _require(problems: list[str], what: str) -> None:
    if problems:
        raise StoreError(f"{what} ({problems[0]}).", hint="Nothing has been changed. `pitchey db check` says more.")


def _refuse_target(source: Path, target: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", hint="Name a file in it.")
    taken = [source, *(Path(f"{source}{suffix}") for suffix in layout.BESIDE_DATABASE)]
    if any(each.exists() and target.exists() and target.samefile(each) for each in taken):
        raise UsageError(f"{target} is the database itself.", hint="Name another file.")
    if _exists(target) and not overwrite:
        raise _is_there(target)
    if any(Path(f"{target}{suffix}").exists() for suffix in layout.BESIDE_DATABASE):
        raise UsageError(f"{target} is in use: there is a WAL beside it.", hint="Name another file.")


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Keep every other process out of the present database until its file is another.

    A process that has waited for the lock finds that its file has moved: SQLite lets nobody write into such a file that
    is not in WAL mode (connection.py says what that means). A database that cannot be opened at all is nobody's.
    """
    holder = _locked(database) if _exists(database) else None
    try:
        yield
    finally:
        if holder is not None:
            holder.close()


def _locked(database: Path) -> sqlite3.Connection | None:
    """A connection that has the database to itself; None where it cannot be opened.

    Leaving WAL mode needs the file alone, so only somebody else's use makes it fail; and it folds the WAL into the
    file. Outside WAL mode an exclusive lock keeps readers away as well, and with them whoever would enter it again.
    """
    raw: sqlite3.Connection | None = None
    is_locked = False
    try:
        raw = sqlite3.connect(database, timeout=_IN_USE_SECONDS, isolation_level=None)
        for _ in range(_TRIES):
            raw.execute("PRAGMA journal_mode = DELETE")
            raw.execute("BEGIN EXCLUSIVE")
            is_locked = raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
            if is_locked:
                return raw
            raw.execute("ROLLBACK")  # another process came between the two, and the file is in WAL mode again
    except SQLITE_ERRORS as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _in_use(database) from error
        return None
    finally:
        if raw is not None and not is_locked:
            raw.close()
    raise _in_use(database)


def _in_use(database: Path) -> StoreError:
    return StoreError(f"Another process uses {database}.", hint="Wait until other `pitchey` commands have ended.")


def _made_meanwhile(database: Path) -> StoreError:
    return StoreError(f"Another process has made {database} meanwhile.", hint="Try again: it will be put aside.")


@contextmanager
def new_file_beside(target: Path) -> Iterator[Path]:
    """An empty file in the folder of the target, for its owner alone; gone, with what SQLite put beside it.

    What a process that was killed has left there goes as well.
    """
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    for left in target.parent.glob(f"{glob.escape(f'.{target.name[:200]}.')}*.part"):
        _remove_unless_held(left)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileNotFoundError as error:
        raise InputNotFound(f"There is no folder {target.parent}.") from error
    except OSError as error:
        raise Denied(f"{target.parent} may not be written: {error.strerror}.") from error
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # let go of by the kernel, however this process ends
        yield temporary
    finally:
        _remove(temporary)
        os.close(descriptor)  # late: to close any descriptor of a file lets go of SQLite's own locks


def _remove_unless_held(temporary: Path) -> None:
    with suppress(OSError):  # it has just gone, or is somebody else's
        descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(temporary)
        finally:
            os.close(descriptor)


def _remove(temporary: Path) -> None:
    for suffix in ("", *layout.BESIDE_DATABASE):
        Path(f"{temporary}{suffix}").unlink(missing_ok=True)


def publish(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Give a file that is whole its name, so that it survives a power cut.

    Raises:
        UsageError: there is one of that name meanwhile, which is not to be replaced.
    """
    _sync(temporary)
    # Without hard links the check before the copy has to do.
    if overwrite or not _linked(temporary, target, _is_there(target)):
        temporary.replace(target)
    _sync(target.parent)


def _put_aside(database: Path, kept: Path) -> None:
    taken = StoreError(f"{kept} exists already.", hint="Try again.")
    if not _linked(database, kept, taken):  # a link, so that there is a database at every moment
        database.rename(kept)


def _linked(path: Path, name: Path, taken: PitcheyError) -> bool:
    """Give a file another name, and refuse in one step one that is taken; False where there are no hard links."""
    try:
        os.link(path, name)
    except FileExistsError as error:
        raise taken from error
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise StoreError(f"{name} could not be made: {error.strerror}.", hint="Nothing has been changed.") from error
    return True


def _is_there(target: Path) -> UsageError:
    return UsageError(f"{target} exists already.", hint="--overwrite replaces it.")


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _sync(path: Path) -> None:
    """Make a file, or what happened in a folder, survive a power cut. No connection may have the file open."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
