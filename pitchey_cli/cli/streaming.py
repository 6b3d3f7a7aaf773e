"""The answer of a model that writes text, piece by piece as it comes: on stdout, while its job runs."""

from __future__ import annotations

from pathlib import Path

from pitchey_cli.cli import terminal
from pitchey_cli.domain.job import JobId
from pitchey_cli.operations.logs import Tail
from pitchey_cli.store.port import Store

PIECES = "answer"  #: the stream of the log that has them


class Streaming:
    """Shows the pieces of one job."""

    def __init__(self, store: Store, state_dir: Path, job_id: JobId) -> None:
        self.has_shown = False  #: some text; the whole, when the job has succeeded
        self._store = store
        self._tail = Tail(state_dir, job_id)
        self._attempt = 0  # that the last piece was of

    def tick(self) -> None:
        """Show what has come. Another attempt begins anew, so it begins on a line of its own."""
        for line in self._tail.new(self._store):
            if line.stream != PIECES:
                continue
            if self.has_shown and line.attempt != self._attempt:
                terminal.show_line("")
            self.has_shown, self._attempt = True, line.attempt
            terminal.show_line(line.line, has_colours=True, end="")

    def end(self) -> None:
        """Show the rest."""
        self.tick()
        if self.has_shown:
            terminal.show_line("")
