"""One picture that stands for a video: not black, not in a fade, not blurred, and like much of the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from av.video.frame import VideoFrame

from processors.ffmpeg.filters import Filter
from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.specs import VideoSpec
from processors.video.frames import Found, frames_within, key_frame_gap
from processors.video.pictures import MEDIA_TYPES, Look, drawn, filtered, shaping
from processors.video.timing import Window
from processors.worker.context import Context, HandlerError

_FEWEST, _CANDIDATES = 4, 12
_COST_SECONDS = 1.0  # as much as of media: for the share of the progress only
_SIDES = (96, 54)  # of the small picture that is judged
_BINS = 16  # of the histogram of brightness
_CONTRAST = 64.0  # a spread of brightness that is as good as more: of 0 to 255 evenly used, it is 74
_SHARPNESS = 12.0  # steps between neighbours, likewise: pictures from cameras have 5 to 15 at this size
_DARK, _BRIGHT = 40.0, 215.0  # means beyond which a picture is taken for under- or overexposed


@dataclass(frozen=True, slots=True)
class Sight:
    """What is judged of a picture."""

    mean: float  #: brightness, 0 to 255
    spread: float  #: its standard deviation
    sharpness: float  #: mean step between neighbours
    histogram: Sequence[float]  #: shares of the steps of brightness


def sight(grey: bytes, width: int) -> Sight:
    """Measure a small picture.

    Args:
        grey: its brightness, row by row.
    """
    mean = sum(grey) / len(grey)
    spread = math.sqrt(sum((value - mean) ** 2 for value in grey) / len(grey))
    across = sum(abs(a - b) for at in range(0, len(grey), width) for a, b in pairwise(grey[at : at + width]))
    down = sum(abs(a - b) for a, b in zip(grey, grey[width:], strict=False))
    counts = [0] * _BINS
    for value in grey:
        counts[value * _BINS // 256] += 1
    return Sight(mean, spread, (across + down) / (2 * len(grey)), [count / len(grey) for count in counts])


def scores(sights: Sequence[Sight]) -> list[float]:
    """Judge pictures of one video, from 0 to 1.

    The score is a product, so that a picture that fails in one way is no poster for all its other merits: contrast (the
    spread of brightness: a fade has little), exposure (black and white have none), sharpness (motion blurs), and how
    much its histogram is like the mean one of all (a title or a single dark scene is unlike).
    """
    usual = [sum(column) / len(sights) for column in zip(*(each.histogram for each in sights), strict=True)]
    return [_score(each, usual) for each in sights]


def _score(each: Sight, usual: Sequence[float]) -> float:
    contrast = min(1.0, each.spread / _CONTRAST)
    exposure = max(0.0, min(1.0, each.mean / _DARK, (255 - each.mean) / (255 - _BRIGHT)))
    sharpness = min(1.0, each.sharpness / _SHARPNESS)
    likeness = sum(min(a, b) for a, b in zip(each.histogram, usual, strict=True))
    return contrast * exposure * math.sqrt(sharpness) * (0.5 + likeness / 2)


def task(context: Context[VideoSpec], source: Source, video: Video, part: Window, look: Look) -> Task:
    """Look at a dozen frames over the whole, or fewer where key frames are rare, and make a picture of the best."""

    def run(report: Report) -> Made:
        gap = key_frame_gap(source.path, source.name, video, part.start, part.end)
        count = _CANDIDATES if not gap else max(_FEWEST, min(_CANDIDATES, int(part.seconds / gap)))
        found: list[Found] = []
        for number, each in enumerate(frames_within(source.path, source.name, video, part.parts(count)), start=1):
            if each is not None:
                found.append(each)
            report(number / count, None)
        if not found:
            raise HandlerError("no_picture", f"{source.name} has no picture that can be decoded.", retryable=False)
        judged = scores([sight(_grey(each.frame, video, source.name), _SIDES[0]) for each in found])
        best = max(range(len(found)), key=judged.__getitem__)
        name = f"poster.{look.format}"
        (context.out / name).write_bytes(drawn(found[best].frame, video, look, source.name))
        details = {
            "timeSeconds": round(found[best].at_seconds, 3),
            "width": look.width,
            "height": look.height,
            "score": round(judged[best], 3),
        }
        return Made([context.output(name, media_type=MEDIA_TYPES[look.format], role="poster", details=details)])

    return Task("poster", _COST_SECONDS, run)


def _grey(frame: VideoFrame, video: Video, name: str) -> bytes:
    width, height = _SIDES
    filters = [*shaping(frame, video, width, height, name), Filter("format", options={"pix_fmts": "gray"})]
    plane = filtered([frame], filters).planes[0]
    rows = bytes(plane)
    return b"".join(rows[at : at + width] for at in range(0, plane.line_size * height, plane.line_size))
