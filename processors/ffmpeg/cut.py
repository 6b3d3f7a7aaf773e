"""Pure: the part of a file that a job is about, in seconds of the file."""

from __future__ import annotations

from dataclasses import dataclass

from processors.worker.context import Rejected


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a file."""

    start: float = 0.0
    end: float | None = None  #: None: that of the file

    def seconds(self, whole: float | None) -> float | None:
        """How long it is, where that is known.

        Args:
            whole: seconds of the file.
        """
        if whole is None:  # it may end before the part does
            return None
        return max(0.0, (whole if self.end is None else min(self.end, whole)) - self.start)

    def within(self, start: float, end: float | None) -> Cut:
        """A part of this part."""
        return Cut(self.start + start, self.end if end is None else self.start + end)

    def span(self, start: float, end: float) -> tuple[float, float] | None:
        """Where something of the file is in this part, at the times that it has there; None where nothing of it is.

        Chapters and subtitles are cut by this.
        """
        begin, finish = max(start, self.start), end if self.end is None else min(end, self.end)
        return (begin - self.start, finish - self.start) if finish > begin else None

    @property
    def options(self) -> dict[str, float]:
        """For an input: ffmpeg goes to the frame before, and decodes up to the very moment."""
        return ({"ss": self.start} if self.start else {}) | self.limit

    @property
    def limit(self) -> dict[str, float]:
        """For an output: else chapters would go on after the end."""
        return {} if self.end is None else {"t": round(self.end - self.start, 6)}


def settled(start: float | None, end: float | None, seconds: float | None, name: str) -> Cut:
    """Make a part of what a spec says.

    Args:
        seconds: of the file, where that is known for sure.
        name: what to call the file in messages.

    Raises:
        Rejected: the file ends before the part begins.
    """
    begin = start or 0.0
    if seconds is not None and begin >= seconds > 0:
        message = f"There is nothing from {begin:g} s on: {name} is {seconds:g} s long."
        raise Rejected("start_after_end", message, f"Choose a start before {seconds:g}.")
    return Cut(begin, end)
