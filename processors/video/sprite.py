"""Sheets of small pictures with a WebVTT file that says which shows when, for the seek bars of players."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from av.video.frame import VideoFrame

from processors.ffmpeg.filters import Filter
from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.protocol import OutputFile
from processors.specs import VideoSpec
from processors.video.frames import frames_within, key_frame_gap
from processors.video.pictures import MEDIA_TYPES, Conveyor, Look, encoded, filtered, shaping
from processors.video.quality import fit
from processors.video.timing import Window
from processors.worker.context import Context, HandlerError

COLUMNS, ROWS = 10, 10
_BOX = "160x160"
_FEWEST_TILES, _MOST_TILES = 50, 300
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600)  # seconds that one tile stands for
_COST = 0.03  # of a tile, in seconds of media: for the share of the progress only
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Tile:
    """A small picture: what it stands for, and where it is."""

    start: float  #: seconds of the file
    end: float
    sheet: int  #: from 0
    column: int
    row: int


def tiles(part: Window, key_frame_gap: float | None = None) -> list[Tile]:
    """Cut a video into spans of an even length, at most 300, and give each its place.

    Args:
        key_frame_gap: seconds; the spans are so long that each has a key frame, as long as there are 50 of them.
    """
    step = _step(part.seconds / _MOST_TILES)
    if key_frame_gap is not None and part.seconds / _step(key_frame_gap) >= _FEWEST_TILES:
        step = max(step, _step(key_frame_gap))
    count = max(1, math.ceil(part.seconds / step - _ROUNDING))
    edges = [part.start + number * step for number in range(count)] + [part.end]
    return [
        Tile(edges[number], edges[number + 1], number // (COLUMNS * ROWS), number % COLUMNS, number // COLUMNS % ROWS)
        for number in range(count)
    ]


def _step(least: float) -> float:
    """The smallest round length that is no less."""
    return next((step for step in _STEPS if step >= least - _ROUNDING), least)


def webvtt(tiles: Sequence[Tile], start: float, width: int, height: int, sheet_name: str) -> str:
    """Write which rectangle of which sheet belongs to which time.

    Args:
        start: the moment of the file at which the result begins; its times are counted from there.
        sheet_name: with a place for the number of the sheet, as sprite-{:03}.jpg.
    """
    cues = [
        f"{_timestamp(tile.start - start)} --> {_timestamp(tile.end - start)}\n"
        f"{sheet_name.format(tile.sheet + 1)}#xywh={tile.column * width},{tile.row * height},{width},{height}\n"
        for tile in tiles
    ]
    return "\n".join(["WEBVTT\n", *cues])


def task(context: Context[VideoSpec], source: Source, video: Video, part: Window) -> Task:
    """Make the sheets, from key frames as far as there are enough."""
    spec = context.spec
    placed = tiles(part, key_frame_gap(source.path, source.name, video, part.start, part.end))
    width, height = fit(video.width, video.height, _BOX)
    names = "sprite-{:03}." + spec.thumbnail_format

    def run(report: Report) -> Made:
        outputs: list[OutputFile] = []
        spans = [(tile.start, tile.end) for tile in placed]
        frames = enumerate(frames_within(source.path, source.name, video, spans, is_draft=True), start=1)
        small: VideoFrame | None = None
        conveyor = Conveyor()
        for sheet in range(placed[-1].sheet + 1):
            row: list[VideoFrame] = []
            for number, found in islice(frames, COLUMNS * ROWS):
                if found is not None:
                    filters = shaping(found.frame, video, width, height, source.name)
                    small = conveyor.sent(found.frame, [*filters, Filter("format", options={"pix_fmts": "yuv420p"})])
                if small is None:
                    raise HandlerError("no_picture", f"{source.name} has no picture at its beginning.", retryable=False)
                row.append(small)
                report(number / len(placed), None)
            outputs.append(_sheet(context, names.format(sheet + 1), row))
        text = webvtt(placed, part.start, width, height, names)
        (context.out / "sprite.vtt").write_text(text)
        details = {"tiles": len(placed), "width": width, "height": height, "intervalSeconds": spans[0][1] - spans[0][0]}
        outputs.append(context.output("sprite.vtt", media_type="text/vtt", role="sprite", details=details))
        return Made(outputs)

    return Task("sprite", _COST * len(placed), run)


def _sheet(context: Context[VideoSpec], name: str, row: Sequence[VideoFrame]) -> OutputFile:
    columns, rows = min(COLUMNS, len(row)), math.ceil(len(row) / COLUMNS)
    sheet = filtered(row, [Filter("tile", options={"layout": f"{columns}x{rows}", "color": "black"})])
    look = Look(sheet.width, sheet.height, context.spec.thumbnail_format, context.spec.quality)
    (context.out / name).write_bytes(encoded(sheet, look))
    details = {"width": sheet.width, "height": sheet.height, "columns": columns, "rows": rows}
    return context.output(name, media_type=MEDIA_TYPES[look.format], role="sprite", details=details)


def _timestamp(seconds: float) -> str:
    milliseconds = round(max(0.0, seconds) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
