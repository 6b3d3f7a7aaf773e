"""Open files below a directory that somebody else can write, without ever following a link of theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # without blocking: the name may turn out to be a pipe
_STEP = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


class Outside(Exception):
    """A path leads out of its folder, or to nothing in it."""


@contextmanager
def closing(descriptor: int) -> Iterator[None]:
    """Close a descriptor at the end."""
    try:
        yield
    finally:
        os.close(descriptor)


def parts_within(relative: str) -> tuple[str, ...]:
    """The parts of a path, which others have chosen.

    Raises:
        Outside: it leads out of its folder, or to none.
    """
    parts = PurePosixPath(relative).parts
    if not parts or relative.startswith("/") or ".." in parts or "\0" in relative:
        raise Outside
    return parts


def open_beneath(root: Path, parts: Sequence[str]) -> int:
    """Open a file below `root` for reading, component by component, following no link.

    Args:
        root: a directory whose entry nobody else can replace.
        parts: of a path that stays below it; see `parts_within`.

    Raises:
        OSError: ELOOP or ENOTDIR behind a link, ENXIO for a socket, and what else keeps a file from being opened.
    """
    directory = os.open(root, _STEP)
    for part in parts[:-1]:
        parent = directory
        with closing(parent):
            directory = os.open(part, _STEP, dir_fd=parent)
    with closing(directory):
        return os.open(parts[-1], READ | os.O_NOFOLLOW, dir_fd=directory)
