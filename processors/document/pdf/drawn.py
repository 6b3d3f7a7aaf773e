"""What is drawn on a page beside its text: straight lines, and where pictures are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import byref, c_float, c_int, c_uint

from processors.document.layout.pieces import Rule
from processors.document.model import Box, Figure
from processors.document.pdf import pdfium
from processors.document.pdf.placing import Placing

MOST_OBJECTS = 20_000  # of a page that are looked at; maps and drawings have more, and no table in it
MOST_RULES = 1_000
MOST_FIGURES = 500
_DEEPEST = 8  # forms in forms that are looked into
_THIN = 2.5  # points, that a line may be thick
_SHORT = 6.0  # points: what is shorter is part of a drawing
_LEAST_FIGURE = 16.0  # points: what is smaller is a bullet or a line
_MOST_SEGMENTS = 64  # of one path that may be a frame

_LARGEST_GROUND = 0.3  # of the page
_COLOUR = tuple(c_uint() for _ in range(4))
_COLOUR_REFS = tuple(byref(value) for value in _COLOUR)
_WHITE = [255, 255, 255, 255]
_FLOATS = tuple(c_float() for _ in range(4))
_REFS = tuple(byref(value) for value in _FLOATS)
_MATRIX = pdfium.Matrix()

Save = Callable[[int], str | None]  #: given PDFium's handle of a picture
_Transform = tuple[float, float, float, float, float, float]
_IDENTITY: _Transform = (1, 0, 0, 1, 0, 0)


def drawn_on(page: int, placing: Placing, save: Save | None = None) -> tuple[list[Rule], list[Figure]]:
    """Read lines and pictures of a page.

    Args:
        page: PDFium's handle.
        save: makes a file of a picture, and gives its name.
    """
    rules: list[Rule] = []
    figures: list[Figure] = []
    for handle, kind, transform in _objects(page):
        if kind == pdfium.OBJECT_IMAGE:
            box = placing.box(*_moved(transform, *_bounds(handle)))
            if min(box.width, box.height) >= _LEAST_FIGURE:
                path = save(handle) if save is not None and len(figures) < MOST_FIGURES else None
                figures.append(Figure(path, box=_inside(box, placing)))
            elif _is_rule(box):
                rules.append(Rule(box))
        elif len(rules) < MOST_RULES:
            rules += _rules(handle, transform, placing)
    return rules, figures


def _objects(page: int) -> Iterator[tuple[int, int, _Transform]]:
    """The paths and pictures of a page, also those in forms, with what moves them."""
    left = MOST_OBJECTS
    stack = [
        (pdfium.object_at(page, index), _IDENTITY, 0)
        for index in reversed(range(min(left, pdfium.count_objects(page))))
    ]
    while stack and left > 0:
        handle, transform, depth = stack.pop()
        left -= 1
        kind = pdfium.object_type(handle)
        if kind == pdfium.OBJECT_FORM and depth < _DEEPEST:
            inner = transform
            if pdfium.object_matrix(handle, byref(_MATRIX)):
                m = _MATRIX
                inner = _combined((m.a, m.b, m.c, m.d, m.e, m.f), transform)
            count = min(left, pdfium.form_count(handle))
            stack += [(pdfium.form_object(handle, index), inner, depth + 1) for index in reversed(range(count))]
        elif kind in (pdfium.OBJECT_PATH, pdfium.OBJECT_IMAGE):
            yield handle, kind, transform


def _rules(handle: int, transform: _Transform, placing: Placing) -> list[Rule]:
    box = placing.box(*_moved(transform, *_bounds(handle)))
    if _is_rule(box):
        return [Rule(box)] if _is_painted(handle) else []
    if box.width < _SHORT and box.height < _SHORT:
        return []
    count = pdfium.path_segments(handle)
    if not 2 <= count <= _MOST_SEGMENTS:
        return []
    if not _is_stroked(handle):
        return [Rule(box, is_ground=True)] if _is_ground(handle, count, box, placing) else []
    return [Rule(side) for side in _sides(handle, count, transform, placing) if _is_rule(side)]


def _is_ground(handle: int, count: int, box: Box, placing: Placing) -> bool:
    """Whether a path is the coloured ground of a cell or of a row."""
    if not 4 <= count <= 6 or box.width * box.height > _LARGEST_GROUND * placing.width * placing.height:
        return False
    return bool(pdfium.fill_color(handle, *_COLOUR_REFS)) and [each.value for each in _COLOUR] != _WHITE


def _sides(handle: int, count: int, transform: _Transform, placing: Placing) -> Iterator[Box]:
    """The lines of a path that is drawn with a pen."""
    x, y = c_float(), c_float()
    first = last = (0.0, 0.0)
    for index in range(count):
        segment = pdfium.path_segment(handle, index)
        if not segment or not pdfium.segment_point(segment, byref(x), byref(y)):
            return
        kind = pdfium.segment_type(segment)
        point = (x.value, y.value)
        if kind == 2:  # where a new line begins
            first = point
        elif kind == 0:
            yield placing.box(*_moved(transform, *last, *point))
        else:  # a curve: no frame
            return
        last = point
    if last != first:
        yield placing.box(*_moved(transform, *last, *first))


def _is_rule(box: Box) -> bool:
    return min(box.width, box.height) <= _THIN and max(box.width, box.height) >= _SHORT


def _is_painted(handle: int) -> bool:
    fill, stroke = c_int(), c_int()
    return bool(pdfium.path_mode(handle, byref(fill), byref(stroke)) and (fill.value or stroke.value))


def _is_stroked(handle: int) -> bool:
    fill, stroke = c_int(), c_int()
    return bool(pdfium.path_mode(handle, byref(fill), byref(stroke)) and stroke.value)


def _bounds(handle: int) -> tuple[float, float, float, float]:
    """Left, bottom, right, top; nothing where there is nothing."""
    if not pdfium.object_bounds(handle, *_REFS):
        return 0.0, 0.0, 0.0, 0.0
    left, bottom, right, top = (value.value for value in _FLOATS)
    return left, bottom, right, top


def _moved(t: _Transform, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
    if t is _IDENTITY:
        return x0, y0, x1, y1
    a, b, c, d, e, f = t
    return a * x0 + c * y0 + e, b * x0 + d * y0 + f, a * x1 + c * y1 + e, b * x1 + d * y1 + f


def _combined(inner: _Transform, outer: _Transform) -> _Transform:
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _inside(box: Box, placing: Placing) -> Box:
    return Box(max(0.0, box.left), max(0.0, box.top), min(placing.width, box.right), min(placing.height, box.bottom))
