"""Tables without a grid: rows of pieces that stand in the same columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from processors.document.layout.inline import rows_of, spans_of
from processors.document.layout.markers import is_entry
from processors.document.layout.pieces import Piece, Word
from processors.document.model import Box, Cell, Table

_LEAST_ROWS = 3
_LEAST_COLUMNS = 3
_LEAST_GAP = 0.7  # of the size, between two columns
_WIDEST_ROWS = 3.2  # of the size, between the base lines of two rows
_NEXT_LINE = 1.45  # of the size, from one line of a cell to the next
_SAME_EDGE = 1.5  # points
_MOST_WORDS = 8  # in the usual cell; more is text in columns


@dataclass(slots=True)
class _Row:
    pieces: list[Piece]

    @property
    def base(self) -> float:
        return self.pieces[0].base

    @property
    def size(self) -> float:
        return max(piece.size for piece in self.pieces)


def aligned_tables(
    pieces: Sequence[Piece], *, right_to_left: bool = False
) -> tuple[list[Piece], list[tuple[int, Table]]]:
    """Find such tables.

    Returns:
        The pieces that are in none, and the tables, each with the order of its first piece.
    """
    rows = _rows(pieces)
    origins: dict[int, Piece] = {}  # of the parts of pieces, by their id
    for above, row in pairwise(rows):
        _split_like(above, row, origins)
    taken: set[int] = set()
    tables: list[tuple[int, Table]] = []
    index = 0
    while index < len(rows):
        end = _run(rows, index)
        table = _table(rows[index:end], right_to_left) if end - index >= _LEAST_ROWS else None
        if table is None:
            index += 1
            continue
        members = [piece for row in rows[index:end] for piece in row.pieces]
        tables.append((min(piece.order for piece in members), table))
        taken |= {id(origins.get(id(piece), piece)) for piece in members}
        index = end
    return [piece for piece in pieces if id(piece) not in taken], tables


def _rows(pieces: Sequence[Piece]) -> list[_Row]:
    rows: list[_Row] = []
    for piece in sorted(pieces, key=lambda piece: (piece.base, piece.box.left)):
        if rows and abs(rows[-1].base - piece.base) <= 0.3 * piece.size:
            rows[-1].pieces.append(piece)
        else:
            rows.append(_Row([piece]))
    for row in rows:
        row.pieces.sort(key=lambda piece: piece.box.left)
    return rows


def _split_like(above: _Row, row: _Row, origins: dict[int, Piece]) -> None:
    """Split pieces where cells are so close that they seem one: where words begin under each cell of the row above."""
    lefts = [piece.box.left for piece in above.pieces]
    if len(lefts) < _LEAST_COLUMNS or len(row.pieces) >= len(lefts):
        return
    parts: list[Piece] = []
    for piece in row.pieces:
        words: list[Word] = []
        for word in piece.words:
            if words and any(abs(word.left - left) <= _SAME_EDGE for left in lefts):
                parts.append(Piece(words, piece.order))
                words = []
            words.append(word)
        parts.append(Piece(words, piece.order))
        for part in parts:
            origins.setdefault(id(part), piece)
    if len(parts) == len(lefts) and all(
        abs(part.box.left - left) <= _SAME_EDGE for part, left in zip(parts, lefts, strict=True)
    ):
        row.pieces[:] = parts


def _run(rows: Sequence[_Row], start: int) -> int:
    """The end of the rows from one on that share columns."""
    if len(rows[start].pieces) < 2:
        return start
    columns = [(piece.box.left, piece.box.right) for piece in rows[start].pieces]
    end = start + 1
    while end < len(rows):
        row, before = rows[end], rows[end - 1]
        if row.base - before.base > _WIDEST_ROWS * max(row.size, before.size):
            break
        merged = _merged([*columns, *((piece.box.left, piece.box.right) for piece in row.pieces)])
        if _goes_on(row, before, columns):
            columns = merged
            end += 1
            continue
        if len(row.pieces) < 2 or len(merged) < max(2, min(len(columns), _LEAST_COLUMNS)):
            break
        if len(merged) < len(columns) - 1:
            break
        columns = merged
        end += 1
    return end


def _goes_on(row: _Row, before: _Row, columns: Sequence[tuple[float, float]]) -> bool:
    """Whether a row is only the next line of one cell of the row above."""
    if len(row.pieces) != 1 or row.base - before.base > _NEXT_LINE * row.size:
        return False
    box = row.pieces[0].box
    return sum(box.left < right and box.right > left for left, right in columns) == 1


def _merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for left, right in sorted(spans):
        if found and left <= found[-1][1] + 1.0:
            found[-1] = (found[-1][0], max(found[-1][1], right))
        else:
            found.append((left, right))
    return found


def _table(rows: Sequence[_Row], right_to_left: bool) -> Table | None:
    words = [word for row in rows for piece in row.pieces for word in piece.words]
    size = median(word.style.size for word in words)
    columns = _columns(words, size)
    by_edge = _columns_by_edge(rows)
    columns = by_edge if len(by_edge) > len(columns) else columns
    pieces = [piece for row in rows for piece in row.pieces]
    if len(columns) < _LEAST_COLUMNS or median(len(piece.words) for piece in pieces) > _MOST_WORDS:
        return None
    if sum(map(_is_contents, rows)) > len(rows) / 3:
        return None
    made: list[tuple[Cell, ...]] = []
    filled = 0
    for row in _whole(rows):
        cells: list[list[Word]] = [[] for _ in columns]
        for word in (word for piece in row.pieces for word in piece.words):
            middle = (word.left + word.right) / 2
            at = min(range(len(columns)), key=lambda index: _distance(columns[index], middle))
            cells[at].append(word)
        filled += sum(map(bool, cells))
        line = tuple(Cell(spans_of(rows_of(cell)) if cell else (), header=not made) for cell in cells)
        made.append(line[::-1] if right_to_left else line)
    if filled < 0.6 * len(columns) * len(made):
        return None
    box = pieces[0].box
    for piece in pieces:
        box = box.joined(piece.box)
    return Table(tuple(made), Box(box.left, box.top, box.right, box.bottom))


def _is_contents(row: _Row) -> bool:
    """Whether a row is of a table of contents."""
    words = [word for piece in row.pieces for word in piece.words]
    leads = sum((word.link or "").startswith("#page-") for word in words)
    return leads > len(words) / 2 or is_entry(" ".join(word.text for word in words))


def _whole(rows: Sequence[_Row]) -> list[_Row]:
    """Join the lines of cells to the rows that they go on."""
    found: list[_Row] = []
    for row in rows:
        columns = [(piece.box.left, piece.box.right) for piece in found[-1].pieces] if found else []
        if found and _goes_on(row, _Row([found[-1].pieces[-1]]), columns):
            found[-1] = _Row([*found[-1].pieces, *row.pieces])
        else:
            found.append(row)
    return found


def _columns(words: Sequence[Word], size: float) -> list[tuple[float, float]]:
    """White space that goes through all rows parts columns."""
    found: list[tuple[float, float]] = []
    for left, right in sorted((word.left, word.right) for word in words):
        if found and left <= found[-1][1] + _LEAST_GAP * size:
            found[-1] = (found[-1][0], max(found[-1][1], right))
        else:
            found.append((left, right))
    return found


def _columns_by_edge(rows: Sequence[_Row]) -> list[tuple[float, float]]:
    """The columns of rows that have as many pieces each, which begin at the same places; none of others."""
    first = rows[0].pieces
    for row in rows:
        if len(row.pieces) != len(first) or any(
            abs(one.box.left - other.box.left) > _SAME_EDGE for one, other in zip(row.pieces, first, strict=True)
        ):
            return []
    ends = [max(row.pieces[index].box.right for row in rows) for index in range(len(first))]
    return [(piece.box.left, end) for piece, end in zip(first, ends, strict=True)]


def _distance(column: tuple[float, float], x: float) -> float:
    return max(column[0] - x, x - column[1], 0.0)
