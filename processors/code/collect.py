"""What a job has left in files: taken when nobody of it is alive any more, as the job's user, and never by a path.

Every file is opened by openat2 below the job's directory, through no link. It has to be a regular file with one name,
because a second one may be the way to a file that was never the job's. Knows nothing of who wants it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

from processors.code.frames import encode_document, encode_raw
from processors.code.pipes import write_all
from processors.code.slot_protocol import JOB_DIR, Collection
from processors.code.slot_report import MAX_REFUSED
from processors.names import MAX_DEPTH, matches, may_hold, problem_with

_OPENAT2 = 437
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = (1 << bit for bit in range(4))
_HOW = _NO_XDEV | _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH
_MAX_ENTRIES = 20_000  # that are looked at
_PIECE_BYTES = 1 << 16
_NAME_CHARACTERS = 300

_libc = ctypes.CDLL(None, use_errno=True)


class _Output(NamedTuple):
    name: str
    size: int


class Found:
    """What is handed over, and what is not."""

    def __init__(self) -> None:
        self.outputs: list[_Output] = []
        self.refused: list[tuple[str, str]] = []

    def refuse(self, name: str, reason: str) -> None:
        if len(self.refused) < MAX_REFUSED:
            self.refused.append((printable(name), reason))


def work(wanted: Collection, answer: int, directory: str = JOB_DIR) -> None:
    """Write one document that lists what is handed over, and then the bytes of it."""
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = look(root, wanted)
    write_all(
        answer,
        encode_document(
            {
                "outputs": [{"name": output.name, "size": output.size} for output in found.outputs],
                "refused": [{"name": name, "reason": reason} for name, reason in found.refused],
            }
        ),
    )
    for output in found.outputs:
        fd = open_below(root, output.name)
        left = output.size
        while left:
            data = os.read(fd, min(left, _PIECE_BYTES))
            if not data:
                raise OSError(f"{output.name} has become shorter, and nobody is alive who could have done that")
            left -= len(data)
            for frame in encode_raw(data):
                write_all(answer, frame)
        os.close(fd)


def look(root: int, wanted: Collection) -> Found:
    """Find what is wanted, and see which of it can be handed over."""
    found = Found()
    left = wanted.max_bytes
    for name in _walk(root, wanted, found):
        if not any(matches(name, pattern) for pattern in wanted.patterns):
            continue
        if problem := problem_with(name):
            found.refuse(name, f"its name {problem}")
            continue
        try:
            size = _size(root, name)
        except OSError as error:
            found.refuse(name, "a symbolic link" if error.errno == errno.ELOOP else error.strerror or "not readable")
            continue
        if size is None:
            found.refuse(name, "no regular file, or one with several names")
        elif len(found.outputs) >= wanted.max_files:
            found.refuse(name, f"more than {wanted.max_files} files")
        elif size > left:
            found.refuse(name, f"{size} bytes, where {left} of {wanted.max_bytes} are left")
        else:
            found.outputs.append(_Output(name, size))
            left -= size
    return found


def _size(root: int, name: str) -> int | None:
    fd = open_below(root, name)
    try:
        status = os.fstat(fd)
        return status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else None
    finally:
        os.close(fd)


def _walk(root: int, wanted: Collection, found: Found) -> Iterator[str]:
    """Names of all that is no directory, in a fixed order; directories only where something wanted may be."""
    seen = 0
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        try:
            fd = open_below(root, directory or ".", os.O_DIRECTORY)
        except OSError as error:
            found.refuse(directory, error.strerror or "not readable")
            continue
        inner: list[str] = []
        names: list[str] = []
        with os.scandir(fd) as entries:
            for entry in entries:
                seen += 1
                if seen > _MAX_ENTRIES:
                    found.refuse(directory or ".", f"more than {_MAX_ENTRIES} entries in all: not all were looked at")
                    waiting.clear()
                    break
                name = f"{directory}/{entry.name}" if directory else entry.name
                (inner if entry.is_dir(follow_symlinks=False) else names).append(name)
        os.close(fd)
        yield from sorted(names)
        if directory.count("/") + 1 < MAX_DEPTH:
            waiting.extend(
                name
                for name in sorted(inner, reverse=True)
                if any(may_hold(name, pattern) for pattern in wanted.patterns)
            )


def open_below(root: int, name: str, flags: int = 0) -> int:
    """Open a file below a directory; a FIFO does not make us wait, and a terminal does not become ours."""
    flags |= os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    how = struct.pack("=QQQ", flags, 0, _HOW)
    fd = _libc.syscall(
        ctypes.c_long(_OPENAT2),
        ctypes.c_int(root),
        ctypes.c_char_p(os.fsencode(name)),
        ctypes.c_char_p(how),
        ctypes.c_size_t(len(how)),
    )
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(fd)


def printable(name: str) -> str:
    """A name that somebody hostile may have chosen, for people: bytes that are no text and controls are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )[:_NAME_CHARACTERS]
