"""Whether the end of a file is missing, by what it tells of its own size: MP4, Matroska and AVI do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # RFC 8794, section 11.2.1, and RFC 9559, section 5.1
_MEDIA_BOXES = {b"moov", b"moof", b"mdat"}  # others may be padding, or what a camera has left there
_MOST_PARTS = 100_000  # of a file in fragments


def is_cut_off(path: Path) -> bool:
    """Say whether a file promises more bytes than it has; False where it promises nothing."""
    whole = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head.startswith(_EBML):
            ends = _end_of_matroska(file)
        elif head[:4] == b"RIFF":
            ends = _ends_of_riff(file)
        elif head[4:8] == b"ftyp" or head[4:8] in _MEDIA_BOXES:
            ends = _ends_of_boxes(file)
        else:
            return False
        return any(end > whole for end in ends)


def _end_of_matroska(file: BinaryIO) -> Iterator[int]:
    for kind in (_EBML, _SEGMENT):
        found, first = file.read(4), file.read(1)
        if found != kind or first in (b"", b"\0"):
            return
        length = 9 - first[0].bit_length()  # of the size; its first one-bit says it
        bits = 7 * length
        size = int.from_bytes(first + file.read(length - 1), "big") & ((1 << bits) - 1)
        if size == (1 << bits) - 1:  # unknown: of what was written to a pipe
            return
        if kind == _SEGMENT:
            yield file.tell() + size
        file.seek(size, 1)


def _ends_of_riff(file: BinaryIO) -> Iterator[int]:
    for _ in range(_MOST_PARTS):  # a long AVI has one for each two gigabytes
        head = file.read(8)
        if len(head) < 8 or head[:4] != b"RIFF":
            return
        size = int.from_bytes(head[4:], "little")
        yield file.tell() + size
        file.seek(size + size % 2, 1)


def _ends_of_boxes(file: BinaryIO) -> Iterator[int]:
    for _ in range(_MOST_PARTS):
        begin, head = file.tell(), file.read(16)
        if len(head) < 8:
            return
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        size = int.from_bytes(head[8:16], "big") if size == 1 else size
        if size < 8:  # 0: it goes on to the end
            return
        if kind in _MEDIA_BOXES:
            yield begin + size
        file.seek(begin + size)
