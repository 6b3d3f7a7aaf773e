"""Pictures from the video at times that the spec says."""

from __future__ import annotations

from dataclasses import dataclass

from processors.ffmpeg.probe import Probe, Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import CUT_OFF
from processors.protocol import OutputFile
from processors.specs import VideoSpec
from processors.video.pictures import picture_at
from processors.video.quality import TIERS, fit
from processors.worker.context import Context, Rejected

_COST = 0.1  # of a picture, in seconds of media: for the share of the progress only
_LAST_PICTURE_FRAMES = 2
_LAST_PICTURE_SECONDS = 2.0  # a last picture that stands for longer than this is taken for a file that was cut off


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture that is to be taken."""

    name: str
    at_seconds: float
    width: int
    height: int
    qscale: int


def thumbnails(spec: VideoSpec, probe: Probe, video: Video, name: str) -> list[Thumbnail]:
    """Say which pictures are to be taken.

    Args:
        name: what to call the input in messages.

    Raises:
        Rejected: one is asked for at a time after the end.
    """
    times = spec.thumbnail_times
    if times is None and spec.output_format == "thumbnail":
        times = [(probe.video_seconds or 0.0) / 2]
    width, height = fit(video.width, video.height, spec.thumbnail_size or spec.resolution)
    found = [
        Thumbnail(path, time, width, height, TIERS[spec.quality].jpeg_q)
        for path, time in zip(spec.thumbnail_paths(), dict.fromkeys(times or ()), strict=True)
    ]
    end = probe.video_seconds
    for each in found:
        if end is not None and each.at_seconds > end:
            raise _after_end(each.at_seconds, end, name)
    return found


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """All pictures, as one task."""
    wanted = thumbnails(context.spec, source.probe, video, source.name)

    def run(report: Report) -> Made:
        outputs: list[OutputFile] = []
        for number, each in enumerate(wanted, start=1):
            outputs.append(_taken(context, source, video, each))
            report(number / len(wanted), None)
        return Made(outputs)

    return [Task("thumbnails", _COST * len(wanted), run)] if wanted else []


def _taken(context: Context[VideoSpec], source: Source, video: Video, thumbnail: Thumbnail) -> OutputFile:
    wanted = thumbnail.at_seconds
    picture = picture_at(
        source.path, source.name, video, wanted,
        width=thumbnail.width, height=thumbnail.height, qscale=thumbnail.qscale,
    )  # fmt: skip
    # Slides and screen recordings have pictures that stand for long: a few frames' time is nothing missing.
    longest = max(_LAST_PICTURE_SECONDS, _LAST_PICTURE_FRAMES / video.framerate)
    if picture is None or (picture.is_last and wanted - picture.at_seconds > longest):
        raise _no_picture(source, wanted)
    (context.out / thumbnail.name).write_bytes(picture.jpeg)
    details = {"timeSeconds": wanted, "width": picture.width, "height": picture.height}
    return context.output(thumbnail.name, media_type="image/jpeg", role="thumbnail", details=details)


def _no_picture(source: Source, wanted_seconds: float) -> Rejected:
    end = source.probe.video_seconds
    if end is None or not source.probe.is_duration_exact:
        return _after_end(wanted_seconds, None, source.name)
    message = f"{source.name} has no picture at {wanted_seconds:g} s, but should be {end:g} s long."
    return Rejected("truncated", message, CUT_OFF)


def _after_end(time: float, end: float | None, name: str) -> Rejected:
    length = "shorter" if end is None else f"{end:g} s long"
    return Rejected(
        "thumbnail_after_end",
        f"There is no picture at {time:g} s: {name} is {length}.",
        "Choose times before the end." if end is None else f"Choose times from 0 to {end:g}.",
    )
