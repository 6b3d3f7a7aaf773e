"""Pure: a waveform as JSON, in version 2 of the format of BBC's audiowaveform, and as a picture."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_PIXELS = 16_384  # of the JSON; a player shows fewer
_LEAST_SAMPLES = 256
_WIDTH, _HEIGHT = 1800, 280
_WAVE, _GROUND = b"\x2b\x6c\xb0\xff", b"\xff\xff\xff\x00"


@dataclass(frozen=True, slots=True)
class Waveform:
    """The lowest and the highest sample, from -1 to 1, of each so many."""

    sample_rate: int
    samples_per_pixel: int
    lows: Sequence[float]
    highs: Sequence[float]

    def between(self, start: float, end: float | None) -> Waveform:
        """A part of it; seconds."""
        scale = self.sample_rate / self.samples_per_pixel
        span = slice(round(start * scale), None if end is None else max(1, round(end * scale)))
        return Waveform(self.sample_rate, self.samples_per_pixel, self.lows[span], self.highs[span])


def samples_per_pixel(seconds: float | None, sample_rate: int) -> int:
    """A power of two that keeps the picture of any recording small."""
    samples = _LEAST_SAMPLES
    while seconds is not None and seconds * sample_rate / samples > _MOST_PIXELS:
        samples *= 2
    return samples


def document(wave: Waveform) -> bytes:
    """Write it as JSON. Bits 8: numbers from -128 to 127."""
    pairs = zip(wave.lows, wave.highs, strict=True)
    data = [max(-128, min(127, round(value * 127))) for pair in pairs for value in pair]
    found = {
        "version": 2,
        "channels": 1,
        "sample_rate": wave.sample_rate,
        "samples_per_pixel": wave.samples_per_pixel,
        "bits": 8,
        "length": len(wave.lows),
        "data": data,
    }
    return json.dumps(found, separators=(",", ":")).encode() + b"\n"


def picture(wave: Waveform) -> bytes:
    """Draw it as a PNG, on a ground that lets through what is behind."""
    middle = (_HEIGHT - 1) / 2
    spans: list[tuple[int, int]] = []
    for column in range(_WIDTH):
        first = column * len(wave.lows) // _WIDTH
        last = max(first + 1, (column + 1) * len(wave.lows) // _WIDTH)
        low, high = min(wave.lows[first:last], default=0.0), max(wave.highs[first:last], default=0.0)
        spans.append((round(middle - min(1.0, high) * middle), round(middle - max(-1.0, low) * middle)))
    rows = bytearray()
    for row in range(_HEIGHT):
        rows.append(0)  # no filter
        for top, bottom in spans:
            rows += _WAVE if top <= row <= bottom else _GROUND
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 6, 0, 0, 0)  # eight bits of red, green, blue, alpha
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(bytes(rows))), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
