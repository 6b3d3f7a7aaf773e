"""Pure: a spec, and what its input is, become a run of ffmpeg that makes an MP4 or a WebM.

The command is built with ffmpeg-python's graph; file names of outputs are relative to the out directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from processors.ffmpeg.filters import fitted
from processors.ffmpeg.probe import Probe, Video
from processors.ffmpeg.program import FFMPEG
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.specs import VideoSpec, bits_per_second
from processors.video.quality import TIERS, VP9_SAVING, ceiling, fit
from processors.video.watermark import Mark, marked

_LAYOUTS = "mono|stereo|5.1|7.1"  # libopus refuses others, and players know no others in AAC


@dataclass(frozen=True, slots=True)
class Transcode:
    """One run of ffmpeg."""

    argv: tuple[str, ...]
    name: str  #: of the output
    media_type: str
    seconds: float | None  #: of media that it should give, where that is known
    audio_tracks: int


def transcode(spec: VideoSpec, probe: Probe, video: Video, source: Path, mark: Mark | None = None) -> Transcode:
    """Say how an MP4 or a WebM is made."""
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
    media = ffmpeg.input(str(source), **SAFE_INPUT, **SAFE_DECODER)
    picture = media[str(video.index)]  # ffmpeg has turned it, as the file says
    for each in fitted(width, height, is_hdr=video.is_hdr, framerate=spec.framerate, is_full_range=False):
        picture = picture.filter(each.name, *each.arguments, **each.options)
    streams = [marked(picture, mark, width, height)]
    if probe.audio is not None:
        streams.append(media[str(probe.audio.index)].filter("aformat", channel_layouts=_LAYOUTS))
        options |= {"c:a": "libopus" if is_webm else "aac", "b:a": tier.audio_per_channel * probe.audio.channels}
    name, media_type = ("video.webm", "video/webm") if is_webm else ("video.mp4", "video/mp4")
    argv = ffmpeg.output(*streams, name, **options).compile(cmd=list(FFMPEG), overwrite_output=True)
    return Transcode(tuple(argv), name, media_type, probe.duration_seconds, audio_tracks=len(streams) - 1)


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
