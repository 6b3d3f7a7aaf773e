"""What ffmpeg says while it works: blocks of key=value lines on the pipe that `-progress` names."""

from __future__ import annotations

from collections.abc import Callable


class ProgressReader:
    """Feeds how much is done, in seconds of media, and at what speed, to a function; once for each block."""

    def __init__(self, sink: Callable[[float, float | None], None]) -> None:
        self.seconds = 0.0  #: of media, so far
        self.frames = 0  #: written, so far
        self.duplicated = 0  #: frames that were made up to fill a gap
        self.dropped = 0  #: frames that were left out
        self._speed: float | None = None
        self._sink = sink

    def __call__(self, line: str) -> None:
        """Take one line."""
        key, _, value = line.partition("=")
        match key.strip():
            case "out_time_us":
                self.seconds = max(self.seconds, (_number(value) or 0.0) / 1e6)  # N/A, or negative, before it begins
            case "frame":
                self.frames = int(_number(value) or 0)
            case "dup_frames":
                self.duplicated = int(_number(value) or 0)
            case "drop_frames":
                self.dropped = int(_number(value) or 0)
            case "speed":
                self._speed = _number(value.rstrip("x \n"))
            case "progress":
                self._sink(self.seconds, self._speed)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
