"""Finds the scenes of a video, and makes lists, pictures and files of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import ffmpeg
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from processors.ffmpeg.filters import fitted
from processors.ffmpeg.probe import Video
from processors.ffmpeg.program import commanded, run_ffmpeg
from processors.ffmpeg.report import summary
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import CUT_OFF, Expected, is_short, verified
from processors.protocol import OutputFile
from processors.specs import VideoSpec
from processors.specs.video import SceneOptions
from processors.video.codecs import CRF, Constant, encoder, with_specifier
from processors.video.frames import frames_at, frames_from, measured_seconds
from processors.video.pictures import MEDIA_TYPES, drawn
from processors.video.quality import TIERS, ceiling, fit
from processors.video.scene_detection import HEIGHT, WIDTH, Boundary, Watch
from processors.video.scene_files import Scene, document, edit_list, table
from processors.video.sounds import LAYOUTS, audio_rate
from processors.video.thumbnails import look
from processors.video.timing import Window, window
from processors.worker.context import Context, HandlerError, Rejected
from processors.worker.threads import granted_threads

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
        return Made(_split(context, source, video, found, part, report))

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
    if is_short(end - part.start, part.seconds) and source.probe.is_duration_exact and not video.is_variable:
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


def _split(
    context: Context[VideoSpec], source: Source, video: Video, found: Sequence[Scene], part: Window, report: Report
) -> list[OutputFile]:
    argv = splitting(context.spec, source, video, found, part)
    run_ffmpeg(context, argv, source.name, report, seconds=part.seconds)
    streams = {"video": 1, "audio": 0 if source.probe.audio is None else 1}
    outputs: list[OutputFile] = []
    for scene in found:
        name = f"{scene.name}.mp4"
        made = verified(context.out / name, name, Expected(streams, scene.end_seconds - scene.start_seconds))
        details = summary(made) | {"scene": scene.number, "startSeconds": round(scene.start_seconds, 6)}
        outputs.append(context.output(name, media_type="video/mp4", role="scene", details=details))
    return outputs


def splitting(spec: VideoSpec, source: Source, video: Video, found: Sequence[Scene], part: Window) -> tuple[str, ...]:
    """Say how all scenes are cut out in one run: each begins with a key frame that the encoder is told to make.

    Times before 0, which B-frames have when they are decoded, are left alone: else the first scene would begin late.
    """
    half_frame = 0.5 / video.framerate  # times are rounded on the way: between two frames, there is room
    cuts = ",".join(f"{scene.start_seconds - part.start - half_frame:.6f}" for scene in found[1:])
    threads = granted_threads()
    size = fit(video.width, video.height, spec.resolution)
    rate = Constant(CRF["h264"][spec.quality], ceiling(TIERS[spec.quality], *size, video.framerate))
    options: dict[str, Any] = {
        **with_specifier(encoder("h264", spec.quality, rate, width=size[0], threads=threads), "v"),
        "fps_mode": "passthrough", "f": "segment", "segment_format": "mp4", "reset_timestamps": 1,
        "segment_start_number": 1, "segment_format_options": "movflags=+faststart", "map_metadata": 0,
        "map_chapters": -1, "avoid_negative_ts": "disabled",
    }  # fmt: skip
    # Without cuts, there is one segment; an empty list would be refused.
    options |= {"force_key_frames": cuts, "segment_times": cuts} if cuts else {"segment_time": 10**6}
    place: dict[str, Any] = {"ss": part.start} if part.start else {}
    if part.end < part.length:
        place["t"] = part.seconds
    media = ffmpeg.input(str(source.path), **place, **SAFE_INPUT, **SAFE_DECODER)
    picture = media[str(video.index)]
    for each in fitted(*size, hdr=video.hdr_colours, framerate=None, is_full_range=False):
        picture = picture.filter(each.name, *each.arguments, **each.options)
    streams = [picture]
    if source.probe.audio is not None:
        streams.append(media[str(source.probe.audio.index)].filter("aformat", channel_layouts=LAYOUTS))
        options |= {"c:a": "aac", "b:a": audio_rate(spec, source.probe.audio)}
    made = ffmpeg.output(*streams, "scene-%03d.mp4", **options)
    return tuple(made.compile(cmd=commanded(threads), overwrite_output=True))
