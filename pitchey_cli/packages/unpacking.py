"""An archive from a slot -> files below a directory.

Whoever wrote it may be anybody. So it is no tar file, which can name links, devices, owners and places elsewhere: it is
gzip of the frames that slots speak in, and has names and bytes, and nothing else can be said in it:

    J {"name":"python/requests/__init__.py","size":5057,"isExecutable":false}
    R... R...                 the bytes of the file, and then the next
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pitchey_cli.domain.errors import InputRejected
from processors.code.frames import RAW, BadFrame, Frame, FrameDecoder
from processors.code.packages import LIMITS, PackageLimits
from processors.code.reading import BadDocument, Fields
from processors.names import problem_with

_PIECE_BYTES = 1 << 16
_NAME_CHARACTERS = 4096


def unpack(archive: BinaryIO, directory: Path, limits: PackageLimits = LIMITS) -> None:
    """Write the files of an archive below an empty directory that nobody else writes to.

    Raises:
        InputRejected: it has what cannot be, or too much; the directory is of no use then.
    """
    try:
        _Unpacking(directory, limits).take(_frames(archive))
    except (BadFrame, BadDocument) as error:
        raise InputRejected(f"The packages cannot be taken: {error}.") from error


def _frames(archive: BinaryIO) -> Iterator[Frame]:
    decoder = FrameDecoder()
    try:
        with gzip.GzipFile(fileobj=archive) as packed:
            while data := packed.read(_PIECE_BYTES):
                yield from decoder.feed(data)
    except (OSError, EOFError, zlib.error) as error:
        raise BadFrame(f"their archive is damaged: {error}") from error
    if not decoder.is_between_frames:
        raise BadFrame("their archive ends within a file")


class _Unpacking:
    def __init__(self, directory: Path, limits: PackageLimits) -> None:
        self._directory = directory
        self._limits = limits
        self._files = 0
        self._bytes = 0

    def take(self, frames: Iterator[Frame]) -> None:
        for frame in frames:
            fields = Fields(frame.document())
            name = fields.text("name", _NAME_CHARACTERS)
            size = fields.whole("size", 0, 1 << 50)
            if problem := problem_with(name):
                raise BadDocument(f"the name {name!r} {problem}")
            self._files += 1
            self._bytes += size
            if self._files > self._limits.files:
                raise BadDocument(f"there are more than {self._limits.files:,} files")
            if self._bytes > self._limits.unpacked_bytes:
                raise BadDocument(f"they are larger than {self._limits.unpacked_bytes:,} bytes")
            try:
                self._write(name, size, 0o755 if fields.flag("isExecutable") else 0o644, frames)
            except (FileExistsError, NotADirectoryError) as error:
                raise BadDocument(f"the name {name!r} comes twice, or is a directory as well") from error

    def _write(self, name: str, size: int, mode: int, frames: Iterator[Frame]) -> None:
        path = self._directory
        for part in name.split("/")[:-1]:
            path /= part
            if not path.is_dir():
                path.mkdir()
                path.chmod(0o755)  # whatever our own mask is: it is another user who reads it
        fd = os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            left = size
            while left:
                frame = next(frames, None)
                if frame is None or frame.kind != RAW or not 0 < len(frame.body) <= left:
                    raise BadFrame(f"the bytes of {name!r} do not come as announced")
                file.write(frame.body)
                left -= len(frame.body)
            os.fchmod(fd, mode)
