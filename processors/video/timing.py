"""Pure: at which times pictures are taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from processors.ffmpeg.cut import Cut, settled
from processors.specs import VideoSpec
from processors.worker.context import Rejected

_MOST = 10_000  # pictures of one job
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a video that a job is about, where it is known how long the whole is. Seconds of the file."""

    cut: Cut
    length: float  #: of the whole video

    @property
    def start(self) -> float:
        """Where it begins."""
        return self.cut.start

    @property
    def end(self) -> float:
        """Where it ends: with the video, unless it is cut before."""
        return self.length if self.cut.end is None else min(self.cut.end, self.length)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start

    def parts(self, count: int) -> list[tuple[float, float]]:
        """Cut it into equal spans."""
        edges = [self.start + self.seconds * number / count for number in range(count)] + [self.end]
        return list(pairwise(edges))


def window(spec: VideoSpec, seconds: float, name: str) -> Window:
    """Find the part of the video that is meant.

    Args:
        seconds: how long the video is.
        name: what to call it in messages.

    Raises:
        Rejected: it begins after the end.
    """
    return Window(settled(spec.start, spec.end, seconds, name), seconds)


def thumbnail_times(spec: VideoSpec, part: Window, framerate: float, name: str) -> list[float]:
    """Say at which times pictures are taken, in the order of their numbers; empty if none is wanted.

    Raises:
        Rejected: one is outside of what is there, or there are more than frames.
    """
    if spec.thumbnail_times is not None:
        times = list(dict.fromkeys(spec.thumbnail_times))
        for time in times:
            if not part.start <= time <= part.end:
                raise outside(time, part, name)
        return times
    if spec.thumbnail_interval is not None:
        count = max(1, math.ceil(part.seconds / spec.thumbnail_interval - _ROUNDING))
        _limit(count, part, framerate, name)
        return [part.start + number * spec.thumbnail_interval for number in range(count)]
    wanted = spec.thumbnail_count
    if wanted is None and spec.output_format == "thumbnail" and not (spec.poster or spec.sprite):
        wanted = 1
    if wanted is None:
        return []
    _limit(wanted, part, framerate, name)
    return [(start + end) / 2 for start, end in part.parts(wanted)]


def outside(time: float, part: Window | None, name: str) -> Rejected:
    """Make the error for a picture at a time that is not there.

    Args:
        part: what is there, where that is known.
    """
    code, what = "thumbnail_after_end", f"There is no picture at {time:g} s"
    if part is None:
        return Rejected(code, f"{what}: {name} is shorter.", "Choose times before the end.")
    hint = f"Choose times from {part.start:g} to {part.end:g}."
    if time < part.start:
        return Rejected("thumbnail_before_start", f"{what}: the job begins at {part.start:g} s of {name}.", hint)
    why = f"{name} is {part.length:g} s long" if time > part.length else f"the job ends at {part.end:g} s of {name}"
    return Rejected(code, f"{what}: {why}.", hint)


def _limit(count: int, part: Window, framerate: float, name: str) -> None:
    most = min(_MOST, max(1, round(part.seconds * framerate)))
    if count > most:
        what = "has only" if most < _MOST else "may have at most"
        unit = ("frame" if most == 1 else "frames") if most < _MOST else "pictures"
        message = f"{count} pictures are asked for, but {name} {what} {most} {unit}."
        raise Rejected("too_many_thumbnails", message, f"Ask for {most} at most, or for a longer interval.")
