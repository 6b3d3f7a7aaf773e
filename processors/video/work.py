"""From a spec to the tasks that carry it out."""

from __future__ import annotations

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.probe import probe
from processors.ffmpeg.report import described
from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Source, Task, carry_out
from processors.protocol import Result
from processors.specs import VideoSpec
from processors.video import animation, probing, scenes, soundtrack, streaming, thumbnails, transcoding
from processors.video.quality import is_larger
from processors.worker.context import Context, Rejected


def result(context: Context[VideoSpec]) -> Result:
    """Do the work, and say what came of it."""
    path, name = context.input_path("input_url"), context.input_name("input_url")
    context.progress("probe", 0.0)
    source = Source(path, name, probe(path, name))
    about = described(source.probe)
    notes = _not_enlarged(context.spec, source)
    details = {"input": about} | ({"notes": notes} if notes else {})
    length = Cut(context.spec.start or 0.0, context.spec.end).seconds(source.probe.duration_seconds)
    return carry_out(context, _tasks(context, source), details, length=length)


def _not_enlarged(spec: VideoSpec, source: Source) -> list[str]:
    """Say which sizes that were asked for the picture does not come to: it is never enlarged."""
    video = source.probe.video
    if video is None:
        return []
    asked = [*((spec.ladder and spec.ladder.sizes) or ()), spec.resolution, spec.thumbnail_size]
    boxes = dict.fromkeys(box for box in asked if box and is_larger(video.width, video.height, box))
    size = f"{source.name} is {video.width}x{video.height}"
    return [f"{box} is larger than the picture, which was not enlarged: {size}." for box in boxes]


def _tasks(context: Context[VideoSpec], source: Source) -> list[Task]:
    if context.spec.output_format == "probe":
        return probing.tasks(context, source)
    if context.spec.output_format == "audio":
        return soundtrack.tasks(context, source)
    video = _moving_picture(source)
    match context.spec.output_format:
        case "mp4" | "webm":
            main = transcoding.tasks(context, source, video)
        case "hls" | "dash" | "cmaf":
            main = streaming.tasks(context, source, video)
        case "gif" | "webp":
            main = animation.tasks(context, source, video)
        case "scenes":
            main = scenes.tasks(context, source, video)
        case _:
            main = []
    return [*main, *thumbnails.tasks(context, source, video)]


def _moving_picture(source: Source) -> Video:
    video = source.probe.video
    if video is None:
        what = "has sound, but no moving picture" if source.probe.audios else "has no moving picture"
        hint = "Sound alone is for the media service." if source.probe.audios else None
        raise Rejected("no_video_stream", f"{source.name} {what}.", hint)
    return video
