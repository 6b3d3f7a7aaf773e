"""Short contents, on disk before the files are that they make: one wait for the disk, for as many as come together.

A file of its own that survives a power cut takes two waits for the disk, for the file and for its name. So many short
ones are written without any, and what is in them goes into a journal before, which is waited for once: a file that has
its name is on disk, or in a journal that is. So whoever finds a content there may rely on it. When a journal is full
another is begun, all files are synced in the background, and the old one goes. One that a process has left is read by
the next that comes, which makes anew what is missing, and torn or empty after a power cut.

    entry: SHA-256 (32 bytes), length (8 bytes, little-endian), content
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pitchey_cli.artifacts.copying import sync_directory, write_all
from processors.beneath import closing

PREFIX = "journal-"
_FULL_BYTES = 1024 * 1024
_HEAD_BYTES = 40
_HASH_BYTES = 32
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


class Journal:
    """The journal of this process. It may be used by several threads."""

    def __init__(self, directory: Path, content: Path) -> None:
        """Begin with none.

        Args:
            directory: where journals lie, on the file system of the files.
            content: where the files are made, `ab/<hash>`.
        """
        self._directory = directory
        self._content = content
        self._adding = threading.Lock()
        self._descriptor: int | None = None
        self._path = directory
        self._size = 0

    def add(self, contents: Mapping[str, bytes]) -> None:
        """Make files of contents, and return when all would survive a power cut.

        Args:
            contents: by their SHA-256, in hexadecimal digits.
        """
        data = b"".join(
            bytes.fromhex(sha256) + len(each).to_bytes(8, "little") + each for sha256, each in contents.items()
        )
        with self._adding:  # files and their entry in one step: who begins another journal syncs all of this one's
            if self._descriptor is None:
                self._descriptor, self._path = _begun(self._directory)
                self._size = 0
            try:
                write_all(self._descriptor, memoryview(data))
                os.fdatasync(self._descriptor)
            except OSError:  # a full disk has taken a part: what came behind that would not be read again
                self._end()
                raise
            _make(self._content, contents)
            self._size += len(data)
            if self._size >= _FULL_BYTES:
                self._end()

    def _end(self) -> None:
        """Let go of the journal in the background; the next entry begins another."""
        threading.Thread(target=_let_go, args=(self._descriptor, self._path), daemon=True).start()
        self._descriptor = None


def make_up_for(journal: int, content: Path, is_whole: Callable[[str], bool]) -> None:
    """Make what a journal has and a power cut took away, and wait until all of it is on disk."""
    for sha256, data in _entries(journal):
        if not is_whole(sha256):
            (content / sha256[:2] / sha256).unlink(missing_ok=True)
            _make(content, {sha256: data})
    _sync_all(journal)


def _make(content: Path, contents: Mapping[str, bytes]) -> None:
    """Make files, each of them complete when it has its name; the disk is not waited for."""
    for sha256, data in contents.items():
        directory = f"{content}/{sha256[:2]}"
        try:
            folder = os.open(directory, _FOLDER)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):  # another process was quicker
                os.mkdir(directory, 0o700)  # noqa: PTH102 - of every short result: a Path takes twice as long
            folder = os.open(directory, _FOLDER)
        with closing(folder):
            descriptor, name = _new_file(directory, sha256)
            with closing(descriptor):
                os.fchmod(descriptor, 0o444)  # whatever the umask
                write_all(descriptor, memoryview(data))
                if name is not None:
                    os.rename(name, sha256, src_dir_fd=folder, dst_dir_fd=folder)
                    continue
                with contextlib.suppress(FileExistsError):  # somebody else has just brought it in
                    os.link(f"/proc/self/fd/{descriptor}", sha256, dst_dir_fd=folder, follow_symlinks=True)


def _new_file(directory: str, sha256: str) -> tuple[int, str | None]:
    """A file to write to, which goes with the process until it has a name; where there is no such thing, its name."""
    try:
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), None
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
    name = f".{sha256}.{os.getpid()}"
    return os.open(f"{directory}/{name}", os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600), name


def _entries(journal: int) -> Iterator[tuple[str, bytes]]:
    """The contents in a journal, by their SHA-256; one that is torn is the last, and is none."""
    size = os.fstat(journal).st_size
    with os.fdopen(journal, "rb", closefd=False) as file:
        while len(head := file.read(_HEAD_BYTES)) == _HEAD_BYTES:
            length = int.from_bytes(head[_HASH_BYTES:], "little")
            if length > size:  # of one that is torn it may be anything
                return
            data = file.read(length)
            if hashlib.sha256(data).digest() != head[:_HASH_BYTES]:
                return
            yield head[:_HASH_BYTES].hex(), data


def _sync_all(descriptor: int) -> None:
    """Wait until all that was written to the file system of an open file is on disk."""
    if _libc.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _begun(directory: Path) -> tuple[int, Path]:
    """A new journal, locked for as long as it is open: by that others know that somebody is at it."""
    while True:
        descriptor, path = tempfile.mkstemp(prefix=PREFIX, dir=directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            sync_directory(directory)
            return descriptor, Path(path)
        os.close(descriptor)  # a sweep was quicker than the lock


def _let_go(descriptor: int, path: Path) -> None:
    """Remove a journal once the files that it is about are on disk; should that fail, the next process has it."""
    try:
        _sync_all(descriptor)
        path.unlink()
    except OSError:
        pass
    finally:
        os.close(descriptor)
