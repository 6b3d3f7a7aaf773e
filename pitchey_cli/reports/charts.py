"""Charts in the terminal, without colour: they are read in pipes and logs as well. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pitchey_cli.domain.daily import Day
from pitchey_cli.domain.pool_history import Stretch
from pitchey_cli.domain.prices import NANODOLLARS

_LINES = 16
_APART = 2  # lengths of a name, from the beginning of one to that of the next


def per_day(days: Sequence[Day], *, width: int) -> RenderableType:
    """What each day has cost."""
    if not any(day.total for day in days):
        return Text("\nNothing was spent: there is nothing to draw.")
    import plotext  # late: only a chart needs it

    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, _LINES)
    figure.title("cost per day, $")
    places = list(range(len(days)))
    figure.draw(figure.bar(places, [day.total / NANODOLLARS for day in days], width=0.6))
    _name(figure, [(place, f"{day.date:%m-%d}") for place, day in enumerate(days)], width)
    return Text("\n" + figure.build().string(colorless=True))


def pools(found: Sequence[Stretch], *, width: int) -> RenderableType:
    """How many jobs waited, and how many instances there were, one above the other: their scales differ."""
    if not any(each.waiting or each.instances for each in found):
        return Text("No pool was seen at work in this time: there is nothing to draw.")
    drawn = [
        _series("waiting jobs", found, [each.waiting for each in found], width),
        _series("instances", found, [each.instances for each in found], width),
    ]
    return Text("\n".join(drawn))


def _series(title: str, found: Sequence[Stretch], values: Sequence[int], width: int) -> str:
    import plotext  # late, as above

    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, _LINES)
    figure.title(title)
    line = figure.signal(list(range(len(found))), list(values), marker="▪")
    line.lines(True)
    figure.draw(line)
    figure.ruler("y").lim(0, max(1, *values))
    _name(figure, [(place, f"{each.begin.astimezone():%m-%d %H:%M}") for place, each in enumerate(found)], width)
    return str(figure.build().string(colorless=True))


def _name(figure: Any, names: Sequence[tuple[int, str]], width: int) -> None:
    """Write as many names on the axis as there is room for."""
    most = max(1, width // (_APART * max(len(name) for _, name in names)))
    every = -(-len(names) // most)
    shown = names[every // 2 :: every]
    figure.ruler("x").ticks([place for place, _ in shown], [name for _, name in shown])
