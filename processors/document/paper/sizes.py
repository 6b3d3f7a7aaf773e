"""How large the page of a picture is, and how the picture lies on it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_POINTS = 72.0  # in an inch
_USUAL_DOTS = 96.0  # in an inch, where a picture does not say; CSS Values 4, 6.2
_UNKNOWN_DOTS = 72.0  # what cameras and programs write that do not know
_A4 = (595.28, 841.89)  # points
_A3 = (841.89, 1190.55)
_LEAST, _MOST = 3.0, 14_400.0  # points: a side of a page, ISO 32000-1, annex C.2
_LEAST_DOTS, _MOST_DOTS = 10.0, 10_000.0


@dataclass(frozen=True, slots=True)
class Size:
    """Of a page, in points."""

    width: float
    height: float


def size_of(width: int, height: int, dots: Any, turned: int = 1) -> Size:
    """Say how large the page is.

    Args:
        width: in pixels, as stored.
        dots: per inch across and down, as the picture says; what cannot be is not believed.
        turned: as Exif's orientation, from 1 to 8.
    """
    across, down = _believed(dots)
    if across is None or down is None:
        size = _fitting(width, height, _A4, _USUAL_DOTS)
    else:
        size = Size(width * _POINTS / across, height * _POINTS / down)
        is_unknown = (
            max(abs(across - _UNKNOWN_DOTS), abs(down - _UNKNOWN_DOTS)) < 0.5
        )  # a PNG has whole dots in a metre
        if is_unknown and not _fits(size, _A3):
            size = _fitting(width, height, _A4, _USUAL_DOTS)
    if turned > 4:
        size = Size(size.height, size.width)
    scale = min(1.0, _MOST / size.width, _MOST / size.height)
    return Size(max(_LEAST, size.width * scale), max(_LEAST, size.height * scale))


def shown(size: Size, turned: int) -> tuple[float, ...]:
    """The matrix that lays a picture on its page, upright.

    Args:
        turned: as Exif's orientation, from 1 to 8.
    """
    width, height = size.width, size.height
    return {
        2: (-width, 0, 0, height, width, 0),
        3: (-width, 0, 0, -height, width, height),
        4: (width, 0, 0, -height, 0, height),
        5: (0, -height, -width, 0, width, height),
        6: (0, -height, width, 0, 0, height),
        7: (0, height, width, 0, 0, 0),
        8: (0, height, -width, 0, width, 0),
    }.get(turned, (width, 0, 0, height, 0, 0))


def _believed(dots: Any) -> tuple[float | None, float | None]:
    try:
        across, down = float(dots[0]), float(dots[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None, None
    if not (_LEAST_DOTS <= across <= _MOST_DOTS and _LEAST_DOTS <= down <= _MOST_DOTS):  # also what is no number
        return None, None
    return across, down


def _fitting(width: int, height: int, paper: tuple[float, float], dots: float) -> Size:
    """As large as its pixels are, and no larger than a paper as it lies."""
    short, long = paper
    most_width, most_height = (long, short) if width > height else (short, long)
    scale = min(_POINTS / dots, most_width / width, most_height / height)
    return Size(width * scale, height * scale)


def _fits(size: Size, paper: tuple[float, float]) -> bool:
    short, long = paper
    return min(size.width, size.height) <= short and max(size.width, size.height) <= long
