"""From what is on a page to what is read on it: tables taken out, the rest in order and in chunks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from processors.document.layout.aligned import aligned_tables
from processors.document.layout.chunks import items_of
from processors.document.layout.columns import Placed, reading_order, regions
from processors.document.layout.drafts import Draft, Flow, draft_of
from processors.document.layout.grids import Grid, Place, grids_of, words_by_place
from processors.document.layout.inline import rows_of, spans_of
from processors.document.layout.pieces import Chunk, Item, Piece, Sheet, Word
from processors.document.model import Cell, Figure, Table
from processors.document.model import Word as PlacedWord

_EDGE = 0.08  # of the page's height
_PAGE_NUMBER = re.compile(r"^(page |seite |- ?)?(\d{1,4}|[ivxlc]{1,7})( ?-| of \d+| von \d+| ?/ ?\d+)?$", re.IGNORECASE)
_LEAST_FILLED = 0.3  # of a grid's cells have text; else it is paper with lines, or a drawing
_MOST_IN_CELL = 3000  # characters: more is a page in a frame


def flow_of(sheet: Sheet, *, with_words: bool = False, with_rows: bool = False) -> Flow:
    """Read a page.

    Args:
        with_words: keep each word with its place.
        with_rows: keep each line as it stands.
    """
    right_to_left = _is_right_to_left(sheet.pieces)
    pieces, tables = _ruled(sheet, right_to_left)
    upright = [piece for piece in pieces if not piece.style.angle]
    turned = [piece for piece in pieces if piece.style.angle]
    top, upright, bottom = _edges(upright, sheet)
    more: list[tuple[int, Table]] = []
    things: list[Placed[Item | Piece]] = []
    for region in regions(_placed(upright)):
        inside = [placed.thing for placed in region if isinstance(placed.thing, Piece)]
        left, found = aligned_tables(inside, right_to_left=right_to_left)
        things += _placed(left)
        more += found
    for order, table in [*tables, *more]:
        assert table.box is not None
        things.append(Placed(table, table.box, order))
    ordered, gutters = reading_order(things, right_to_left=right_to_left)
    ordered = _with_figures(ordered, sheet.figures)
    ordered = [*_placed(top), *ordered, *_placed((*bottom, *turned))]
    edges = {id(word) for piece in (*top, *bottom) for word in piece.words}
    drafts: list[Draft | Table | Figure] = [
        draft_of(item, at_edge=id(item.lines[0].words[-1]) in edges, with_rows=with_rows)
        if isinstance(item, Chunk)
        else item
        for item in items_of(ordered, gutters)
    ]
    sizes: dict[float, tuple[int, int]] = {}
    hidden = characters = 0
    for word in _words(sheet.pieces):
        style, length = word.style, len(word.text)
        characters += length
        hidden += length if style.hidden else 0
        total, bold = sizes.get(style.size, (0, 0))
        sizes[style.size] = (total + length, bold + length if style.bold else bold)
    return Flow(
        sheet.number,
        sheet.width,
        sheet.height,
        tuple(drafts),
        tuple(PlacedWord(word.text, word.box, word.confidence) for word in _words(sheet.pieces)) if with_words else (),
        tuple((size, total, bold) for size, (total, bold) in sizes.items()),
        hidden / characters if characters else 0.0,
        right_to_left,
    )


def _words(pieces: Iterable[Piece]) -> Iterable[Word]:
    return (word for piece in pieces for word in piece.words)


def _is_right_to_left(pieces: Sequence[Piece]) -> bool:
    text = "".join(word.text for word in _words(pieces))
    right = sum("\u0590" <= char <= "\u08ff" for char in text)
    return right > 0.5 * sum(map(str.isalpha, text)) > 0


def _placed(pieces: Iterable[Piece]) -> list[Placed[Item | Piece]]:
    return [Placed(piece, piece.box, piece.order) for piece in pieces]


def _edges(pieces: list[Piece], sheet: Sheet) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """Part the lines at the top and at the bottom that carry a page's number from what is between."""
    top: list[Piece] = []
    bottom: list[Piece] = []
    for number in pieces:
        if _PAGE_NUMBER.match(number.text):
            row = [piece for piece in pieces if abs(piece.base - number.base) <= 0.5 * number.size]
            if number.box.bottom < _EDGE * sheet.height and not top:
                top = row
            elif number.box.top > (1 - _EDGE) * sheet.height and not bottom:
                bottom = row
    taken = {id(piece) for piece in (*top, *bottom)}
    if len(taken) == len(pieces):
        return [], pieces, []
    return top, [piece for piece in pieces if id(piece) not in taken], bottom


