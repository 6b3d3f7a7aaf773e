"""Open files below a directory that somebody else can write, without ever following a link of theirs."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pitchey_cli.artifacts.copying import translated
from pitchey_cli.domain.errors import InputRejected, PitcheyError

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # without blocking: the name may turn out to be a pipe
_STEP = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


@contextmanager
def closing(descriptor: int) -> Iterator[None]:
    """Close a descriptor at the end."""
    try:
        yield
    finally:
        os.close(descriptor)


def parts_within(relative: str) -> tuple[str, ...]:
    """The parts of an output's path, which others have chosen.

    Raises:
        InputRejected: it leads out of its folder, or to none.
    """
    parts = PurePosixPath(relative).parts
    if not parts or relative.startswith("/") or ".." in parts or "\0" in relative:
        raise InputRejected(f"The output {relative!r} lies outside of its folder.")
    return parts


def open_beneath(root: Path, relative: str) -> int:
    """Open a file below `root` for reading, component by component, following no link.

    `root` itself must be a directory whose entry nobody else can replace.
    """
    parts = parts_within(relative)
    try:
        directory = os.open(root, _STEP)
        for part in parts[:-1]:
            parent = directory
            with closing(parent):
                directory = os.open(part, _STEP, dir_fd=parent)
        with closing(directory):
            return os.open(parts[-1], READ | os.O_NOFOLLOW, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise InputRejected(f"The output {relative} is behind a link.") from error
        if error.errno == errno.ENXIO:
            raise InputRejected(f"The output {relative} is not a regular file.") from error
        raise translated(error, f"the output {relative}") from error


def read_beneath(root: Path, relative: str, *, limit_bytes: int, begin: int = 0) -> bytes | None:
    """The content of a regular file below `root`; None when there is none, or it is no such file, or too large.

    Args:
        begin: where to start; what comes before has been read.
    """
    try:
        descriptor = open_beneath(root, relative)
    except PitcheyError:
        return None
    with closing(descriptor):
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit_bytes:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            file.seek(begin)
            return file.read(max(0, status.st_size - begin))
