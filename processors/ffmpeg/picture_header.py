"""Pure: what a PNG, JPEG, WebP, GIF or BMP says of itself in its first bytes, before its picture is made."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # of JPEG: those that hold the size; ITU-T T.81, table B.1
_OLD_BMP = 12  # bytes of the header that OS/2 wrote, with sides of 16 bits
_ANIMATION = 0x02  # of WebP's flags


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's format and size."""

    format: str
    width: int
    height: int
    is_animated: bool = False


def header(data: bytes) -> Header | None:
    """Read a picture's header; None if it is none of these formats, or broken.

    Args:
        data: the file, or at least its beginning: of a JPEG up to its first frame, which comes after its metadata.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            return Header("PNG", *struct.unpack_from(">II", data, 16))
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            width, height = struct.unpack_from("<HH", data, 6)
            return Header("GIF", width, height, is_animated=True)  # as far as this says
        if data.startswith(b"BM"):
            return _bmp(data)
    except (struct.error, IndexError):  # it ends too early
        pass
    return None


def _jpeg(data: bytes) -> Header | None:
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Header("JPEG", width, height)
        at += 1 if marker == 0xFF else 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    return None


def _bmp(data: bytes) -> Header | None:
    (size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if size == _OLD_BMP else "<ii", data, 18)
    return Header("BMP", abs(width), abs(height))  # a negative height: the first row is the upper one


def _webp(data: bytes) -> Header | None:
    match data[12:16]:
        case b"VP8X":
            width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
            return Header("WebP", width, height, is_animated=bool(data[20] & _ANIMATION)) if len(data) >= 30 else None
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return Header("WebP", width & 0x3FFF, height & 0x3FFF)
    return None
