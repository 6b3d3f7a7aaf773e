"""Tiers, rates and sizes: the numbers, and where they come from.

A tier is a capped CRF: constant quality, with a ceiling for scenes that would cost too much. The ceiling is that of
1080p at 30 frames per second, scaled to the picture by the power of 0.75 (a rule of B. Waggoner's): from 7800 kb/s that
gives 4250 kb/s for 720p and 2750 kb/s for 540p, where Apple's HLS authoring specification has 4500 and 2000.
"""

from __future__ import annotations

from dataclasses import dataclass

from processors.specs import Quality


@dataclass(frozen=True, slots=True)
class Tier:
    """What one quality means; the constant qualities of each codec are in `codecs`."""

    ceiling_1080p30: int  # bits per second, of H.264; 7800k is Apple's top rung
    audio_per_channel: int  # bits per second
    jpeg_q: int  # ffmpeg's qscale: 2 is best, 31 worst


TIERS: dict[Quality, Tier] = {
    "low": Tier(3_900_000, 48_000, 6),
    "medium": Tier(7_800_000, 64_000, 4),
    "high": Tier(12_000_000, 80_000, 3),
    "ultra": Tier(20_000_000, 96_000, 2),
}

_REFERENCE_PIXEL_RATE = 1920 * 1080 * 30


def ceiling(tier: Tier, width: int, height: int, framerate: float) -> int:
    """The bits per second that a tier allows a picture, in whole kilobits."""
    share: float = (width * height * framerate / _REFERENCE_PIXEL_RATE) ** 0.75
    return max(100, round(tier.ceiling_1080p30 * share / 1000)) * 1000


def fit(width: int, height: int, box: str | None) -> tuple[int, int]:
    """Fit a picture into a box as 1280x720: never larger than it was, never distorted, both sides even."""
    box_width, box_height = (int(side) for side in box.split("x")) if box else (width, height)
    scale = min(1.0, box_width / width, box_height / height)
    return _even(width * scale, min(width, box_width)), _even(height * scale, min(height, box_height))


def is_larger(width: int, height: int, box: str) -> bool:
    """Whether a picture would have to be enlarged to fill a box."""
    box_width, box_height = (int(side) for side in box.split("x"))
    return min(box_width / width, box_height / height) > 1


def _even(side: float, limit: int) -> int:
    """Round to the nearest even number that is within the limit."""
    return max(2, min(round(side / 2) * 2, limit - limit % 2))
