"""How bytes get from one open file to another: shared by the file system where it can, copied and hashed where not."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from pitchey_cli.artifacts.port import ProgressCallback
from pitchey_cli.domain.errors import Denied, InputNotFound, PitcheyError, StoreError

CHUNK_BYTES = 1024 * 1024
_HEX = frozenset("0123456789abcdef")
_FICLONE = 0x40049409  # linux/fs.h, _IOW(0x94, 9, int): both files share their blocks until one is written


def is_name(sha256: str) -> bool:
    """Whether it can be the name of an artifact: it becomes a path, and a key."""
    return len(sha256) == 64 and _HEX.issuperset(sha256)


def reflink(source: int, target: int) -> bool:
    """Let an empty file share the blocks of another; False where the file system cannot (Btrfs and XFS can)."""
    try:
        import fcntl  # late: not every platform has it

        fcntl.ioctl(target, _FICLONE, source)
    except (ImportError, OSError):
        return False
    return True


def copy_hashed(source: int, target: int, *, total: int, progress: ProgressCallback | None) -> tuple[str, int]:
    """Bring the content of `source` into the empty `target`; its SHA-256 and how many bytes there were.

    Reads once. Reads no more than one chunk beyond `total`, so that a file that grows cannot fill the disk; the caller
    compares the sizes.
    """
    is_shared = reflink(source, target)
    reader = target if is_shared else source  # the shared copy does not change while it is read
    digest, done, buffer = hashlib.sha256(), 0, memoryview(bytearray(min(CHUNK_BYTES, total + 1)))
    while done <= total:
        count = os.readv(reader, [buffer])
        if count == 0:
            break
        digest.update(buffer[:count])
        if not is_shared:
            write_all(target, buffer[:count])
        done += count
        if progress is not None:
            progress(done, total)
    return digest.hexdigest(), done


def hashed(source: int, *, progress: ProgressCallback | None) -> str:
    """The SHA-256 of what an open file holds."""
    digest, done, buffer = hashlib.sha256(), 0, memoryview(bytearray(CHUNK_BYTES))
    total = os.fstat(source).st_size
    while count := os.readv(source, [buffer]):
        digest.update(buffer[:count])
        done += count
        if progress is not None:
            progress(done, total)
    return digest.hexdigest()


def copy(source: int, target: int) -> None:
    """The same without a hash: within the kernel."""
    if reflink(source, target):
        return
    offset = 0
    while count := os.sendfile(target, source, offset, 64 * CHUNK_BYTES):
        offset += count


def write_all(target: int, data: memoryview) -> None:
    """Write everything; a single write may take less than it is given."""
    while data:
        data = data[os.write(target, data) :]


def sync_directory(directory: Path) -> None:
    """Make a rename into the directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def translated(error: OSError, subject: str | Path) -> PitcheyError:
    """What a foreign error means to the user. `subject` is the file that the user knows."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"The disk is full: {subject} was not kept.", hint="Make room and try again.")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return InputNotFound(f"There is no file at {subject}.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(f"{subject}: {reason}.", hint="Check the owner and the mode of the file and its folder.")
    return StoreError(f"{subject}: {reason}.")
