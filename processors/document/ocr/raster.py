"""A page as a picture in grey, as fine as the scan that is on it, with level lines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pypdfium2.raw as raw
from PIL import Image

from processors.document.ocr.frames import Frame, scaled, straightened, turned
from processors.document.ocr.skew import skew_of
from processors.document.pdf.placing import placing_of
from processors.document.pdf.reading import page_at

DPI = 300  # what tesseract was trained for; finer is slower and no better
_LEAST_DPI, _MOST_DPI = 200, 400  # a scan between them is taken as it is: drawing it anew blurs it
MOST_PIXELS = 30_000_000  # of a picture that is read; A3 with 300 dots per inch has 17 million
_COARSEST_DPI = 20
_QUALITY = 85  # of a JPEG
_NEARLY = 1 - 1e-6  # of the scale: rounding must not add a row of pixels, because then all rows are drawn anew


@dataclass(frozen=True, slots=True)
class Raster:
    """A page as it is read."""

    path: Path
    dpi: float
    skew: float  #: degrees, that the page is turned to the left
    shown: Frame  #: from pixels to points of the page as it is shown
    onto: Frame  #: from those to the space of the PDF
    width: float  #: of the page as it is shown, in points
    height: float
    pixels: tuple[int, int]
    turned: int = 0  #: degrees to the right, by which the picture is turned beside that


def rastered(document: Any, index: int, name: str, target: Path) -> Raster:
    """Draw a page, counted from 0, into a file without compression."""
    page = page_at(document, index, name)
    try:
        width, height = page.get_size()
        placing = placing_of(page)
        dpi = dpi_of(_dots(page), width, height)
        bitmap = page.render(scale=dpi / 72 * _NEARLY, grayscale=True, may_draw_forms=True)
        picture = bitmap.to_pil().convert("L")
        bitmap.close()
    finally:
        page.close()
    before = picture.size
    skew = skew_of(picture)
    if skew:
        picture = picture.rotate(-skew, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    picture.save(target, "PPM")
    shown = straightened(skew, before, picture.size).inverse().then(scaled(72 / dpi))
    onto = Frame(placing.a, placing.b, placing.c, placing.d, placing.e, placing.f).inverse()
    return Raster(target, dpi, skew, shown, onto, width, height, picture.size)


def turned_by(raster: Raster, degrees: int) -> Raster:
    """Turn the picture to the right by quarters, in a file of its own."""
    target = raster.path.with_suffix(f".{degrees}.ppm")
    with Image.open(raster.path) as picture:
        picture.rotate(-degrees, expand=True).save(target, "PPM")
    across, down = raster.pixels
    return replace(
        raster,
        path=target,
        pixels=(down, across) if degrees in (90, 270) else (across, down),
        shown=turned(degrees, across, down).inverse().then(raster.shown),
        turned=degrees,
    )


def drawn_anew(document: Any, index: int, name: str, target: Path) -> Path:
    """Draw a page in its colours into a JPEG, for a page whose text must not be found any more."""
    page = page_at(document, index, name)
    try:
        width, height = page.get_size()
        bitmap = page.render(scale=dpi_of(_dots(page), width, height) / 72 * _NEARLY, may_draw_forms=True)
        bitmap.to_pil().convert("RGB").save(target, "JPEG", quality=_QUALITY)
        bitmap.close()
    finally:
        page.close()
    return target


def dpi_of(dots: float | None, width: float, height: float) -> float:
    """Choose how fine a page is drawn.

    Args:
        dots: per inch, of the picture that covers it, if one does.
        width: of the page, in points.
    """
    dpi = dots if dots is not None and _LEAST_DPI <= dots <= _MOST_DPI else float(DPI)
    return max(_COARSEST_DPI, min(dpi, 72 * math.sqrt(MOST_PIXELS / max(1.0, width * height))))


def _dots(page: Any) -> float | None:
    """How fine the largest picture of a page is, if it covers half of it."""
    width, height = page.get_size()
    best: tuple[float, float] | None = None
    for image in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = image.get_bounds()
        area = (right - left) * (top - bottom)
        across, down = image.get_px_size()
        if area > 0 and (best is None or area > best[0]):
            best = (area, 72 * math.sqrt(across * down / area))
    return best[1] if best is not None and best[0] >= 0.5 * width * height else None
