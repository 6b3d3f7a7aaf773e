"""Frames: what crosses a slot's stdin and stdout, cut into pieces that say how long they are.

A frame is one byte for its kind, four for its length, and that many bytes. Each kind has a cap, and a length above it
is an error before a byte of it is read. Knows nothing of what is in a frame, but that a document is a JSON object.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

DOCUMENT = ord("J")  #: a JSON object
RAW = ord("R")  #: bytes of a file or stream

HEADER = struct.Struct(">BI")
CAPS = {DOCUMENT: 1 << 20, RAW: 1 << 16}


class BadFrame(Exception):
    """What came is no frame, or one that is too large."""


class Frame(NamedTuple):
    """One frame."""

    kind: int
    body: bytes

    def document(self) -> dict[str, Any]:
        """The JSON object in it.

        Raises:
            BadFrame: there is something else in it.
        """
        if self.kind != DOCUMENT:
            raise BadFrame("bytes where a document was expected")
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadFrame(f"a document that is no JSON: {error}") from error
        if not isinstance(document, dict):
            raise BadFrame("a document that is no object")
        return document


def encode_document(document: Mapping[str, Any]) -> bytes:
    """Put a document into a frame.

    Raises:
        BadFrame: it is too large.
    """
    return _encode(DOCUMENT, json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"))


def encode_raw(data: bytes) -> Iterator[bytes]:
    """Put bytes into as many frames as they need; none for no bytes."""
    for start in range(0, len(data), CAPS[RAW]):
        yield _encode(RAW, data[start : start + CAPS[RAW]])


def _encode(kind: int, body: bytes) -> bytes:
    if len(body) > CAPS[kind]:
        raise BadFrame(f"a frame of {len(body)} bytes; at most {CAPS[kind]} are allowed")
    return HEADER.pack(kind, len(body)) + body


def read_header(header: bytes) -> tuple[int, int]:
    """Kind and length of the frame that starts so.

    Raises:
        BadFrame: there is no such kind, or it is too long.
    """
    kind, length = HEADER.unpack(header)
    cap = CAPS.get(kind)
    if cap is None:
        raise BadFrame(f"a frame of the unknown kind {kind}")
    if length > cap:
        raise BadFrame(f"a frame of {length} bytes; at most {cap} are allowed")
    return kind, length


class FrameDecoder:
    """Puts frames together again from pieces of any size. Holds no more than one frame and the last piece."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether the stream may end here."""
        return not self._held

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take what was read, and give the frames that are whole.

        Raises:
            BadFrame: the stream is of no more use.
        """
        self._held += data
        while len(self._held) >= HEADER.size:
            kind, length = read_header(bytes(self._held[: HEADER.size]))
            end = HEADER.size + length
            if len(self._held) < end:
                return
            body = bytes(self._held[HEADER.size : end])
            del self._held[:end]
            yield Frame(kind, body)
