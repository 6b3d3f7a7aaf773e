"""From a PDF's coordinates to those of the page as it is shown: turned, cropped, from the top left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from processors.document.model import Box


@dataclass(frozen=True, slots=True)
class Placing:
    """x = ax + cy + e and y = bx + dy + f; of quarters of a turn only."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float
    width: float  #: of the page as it is shown
    height: float

    @property
    def is_upright(self) -> bool:
        """Whether the page is shown as it was written."""
        return self.a == 1 and self.d == -1

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        x0, y0 = self.point(left, bottom)
        x1, y1 = self.point(right, top)
        return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))

    def angle(self, x: float, y: float) -> int:
        """The direction of a vector as it is shown, in degrees; 0 goes to the right."""
        return round(math.degrees(math.atan2(-(self.b * x + self.d * y), self.a * x + self.c * y)))


def placing_of(page: Any) -> Placing:
    """Read it from a page of pypdfium2's."""
    left, bottom, right, top = page.get_bbox()
    match page.get_rotation():
        case 90:
            return Placing(0, 1, 1, 0, -bottom, -left, top - bottom, right - left)
        case 180:
            return Placing(-1, 0, 0, 1, right, -bottom, right - left, top - bottom)
        case 270:
            return Placing(0, -1, -1, 0, top, right, top - bottom, right - left)
        case _:
            return Placing(1, 0, 0, -1, -left, top, right - left, top - bottom)
