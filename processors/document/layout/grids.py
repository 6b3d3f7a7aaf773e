"""Tables that are drawn: lines that cross are a grid, and words lie in its cells."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from processors.document.layout.pieces import Rule, Word
from processors.document.model import Box

_NEAR = 3.0  # points: lines that close to each other are one, or touch
_LEAST_CELL = 5.0  # points
_LEAST_DRAWN = 0.5  # of the length of the usual line; where cells span, lines are shorter
_MOST_LINES = 400  # of one grid in a direction


@dataclass(frozen=True, slots=True)
class Place:
    """A cell of a grid, with how many columns and rows it spans."""

    row: int
    column: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the lines of a table are, and which cells have no line between them."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    places: tuple[Place, ...]

    @property
    def box(self) -> Box:
        return Box(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1])

    def at(self, x: float, y: float) -> Place | None:
        """The cell that holds a point."""
        column, row = bisect_right(self.xs, x) - 1, bisect_right(self.ys, y) - 1
        for place in self.places:
            if place.row <= row < place.row + place.rows and place.column <= column < place.column + place.columns:
                return place
        return None


def grids_of(rules: Sequence[Rule]) -> list[Grid]:
    """Find the grids of a page, those with two columns and two rows at least."""
    drawn = [rule for rule in rules if not rule.is_ground]
    level = [rule.box for rule in drawn if rule.is_level]
    upright = _merged([rule.box for rule in drawn if not rule.is_level], is_level=False)
    grounds = [rule.box for rule in rules if rule.is_ground]
    level = _merged([*level, *_edges(grounds, level, upright)], is_level=True)
    found = []
    for across, down in _connected(level, upright):
        grid = _grid(across, down)
        if grid is not None:
            found.append(grid)
    return found


def _edges(grounds: Sequence[Box], level: Sequence[Box], upright: Sequence[Box]) -> Iterator[Box]:
    """The upper and lower edges of grounds that reach from one line to another: they part rows as lines do."""
    ends = sorted([x for box in level for x in (box.left, box.right)] + [(box.left + box.right) / 2 for box in upright])

    def is_end(x: float) -> bool:
        at = bisect_left(ends, x - _NEAR)
        return at < len(ends) and ends[at] <= x + _NEAR

    for box in grounds:
        if is_end(box.left) and is_end(box.right):
            yield Box(box.left, box.top, box.right, box.top)
            yield Box(box.left, box.bottom, box.right, box.bottom)


def _merged(boxes: Iterable[Box], *, is_level: bool) -> list[Box]:
    """Join what lies on one line and touches."""

    def key(box: Box) -> tuple[float, float]:
        return ((box.top + box.bottom) / 2, box.left) if is_level else ((box.left + box.right) / 2, box.top)

    lines: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: key(box)[0]):
        if lines and abs(key(lines[-1][-1])[0] - key(box)[0]) <= _NEAR / 2:
            lines[-1].append(box)
        else:
            lines.append([box])
    merged: list[Box] = []
    for line in lines:
        line.sort(key=lambda box: key(box)[1])
        current = line[0]
        for box in line[1:]:
            gap = box.left - current.right if is_level else box.top - current.bottom
            if gap <= _NEAR:
                current = current.joined(box)
            else:
                merged.append(current)
                current = box
        merged.append(current)
    return merged


def _connected(level: list[Box], upright: list[Box]) -> list[tuple[list[Box], list[Box]]]:
    """Groups of lines that cross or touch."""
    groups = list(range(len(level) + len(upright)))

    def root(index: int) -> int:
        while groups[index] != index:
            groups[index] = groups[groups[index]]
            index = groups[index]
        return index

    for i, across in enumerate(level):
        y = (across.top + across.bottom) / 2
        for j, down in enumerate(upright):
            x = (down.left + down.right) / 2
            if across.left - _NEAR <= x <= across.right + _NEAR and down.top - _NEAR <= y <= down.bottom + _NEAR:
                groups[root(i)] = root(len(level) + j)
    members: dict[int, tuple[list[Box], list[Box]]] = {}
    for index in range(len(groups)):
        pair = members.setdefault(root(index), ([], []))
        if index < len(level):
            pair[0].append(level[index])
        else:
            pair[1].append(upright[index - len(level)])
    return [pair for pair in members.values() if pair[0] and pair[1]]


def _grid(across: list[Box], down: list[Box]) -> Grid | None:
    ys = _places([(box.top + box.bottom) / 2 for box in across])
    xs = _places([(box.left + box.right) / 2 for box in down])
    # Tables are often open at their sides: the ends of the lines are the edge there.
    left, right = min(box.left for box in across), max(box.right for box in across)
    top, bottom = min(box.top for box in down), max(box.bottom for box in down)
    xs = _with_ends(xs, left, right)
    ys = _with_ends(ys, top, bottom)
    if not 3 <= len(xs) <= _MOST_LINES or not 3 <= len(ys) <= _MOST_LINES:
        return None
    if (
        _drawn_share(across, bottom_to_top=False) < _LEAST_DRAWN
        or _drawn_share(down, bottom_to_top=True) < _LEAST_DRAWN
    ):
        return None
    return Grid(tuple(xs), tuple(ys), tuple(_cells(xs, ys, across, down)))


def _drawn_share(lines: Sequence[Box], *, bottom_to_top: bool) -> float:
    """How much of its length the usual line of a grid is drawn: the lines of a drawing only meet somewhere."""
    spans = [(box.top, box.bottom) if bottom_to_top else (box.left, box.right) for box in lines]
    whole = max(end for _, end in spans) - min(start for start, _ in spans)
    places: dict[int, float] = {}
    for box, (start, end) in zip(lines, spans, strict=True):
        at = round(((box.left + box.right) if bottom_to_top else (box.top + box.bottom)) / 2 / _NEAR)
        places[at] = places.get(at, 0.0) + end - start
    return sum(min(1.0, length / whole) for length in places.values()) / len(places) if whole else 0.0


def _places(values: list[float]) -> list[float]:
    """Values that are close to each other are one."""
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > _NEAR:
            found.append(value)
    return found


def _with_ends(values: list[float], first: float, last: float) -> list[float]:
    before = [first] if first < values[0] - _LEAST_CELL else []
    after = [last] if last > values[-1] + _LEAST_CELL else []
    return [*before, *values, *after]


def _cells(xs: list[float], ys: list[float], across: list[Box], down: list[Box]) -> list[Place]:
    """Join what has no line in between, as long as it is a rectangle."""
    rows, columns = len(ys) - 1, len(xs) - 1
    # wall_right[row][column]: is there a line at the right of the cell; wall_below likewise
    wall_right = [[True] * columns for _ in range(rows)]
    wall_below = [[True] * columns for _ in range(rows)]
    for column in range(columns - 1):
        near = [box for box in down if abs((box.left + box.right) / 2 - xs[column + 1]) <= _NEAR]
        for row, (top, bottom) in enumerate(pairwise(ys)):
            middle = (top + bottom) / 2
            wall_right[row][column] = any(box.top <= middle <= box.bottom for box in near)
    for row in range(rows - 1):
        near = [box for box in across if abs((box.top + box.bottom) / 2 - ys[row + 1]) <= _NEAR]
        for column, (left, right) in enumerate(pairwise(xs)):
            middle = (left + right) / 2
            wall_below[row][column] = any(box.left <= middle <= box.right for box in near)
    taken = [[False] * columns for _ in range(rows)]
    places: list[Place] = []
    for row in range(rows):
        for column in range(columns):
            if taken[row][column]:
                continue
            width = 1
            while (
                column + width < columns and not wall_right[row][column + width - 1] and not taken[row][column + width]
            ):
                width += 1
            height = 1
            while row + height < rows and all(
                not wall_below[row + height - 1][x]
                and not taken[row + height][x]
                and (x == column + width - 1 or not wall_right[row + height][x])
                for x in range(column, column + width)
            ):
                height += 1
            for y in range(row, row + height):
                for x in range(column, column + width):
                    taken[y][x] = True
            places.append(Place(row, column, height, width))
    return places


def words_by_place(grid: Grid, words: Iterable[Word]) -> dict[Place, list[Word]]:
    """Put words into cells, by their middle."""
    found: dict[Place, list[Word]] = {}
    for word in words:
        place = grid.at((word.left + word.right) / 2, word.base - word.style.size / 4)
        if place is not None:
            found.setdefault(place, []).append(word)
    return found
