"""Makes an MP4 or a WebM, and verifies it."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

from processors.ffmpeg.mp4_tracks import switch_subtitles_off
from processors.ffmpeg.program import followed
from processors.ffmpeg.progress import ProgressReader
from processors.ffmpeg.report import described, summary
from processors.ffmpeg.streams import Probe, Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import Expected, count_packets, is_short, verified
from processors.protocol import OutputFile
from processors.specs import VideoSpec
from processors.video import preparing
from processors.video.codecs import LEAST_SIDE
from processors.video.encoding import Text, Transcode, transcode
from processors.video.lengths import blame_the_input, refuse_lost_sound
from processors.video.quality import fit
from processors.worker.context import Context, Rejected

_MOST_LOST = 0.1  # of the pictures: with more holes than that, it is no video that anybody wants to see
_ONE_PICTURE_EACH = {"h264", "hevc", "av1", "vp9", "prores", "mjpeg"}  # packets of others have none, or more than one
_EXTRACT_COST = 0.1  # of a track of subtitles, in seconds of encoding: for the share of the progress only


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """What has to be found out before, one run of ffmpeg, and subtitles as files."""
    refuse_tiny(context.spec, video, source.name)
    state = preparing.prepared(context, source, video)
    seconds = state.wanted.part.seconds(source.probe.duration_seconds)

    def run(report: Report) -> Made:
        step = transcode(context.spec, source, video, state.wanted)
        began = time.monotonic()
        made = followed(context, step.argv, source.name, report, seconds=step.seconds)
        took = time.monotonic() - began
        blame_the_input(context, source, made.seconds, step.seconds)
        is_mp4 = step.name.endswith(".mp4")
        if is_mp4 and not state.wanted.captions.has_default:
            switch_subtitles_off(context.out / step.name)
        expected = Expected(step.streams, frames=made.frames, is_index_first=is_mp4)
        found = verified(context.out / step.name, step.name, expected)
        pictures_seconds = state.wanted.part.seconds(source.probe.video_seconds)
        blame_the_input(context, source, found.video_seconds or 0.0, pictures_seconds, video)
        for number, audio in enumerate(state.wanted.sounds):
            refuse_lost_sound(context, source, audio, state.wanted.part, found, number)
        state.notes += lost_pictures(context.spec, source, video, made, pictures_seconds)
        details = described(found) | {"frames": made.frames}
        details |= {"encodeSeconds": round(took, 2), "speed": round((found.duration_seconds or made.seconds) / took, 2)}
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


def refuse_tiny(spec: VideoSpec, video: Video, name: str) -> None:
    """Say early what the encoder would say in words of its own.

    Raises:
        Rejected: the picture is smaller than the codec's encoder takes.
    """
    width, height = fit(video.width, video.height, spec.resolution)
    least = LEAST_SIDE[spec.video_codec]
    if min(width, height) < least:
        text = (
            f"{name} would become a picture of {width}x{height}, and {spec.video_codec} needs {least}x{least} at least."
        )
        raise Rejected("too_small", text, "Ask for a larger resolution, or for codec h264.")


def lost_pictures(
    spec: VideoSpec, source: Source, video: Video, made: ProgressReader, expected_seconds: float | None
) -> list[str]:
    """Say how many pictures could not be decoded: FFmpeg goes on without them.

    Raises:
        Rejected: so many that the rest is no video.
    """
    is_countable = spec.framerate is None and video.codec in _ONE_PICTURE_EACH and not video.is_interlaced
    is_large = is_short(made.frames / video.framerate, expected_seconds)
    is_whole = spec.start is None and spec.end is None  # the edges of a part may be a frame off
    if not is_countable or not (is_large or is_whole):
        return []
    written = made.frames + made.dropped - made.duplicated
    if is_whole and source.probe.has_index and video.frames == written:
        return []
    start = spec.start or 0.0
    whole = count_packets(source.path, source.name, video.index, start, start + (expected_seconds or 0.0))
    lost = whole - written
    if lost <= 0:
        return []
    message = f"{lost} of {whole} pictures of {source.name} cannot be decoded"
    if is_large and lost > whole * _MOST_LOST:
        raise Rejected("damaged", f"{message}: it is damaged.", "Copy or download it again.")
    return [f"{message}, and were left out."]


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
    is_mapped = context.spec.hdr == "sdr" and source.probe.video is not None and source.probe.video.is_hdr
    if not context.spec.drop_larger or is_mapped or made.size <= source.probe.size:
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
    """Name the WebVTT files that were made before among the results."""

    def run(report: Report) -> Made:
        return Made([_vtt(context, text) for text in state.extracted])

    captions = state.wanted.captions
    return [Task("subtitles", _EXTRACT_COST, run)] if captions.extracted or captions.is_file_extracted else []


def _vtt(context: Context[VideoSpec], text: Text) -> OutputFile:
    about = {"language": text.language, "title": text.title}
    details = {key: value for key, value in about.items() if value}
    return context.output(text.name, media_type="text/vtt", role="subtitles", details=details)
