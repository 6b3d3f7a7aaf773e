"""Pure: a spec, and what its input is, become a run of ffmpeg, and times at which pictures are taken.

The command is built with ffmpeg-python's graph; file names of outputs are relative to the out directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from processors.specs import VideoSpec, bits_per_second
from processors.video.filters import SAFE_INPUT, fitted
from processors.video.probe import Probe
from processors.video.quality import TIERS, VP9_SAVING, ceiling, fit
from processors.worker.context import Rejected

_PROGRAM = ("ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning", "-progress", "pipe:1")
_LAYOUTS = "mono|stereo|5.1|7.1"  # libopus refuses others, and players know no others in AAC


@dataclass(frozen=True, slots=True)
class Transcode:
    """One run of ffmpeg."""

    argv: tuple[str, ...]
    name: str  #: of the output
    media_type: str
    seconds: float | None  #: of media that it should give, where that is known


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture that is to be taken."""

    name: str
    at_seconds: float
    width: int
    height: int
    qscale: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done, in this order."""

    transcode: Transcode | None
    thumbnails: tuple[Thumbnail, ...]


def plan(spec: VideoSpec, probe: Probe, source: Path, name: str) -> Plan:
    """Say what has to be done.

    Args:
        name: what to call the input in messages.

    Raises:
        Rejected: a thumbnail is asked for at a time after the end.
    """
    is_thumbnail_only = spec.output_format == "thumbnail"
    times = spec.thumbnail_times
    if times is None and is_thumbnail_only:
        times = [(probe.video_seconds or 0.0) / 2]
    width, height = fit(probe.video.width, probe.video.height, spec.resolution)
    names = [path for path in spec.output_paths() if path.startswith("thumbnail-")]
    thumbnails = tuple(
        Thumbnail(name, time, width, height, TIERS[spec.quality].jpeg_q)
        for name, time in zip(names, dict.fromkeys(times or ()), strict=True)
    )
    end = probe.video_seconds
    for thumbnail in thumbnails:
        if end is not None and thumbnail.at_seconds > end:
            raise thumbnail_after_end(thumbnail.at_seconds, end, name)
    return Plan(None if is_thumbnail_only else _transcode(spec, probe, source), thumbnails)


def _transcode(spec: VideoSpec, probe: Probe, source: Path) -> Transcode:
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
    picture = media[str(video.index)]  # ffmpeg has turned it, as the file says
    for each in fitted(width, height, is_hdr=video.is_hdr, framerate=spec.framerate, is_full_range=False):
        picture = picture.filter(each.name, *each.arguments, **each.options)
    streams = [picture]
    if probe.audio is not None:
        streams.append(media[str(probe.audio.index)].filter("aformat", channel_layouts=_LAYOUTS))
        options |= {"c:a": "libopus" if is_webm else "aac", "b:a": tier.audio_per_channel * probe.audio.channels}
    name, media_type = ("video.webm", "video/webm") if is_webm else ("video.mp4", "video/mp4")
    argv = ffmpeg.output(*streams, name, **options).compile(cmd=list(_PROGRAM), overwrite_output=True)
    return Transcode(tuple(argv), name, media_type, probe.duration_seconds)


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


def thumbnail_after_end(time: float, end: float | None, name: str) -> Rejected:
    """Make the error for a time at which there is no picture."""
    length = "shorter" if end is None else f"{end:g} s long"
    return Rejected(
        "thumbnail_after_end",
        f"There is no picture at {time:g} s: {name} is {length}.",
        "Choose times before the end." if end is None else f"Choose times from 0 to {end:g}.",
    )
