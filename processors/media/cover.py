"""A cover: what its bytes are, without decoding them first, and why they are refused."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from math import isqrt
from pathlib import Path
from typing import Literal, cast

import av
from av.container import InputContainer
from av.error import FFmpegError

from processors.ffmpeg.opening import opened
from processors.ffmpeg.picture_header import header
from processors.ffmpeg.safety import MOST_COVER_PIXELS
from processors.ffmpeg.streams import Probe
from processors.worker.context import Rejected

_MOST_BYTES = 16 * 1024 * 1024 - 64 * 1024  # a picture in FLAC, and a frame of ID3v2, cannot be larger
_LARGEST = "x".join([str(isqrt(MOST_COVER_PIXELS))] * 2)
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_FRONT = 3  # the kind of a picture: front cover; ID3v2.4, section 4.14, which FLAC and Ogg have taken over
_KINDS: Mapping[str, Literal["jpeg", "png"]] = {"JPEG": "jpeg", "PNG": "png"}


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture that goes into a sound file."""

    data: bytes
    kind: Literal["jpeg", "png"]
    width: int
    height: int

    @property
    def block(self) -> bytes:
        """As FLAC keeps it, which Ogg keeps in a comment: RFC 9639, section 8.8."""
        media_type = f"image/{self.kind}".encode()
        depth = 24
        head = struct.pack(">II", _FRONT, len(media_type)) + media_type + struct.pack(">I", 0)
        return head + struct.pack(">IIIII", self.width, self.height, depth, 0, len(self.data)) + self.data


def read(path: Path, name: str) -> Cover:
    """Read a cover that a user gives.

    Raises:
        Rejected: it is no picture, or none of a sensible size.
    """
    hint = f"A cover is a JPEG or PNG of at most {_LARGEST} pixels and 16 MB; 3000x3000 is usual."
    if path.stat().st_size > _MOST_BYTES:
        raise Rejected(
            "cover_too_large", f"The cover {name} has {path.stat().st_size} bytes, which no tag holds.", hint
        )
    data = path.read_bytes()
    found = _looked_at(data)
    if found is None:
        what = "is damaged" if data.startswith((_PNG, _JPEG)) else "is no JPEG or PNG"
        raise Rejected("cover_invalid", f"The cover {name} {what}.", hint)
    if found.width * found.height > MOST_COVER_PIXELS:
        size = f"{found.width}x{found.height}"
        raise Rejected("cover_too_large", f"The cover {name} has {size} pixels, which no player shows.", hint)
    if not _is_whole(found):
        raise Rejected("cover_invalid", f"The cover {name} is damaged.", hint)
    return found


def of_file(path: Path, name: str, probe: Probe) -> Cover | None:
    """The cover that a file has, where it is one that can be kept."""
    indices = [other.index for other in probe.others if other.kind == "cover"]
    if not indices:
        return None
    data = b""
    with opened(path, name) as container, suppress(FFmpegError):
        data = next((bytes(packet) for packet in container.demux(container.streams[indices[0]]) if packet.size), b"")
    found = _looked_at(data)
    return found if found is not None and found.width * found.height <= MOST_COVER_PIXELS else None


def _looked_at(data: bytes) -> Cover | None:
    found = header(data)
    if found is None or (kind := _KINDS.get(found.format)) is None:
        return None
    return Cover(data, kind, found.width, found.height)


def _is_whole(cover: Cover) -> bool:
    form = "jpeg_pipe" if cover.kind == "jpeg" else "png_pipe"
    try:
        with cast(InputContainer, av.open(BytesIO(cover.data), format=form)) as container:
            return next(container.decode(video=0), None) is not None
    except (FFmpegError, IndexError):
        pass
    return False
