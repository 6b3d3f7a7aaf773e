"""From what was found on a picture to pieces of text on a sheet, which go the way that those of a PDF go."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from processors.document.layout.pieces import ASCENT, DESCENT, Piece, Rule, Style, Word
from processors.document.model import Box
from processors.document.ocr.frames import Frame
from processors.document.ocr.hocr import Found, Line, Mark

_GAP_SIZES = 1.1  # of the size: words farther apart are two pieces; justified lines of narrow columns come near it
_SAME_SIZE = (0.84, 1.2)  # of the usual size: lines between them are as large, as their letters are never measured well
_SIZE_STEP = 1.15  # between sizes that are told apart
_THIN = 3.0  # points, that a drawn line may be thick
_BULLETS = frozenset("e o © ® ¢ « » ° * · ¢ @ ¥ §".split())  # what it takes them for
_BULLET_GAP = 0.42  # of the size; a space is a quarter
_FEW = 300  # characters, of which which way up they are may not have been told
_DOUBT = 0.65  # of certainty: what is upright and clear has .9
_LEAST_CONFIDENCE = 0.2  # of a whole line: less is dirt, or a part of a picture


def upright(found: Found) -> int:
    """By how many degrees to the right the picture has to be turned for most of its text to be level."""
    counts = Counter[int]()
    for line in found.lines:
        counts[line.turned] += sum(len(mark.text) for mark in line.marks)
    return max(counts, key=lambda turn: counts[turn], default=0)


def sureness(found: Found) -> float:
    """How much was read, by how sure it is."""
    return sum(len(mark.text) * mark.confidence for line in found.lines for mark in line.marks)


def is_doubtful(found: Found) -> bool:
    """Whether the little that was found may be text that stands on its head."""
    characters = sum(len(mark.text) for line in found.lines for mark in line.marks)
    return 0 < characters <= _FEW and sureness(found) < _DOUBT * characters


def is_read(line: Line) -> bool:
    """Whether a line is text, and not what tesseract takes for it in a picture."""
    if not any(char.isalnum() for mark in line.marks for char in mark.text):
        return False
    weights = [len(mark.text) for mark in line.marks]
    sure = sum(mark.confidence * weight for mark, weight in zip(line.marks, weights, strict=True))
    return sure >= _LEAST_CONFIDENCE * sum(weights)


def pieces_of(found: Found, level: Frame, turn: int, points: float, bold: Container[int] = frozenset()) -> list[Piece]:
    """Make pieces, in the order of tesseract.

    Args:
        bold: lines, by their place in what was found.
        level: from pixels to points of a sheet whose lines are level.
        turn: what most of the text is turned by.
        points: a pixel is large.
    """
    places = [place for place, line in enumerate(found.lines) if is_read(line)]
    lines = [found.lines[place] for place in places]
    sizes = _sizes([line.size * points / (ASCENT + DESCENT) for line in lines], lines)
    pieces: list[Piece] = []
    for place, line, size in zip(places, lines, sizes, strict=True):
        style = Style(size, bold=place in bold, angle=(turn - line.turned) % 360)
        words = _with_bullet([_word(mark, line, level, style, points) for mark in line.marks])
        for part in _parts(words):
            pieces.append(Piece(part, len(pieces)))
    return pieces


def rules_of(found: Found, level: Frame) -> list[Rule]:
    """The straight lines that are drawn."""
    boxes = [level.box(box) for box in found.separators]
    return [Rule(box) for box in boxes if min(box.width, box.height) <= _THIN]


def _word(mark: Mark, line: Line, level: Frame, style: Style, points: float) -> Word:
    box = level.box(mark.box)
    if line.turned == 0 and not style.angle:
        base = level.point(mark.box.left, line.base_at(mark.box.left))[1]
    else:
        base = level.box(line.box).bottom - line.descent * points
    return Word(mark.text, box.left, box.right, base, style, confidence=mark.confidence)


def _with_bullet(words: list[Word]) -> list[Word]:
    """Tesseract knows no bullets: it takes them for letters and signs, which stand too far from what follows."""
    if len(words) > 1 and words[0].text in _BULLETS:
        first, second = words[:2]
        if second.left - first.right >= _BULLET_GAP * first.style.size:
            return [replace(first, text="•"), *words[1:]]
    return words


def _parts(words: Sequence[Word]) -> Iterator[list[Word]]:
    part: list[Word] = []
    for word in words:
        if part and word.left - part[-1].right > _GAP_SIZES * word.style.size:
            yield part
            part = []
        part.append(word)
    if part:
        yield part


def _sizes(measured: Sequence[float], lines: Sequence[Line]) -> list[float]:
    """Sizes in points, of which those that are nearly the same are the same."""
    weights = [sum(len(mark.text) for mark in line.marks) for line in lines]
    ordered = sorted(zip(measured, weights, strict=True))
    half, usual = sum(weights) / 2, 10.0
    for size, weight in ordered:
        half -= weight
        if half <= 0:
            usual = size
            break
    body = max(1.0, round(2 * usual) / 2)
    return [_size(size / usual, body) for size in measured]


def _size(ratio: float, body: float) -> float:
    if _SAME_SIZE[0] <= ratio <= _SAME_SIZE[1]:
        return body
    steps = round(math.log(max(ratio, 0.05)) / math.log(_SIZE_STEP))
    return round(body * _SIZE_STEP**steps, 2)


def covered(box: Box, others: Sequence[Box]) -> bool:
    """Whether the middle of a box is in one of others."""
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return any(other.holds(x, y) for other in others)
