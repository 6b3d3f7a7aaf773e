"""Charts as plain numbers, which the template of the page draws as SVG. Pure: no markup is made here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pitchey_cli.values import dataclass

WIDTH, HEIGHT = 640.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 8.0, 10.0, 24.0  # what of it is left for the labels
_MOST_LABELS = 9
_ROW, _BAR, _NAME = 28.0, 16.0, 150.0
_GAP = 0.2  # of the room of a bar
_LABEL_CHARS = 16


@dataclass(frozen=True)
class Label:
    """A word on an axis."""

    place: float
    text: str


@dataclass(frozen=True)
class Block:
    """A part of a bar."""

    kind: str  #: its colour, and its entry in the legend
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Line:
    """Corners of a line of steps."""

    kind: str
    points: str  #: as SVG has them


@dataclass(frozen=True)
class Chart:
    """What is drawn."""

    width: float
    height: float
    kinds: tuple[str, ...]  #: for the legend
    blocks: tuple[Block, ...] = ()
    lines: tuple[Line, ...] = ()
    heights: tuple[Label, ...] = ()  #: on the vertical axis
    places: tuple[Label, ...] = ()  #: on the horizontal axis
    names: tuple[Label, ...] = ()  #: of the rows of a lying chart
    ends: tuple[tuple[float, Label], ...] = ()  #: what stands behind its bars


@dataclass(frozen=True)
class Part:
    """A part of a bar, before it is drawn."""

    kind: str
    amount: float
    title: str


def columns(names: Sequence[str], stacks: Sequence[Sequence[Part]], *, unit: str = "$") -> Chart:
    """Bars that stand side by side, each made of parts."""
    top = _round_up(max((sum(part.amount for part in stack) for stack in stacks), default=0.0))
    room = (WIDTH - LEFT - RIGHT) / max(1, len(stacks))
    blocks = []
    for place, stack in enumerate(stacks):
        below = HEIGHT - BOTTOM
        for part in stack:
            height = part.amount / top * (HEIGHT - TOP - BOTTOM)
            below -= height
            x = LEFT + room * (place + _GAP / 2)
            blocks.append(Block(part.kind, _r(x), _r(below), _r(room * (1 - _GAP)), _r(height), part.title))
    every = max(1, math.ceil(len(names) / _MOST_LABELS))
    places = [Label(_r(LEFT + room * (at + 0.5)), name) for at, name in enumerate(names) if at % every == 0]
    return Chart(WIDTH, HEIGHT, _kinds(stacks), tuple(blocks), (), _heights(top, unit), tuple(places))


def rows(names: Sequence[str], stacks: Sequence[Sequence[Part]], ends: Sequence[str]) -> Chart:
    """Bars that lie below each other, each with its name before it and a word behind it."""
    most = max((sum(part.amount for part in stack) for stack in stacks), default=0.0) or 1.0
    scale = (WIDTH - _NAME - 110) / most
    blocks, words = [], []
    for place, (stack, end) in enumerate(zip(stacks, ends, strict=True)):
        x, y = _NAME, place * _ROW + (_ROW - _BAR) / 2
        for part in stack:
            blocks.append(Block(part.kind, _r(x), _r(y), _r(part.amount * scale), _BAR, part.title))
            x += part.amount * scale
        words.append((_r(x + 6), Label(_r(y + _BAR - 4), end)))
    shown = tuple(Label(_r(place * _ROW + _ROW / 2 + 4), _short(name)) for place, name in enumerate(names))
    return Chart(WIDTH, _ROW * len(names), _kinds(stacks), tuple(blocks), names=shown, ends=tuple(words))


def steps(names: Sequence[Label], series: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    """Lines that stay until they change. The place of a name is its share of the width."""
    top = _round_up(max((max(values, default=0) for _, values in series), default=0), least=1.0)
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    lines = []
    for kind, values in series:
        points = []
        for place, value in enumerate(values):
            y = _r(HEIGHT - BOTTOM - value / top * high)
            points += [
                f"{_r(LEFT + wide * place / len(values))},{y}",
                f"{_r(LEFT + wide * (place + 1) / len(values))},{y}",
            ]
        lines.append(Line(kind, " ".join(points)))
    places = tuple(Label(_r(LEFT + wide * each.place), each.text) for each in names)
    return Chart(WIDTH, HEIGHT, tuple(kind for kind, _ in series), (), tuple(lines), _heights(top, ""), places)


def _kinds(stacks: Sequence[Sequence[Part]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.kind for stack in stacks for part in stack))


def _heights(top: float, unit: str) -> tuple[Label, ...]:
    high = HEIGHT - TOP - BOTTOM
    return tuple(
        Label(_r(HEIGHT - BOTTOM - share * high), f"{unit}{top * share:.4g}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    )


def _round_up(value: float, *, least: float = 1e-6) -> float:
    """To a number that four parts of are easy to read."""
    value = max(value, least)
    step = 10.0 ** math.floor(math.log10(value))
    return next(step * factor for factor in (1, 2, 4, 6, 8, 10) if value <= step * factor * (1 + 1e-9))


def _short(name: str) -> str:
    return name if len(name) <= _LABEL_CHARS else f"{name[: _LABEL_CHARS - 1]}…"


def _r(number: float) -> float:
    return round(number, 2)
