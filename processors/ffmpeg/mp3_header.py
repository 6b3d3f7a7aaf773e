"""The note that encoders leave in the first frame of an MP3 of how long it is: Xing's, LAME's Info, or Fraunhofer's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

_HEAD_BYTES = 60  # of a frame: within these stands the note, behind at most 36 bytes
_NAMES = (b"Xing", b"Info", b"VBRI")


@dataclass(frozen=True, slots=True)
class Note:
    """What a note says, as far as it was read."""

    first: int  #: byte of the file at which its frame begins
    data: bytes  #: from its name on


def find_note(file: BinaryIO) -> Note | None:
    """Look for the note, behind the tags that a file may begin with."""
    file.seek(0)
    head, first = file.read(10), 0
    if head[:3] == b"ID3":  # ID3v2.4, section 3.1: the size has seven bits in each byte
        first = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    file.seek(first)
    frame = file.read(_HEAD_BYTES)
    at = max(frame.find(name) for name in _NAMES)
    return Note(first, frame[at:]) if frame[:1] == b"\xff" and at >= 0 else None
