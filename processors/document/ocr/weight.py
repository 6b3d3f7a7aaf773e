"""Which lines of a picture are bold: those whose strokes are thick beside the other lines of the page."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from PIL import Image, ImageChops

from processors.document.ocr.hocr import Found, Line

_THICKER = 1.4  # times the usual strokes are those of bold lines, which in common fonts are 1.4 to 1.8 times ...
_BOLDER = 1.15  # ... and so much also beside their size, for large letters have thick strokes without being bold
_LEAST_INK = 150  # pixels of a line, that its strokes can be measured by
_LEAST_LINES = 4  # of a page, to tell what is usual


def bold_lines(picture: Path, found: Found) -> frozenset[int]:
    """Say which lines are bold, by their place in what was found."""
    with Image.open(picture) as image:
        dark = image.convert("L").point(lambda value: 255 if value < 128 else 0)
    inner = _thinner(dark)
    strokes = [(index, line, _stroke(dark, inner, line)) for index, line in enumerate(found.lines)]
    measured = [(index, stroke, stroke / max(1.0, line.size), line) for index, line, stroke in strokes if stroke]
    if len(measured) < _LEAST_LINES:
        return frozenset()
    by_length = [each for each in measured for _ in range(1 + _length(each[3]) // 10)]
    thick, beside = median(each[1] for each in by_length), median(each[2] for each in by_length)
    return frozenset(
        index for index, stroke, ratio, _ in measured if stroke >= _THICKER * thick and ratio >= _BOLDER * beside
    )


def _thinner(dark: Image.Image) -> Image.Image:
    """Take a pixel away on each side of all that is dark."""
    inner = dark
    for across, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        inner = ImageChops.darker(inner, ImageChops.offset(dark, across, down))
    return inner


def _stroke(dark: Image.Image, inner: Image.Image, line: Line) -> float | None:
    """How thick the strokes of a line are, in pixels: what of them is left when they are thinner by two."""
    box = line.box
    area = (int(box.left), int(box.top), int(box.right), int(box.bottom))
    before, after = (picture.crop(area).histogram()[255] for picture in (dark, inner))
    if before < _LEAST_INK or after == 0:
        return None
    return 2 / (1 - after / before) if after < before else None


def _length(line: Line) -> int:
    return sum(len(mark.text) for mark in line.marks)
