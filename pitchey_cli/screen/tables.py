"""A table that is drawn anew every second, and stays where the reader is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text
from textual.widgets import DataTable

from pitchey_cli.reports.top import TABLES, Row, View

_WIDEST = 60  # of a cell; `pitchey status JOB` has the whole of it


class RowTable(DataTable[Text]):
    """One of the views. The cursor keeps to its row, whatever comes and goes around it."""

    def __init__(self, view: View) -> None:
        # Without padding, and with a gap in the cells: 80 columns are few.
        super().__init__(id=widget_id(view), cursor_type="row", cell_padding=0)
        self.view = view
        self._table = TABLES[view]
        self._rows: dict[str, Row] = {}

    def on_mount(self) -> None:
        """Make the columns."""
        for name in self._table.columns:
            self.add_column(self._spaced(name, Text(name)), key=name)

    @property
    def chosen(self) -> Row | None:
        """The row that the cursor is on."""
        keys = list(self._rows)
        return self._rows[keys[self.cursor_row]] if 0 <= self.cursor_row < len(keys) else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows, and change no more than has changed."""
        wanted = {row.key: row for row in rows}
        for key in [key for key in self._rows if key not in wanted]:
            self._remove(key)
        kept = list(self._rows)
        if kept == list(wanted)[: len(kept)]:
            self._change(wanted)
        else:
            self._draw_anew(wanted)
        self._rows = wanted

    def _remove(self, key: str) -> None:
        chosen = self.chosen
        self.remove_row(key)
        del self._rows[key]
        if chosen is not None and chosen.key in self._rows:
            self._choose(list(self._rows).index(chosen.key))

    def _change(self, wanted: dict[str, Row]) -> None:
        for key, row in wanted.items():
            if key not in self._rows:
                self.add_row(*self._cells(row), key=key)
                continue
            before = self._rows[key].cells
            for name, cell, old in zip(self._table.columns, row.cells, before, strict=True):
                if cell != old or cell.spans != old.spans or cell.style != old.style:
                    self.update_cell(key, name, self._spaced(name, cell), update_width=True)

    def _draw_anew(self, wanted: dict[str, Row]) -> None:
        chosen, at, scrolled = self.chosen, self.cursor_row, self.scroll_offset
        self.clear()
        for key, row in wanted.items():
            self.add_row(*self._cells(row), key=key)
        keys = list(wanted)
        self._choose(keys.index(chosen.key) if chosen is not None and chosen.key in wanted else min(at, len(keys) - 1))
        self.call_after_refresh(self.scroll_to, scrolled.x, scrolled.y, animate=False)

    def _choose(self, row: int) -> None:
        if row >= 0:
            self.move_cursor(row=row, animate=False, scroll=False)

    def _cells(self, row: Row) -> list[Text]:
        return [self._spaced(name, cell) for name, cell in zip(self._table.columns, row.cells, strict=True)]

    def _spaced(self, name: str, cell: Text) -> Text:
        options: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis", "end": ""}
        if name in self._table.right:
            return Text.assemble(" ", cell, justify="right", **options)
        shown = cell.copy()
        shown.truncate(_WIDEST, overflow="ellipsis")
        return Text.assemble("" if name == self._table.columns[0] else "  ", shown, **options)


def widget_id(view: View) -> str:
    """The name of a view's widget."""
    return view.replace(" ", "-")
