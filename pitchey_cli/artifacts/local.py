"""Artifacts in a directory: sha256/ab/<hash>, read-only, each content once.

A file becomes visible by a rename after it has been synced, so what is there is whole. Everything that arrives is
copied and never moved or linked in: what a user or an instance can still write to must not be an artifact.

Why removing one is safe while other processes submit. A submission brings its inputs in first and commits the jobs that
refer to them later, so nothing in the database speaks for an artifact in between: its time of change does. Whoever
brings a content in sets it, also when the content is there already (`_keep`). Whoever removes takes a moment, the
cutoff, first; then reads which artifacts the database refers to; then removes of the others those that have not been
brought in since the cutoff. The look at the time and the removal are one step, because they happen under a lock that
excludes `_keep`: either the content was brought in before, and the time says so, or it was removed before, and `_keep`
finds nothing there and puts its own copy. The cutoff lies hours before the reading (FRESH in domain/retention.py). A
submission may stage for longer than that: just before it commits it sets the time of all its contents again
(`refresh`), and fails when one has gone. So one that did this before the cutoff has been committed, and was read.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pitchey_cli.artifacts.beneath import open_beneath
from pitchey_cli.artifacts.copying import copy, copy_hashed, hashed, is_name, sync_directory, translated
from pitchey_cli.artifacts.journal import PREFIX, Journal, make_up_for
from pitchey_cli.artifacts.port import LARGER_INPUT, LARGER_OUTPUT, Artifact, Kept, ProgressCallback
from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from processors.beneath import READ, closing


class LocalArtifacts:
    """Keeps artifacts below a directory of its own."""

    def __init__(self, root: Path) -> None:
        self._content = root / "sha256"
        self._incoming = root / "incoming"
        self._id = root / "id"
        try:
            for directory in (root, self._content, self._incoming):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise translated(error, root) from error
        self._journal = Journal(self._incoming, self._content)
        self._sweep()

    def add(
        self,
        source: Path,
        *,
        limit_bytes: int,
        may_be_empty: bool = False,
        called: str = "",
        progress: ProgressCallback | None = None,
    ) -> Artifact:
        """Take a user's file: reflink where the file system can, else copy; hashed on the way, complete or not at all.

        Links are followed here, because they are the user's own.
        """
        name = called or str(source)
        try:
            descriptor = os.open(source, READ)
        except OSError as error:
            raise translated(error, name) from error
        with closing(descriptor):
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
                raise InputRejected(f"{name} is {kind}.", hint="Name one file.")
            if status.st_size == 0 and not may_be_empty:
                raise InputRejected(f"{name} is empty.", hint="Has it been written to the end?")
            _check_size(status, name, limit_bytes, LARGER_INPUT)
            return self._take(descriptor, status, name, progress)

    def refresh(self, names: Collection[str]) -> set[str]:
        """Let the grace of artifacts that are about to be referred to begin anew; those that are not there any more."""
        gone: set[str] = set()
        if not names:
            return gone
        with self._locked(fcntl.LOCK_SH):
            for name in names:
                place = self._place_of(name)
                try:
                    os.utime(place)
                except FileNotFoundError:
                    gone.add(name)
                except OSError as error:
                    raise translated(error, place) from error
        return gone

    def put(self, contents: Sequence[bytes]) -> list[Artifact]:
        """Take short contents that are in memory, in their order; the disk is waited for once (journal.py)."""
        found = [Artifact(hashlib.sha256(data).hexdigest(), len(data)) for data in contents]
        try:
            with self._locked(fcntl.LOCK_SH):
                new = {each.sha256: data for each, data in zip(found, contents, strict=True)}
                new = {sha256: data for sha256, data in new.items() if not self._is_renewed(sha256)}
                if new:
                    self._journal.add(new)
        except OSError as error:
            raise translated(error, "an output") from error
        return found

    def _is_renewed(self, sha256: str) -> bool:
        """Note that a content has been brought in again; False when it is not there."""
        try:
            os.utime(f"{self._content}/{sha256[:2]}/{sha256}")
        except FileNotFoundError:
            return False
        return True

    def collect(self, root: Path, relative: str, *, limit_bytes: int) -> Artifact:
        """Take a file that an instance left below `root`, without following a link and without leaving `root`.

        What lies there was written by code that nobody trusts and that may still run, so each component is opened from
        its parent's descriptor and not by path: nothing can be swapped between a check and its use. A second link to
        the file is refused, because the other name may lie outside. And it is copied, not renamed: a process that
        still holds the file open could write into the artifact long after it was hashed.
        """
        descriptor = open_beneath(root, relative)
        with closing(descriptor):
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise InputRejected(f"The output {relative} is not a regular file.")
            if status.st_nlink != 1:
                raise InputRejected(f"The output {relative} has more than one name.")
            _check_size(status, f"The output {relative}", limit_bytes, LARGER_OUTPUT)
            return self._take(descriptor, status, f"the output {relative}", None)

    def place(self, sha256: str, target: Path) -> None:
        """Put an artifact where an instance can read it: a hard link, read-only; no second copy.

        The instance must see it through a read-only mount: a link shares its mode and its content with the artifact.
        """
        source = self.path(sha256)
        try:
            target.unlink(missing_ok=True)  # left by an attempt that was interrupted
            try:
                os.link(source, target)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise
                with _written_beside(target) as temporary:
                    _copy_file(source, temporary)
                    temporary.chmod(0o444)
                    temporary.replace(target)
        except OSError as error:
            raise translated(error, target) from error

    def export(self, sha256: str, target: Path, *, overwrite: bool) -> None:
        """Give an artifact to the user: written beside the target and renamed over it, so it is whole or absent."""
        source = self.path(sha256)
        if target.is_dir():
            raise UsageError(f"{target} is a folder, where a file is to go.", hint="Choose another place.")
        if not overwrite and os.path.lexists(target):  # before gigabytes are copied; the rename below decides
            raise _exists(target)
        try:
            with _written_beside(target) as temporary:
                _copy_file(source, temporary)
                if overwrite:
                    temporary.replace(target)
                else:
                    _rename_to_new(temporary, target)
        except FileExistsError as error:
            raise _exists(target) from error
        except OSError as error:
            raise translated(error, target) from error

    def path(self, sha256: str) -> Path:
        """Where the artifact lies; InputNotFound when it does not."""
        place = self._place_of(sha256)
        if not place.is_file():
            hint = (
                "It may have been removed to make room, or lie at another node: artifacts.url names a bucket for all."
            )
            raise InputNotFound(f"There is no artifact {sha256}.", hint=hint)
        return place

    # --- housekeeping

    def kept(self) -> Iterator[Kept]:
        """Every artifact that there is, in no order."""
        with os.scandir(self._content) as folders:
            for folder in folders:
                with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder.path) as entries:
                    for entry in entries:
                        if not is_name(entry.name):
                            continue
                        with suppress(FileNotFoundError):
                            status = entry.stat(follow_symlinks=False)
                            yield Kept(entry.name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def is_whole(self, sha256: str, *, progress: ProgressCallback | None = None) -> bool:
        """Read it, and say whether its content is what its name says. False as well when it is not there."""
        try:
            descriptor = os.open(self._place_of(sha256), READ | os.O_NOFOLLOW)
        except (OSError, InputNotFound):
            return False
        with closing(descriptor):
            try:
                return hashed(descriptor, progress=progress) == sha256
            except OSError:  # the disk cannot read it
                return False

    def check_owner(self, owner: str) -> None:
        """They lie in a state directory, beside the only database that refers to them."""

    def place_id(self, *, make: bool) -> str:
        """The id of this folder, kept in it; empty where it has none, and none is to be made."""
        try:
            if make and not self._id.exists():
                self._incoming.mkdir(exist_ok=True)
                with tempfile.NamedTemporaryFile("w", dir=self._incoming, encoding="ascii") as made:
                    made.write(secrets.token_hex(8))
                    made.flush()
                    with suppress(FileExistsError):  # who shares the folder was quicker
                        self._id.hardlink_to(made.name)
            return self._id.read_text(encoding="ascii", errors="replace") if self._id.exists() else ""
        except OSError as error:
            raise translated(error, self._id) from error

    def remove(self, sha256: str, *, unless_used_since: datetime) -> bool:
        """Remove an artifact that nothing refers to; False when it has been brought in since, or is not there."""
        place = self._place_of(sha256)
        with self._locked(fcntl.LOCK_EX):
            try:
                if place.stat().st_mtime >= unless_used_since.timestamp():
                    return False
                place.unlink()
            except FileNotFoundError:
                return False
            except OSError as error:
                raise translated(error, place) from error
        return True

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Hold the folder: shared to bring something in, alone to remove something. The lock goes with the process."""
        descriptor = os.open(self._content, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with closing(descriptor):
            fcntl.flock(descriptor, how)
            yield

    def _place_of(self, sha256: str) -> Path:
        if not is_name(sha256):  # it becomes a path
            raise InputNotFound(f"{sha256!r} is not the name of an artifact.")
        return self._content / sha256[:2] / sha256

    def _take(self, source: int, status: os.stat_result, name: str, progress: ProgressCallback | None) -> Artifact:
        """Copy an open file in, hash it on the way, and see to it that it did not change meanwhile."""
        try:
            descriptor, temporary = self._new_temporary()
            try:
                with closing(descriptor):
                    sha256, size = copy_hashed(source, descriptor, total=status.st_size, progress=progress)
                    if size != status.st_size or _identity(os.fstat(source)) != _identity(status):
                        raise InputRejected(
                            f"{name} changed while it was read.", hint="Wait until it is complete, then try again."
                        )
                    self._keep(descriptor, temporary, self._place_of(sha256))
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise translated(error, name) from error
        return Artifact(sha256, size)

    def _keep(self, descriptor: int, temporary: Path, place: Path) -> None:
        """Let the new copy be the artifact, or note that the one which is there has been brought in again."""
        with self._locked(fcntl.LOCK_SH):
            try:
                os.utime(place)
            except FileNotFoundError:
                os.fchmod(descriptor, 0o444)
                os.utime(descriptor)  # a copy may have taken long: its grace begins now
                os.fsync(descriptor)
                self._publish(temporary, place)

    def _new_temporary(self) -> tuple[int, Path]:
        """A file to write to, locked for as long as it is open: by that a sweep knows that somebody is at it."""
        while True:
            descriptor, path = tempfile.mkstemp(dir=self._incoming)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor, Path(path)
            os.close(descriptor)  # a sweep was quicker than the lock

    def _publish(self, temporary: Path, place: Path) -> None:
        if not place.parent.is_dir():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self._content)
        temporary.replace(place)
        sync_directory(place.parent)

    def _sweep(self) -> None:
        """Remove what processes that were killed have left: files that nobody has locked."""
        with suppress(OSError):
            for left in self._incoming.iterdir():
                with suppress(OSError):
                    self._remove_unlocked(left)

    def _remove_unlocked(self, path: Path) -> None:
        descriptor = os.open(path, READ)
        with closing(descriptor):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.name.startswith(PREFIX):
                with self._locked(fcntl.LOCK_SH):
                    make_up_for(descriptor, self._content, self.is_whole)
            path.unlink()


