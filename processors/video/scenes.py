"""Finds the scenes of a video, and makes lists, pictures and files of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from processors.ffmpeg.cut_off import is_cut_off
from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import CUT_OFF, LEAST_MISSING_SECONDS, is_short
from processors.protocol import OutputFile
from processors.specs import VideoSpec
from processors.specs.video import SceneOptions
from processors.video.frames import frames_at, frames_from, measured_seconds
from processors.video.pictures import MEDIA_TYPES, drawn
from processors.video.scene_cutting import cut_out
from processors.video.scene_detection import HEIGHT, WIDTH, Boundary, Watch
from processors.video.scene_files import Scene, document, edit_list, table
from processors.video.thumbnails import look
from processors.video.timing import Window, window
from processors.worker.context import Context, HandlerError, Rejected

_MOST_FILES = 2_000  # of scenes: more are noise, and would not fit into a command line
_THUMBNAILS_COST, _SPLIT_COST = 0.1, 3.0  # of all, as a share of the detection's time: for the progress only
_TOLERANCE_SECONDS = 0.001
_PLANES = ((WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2), (WIDTH // 2, HEIGHT // 2))


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """Look for scenes; then take their pictures and cut them out, if that is asked for."""
    options = context.spec.scenes or SceneOptions.model_validate({})
    seconds = source.probe.video_seconds or measured_seconds(source.path, source.name, video)
    part = window(context.spec, seconds, source.name)
    found: list[Scene] = []

    def detect(report: Report) -> Made:
        found.extend(_detected(context, source, video, options, part, report))
        outputs = _lists(context, source.name, video, options, found)
        return Made(outputs, {"scenes": len(found)})

    def thumbnails(report: Report) -> Made:
        return Made(_thumbnails(context, source, video, found, report))

    def split(report: Report) -> Made:
        return Made(cut_out(context, source, video, found, part, report))

    made = [Task("scenes", part.seconds, detect)]
    if options.thumbnails:
        made.append(Task("thumbnails", part.seconds * _THUMBNAILS_COST, thumbnails))
    if options.split:
        made.append(Task("split", part.seconds * _SPLIT_COST, split))
    return made


def scenes(boundaries: Sequence[Boundary], times: Sequence[float], end_seconds: float, first_frame: int) -> list[Scene]:
    """Turn boundaries into what lies between them.

    Args:
        times: of all frames that were looked at.
        end_seconds: where the last one ends.
        first_frame: the number that the first of these frames has in the file.
    """
    starts = [Boundary(0, "cut", 0.0), *boundaries]
    ends = [*(boundary.frame for boundary in boundaries), len(times)]
    return [
        Scene(
            number,
            first_frame + start.frame,
            first_frame + end,
            times[start.frame],
            times[end] if end < len(times) else end_seconds,
            "start" if number == 1 else start.kind,
            start.score,
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
    ]


def _detected(
    context: Context[VideoSpec], source: Source, video: Video, options: SceneOptions, part: Window, report: Report
) -> list[Scene]:
    watch = Watch()
    reformatter = VideoReformatter()
    last_report = 0.0
    for found in frames_from(source.path, source.name, video, part.start):
        if found.at_seconds >= part.end - _TOLERANCE_SECONDS and len(watch.times) > 0:
            break
        watch.add(_small(reformatter, found.frame), found.at_seconds)
        if found.at_seconds - last_report >= 1.0:
            last_report = found.at_seconds
            report((found.at_seconds - part.start) / part.seconds if part.seconds else None, None)
    if not watch.times:
        raise HandlerError("no_picture", f"{source.name} has no picture that can be decoded.", retryable=False)
    frame_seconds = 1 / video.framerate
    end = min(part.end, watch.times[-1] + frame_seconds)
    is_less = end - part.start < part.seconds - LEAST_MISSING_SECONDS - frame_seconds and is_cut_off(source.path)
    is_less = is_less or (is_short(end - part.start, part.seconds) and not video.is_variable)
    if is_less and source.probe.is_duration_exact:
        message = f"{source.name} ends after {end:.1f} s, but should be {part.end:.1f} s long."
        raise Rejected("truncated", message, CUT_OFF)
    boundaries = watch.boundaries(options.threshold, options.min_seconds)
    if len(boundaries) >= _MOST_FILES and (options.split or options.thumbnails):
        message = f"{source.name} has {len(boundaries) + 1} scenes, and files of {_MOST_FILES} are the limit."
        raise Rejected("too_many_scenes", message, "Raise threshold or minSeconds, or ask for the lists alone.")
    return scenes(boundaries, watch.times, max(end, watch.times[-1]), round(watch.times[0] * video.framerate))


def _small(reformatter: VideoReformatter, frame: VideoFrame) -> bytes:
    """Make the small picture that scenes are told apart by; its pixels are the means of areas."""
    small = reformatter.reformat(frame, WIDTH, HEIGHT, "yuv420p", interpolation=Interpolation.AREA)
    parts: list[bytes] = []
    for plane, (width, height) in zip(small.planes, _PLANES, strict=True):
        data, step = bytes(plane), plane.line_size
        parts += [data[at : at + width] for at in range(0, step * height, step)]
    return b"".join(parts)


def _lists(
    context: Context[VideoSpec], name: str, video: Video, options: SceneOptions, found: Sequence[Scene]
) -> list[OutputFile]:
    form = context.spec.thumbnail_format
    files = [
        ({"thumbnail": f"{scene.name}.{form}"} if options.thumbnails else {})
        | ({"video": f"{scene.name}.mp4"} if options.split else {})
        for scene in found
    ]
    described = document(found, name, video.framerate, files)
    texts = {
        "scenes.json": ("application/json", json.dumps(described, indent=1, ensure_ascii=False) + "\n"),
        "scenes.csv": ("text/csv", table(found, video.framerate)),
        "scenes.edl": ("text/plain", edit_list(found, name, video.framerate)),
    }
    outputs: list[OutputFile] = []
    for path, (media_type, text) in texts.items():
        (context.out / path).write_text(text, encoding="utf-8")
        outputs.append(context.output(path, media_type=media_type, role="scenes", details={"scenes": len(found)}))
    return outputs


def _thumbnails(
    context: Context[VideoSpec], source: Source, video: Video, found: Sequence[Scene], report: Report
) -> list[OutputFile]:
    wanted = look(context.spec, video)
    times = [scene.middle_seconds for scene in found]
    outputs: list[OutputFile] = []
    for scene, picture in zip(found, frames_at(source.path, source.name, video, times), strict=True):
        if picture is None:
            raise HandlerError("no_picture", f"{source.name} has no picture at {scene.middle_seconds:g} s.")
        name = f"{scene.name}.{wanted.format}"
        (context.out / name).write_bytes(drawn(picture.frame, video, wanted, source.name))
        details: dict[str, Any] = {"scene": scene.number, "timeSeconds": round(scene.middle_seconds, 3)}
        details |= {"width": wanted.width, "height": wanted.height}
        outputs.append(context.output(name, media_type=MEDIA_TYPES[wanted.format], role="thumbnail", details=details))
        report(scene.number / len(found), None)
    return outputs
