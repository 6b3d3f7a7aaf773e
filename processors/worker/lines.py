"""Cuts a stream of bytes into lines, and never holds more than the limit of one."""

from __future__ import annotations

from collections.abc import Callable

CUT_MARK = " [cut]"


class LineSplitter:
    """Feeds whole lines to a function. Of a line longer than the limit it keeps the beginning and marks the cut."""

    def __init__(self, sink: Callable[[str], None], limit_bytes: int) -> None:
        self._sink = sink
        self._limit = limit_bytes
        self._held = b""
        self._is_cutting = False  # the line's beginning is out already; what follows up to its newline is dropped

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._extend(piece)
            self._finish()
        self._extend(rest)

    def close(self) -> None:
        """The stream is over: a last line without a newline is a line too."""
        if self._held:
            self._finish()

    def _extend(self, piece: bytes) -> None:
        if self._is_cutting:
            return
        self._held += piece
        if len(self._held) > self._limit:
            self._emit(self._held[: self._limit], CUT_MARK)
            self._is_cutting = True

    def _finish(self) -> None:
        if not self._is_cutting:
            self._emit(self._held.removesuffix(b"\r"))
        self._is_cutting = False

    def _emit(self, line: bytes, mark: str = "") -> None:
        self._held = b""
        self._sink(line.decode("utf-8", "replace") + mark)
