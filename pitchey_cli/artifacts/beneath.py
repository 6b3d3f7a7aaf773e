"""What an attempt has left, opened below its directory (processors/beneath.py), with errors in our words."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from pitchey_cli.artifacts.copying import translated
from pitchey_cli.domain.errors import InputRejected, PitcheyError
from processors import beneath
from processors.beneath import Outside, closing


def parts_within(relative: str) -> tuple[str, ...]:
    """The parts of an output's path, which others have chosen.

    Raises:
        InputRejected: it leads out of its folder, or to none.
    """
    try:
        return beneath.parts_within(relative)
    except Outside:
        raise InputRejected(f"The output {relative!r} lies outside of its folder.") from None


def open_beneath(root: Path, relative: str) -> int:
    """Open a file below `root` for reading, component by component, following no link.

    `root` itself must be a directory whose entry nobody else can replace.
    """
    parts = parts_within(relative)
    try:
        return beneath.open_beneath(root, parts)
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