def _ruled(sheet: Sheet, right_to_left: bool) -> tuple[list[Piece], list[tuple[int, Table]]]:
    """Take the words of drawn tables out of the pieces. Each table has the order of its first piece."""
    pieces = list(sheet.pieces)
    tables: list[tuple[int, Table]] = []
    grids = grids_of(sheet.rules)
    # The inner one of two first: its cells are the finer.
    for grid in sorted(grids, key=lambda grid: grid.box.width * grid.box.height):
        box = grid.box
        inside = [
            piece
            for piece in pieces
            if piece.box.left < box.right
            and piece.box.right > box.left
            and box.top - 2 <= (piece.box.top + piece.box.bottom) / 2 <= box.bottom + 2
        ]
        placed = words_by_place(grid, _words(inside))
        if not _is_table(grid, placed):
            continue
        taken = {id(word) for words in placed.values() for word in words}
        order = min((piece.order for piece in inside if any(id(word) in taken for word in piece.words)), default=0)
        tables.append((order, _table(grid, placed, right_to_left)))
        pieces = _without(pieces, taken)
    return pieces, tables


def _without(pieces: list[Piece], taken: set[int]) -> list[Piece]:
    left: list[Piece] = []
    for piece in pieces:
        words = [word for word in piece.words if id(word) not in taken]
        if len(words) == len(piece.words):
            left.append(piece)
        elif words:
            left.append(Piece(words, piece.order))
    return left


def _is_table(grid: Grid, placed: dict[Place, list[Word]]) -> bool:
    if len({place.row for place in placed}) < 2 or len({place.column for place in placed}) < 2:
        return False
    lengths = [sum(len(word.text) for word in words) for words in placed.values()]
    return len(placed) >= _LEAST_FILLED * len(grid.places) and max(lengths) <= _MOST_IN_CELL


def _without_empty(grid: Grid, placed: dict[Place, list[Word]]) -> dict[Place, Place]:
    """Leave out columns in which nothing stands by itself: a box to tick makes some. Says what becomes of each cell."""
    now = {place: place for place in grid.places}
    columns = len(grid.xs) - 1
    for column in reversed(range(columns)):
        own = [place for place, to in now.items() if to.column == column and to.columns == 1]
        if columns > 2 and not any(placed.get(place) for place in own):
            columns -= 1
            for place, to in list(now.items()):
                if to.column > column:
                    now[place] = Place(to.row, to.column - 1, to.rows, to.columns)
                elif to.column + to.columns > column:
                    now[place] = Place(to.row, to.column, to.rows, to.columns - 1)
            now = {place: to for place, to in now.items() if to.columns > 0}
    return now


def _table(grid: Grid, placed: dict[Place, list[Word]], right_to_left: bool) -> Table:
    rows: list[list[tuple[Place, Cell]]] = [[] for _ in range(len(grid.ys) - 1)]
    for place, to in _without_empty(grid, placed).items():
        lines = rows_of(placed.get(place, ()))
        spans = spans_of(lines) if lines else ()
        rows[to.row].append((to, Cell(spans, to.columns, to.rows)))
    empty = {
        index for index, row in enumerate(rows) if row and all(not cell.spans and cell.rows == 1 for _, cell in row)
    }
    made: list[tuple[Cell, ...]] = []
    for index, row in enumerate(rows):
        if index in empty and all(not _reaches(rows, index, above) for above in range(index)):
            continue
        row.sort(key=lambda pair: pair[0].column, reverse=right_to_left)
        made.append(tuple(cell for _, cell in row))
    return Table(with_header(made), grid.box)


def _reaches(rows: list[list[tuple[Place, Cell]]], index: int, above: int) -> bool:
    return any(above + cell.rows > index for _, cell in rows[above])


def with_header(rows: Sequence[Sequence[Cell]]) -> tuple[tuple[Cell, ...], ...]:
    """Mark the first row, with what it spans downwards, as the header."""
    depth = max((cell.rows for cell in rows[0]), default=1) if rows else 0
    depth = depth if depth <= 3 and depth < len(rows) else 1
    return tuple(
        tuple(Cell(cell.spans, cell.columns, cell.rows, header=index < depth) for cell in row)
        for index, row in enumerate(rows)
    )


def _with_figures(ordered: Sequence[Placed[Item | Piece]], figures: Sequence[Figure]) -> list[Placed[Item | Piece]]:
    """Put each picture before the first thing that stands below it and under it."""
    result = list(ordered)
    for figure in figures:
        box = figure.box
        assert box is not None
        at = len(result)
        for index, placed in enumerate(result):
            is_below = placed.box.top >= box.bottom - 2
            if is_below and min(placed.box.right, box.right) > max(placed.box.left, box.left):
                at = index
                break
        result.insert(at, Placed(figure, box, -1))
    return result
