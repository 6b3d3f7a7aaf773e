"""The full screen of `pitchey top`: what there is to see, once a second, and the keys.

All that takes time goes to one thread, in the order in which it was asked for; the screen itself never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import ContentSwitcher, Footer, Input, Static

from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.domain.job import TERMINAL, WAITING, JobId, JobState
from pitchey_cli.domain.overview import Overview
from pitchey_cli.reports import top
from pitchey_cli.reports.top import TABLES, Row, View
from pitchey_cli.reports.wording import printable
from pitchey_cli.screen.desk import Desk, sentence
from pitchey_cli.screen.dialogs import Help, Question
from pitchey_cli.screen.tables import RowTable, widget_id

_Answer = TypeVar("_Answer")
_LOWER = tuple(view for view in View if view is not View.POOLS)


def _whole(view: View, found: Overview, listed: int) -> int:
    """How many rows a table would have if all of them were listed."""
    match view:
        case View.JOBS:
            return found.count(JobState.RUNNING, *WAITING)
        case View.DEAD_LETTERS:
            return found.count(JobState.DEAD)
        case _:
            return listed


class TopApp(App[None]):
    """`pitchey top`."""

    TITLE = "pitchey top"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"view('{view}')", view, show=False) for number, view in enumerate(View, 1)),
        Binding("c", "cancel", "Cancel"),
        Binding("r", "retry", "Retry"),
        Binding("w", "warm", "Warm"),
        Binding("W", "cool", "Cool"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "clear_filter", "All", show=False),
        Binding("f5", "look", "Look", show=False),
        Binding("question_mark,h", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, desk: Desk, first: Overview, *, every_seconds: float = 1.0) -> None:
        """Make the screen.

        Args:
            first: what is there at once, because a database that cannot be opened is no reason for a screen.
        """
        super().__init__()
        self._desk = desk
        self._found = first
        self._every_seconds = every_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._is_looking = False
        self._wanted = ""  #: the filter

    def compose(self) -> ComposeResult:
        """Lines, pools, tables, keys."""
        with Horizontal(id="top"):
            yield Static(id="headline")
            yield Static(id="clock")
        for name in ("host", "spending", "notices", "trouble"):
            yield Static(id=name)
        yield RowTable(View.POOLS)
        yield Static(id="tabs")
        with ContentSwitcher(initial=f"pane-{View.JOBS}"):
            for view in _LOWER:
                with Vertical(id=f"pane-{widget_id(view)}"):
                    yield RowTable(view)
                    yield Static(TABLES[view].empty, classes="empty")
        yield Input(placeholder="only rows with this in them; Enter keeps it, Esc shows all", id="filter")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show the first look, and look again and again."""
        self.query_one("#filter").display = False
        self._show_trouble("")
        self._show()
        self.action_view(View.JOBS)
        self.set_interval(self._every_seconds, self._tick)

    async def on_unmount(self) -> None:
        """Leave nothing behind."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._desk.close)
        self._thread.shutdown()

    # --- looking

    def _tick(self) -> None:
        if self._is_looking:
            self._show_trouble("The database has not answered yet.")
        else:
            self.action_look()

    def action_look(self) -> None:
        """Look now."""
        self._is_looking = True
        self.run_worker(self._look())

    async def _look(self) -> None:
        try:
            self._found = await self._ask(self._desk.look)
        except PitcheyError as error:
            self._show_trouble(sentence(error))
        else:
            self._show_trouble("")
            self._show()
        finally:
            self._is_looking = False

    async def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)

    def _show(self) -> None:
        found = self._found
        self._lines("headline", top.headline(found))
        self._lines("clock", Text(f"{found.at.astimezone():%H:%M:%S}", style="bold"))
        self._lines("host", top.host_line(found.host))
        self._lines("spending", top.spending_line(found))
        self._lines("notices", *top.notices(found))
        numbers: list[int] = []
        for view in View:
            rows = TABLES[view].rows(found)
            shown = rows if view is View.POOLS else [row for row in rows if row.holds(self._wanted)]
            table = self._table(view)
            table.show(shown)
            numbers.append(len(shown) if self._wanted else _whole(view, found, len(rows)))
            if view in _LOWER:
                empty = f"No row has {self._wanted!r} in it; Esc shows all." if rows else TABLES[view].empty
                self._pane(view).query_one(".empty", Static).update(Text(empty))
                self._pane(view).query_one(".empty").display = not shown
        self._show_tabs(numbers)

    def _show_tabs(self, numbers: list[int]) -> None:
        current = self.query_one(ContentSwitcher).current
        line = Text(no_wrap=True, overflow="ellipsis", end="")
        for number, (view, rows) in enumerate(zip(View, numbers, strict=True), 1):
            is_current = current == f"pane-{widget_id(view)}"
            count = f" ({rows:,})" if view in (View.JOBS, View.INSTANCES, View.DEAD_LETTERS) else ""
            line.append(f" {number} {view}{count} ", style="reverse bold" if is_current else "")
        if self._wanted:
            line.append(f" only {self._wanted!r}", style="bold yellow")
        self._lines("tabs", line)

    def _lines(self, name: str, *lines: Text) -> None:
        widget = self.query_one(f"#{name}", Static)
        widget.display = bool(lines)
        widget.update(Text("\n").join(lines))

    def _show_trouble(self, text: str) -> None:
        if not text:
            self._lines("trouble")
            return
        since = f"Shown is how it was at {self._found.at.astimezone():%H:%M:%S}."
        self._lines("trouble", Text(f"! {printable(text)} {since}", style="bold red"))

    # --- tables

    def _table(self, view: View) -> RowTable:
        return self.query_one(f"#{widget_id(view)}", RowTable)

    def _pane(self, view: View) -> Vertical:
        return self.query_one(f"#pane-{widget_id(view)}", Vertical)

    def action_view(self, name: str) -> None:
        """Go to a table; those below the pools take each other's place."""
        view = View(name)
        if view in _LOWER:
            self.query_one(ContentSwitcher).current = f"pane-{widget_id(view)}"
        self._table(view).focus()
        self._show()

    def _chosen(self, *views: View) -> Row | None:
        table = self.focused
        return table.chosen if isinstance(table, RowTable) and table.view in views else None

    def action_filter(self) -> None:
        """Ask which rows to show."""
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what is left while somebody types."""
        self._wanted = event.value.strip()
        self._show()

    def on_input_submitted(self) -> None:
        """Keep the filter, and go back to the rows."""
        self._leave_filter()

    def action_clear_filter(self) -> None:
        """Show all rows."""
        self.query_one("#filter", Input).value = ""
        self._leave_filter()

    def _leave_filter(self) -> None:
        self.query_one("#filter").display = False
        current = self.query_one(ContentSwitcher).current
        self.action_view(next(view for view in _LOWER if f"pane-{widget_id(view)}" == current))

    # --- orders

    def action_cancel(self) -> None:
        """Cancel the chosen job."""
        row = self._chosen(View.JOBS)
        job = next((each for each in self._found.jobs if row is not None and each.id == row.key), None)
        if job is None or job.state in TERMINAL:
            self.notify("Choose a job first: 2 shows them.", severity="warning", markup=False)
            return
        what = "It is running: its work is lost." if job.state is JobState.RUNNING else "It will never run."
        self._ask_and_order(
            f"Cancel {job.id} ({printable(job.name)[:40]})? {what}", lambda: self._desk.cancel(JobId(job.id))
        )

    def action_retry(self) -> None:
        """Retry the chosen dead letter."""
        row = self._chosen(View.DEAD_LETTERS)
        if row is None:
            self.notify("Choose a dead letter first: 4 shows them.", severity="warning", markup=False)
            return
        job_id = JobId(row.key)
        self._ask_and_order(f"Queue {job_id} again, with fresh attempts?", lambda: self._desk.retry(job_id))

    def action_warm(self) -> None:
        """Keep one more of the row's service warm."""
        if (row := self._chosen(*View)) is not None:
            self.run_worker(self._order(lambda: self._desk.warm(row.pool)))
        else:
            self.notify("Choose a service first: 1 shows them.", severity="warning", markup=False)

    def action_cool(self) -> None:
        """Keep none of the row's service warm."""
        if (row := self._chosen(*View)) is not None:
            self.run_worker(self._order(lambda: self._desk.cool(row.pool)))
        else:
            self.notify("Choose a service first: 1 shows them.", severity="warning", markup=False)

    def _ask_and_order(self, question: str, order: Callable[[], str]) -> None:
        def answered(is_wanted: bool | None) -> None:
            if is_wanted:
                self.run_worker(self._order(order))

        self.push_screen(Question(question), answered)

    async def _order(self, order: Callable[[], str]) -> None:
        try:
            self.notify(await self._ask(order), markup=False)
        except PitcheyError as error:
            self.notify(sentence(error), severity="error", markup=False)
            return
        await self._look()

    def action_help(self) -> None:
        """Show all keys."""
        self.push_screen(Help())
