"""By how much a scan is askew: where lines of text are level, the rows of the picture differ the most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageOps

_WIDTH = 600  # pixels that are enough to tell
_MOST = 8.0  # degrees; what is more was meant
_STEPS = (1.0, 0.25, 0.05)  # degrees: from coarse to fine
LEAST = 0.5  # degrees; tesseract reads what is less as well, and turning blurs
_CLEAR = 1.5  # times: so much better than as it stands, or it stays; what is askew is 1.6 to 90 times, what is not 1.3


def skew_of(picture: Image.Image) -> float:
    """Say by how many degrees a picture is turned to the left; its lines are level when it is turned back. 0 for few.

    Args:
        picture: in grey; lines may be level or upright.
    """
    factor = max(1, round(min(picture.size) / _WIDTH))
    small = ImageOps.invert(ImageOps.autocontrast(picture.reduce(factor), cutoff=1))
    angle, clearness = _best(small)
    other, other_clearness = _best(small.transpose(Image.Transpose.ROTATE_90))
    if other_clearness > clearness:
        angle, clearness = other, other_clearness
    return angle if LEAST <= abs(angle) < _MOST and clearness >= _CLEAR else 0.0


def _best(picture: Image.Image) -> tuple[float, float]:
    """The angle whose rows differ most, and by how much more than as it stands."""
    level = _contrast(picture, 0.0)
    best, most = 0.0, level
    reach = _MOST
    for step in _STEPS:
        middle = best
        for count in range(-round(reach / step), round(reach / step) + 1):
            angle = middle + count * step
            contrast = _contrast(picture, angle)
            if contrast > most:
                best, most = angle, contrast
        reach = step
    return best, most / level if level else 1.0


def _contrast(picture: Image.Image, angle: float) -> float:
    """How much the rows differ when a picture is turned; here its columns are moved, which is as good and faster."""
    slope = math.tan(math.radians(angle))
    width, height = picture.size
    moved = picture.transform((width, height), Image.Transform.AFFINE, (1, 0, 0, -slope, 1, slope * width / 2))
    rows: Sequence[int] = moved.resize((1, height), Image.Resampling.BOX).tobytes()
    return float(sum((one - other) ** 2 for one, other in pairwise(rows)))
