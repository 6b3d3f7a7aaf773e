"""A picture, open: its frames as pages, within limits, in colours that a PDF has; or one clear reason why not."""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence, UnidentifiedImageError

from processors.worker.context import Rejected

MOST_PIXELS = 100_000_000  # of a page: A3 with 600 dots per inch has 70 million
MOST_PAGES = 2_000
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_SCREEN_DPI = 96.0
_PAPER_INCHES = 11.7  # the longer side of A4, which a picture without a size is taken for ...
_LEAST_OF_PAPER = 1500  # ... that has so many pixels on it
_DPI = (20.0, 4800.0)  # what a picture says beyond is not believed

_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError, KeyError, TypeError, OverflowError)


@contextmanager
def opened(path: Path, name: str) -> Iterator[Image.Image]:
    """Open a picture. Nothing of it is unpacked before its size is known.

    Raises:
        Rejected: it is too large, or cannot be read, here or while it is used.
    """
    Image.MAX_IMAGE_PIXELS = None  # it is looked at below, with a better sentence
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=_FORMATS) as image:
                yield image
        except UnidentifiedImageError as error:
            raise _damaged(name) from error
        except _DAMAGED as error:
            raise _damaged(name, error) from error


def pages(image: Image.Image, name: str) -> Iterator[Image.Image]:
    """The frames of a TIFF are pages; those of an animation are not, and the first stands for it.

    Raises:
        Rejected: a page is too large, or there are too many.
    """
    frames: Iterator[Image.Image] = ImageSequence.Iterator(image) if image.format == "TIFF" else iter([image])
    for index, frame in enumerate(frames):
        if index >= MOST_PAGES:
            raise Rejected("too_many_pages", f"{name} has more than {MOST_PAGES} pages.", "Divide it.")
        width, height = frame.size
        if width * height > MOST_PIXELS:
            most = MOST_PIXELS // 1_000_000
            raise Rejected(
                "picture_too_large",
                f"{name} has {width} x {height} pixels; at most {most} million are read.",
                "Scan it with fewer dots per inch, or make it smaller.",
            )
        yield frame


def resolution(image: Image.Image) -> tuple[float, float]:
    """Dots per inch across and down: what the picture says, where that can be, else as of a page or of a screen."""
    longest = max(image.size)
    found = image.info.get("dpi")
    try:
        across, down = (float(value) for value in found) if found else (0.0, 0.0)
    except (TypeError, ValueError, ZeroDivisionError):
        across = down = 0.0
    is_said = all(math.isfinite(value) and _DPI[0] <= value <= _DPI[1] for value in (across, down))
    # Programs write 72 or 96 where they know nothing.
    if is_said and not (max(across, down) <= _SCREEN_DPI and longest >= _LEAST_OF_PAPER):
        return across, down
    guess = longest / _PAPER_INCHES if longest >= _LEAST_OF_PAPER else _SCREEN_DPI
    return guess, guess


def plain(image: Image.Image) -> Image.Image:
    """In black and white, grey or red, green and blue, on white where it lets through."""
    if image.mode in ("1", "L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # of 16 bits and more, or 32
        return _eight_bits(image.convert("I"), 1 / 256)
    if image.mode == "F":
        low, high = _extremes(image)
        return _eight_bits(image, 255 / (high - low) if high > low else 1.0, low)
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        colours = image.convert("RGBA")
        ground = Image.new("RGB", image.size, "white")
        ground.paste(colours, mask=colours.getchannel("A"))
        return ground
    return image.convert("RGB")


def fewest(image: Image.Image) -> Image.Image:
    """With no more colours than it needs: grey that is in three bands is one, and black and white alone is one bit."""
    colours = image.getcolors(256)
    if colours is None or image.mode == "1":
        return image
    if image.mode == "RGB":
        if any(not red == green == blue for _, (red, green, blue) in colours):  # type: ignore[misc]
            return image
        image = image.convert("L")
        colours = [(count, colour[0]) for count, colour in colours]  # type: ignore[index]
    if {colour for _, colour in colours} <= {0, 255}:
        return image.convert("1", dither=Image.Dither.NONE)
    return image


def _eight_bits(image: Image.Image, factor: float, low: float = 0.0) -> Image.Image:
    return image.point(lambda value: value * factor - low * factor).convert("L")


def _extremes(image: Image.Image) -> tuple[float, float]:
    low, high = image.getextrema()
    return float(low), float(high)  # type: ignore[arg-type]  # of a picture with one band


def _damaged(name: str, error: Any = None) -> Rejected:
    hint = "The file seems to be cut off or damaged: copy or scan it again."
    why = f": {str(error).rstrip('.')}" if error is not None and str(error) else ""
    return Rejected("damaged_picture", f"{name} is a picture that cannot be read{why}.", hint)
