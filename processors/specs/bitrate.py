"""Bit rates as ffmpeg writes them."""

from __future__ import annotations

BITRATE_PATTERN = r"^[1-9]\d{0,8}(\.\d{1,3})?[kKM]?$"


def bits_per_second(text: str) -> int:
    """Read a bit rate as ffmpeg writes it: 800000, 2500k, 4M."""
    factor = {"k": 1000, "K": 1000, "M": 1_000_000}.get(text[-1])
    return round(float(text[:-1]) * factor) if factor else round(float(text))
