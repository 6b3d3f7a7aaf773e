"""What tesseract writes: lines of words with their places on the picture, and what it takes for lines and pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from processors.document.model import Box

_LINES = frozenset({"ocr_line", "ocr_header", "ocr_caption", "ocr_textfloat"})
_PROPERTY = re.compile(r"(\w+)((?: -?[\d.]+)+)")


@dataclass(frozen=True, slots=True)
class Mark:
    """A word on a picture; lengths are in pixels, from the top left."""

    text: str
    box: Box
    confidence: float  #: from 0 to 1


@dataclass(frozen=True, slots=True)
class Line:
    """Words that stand on one line."""

    marks: tuple[Mark, ...]
    box: Box
    size: float  #: from the deepest to the highest of its letters
    descent: float  #: of its letters below the base line
    turned: int = 0  #: by so many degrees to the right the picture has to be turned for this line to be level
    slope: float = 0.0  #: of the base line, downwards to the right
    offset: float | None = None  #: of the base line at the left end, from the bottom of the box; upwards is negative

    def base_at(self, x: float) -> float:
        """The y of the base line, of a line that is level."""
        if self.offset is None:
            return self.box.bottom - self.descent
        return self.box.bottom + self.offset + self.slope * (x - self.box.left)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found on a picture."""

    width: int
    height: int
    lines: tuple[Line, ...]
    separators: tuple[Box, ...]  #: drawn straight lines


def parse(document: bytes) -> Found:
    """Read hOCR. Words that are only spaces or control characters are left out."""
    root = ElementTree.fromstring(document)
    width = height = 0
    lines: list[Line] = []
    separators: list[Box] = []
    for element in root.iter():
        name = element.get("class", "")
        if name == "ocr_page":
            box = _box(_properties(element)["bbox"])
            width, height = round(box.right), round(box.bottom)
        elif name == "ocr_separator":
            separators.append(_box(_properties(element)["bbox"]))
        elif name in _LINES:
            line = _line(element)
            if line is not None:
                lines.append(line)
    return Found(width, height, tuple(lines), tuple(separators))


def _line(element: ElementTree.Element) -> Line | None:
    marks = []
    for word in element.iter():
        if word.get("class") != "ocrx_word":
            continue
        text = "".join(char for char in "".join(word.itertext()) if char.isprintable() and not char.isspace())
        about = _properties(word)
        if text:
            marks.append(Mark(text, _box(about["bbox"]), about.get("x_wconf", [0.0])[0] / 100))
    if not marks:
        return None
    about = _properties(element)
    box = _box(about["bbox"])
    slope, offset = about.get("baseline", [0.0, None])
    turned = round(about.get("textangle", [0.0])[0]) % 360
    across = box.width if turned in (90, 270) else box.height
    size = about.get("x_size", [across])[0]
    return Line(tuple(marks), box, size, about.get("x_descenders", [0.2 * size])[0], turned, slope or 0.0, offset)


def _properties(element: ElementTree.Element) -> dict[str, list[float]]:
    found = _PROPERTY.findall(element.get("title", ""))
    return {name: [float(number) for number in numbers.split()] for name, numbers in found}


def _box(numbers: list[float]) -> Box:
    left, top, right, bottom = numbers
    return Box(left, top, right, bottom)
