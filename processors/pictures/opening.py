"""A picture, open; or one clear reason why it cannot be."""

from __future__ import annotations

import errno
import io
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from processors.worker.context import Rejected

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")
MOST_PIXELS = 100_000_000  # of a picture that is decoded; A3 at 600 dots per inch has 70 million
DEEP = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})  #: modes of more than eight bits
_ORIENTATION = 274  # Exif 2.32, 4.6.4
#: what Pillow raises of a picture that is cut off or damaged, depending on its format
_STRANGE = (
    OSError, EOFError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError, RuntimeError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
#: of an OSError: Pillow gives none, and a seek to where nothing can be has the first; others are the machine's
_OF_THE_PICTURE = frozenset({None, errno.EINVAL, errno.EOVERFLOW})
_MARKS = (b"\x89PNG", b"\xff\xd8\xff", b"II", b"MM", b"RIFF", b"GIF8", b"BM")
_MARK_BYTES = 4


@contextmanager
def opened(source: Path | bytes, name: str) -> Iterator[Any]:
    """Open a picture; what Pillow raises of it while it is used is told as well.

    Yields:
        Pillow's picture, not yet decoded: whoever decodes it asks `refuse_large` before.

    Raises:
        Rejected: it is no picture, or broken.
    """
    Image.MAX_IMAGE_PIXELS = None  # `refuse_large` says it in our words, and there is one limit
    try:
        # From an open file: of a path Pillow maps some TIFFs into memory, and the turned ones as if they were not.
        with (
            io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
            Image.open(file, formats=FORMATS) as picture,
        ):
            yield picture
    except _STRANGE as error:
        if isinstance(error, OSError) and error.errno not in _OF_THE_PICTURE:
            raise
        if isinstance(error, UnidentifiedImageError) and not _begins_as_one(source):
            hint = f"Pictures are {', '.join(FORMATS)}."
            raise Rejected("not_a_picture", f"{name} is no picture.", hint) from error
        hint = "The file seems to be cut off or damaged: copy or scan it again."
        raise Rejected("damaged_picture", f"{name} is a picture that cannot be read.", hint) from error


def _begins_as_one(source: Path | bytes) -> bool:
    if isinstance(source, bytes):
        return source.startswith(_MARKS)
    with source.open("rb") as file:
        return file.read(_MARK_BYTES).startswith(_MARKS)


def refuse_large(picture: Image.Image, name: str, most: int = MOST_PIXELS) -> None:
    """Refuse a picture that has too many pixels.

    Raises:
        Rejected: it has.
    """
    if picture.width * picture.height > most:
        size = f"{picture.width} x {picture.height} pixels"
        raise Rejected("picture_too_large", f"{name} has {size}; at most {most // 1_000_000} million are read.")


def turned_by(picture: Image.Image) -> int:
    """How the camera was held, as Exif's orientation from 1 to 8; what cannot be read counts as upright."""
    try:
        value = int(picture.getexif().get(_ORIENTATION, 1))
    except _STRANGE:
        return 1
    return value if 1 <= value <= 8 else 1


def upright(picture: Image.Image) -> Image.Image:
    """A picture the right way up, decoded; one whose Exif cannot be read stays as it is."""
    picture.load()
    try:
        return ImageOps.exif_transpose(picture)
    except _STRANGE:
        return picture


def in_eight_bits(picture: Image.Image) -> Image.Image:
    """A grey picture of more bits in eight: all of the scale that its values are likely to have, and not its start."""
    if picture.mode not in DEEP:
        return picture
    if picture.mode in ("I;16B", "I;16L", "I;16N"):
        picture = picture.convert("I")
    low, high = _extrema(picture)
    deep: Any = picture.convert("F")
    if not (math.isfinite(low) and math.isfinite(high)):
        return _eight(deep)
    if picture.mode == "F" and low >= 0 and high <= 1:
        scale = 255.0
    elif picture.mode == "F" and low >= 0 and high <= 255:
        scale = 1.0
    elif low >= 0 and high <= 65_535:
        scale = 1 / 257
    else:
        scale = 255 / max(high - low, 1e-9)
        return _eight(deep.point(lambda value: value * scale - low * scale))
    return _eight(deep.point(lambda value: value * scale + 0.0))


def _eight(picture: Image.Image) -> Image.Image:
    made = picture.convert("L")
    made.info.pop("transparency", None)  # it is a value of the other scale
    return made


def _extrema(picture: Image.Image) -> tuple[float, float]:
    found: Any = picture.getextrema()
    return float(found[0]), float(found[1])
