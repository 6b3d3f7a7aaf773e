"""Pictures from the video at times that the spec says, at an interval, or so many of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import CUT_OFF
from processors.protocol import OutputFile
from processors.specs import VideoSpec
from processors.video import poster, sprite
from processors.video.frames import Found, frames_at, measured_seconds
from processors.video.pictures import MEDIA_TYPES, Look, drawn
from processors.video.quality import fit
from processors.video.timing import Window, outside, thumbnail_times, window
from processors.worker.context import Context, Rejected

_COST = 0.1  # of a picture, in seconds of media: for the share of the progress only
_LAST_PICTURE_FRAMES = 2
_LAST_PICTURE_SECONDS = 2.0  # a last picture that stands for longer than this is taken for a file that was cut off


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture that is to be taken."""

    name: str
    at_seconds: float


def thumbnails(spec: VideoSpec, part: Window, video: Video, name: str) -> list[Thumbnail]:
    """Say which pictures are to be taken.

    Args:
        part: of the video, which the job is about.
        name: what to call the input in messages.

    Raises:
        Rejected: one is asked for where there is none.
    """
    times = thumbnail_times(spec, part, video.framerate, name)
    return [
        Thumbnail(f"thumbnail-{number:03}.{spec.thumbnail_format}", time) for number, time in enumerate(times, start=1)
    ]


def look(spec: VideoSpec, video: Video) -> Look:
    """Say what the pictures are to be like."""
    width, height = fit(video.width, video.height, spec.thumbnail_size or spec.resolution)
    return Look(width, height, spec.thumbnail_format, spec.quality)


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """All pictures, the poster and the sprite sheets, as far as they are asked for."""
    spec = context.spec
    if not (spec.takes_pictures or spec.poster or spec.sprite):
        return []
    seconds = source.probe.video_seconds or measured_seconds(source.path, source.name, video)
    part = window(spec, seconds, source.name)
    wanted = thumbnails(spec, part, video, source.name)

    def run(report: Report) -> Made:
        outputs: dict[str, OutputFile] = {}
        for number, (each, found) in enumerate(_found(source, video, wanted), start=1):
            if _is_there(context, source, video, each, found, part):
                outputs[each.name] = _taken(context, source, video, each, found)
            report(number / len(wanted), None)
        return Made([outputs[each.name] for each in wanted if each.name in outputs])

    made = [Task("thumbnails", _COST * len(wanted), run)] if wanted else []
    if spec.poster:
        made.append(poster.task(context, source, video, part, look(spec, video)))
    if spec.sprite:
        made.append(sprite.task(context, source, video, part))
    return made


def _found(source: Source, video: Video, wanted: list[Thumbnail]) -> Iterator[tuple[Thumbnail, Found | None]]:
    """Look for the frames, in the order of their times."""
    ascending = sorted(wanted, key=lambda each: each.at_seconds)
    times = [each.at_seconds for each in ascending]
    return zip(ascending, frames_at(source.path, source.name, video, times), strict=True)


def _is_there(
    context: Context[VideoSpec], source: Source, video: Video, wanted: Thumbnail, found: Found | None, part: Window
) -> bool:
    """Whether the frame is the one that was meant, and not merely the last before the file breaks off.

    Raises:
        Rejected: it is not, and was asked for by its time, or the file should have it.
    """
    # Slides and screen recordings have pictures that stand for long: a few frames' time is nothing missing.
    longest = max(_LAST_PICTURE_SECONDS, _LAST_PICTURE_FRAMES / video.framerate)
    if found is not None and not (found.is_last and wanted.at_seconds - found.at_seconds > longest):
        return True
    if source.probe.is_duration_exact:
        message = f"{source.name} has no picture at {wanted.at_seconds:g} s, but should be {part.length:g} s long."
        raise Rejected("truncated", message, CUT_OFF)
    if found is None or context.spec.thumbnail_times is not None:
        raise outside(wanted.at_seconds, None, source.name)
    context.log(f"{source.name} ends before {wanted.at_seconds:g} s: there is no picture there.")
    return False


def _taken(
    context: Context[VideoSpec], source: Source, video: Video, thumbnail: Thumbnail, found: Found | None
) -> OutputFile:
    assert found is not None
    wanted = look(context.spec, video)
    (context.out / thumbnail.name).write_bytes(drawn(found.frame, video, wanted, source.name))
    details = {"timeSeconds": thumbnail.at_seconds, "width": wanted.width, "height": wanted.height}
    return context.output(thumbnail.name, media_type=MEDIA_TYPES[wanted.format], role="thumbnail", details=details)