def _check_size(status: os.stat_result, name: str, limit_bytes: int, hint: str) -> None:
    if status.st_size > limit_bytes:
        raise InputRejected(f"{name} has {status.st_size:,} bytes; the limit is {limit_bytes:,}.", hint=hint)


def _identity(status: os.stat_result) -> tuple[int, int]:
    # Without the ctime: it moves when the file is renamed or gets another link, and its content does not.
    return status.st_size, status.st_mtime_ns


def _rename_to_new(temporary: Path, target: Path) -> None:
    """Rename, unless the name has been taken meanwhile: only a link refuses that in one step."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the check before the copy has to do
        temporary.replace(target)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("r+b") as writer:
        copy(reader.fileno(), writer.fileno())
        os.fsync(writer.fileno())


@contextmanager
def _written_beside(target: Path) -> Iterator[Path]:
    """A new file in the folder of the target, with the mode that the umask leaves; gone when it was not renamed."""
    temporary = target.with_name(f".pitchey-{os.getpid()}-{time.monotonic_ns():x}.part")  # of any name, it fits
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    except FileNotFoundError as error:
        raise InputNotFound(f"There is no folder {target.parent}.") from error
    except PermissionError as error:
        raise Denied(f"{target.parent} may not be written.") from error
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _exists(target: Path) -> UsageError:
    return UsageError(f"{target} exists already.", hint="Name another file, or allow it to be overwritten.")
