"""Pieces: how an engine sends a container's stdout and stderr over one connection. Pure.

Eight bytes before each: the stream, three zeros, and the length, big-endian (Docker's interface, "Attach to a
container"; Podman's is the same).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

_HEADER = struct.Struct(">B3xI")


class Stream(IntEnum):
    """Where a piece comes from."""

    STDOUT = 1
    STDERR = 2


class Piece(NamedTuple):
    """Some bytes of a stream."""

    stream: int
    data: bytes


class Pieces:
    """Puts pieces together again; a long one is given in parts, so that no length has to be believed."""

    def __init__(self) -> None:
        self._held = b""
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take what was read, and give what is in it."""
        self._held += data
        while self._held:
            if not self._left:
                if len(self._held) < _HEADER.size:
                    return
                self._stream, self._left = _HEADER.unpack_from(self._held)
                self._held = self._held[_HEADER.size :]
            part, self._held = self._held[: self._left], self._held[self._left :]
            self._left -= len(part)
            if part:
                yield Piece(self._stream, part)
