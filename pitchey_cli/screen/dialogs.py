"""What lies over the screen for a moment: a question, the help."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

HELP = """\
1 2 3 4 5   pools, jobs, instances, dead letters, queue
Tab         between the pools and the table below
up, down    choose a row; left, right: what does not fit
c           cancel the chosen job (asks)
r           retry the chosen dead letter (asks)
w           keep one more of the row's service warm, 1 hour
W           keep none of it warm any more
/           show only rows with a text in them
Esc         show all rows again
F5          look now
q, Ctrl-C   quit; jobs and daemon go on

Any key closes this."""


class Question(ModalScreen[bool]):
    """Asks before something is done that cannot be undone. Enter is no answer: it comes too easily."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The question, and how to answer it."""
        with Vertical():
            yield Static(Text(self._text), id="question")
            yield Static(Text.assemble(("y", "bold"), " yes    ", ("n", "bold"), " no"))

    def action_answer(self, answer: bool) -> None:
        """Close with an answer."""
        self.dismiss(answer)


class Help(ModalScreen[None]):
    """All keys."""

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical():
            yield Static(Text(HELP))

    def on_key(self) -> None:
        """Close."""
        self.dismiss()
