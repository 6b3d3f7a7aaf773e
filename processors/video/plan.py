"""Pure: a spec, and what its input is, become ffmpeg commands and the outputs that they make.

Commands are built with ffmpeg-python's graph; file names of outputs are relative to the out directory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from processors.protocol import VideoSpec
from processors.video.probe import SAFE_INPUT, Probe
from processors.video.quality import TIERS, VP9_SAVING, bits_per_second, ceiling, fit
from processors.worker.context import Rejected

_PROGRAM = ("ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning", "-progress", "pipe:1")
_THUMBNAILS_PER_RUN = 8  # one process with 8 inputs takes a quarter of the time of 8 processes; each has a decoder
_THUMBNAIL_COST = 0.3  # of a thumbnail, in seconds of media: for the share of the progress only
LAST_FRAME_SECONDS = 2.0  # how far before the end to look for the last frame
_LAYOUTS = "mono|stereo|5.1|7.1"  # libopus refuses others, and players know no others in AAC


@dataclass(frozen=True, slots=True)
class Planned:
    """An output that is to come."""

    name: str
    role: str
    media_type: str
    time_seconds: float | None = None  #: of a thumbnail


@dataclass(frozen=True, slots=True)
class Step:
    """One run of ffmpeg."""

    stage: str
    argv: tuple[str, ...]
    outputs: tuple[Planned, ...]
    cost: float  #: compared with the other steps: its share of the progress
    seconds: float | None = None  #: of media that it should give, where that is known


def plan(spec: VideoSpec, probe: Probe, source: Path, name: str) -> tuple[Step, ...]:
    """Say what has to be run, in this order.

    Args:
        name: what to call the input in messages.

    Raises:
        Rejected: a thumbnail is asked for at a time after the end.
    """
    steps: list[Step] = []
    if spec.output_format != "thumbnail":
        steps.append(_transcode(spec, probe, source))
    times = spec.thumbnail_times
    if times is None and spec.output_format == "thumbnail":
        times = [(probe.video_seconds or 0.0) / 2]
    thumbnails = [
        Planned(f"thumbnail-{number:03}.jpg", "thumbnail", "image/jpeg", time)
        for number, time in enumerate(dict.fromkeys(times or ()), start=1)
    ]
    for thumbnail in thumbnails:
        _check_time(thumbnail, probe, name)
    for first in range(0, len(thumbnails), _THUMBNAILS_PER_RUN):
        batch = thumbnails[first : first + _THUMBNAILS_PER_RUN]
        pictures = [_picture(spec, probe, _seek(source, probe, shot), shot, {"frames:v": 1}) for shot in batch]
        steps.append(Step("thumbnails", _command(pictures), tuple(batch), len(batch) * _THUMBNAIL_COST))
    return tuple(steps)


def last_frame(spec: VideoSpec, probe: Probe, source: Path, thumbnail: Planned) -> Step:
    """Plan a thumbnail anew for which no frame was found: its time is within the length of the last frame.

    Every frame from a little before overwrites the one before it, so the last one stays.
    """
    start = max(0.0, (thumbnail.time_seconds or 0.0) - LAST_FRAME_SECONDS)
    picture = _picture(spec, probe, ffmpeg.input(str(source), ss=start, **SAFE_INPUT), thumbnail, {})
    return Step("thumbnails", _command([picture]), (thumbnail,), _THUMBNAIL_COST)


def _transcode(spec: VideoSpec, probe: Probe, source: Path) -> Step:
    video = probe.video
    tier = TIERS[spec.quality]
    width, height = fit(video.width, video.height, spec.resolution)
    rate_ceiling = ceiling(tier, width, height, spec.framerate or video.framerate)
    is_webm = spec.output_format == "webm"
    options: dict[str, Any] = {"map_metadata": 0, "map_chapters": 0, "pix_fmt": "yuv420p"}
    if is_webm:
        options |= {"c:v": "libvpx-vp9", "deadline": "good", "cpu-used": tier.vp9_cpu_used, "row-mt": 1}
        options |= _vp9_rate(spec, tier.vp9_crf, round(rate_ceiling * VP9_SAVING))
    else:
        options |= {"c:v": "libx264", "preset": tier.x264_preset, "movflags": "+faststart"}
        options |= _x264_rate(spec, tier.x264_crf, rate_ceiling)
    media = ffmpeg.input(str(source), **SAFE_INPUT)
    streams = [_filtered(media[str(video.index)], probe, width, height, framerate=spec.framerate, is_full_range=False)]
    if probe.audio is not None:
        streams.append(media[str(probe.audio.index)].filter("aformat", channel_layouts=_LAYOUTS))
        options |= {"c:a": "libopus" if is_webm else "aac", "b:a": tier.audio_per_channel * probe.audio.channels}
    output = Planned("video.webm", "video", "video/webm") if is_webm else Planned("video.mp4", "video", "video/mp4")
    seconds = probe.duration_seconds
    return Step(
        "transcode", _command([ffmpeg.output(*streams, output.name, **options)]), (output,), seconds or 1.0, seconds
    )


def _x264_rate(spec: VideoSpec, crf: int, rate_ceiling: int) -> dict[str, Any]:
    if spec.bitrate is None:
        return {"crf": crf, "maxrate": rate_ceiling, "bufsize": 2 * rate_ceiling}
    rate = bits_per_second(spec.bitrate)
    return {"b:v": rate, "maxrate": rate * 3 // 2, "bufsize": 2 * rate}


def _vp9_rate(spec: VideoSpec, crf: int, rate_ceiling: int) -> dict[str, Any]:
    """With a CRF, libvpx takes the bit rate for the ceiling."""
    if spec.bitrate is None:
        return {"crf": crf, "b:v": rate_ceiling}
    rate = bits_per_second(spec.bitrate)
    return {"b:v": rate, "maxrate": round(rate * 1.45), "bufsize": 2 * rate}  # 145 %: Google's settings for VP9


def _filtered(
    stream: Any, probe: Probe, width: int, height: int, *, framerate: float | None, is_full_range: bool
) -> Any:
    """Give the picture its rate, size and colours. ffmpeg has turned it by then, as the file says."""
    if framerate is not None:
        stream = stream.filter("fps", fps=f"{framerate:g}")
    if not probe.video.is_hdr:
        span = {"out_range": "full"} if is_full_range else {}
        return stream.filter("scale", width, height, **span).filter("setsar", 1)
    # PQ and HLG to BT.709: else eight bits of it, still tagged as HDR, look grey.
    stream = stream.filter("scale", width, height).filter("setsar", 1)
    stream = stream.filter("zscale", transfer="linear", npl=100).filter("format", pix_fmts="gbrpf32le")
    stream = stream.filter("zscale", primaries="bt709").filter("tonemap", tonemap="hable", desat=0)
    return stream.filter("zscale", transfer="bt709", matrix="bt709", range="full" if is_full_range else "limited")


def _seek(source: Path, probe: Probe, thumbnail: Planned) -> Any:
    """Open the source at a time: seeking in the input decodes from the keyframe before, to the exact frame."""
    return ffmpeg.input(str(source), ss=thumbnail.time_seconds, threads=1, **SAFE_INPUT)


def _picture(spec: VideoSpec, probe: Probe, media: Any, thumbnail: Planned, options: dict[str, Any]) -> Any:
    width, height = fit(probe.video.width, probe.video.height, spec.resolution)
    stream = _filtered(media[str(probe.video.index)], probe, width, height, framerate=None, is_full_range=True)
    # JPEG is full range; "unofficial" is what ffmpeg calls that for yuv420p, and yuvj420p it calls deprecated.
    options |= {"c:v": "mjpeg", "q:v": TIERS[spec.quality].jpeg_q, "pix_fmt": "yuv420p", "strict": "unofficial"}
    return stream.output(thumbnail.name, update=1, **options)


def _command(outputs: Sequence[Any]) -> tuple[str, ...]:
    return tuple(ffmpeg.merge_outputs(*outputs).compile(cmd=list(_PROGRAM), overwrite_output=True))


def _check_time(thumbnail: Planned, probe: Probe, name: str) -> None:
    end = probe.video_seconds
    time = thumbnail.time_seconds
    if time is not None and end is not None and time > end:
        raise thumbnail_after_end(time, end, name)


def thumbnail_after_end(time: float, end: float | None, name: str) -> Rejected:
    """Make the error for a time at which there is no picture."""
    length = "shorter" if end is None else f"{end:g} s long"
    return Rejected(
        "thumbnail_after_end",
        f"There is no picture at {time:g} s: {name} is {length}.",
        "Choose times before the end." if end is None else f"Choose times from 0 to {end:g}.",
    )
