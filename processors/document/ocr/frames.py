"""From one way to look at a page to another: as it is shown, upright, with level lines, in pixels or points."""

from __future__ import annotations

import math
from typing import NamedTuple

from processors.document.model import Box


class Frame(NamedTuple):
    """x' = ax + cy + e and y' = bx + dy + f, both from the top left."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    e: float = 0.0
    f: float = 0.0

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def box(self, box: Box) -> Box:
        """The smallest that holds a rectangle where it comes to stand."""
        corners = [self.point(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return Box(min(xs), min(ys), max(xs), max(ys))

    def then(self, other: Frame) -> Frame:
        """First this one, then the other."""
        e, f = other.point(self.e, self.f)
        return Frame(
            other.a * self.a + other.c * self.b,
            other.b * self.a + other.d * self.b,
            other.a * self.c + other.c * self.d,
            other.b * self.c + other.d * self.d,
            e,
            f,
        )

    def inverse(self) -> Frame:
        """Back again."""
        by = self.a * self.d - self.b * self.c
        a, b, c, d = self.d / by, -self.b / by, -self.c / by, self.a / by
        return Frame(a, b, c, d, -(a * self.e + c * self.f), -(b * self.e + d * self.f))


def scaled(by: float) -> Frame:
    """Larger by a factor."""
    return Frame(a=by, d=by)


def turned(degrees: int, width: float, height: float) -> Frame:
    """Turned to the right by quarters, so that all of it is where x and y are not negative.

    Args:
        width: and height, as it was.
    """
    match degrees % 360:
        case 90:
            return Frame(0, 1, -1, 0, height, 0)
        case 180:
            return Frame(-1, 0, 0, -1, width, height)
        case 270:
            return Frame(0, -1, 1, 0, 0, width)
        case _:
            return Frame()


def straightened(skew: float, before: tuple[float, float], after: tuple[float, float]) -> Frame:
    """Turned to the right by a few degrees, about its middle.

    Args:
        before: its width and height.
        after: those of the larger one that holds it when it is turned.
    """
    angle = math.radians(skew)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = before[0] / 2, before[1] / 2
    return Frame(cos, sin, -sin, cos, after[0] / 2 - cos * x + sin * y, after[1] / 2 - sin * x - cos * y)
