"""A shell in a slot: what is said before and after, where a job would be.

    supervisor  shell    one document; then what is typed in raw frames, and a size whenever the window changes
    slot        (raw)    what the terminal shows
    slot        ended    one document; the slot ends by itself

As with a job, the slot ends at once when its stdin is closed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from processors.code.reading import BadDocument, Fields
from processors.code.slot_protocol import MAX_TEXT, SLOT_PROTOCOL_VERSION, Phase
from processors.code.verdict import Verdict

SHELL = "shell"
_MAX_CELLS = 1 << 12


class Size(NamedTuple):
    """How large the window is."""

    rows: int = 24
    columns: int = 80

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {"type": "size", "rows": self.rows, "columns": self.columns}

    @staticmethod
    def read(document: dict[str, Any]) -> Size:
        """Read what was sent."""
        fields = Fields(document)
        if fields.text("type", 16) != "size":
            raise BadDocument("a size was expected")
        return Size(fields.whole("rows", 1, _MAX_CELLS), fields.whole("columns", 1, _MAX_CELLS))


class Shell(NamedTuple):
    """All that a slot is given."""

    run: Phase
    size: Size = Size()

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "type": SHELL,
            "protocol": SLOT_PROTOCOL_VERSION,
            "run": self.run.document(),
            "size": self.size.document(),
        }

    @staticmethod
    def read(document: dict[str, Any]) -> Shell:
        """Read what was sent.

        Raises:
            BadDocument: it is not to be run; says why.
        """
        fields = Fields(document)
        if fields.text("type", 16) != SHELL:
            raise BadDocument("a shell was expected")
        fields.whole("protocol", SLOT_PROTOCOL_VERSION, SLOT_PROTOCOL_VERSION)
        size = document.get("size")
        if not isinstance(size, dict):
            raise BadDocument("size is no object")
        return Shell(Phase.read(fields.inner("run")), Size.read(size))


class ShellEnded(NamedTuple):
    """How it ended."""

    verdict: Verdict
    message: str
    exit_code: int | None = None
    signal: int | None = None

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "type": "ended",
            "verdict": self.verdict.value,
            "message": self.message,
            "exitCode": self.exit_code,
            "signal": self.signal,
        }

    @staticmethod
    def read(document: dict[str, Any]) -> ShellEnded:
        """Read what was sent."""
        fields = Fields(document)
        if fields.text("type", 16) != "ended":
            raise BadDocument("an end was expected")
        try:
            verdict = Verdict(fields.text("verdict", 32))
        except ValueError as error:
            raise BadDocument("there is no such verdict") from error
        return ShellEnded(
            verdict,
            fields.text("message", MAX_TEXT),
            fields.whole("exitCode", 0, 255) if fields.has("exitCode") else None,
            fields.whole("signal", 1, 64) if fields.has("signal") else None,
        )
