"""Which tracks of an MP4 show by themselves: a bit that FFmpeg sets for one of each kind, whatever it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_ENABLED = 1  # ISO/IEC 14496-12, 8.3.2.3: of the flags of a track's header
_SUBTITLES = b"sbtl"  # the handler of QuickTime's texts over a picture; chapters have another one


def switch_subtitles_off(path: Path) -> None:
    """Leave it to whoever watches whether subtitles are shown."""
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        for kind, start, stop in _boxes(file, 0, end):
            if kind == b"moov":
                for each, first, last in _boxes(file, start, stop):
                    if each == b"trak":
                        _switch_off(file, first, last)


def _switch_off(file: BinaryIO, start: int, stop: int) -> None:
    inside = {kind: (first, last) for kind, first, last in _boxes(file, start, stop)}
    if b"tkhd" not in inside or b"mdia" not in inside:
        return
    handlers = [first for kind, first, _ in _boxes(file, *inside[b"mdia"]) if kind == b"hdlr"]
    if not handlers:
        return
    file.seek(handlers[0] + 8)  # behind version and flags, and four bytes that mean nothing
    if file.read(4) != _SUBTITLES:
        return
    place = inside[b"tkhd"][0] + 3  # behind the version and two bytes of flags
    file.seek(place)
    flags = file.read(1)[0]
    file.seek(place)
    file.write(bytes([flags & ~_ENABLED]))


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes of a part of the file: what each is, and where what is in it begins and ends."""
    while start + 8 <= stop:
        file.seek(start)
        head = file.read(16)
        size, kind, inside = int.from_bytes(head[:4], "big"), head[4:8], start + 8
        if size == 1:
            size, inside = int.from_bytes(head[8:16], "big"), start + 16
        end = stop if size == 0 else start + size
        if end < inside or end > stop:
            return
        yield kind, inside, end
        start = end
