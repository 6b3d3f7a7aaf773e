"""From pieces in reading order to lines, and to chunks of lines that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

from processors.document.layout.columns import Gutter, Placed
from processors.document.layout.markers import is_entry, marker_of
from processors.document.layout.pieces import Chunk, Item, Piece

_WIDEST_SPACE = 4.0  # of the size, between two pieces of one line
_LOOSE = 1.25  # of the usual distance of lines: what is farther apart is apart
_TITLE_LEADING = 1.3  # of the size, in a title of several lines
_OTHER_SIZE = 0.05  # share by which sizes differ that are two
_INDENT = 0.8  # of the size
_MOST_INDENT = 5.0
_ENDS = ".!?:。؟!…\"”')"


@dataclass(slots=True)
class _Leading:
    """The usual distance of lines, by their size."""

    by_size: dict[float, float] = field(default_factory=dict)

    def of(self, size: float) -> float:
        return self.by_size.get(round(size), 1.25 * size)


def items_of(ordered: Sequence[Placed[Item | Piece]], gutters: Sequence[Gutter]) -> list[Item]:
    """Join pieces to lines and lines to chunks; tables and figures stay between them."""
    lines = _lines(ordered, gutters)
    leading = _leading([line for line in lines if isinstance(line, Piece)])
    items: list[Item] = []
    chunk: Chunk | None = None
    for line in lines:
        if not isinstance(line, Piece):
            chunk = None
            items.append(line)
        elif chunk is not None and (_continues(chunk, line, leading) or _goes_on_above(chunk, line)):
            chunk.lines.append(line)
        else:
            chunk = Chunk([line])
            items.append(chunk)
    return items


def _lines(ordered: Sequence[Placed[Item | Piece]], gutters: Sequence[Gutter]) -> list[Item | Piece]:
    """Join the pieces of one line."""
    lines: list[Item | Piece] = []
    for placed in ordered:
        piece, before = placed.thing, lines[-1] if lines else None
        if isinstance(piece, Piece) and isinstance(before, Piece) and _on_one_line(before, piece, gutters):
            first, *rest = piece.words
            lines[-1] = Piece([*before.words, replace(first, spaced=True), *rest], before.order)
        else:
            lines.append(piece)
    return lines


def _on_one_line(before: Piece, piece: Piece, gutters: Sequence[Gutter]) -> bool:
    size = max(before.size, piece.size)
    if abs(before.base - piece.base) > 0.3 * size or before.style.angle != piece.style.angle:
        return False
    gap = max(piece.box.left - before.box.right, before.box.left - piece.box.right)
    if piece.text.isdecimal() and _leads_inside(before):
        return True
    if gap > _WIDEST_SPACE * size or gap < -size:
        return False
    return not any(gutter.parts(before.box, piece.box) for gutter in gutters)


def _leads_inside(line: Piece) -> bool:
    """Whether a line leads to another page: it is of a table of contents."""
    words = [word for word in line.words if not word.text.isdecimal()]
    return bool(words) and all((word.link or "").startswith("#page-") for word in words)


def _leading(lines: Sequence[Piece]) -> _Leading:
    distances: dict[float, list[float]] = {}
    for before, after in pairwise(lines):
        distance = after.base - before.base
        if 0.8 * after.size < distance < 2.2 * after.size and abs(before.size - after.size) < 0.1 * after.size:
            distances.setdefault(round(after.size), []).append(distance)
    # The lower quarter: the distance within paragraphs, where those between them are as many.
    return _Leading({size: sorted(found)[len(found) // 4] for size, found in distances.items()})


def _continues(chunk: Chunk, line: Piece, leading: _Leading) -> bool:
    """Whether a line belongs to the chunk before it."""
    last = chunk.lines[-1]
    one, other = last.style, line.style
    distance = line.base - last.base
    if distance <= 0.3 * last.size or one.angle != other.angle:
        return False
    if one.fixed and other.fixed and abs(one.size - other.size) < 0.5:
        return distance <= 2.6 * leading.of(line.size)
    usual = min(leading.of(line.size), 2.0 * line.size)
    if _is_title(last, line):
        usual = max(usual, _TITLE_LEADING * line.size)
    if distance > _LOOSE * usual:
        return False
    if abs(one.size - other.size) > _OTHER_SIZE * max(one.size, other.size) or _is_all_bold(last) != _is_all_bold(line):
        return False
    if one.tag != other.tag and (one.tag[:1] == "H" or other.tag[:1] == "H" or "Title" in (one.tag, other.tag)):
        return False
    if (
        is_entry(last.text)
        or is_entry(line.text)
        or _leads_inside(last)
        or marker_of(line.text) is not None
        or (line.words[0].raised and line.words[0].text[:1].isdigit())
    ):
        return False
    overlap = min(last.box.right, line.box.right) - max(last.box.left, line.box.left)
    if overlap < 0.2 * min(last.box.width, line.box.width):
        return False
    return not _begins_paragraph(chunk, last, line)


def _is_title(last: Piece, line: Piece) -> bool:
    """Whether two lines are bold and centred on each other."""
    middle = abs((last.box.left + last.box.right) - (line.box.left + line.box.right)) / 2
    return middle < 0.3 * line.size and _is_all_bold(last) and _is_all_bold(line)


def _goes_on_above(chunk: Chunk, line: Piece) -> bool:
    """Whether a sentence goes on at the top of the next column."""
    last = chunk.lines[-1]
    one, other = last.style, line.style
    if line.base >= last.base - 2 * last.size or one.size != other.size or one.bold != other.bold or one.fixed:
        return False
    is_beside = line.box.left >= last.box.right or line.box.right <= last.box.left
    return is_beside and line.text[:1].islower() and last.text.rstrip()[-1:] not in _ENDS and len(chunk.lines) > 1


def _begins_paragraph(chunk: Chunk, last: Piece, line: Piece) -> bool:
    """Whether the look of a line says that it is the first of a paragraph: it is indented, or had room before."""
    if abs((last.box.left + last.box.right) - (line.box.left + line.box.right)) < 0.6 * line.size:
        return False  # centred, or as wide
    boxes = [each.box for each in chunk.lines]
    left, right = min(box.left for box in boxes), max(box.right for box in boxes)
    is_item = marker_of(chunk.lines[0].text) is not None
    if not is_item and len(chunk.lines) > 1:
        usual = median(box.left for box in boxes[1:])
        if _INDENT * line.size < line.box.left - usual < _MOST_INDENT * line.size:
            return True
    if not is_item and len(chunk.lines) == 1:
        indent = line.box.left - last.box.left
        if _INDENT * line.size < indent < _MOST_INDENT * line.size and last.text.rstrip()[-1:] in _ENDS:
            return True
    word = line.words[0]
    right = max(right, line.box.right)
    has_room = right - last.box.right > word.right - word.left + 1.5 * line.size
    is_short = right - last.box.right > 0.12 * (right - left)
    return has_room and is_short and last.text.rstrip()[-1:] in _ENDS


def _is_all_bold(line: Piece) -> bool:
    return all(word.style.bold for word in line.words if any(map(str.isalnum, word.text)))
