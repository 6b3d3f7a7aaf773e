"""Makes an MP4 or a WebM, and verifies it."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

from processors.ffmpeg.probe import Probe, Video
from processors.ffmpeg.program import followed, run_ffmpeg
from processors.ffmpeg.progress import ProgressReader
from processors.ffmpeg.report import document, summary
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import CUT_OFF, Expected, is_short, verified
from processors.protocol import OutputFile
from processors.specs import VideoSpec
from processors.video import preparing, subtitles
from processors.video.encoding import Transcode, transcode
from processors.video.framing import length
from processors.worker.context import Context, HandlerError, Rejected

_EXTRACT_COST = 0.1  # of a track of subtitles, in seconds of encoding: for the share of the progress only
_PADDING_SECONDS = 0.25  # of sound: an encoder's last frame, and its delay


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """What has to be found out before, one run of ffmpeg, and subtitles as files."""
    state = preparing.prepared(context, source, video)
    seconds = length(state.wanted.part, source.probe.duration_seconds)

    def run(report: Report) -> Made:
        step = transcode(context.spec, source, video, state.wanted)
        began = time.monotonic()
        made = followed(context, step.argv, source.name, report, seconds=step.seconds)
        took = time.monotonic() - began
        if is_short(made.seconds, step.seconds):
            blame_the_input(context, source, made.seconds, step.seconds or 0.0)
        found = verified(context.out / step.name, step.name, _expected(step, made, video))
        details = summary(found) | {"streams": document(found)["streams"], "frames": made.frames}
        details |= {"encodeSeconds": round(took, 2), "speed": round(made.seconds / took, 2) if took > 0 else None}
        if state.answer is not None:
            details["quality"] = {
                "vmaf": state.answer.vmaf, "crf": state.answer.crf, "trials": state.answer.trials
            }  # fmt: skip
        state.notes += _changed_frames(context.spec, made)
        output = _chosen(context, source, step, found, details, state.notes)
        return Made([output], {"notes": state.notes} if state.notes else {})

    return [
        *preparing.tasks(context, source, video, state),
        Task("transcode", seconds or 1.0, run),
        *_extraction(context, source, state),
    ]


def blame_the_input(context: Context[VideoSpec], source: Source, made_seconds: float, expected_seconds: float) -> None:
    """Say that the input is too short, where its header can be trusted to know its length.

    Raises:
        Rejected: it can be.
    """
    message = f"{source.name} ends after {made_seconds:.1f} s, but should be {expected_seconds:.1f} s long."
    if source.probe.is_duration_exact:
        raise Rejected("truncated", message, CUT_OFF)
    context.log(message)


def _expected(step: Transcode, made: ProgressReader, video: Video) -> Expected:
    # What newer FFmpegs say of their progress counts subtitles that would go on after the end.
    seconds = made.seconds if step.seconds is None else min(made.seconds, step.seconds)
    return Expected(
        step.streams,
        seconds,
        frames=made.frames,
        tolerance_seconds=1 / video.framerate + _PADDING_SECONDS,
        is_index_first=step.name.endswith(".mp4"),
    )


def _changed_frames(spec: VideoSpec, made: ProgressReader) -> list[str]:
    """Say what happened to frames, where nobody asked for another rate."""
    if spec.framerate is not None:
        return []
    notes = []
    if made.dropped:
        notes.append(f"{made.dropped} frames were left out: they had the same time as others.")
    if made.duplicated:
        notes.append(f"{made.duplicated} frames were repeated.")
    return notes


def _chosen(
    context: Context[VideoSpec], source: Source, step: Transcode, made: Probe, details: dict[str, Any], notes: list[str]
) -> OutputFile:
    """Give the result, or the input itself, where that is smaller and the spec says so."""
    if not context.spec.drop_larger or made.size <= source.probe.size:
        return context.output(step.name, media_type=step.media_type, role="video", details=details)
    (context.out / step.name).unlink()
    suffix = Path(source.name).suffix.lower()
    kept = f"video{suffix}" if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else step.name
    shutil.copyfile(source.path, context.out / kept)
    notes.append(f"The result would have {made.size} bytes; the input has {source.probe.size}, and was kept as it is.")
    own = summary(source.probe) | {"isInput": True, "sizeOfResult": made.size}
    media_type = {".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime", ".mkv": "video/x-matroska"}
    return context.output(
        kept, media_type=media_type.get(suffix, "application/octet-stream"), role="video", details=own
    )


def _extraction(context: Context[VideoSpec], source: Source, state: preparing.Preparation) -> list[Task]:
    captions, text = state.wanted.captions, state.wanted.text_file
    count = len(captions.extracted) + captions.is_file_extracted

    def run(report: Report) -> Made:
        outputs = []
        if captions.extracted:
            argv, names = subtitles.extract(source, captions.extracted, state.wanted.part)
            run_ffmpeg(context, argv, source.name, report, seconds=None)
            for name, track in zip(names, captions.extracted, strict=True):
                about = {"language": track.language, "title": track.title}
                outputs.append(_vtt(context, name, {key: value for key, value in about.items() if value}))
        if captions.is_file_extracted and text is not None:
            name = f"subtitles-{count:03}.vtt"
            given = Source(text.path, context.input_name("subtitle_url"), source.probe)
            argv = subtitles.convert(given, "s:0", name, "webvtt", charset=text.charset, part=state.wanted.part)
            run_ffmpeg(context, argv, given.name, report, seconds=None)
            outputs.append(_vtt(context, name, {}))
        return Made(outputs)

    return [Task("subtitles", _EXTRACT_COST * count, run)] if count else []


def _vtt(context: Context[VideoSpec], name: str, details: dict[str, Any]) -> OutputFile:
    if not (context.out / name).read_bytes().startswith(b"WEBVTT"):
        raise HandlerError("output_incomplete", f"The output {name} is not what it should be: it is no WebVTT.")
    return context.output(name, media_type="text/vtt", role="subtitles", details=details)
