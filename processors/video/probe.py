"""What a file is, by ffprobe, or why it is not a video."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from processors.worker.context import Rejected

#: Inputs come from strangers: no network, and no format that names other files (hls, concat, image sequences, ...).
#: ffmpeg and ffprobe take these options before an input. The audio formats are there for a better message only.
SAFE_INPUT: Mapping[str, str] = {
    "protocol_whitelist": "file,pipe",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,flv,asf,ogg,mxf,gif,dv,rm,nut,obu,"
    "mp3,wav,flac,aac",
}
_EXACT_FORMATS = {"mov", "mp4", "matroska", "webm", "avi"}  # their headers know the duration; of others it is estimated
_HDR_TRANSFERS = {"smpte2084", "arib-std-b67"}  # PQ and HLG


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The first moving picture of a file."""

    index: int
    codec: str
    width: int  #: as shown: with square pixels, and turned as the file says
    height: int
    framerate: float
    duration_seconds: float | None
    bitrate: int | None
    is_hdr: bool


@dataclass(frozen=True, slots=True)
class AudioStream:
    """The first sound of a file."""

    index: int
    codec: str
    channels: int
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class Probe:
    """A file with a video in it."""

    format: str
    is_duration_exact: bool
    file_seconds: float | None
    bitrate: int | None
    video: VideoStream
    audio: AudioStream | None

    @property
    def video_seconds(self) -> float | None:
        """How long there is a picture."""
        return self.video.duration_seconds or self.file_seconds

    @property
    def duration_seconds(self) -> float | None:
        """How long the streams that we use are; a file may have longer ones."""
        lengths = [stream.duration_seconds for stream in (self.video, self.audio) if stream is not None]
        known = [length for length in lengths if length is not None]
        return max(known) if len(known) == len(lengths) else self.file_seconds


def probe(path: Path, name: str) -> Probe:
    """Look into a file.

    Args:
        name: what to call it in messages.

    Raises:
        Rejected: it is not a video, or not a whole one.
    """
    if path.stat().st_size == 0:
        raise Rejected("not_a_video", f"{name} is empty.", "Was the upload or download interrupted?")
    options = [text for key, value in SAFE_INPUT.items() for text in (f"-{key}", value)]
    found = subprocess.run(
        ["ffprobe", "-v", "error", *options, "-show_format", "-show_streams", "-of", "json", path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if found.returncode != 0:
        why = found.stderr.decode("utf-8", "replace")
        if "moov atom not found" in why:
            hint = "Its index, which stands at the end, is missing: copy or download the file again."
            raise Rejected("truncated", f"{name} is cut off: the end of the file is missing.", hint)
        raise Rejected("not_a_video", f"{name} is not a video that can be read.", _hint(why, path))
    return parse(json.loads(found.stdout), name)


def parse(report: Mapping[str, Any], name: str) -> Probe:
    """Make sense of ffprobe's report.

    Raises:
        Rejected: there is no moving picture in the file.
    """
    streams = report.get("streams", [])
    container = report.get("format", {})
    moving = [stream for stream in streams if stream["codec_type"] == "video" and not _is_cover(stream)]
    if not any(stream.get("width") for stream in moving):
        has_audio = any(stream["codec_type"] == "audio" for stream in streams)
        what = "has sound, but no moving picture" if has_audio else "has no moving picture"
        raise Rejected(
            "no_video_stream", f"{name} {what}.", "Sound alone is for the media service." if has_audio else None
        )
    sound = next((stream for stream in streams if stream["codec_type"] == "audio" and stream.get("channels")), None)
    format_name = container["format_name"]
    return Probe(
        format=format_name,
        is_duration_exact=not _EXACT_FORMATS.isdisjoint(format_name.split(",")),
        file_seconds=_number(container.get("duration")),
        bitrate=_whole(container.get("bit_rate")),
        video=_video(next(stream for stream in moving if stream.get("width"))),
        audio=None
        if sound is None
        else AudioStream(
            index=sound["index"],
            codec=sound.get("codec_name", "unknown"),
            channels=sound["channels"],
            duration_seconds=_duration(sound),
        ),
    )


def _video(stream: Mapping[str, Any]) -> VideoStream:
    width = round(stream["width"] * (_ratio(stream.get("sample_aspect_ratio", "").replace(":", "/")) or 1))
    height = stream["height"]
    turns = [side["rotation"] for side in stream.get("side_data_list", []) if "rotation" in side]
    if turns and round(turns[0] / 90) % 2:
        width, height = height, width
    rate = _ratio(stream.get("avg_frame_rate")) or _ratio(stream.get("r_frame_rate")) or Fraction(25)
    return VideoStream(
        index=stream["index"],
        codec=stream.get("codec_name", "unknown"),
        width=width,
        height=height,
        framerate=round(float(rate), 3),
        duration_seconds=_duration(stream),
        bitrate=_whole(stream.get("bit_rate")),
        is_hdr=stream.get("color_transfer") in _HDR_TRANSFERS,
    )


def _is_cover(stream: Mapping[str, Any]) -> bool:
    return bool(stream.get("disposition", {}).get("attached_pic"))


def _duration(stream: Mapping[str, Any]) -> float | None:
    """Find a stream's length: Matroska keeps it in a tag, as 00:00:10.005000000."""
    if (seconds := _number(stream.get("duration"))) is not None:
        return seconds
    parts = stream.get("tags", {}).get("DURATION", "").split(":")
    if len(parts) != 3:
        return None
    hours, minutes, rest = (_number(part) for part in parts)
    return None if hours is None or minutes is None or rest is None else hours * 3600 + minutes * 60 + rest


def _ratio(text: str | None) -> Fraction | None:
    """Read a ratio that may be absent, or unknown as 0/0 or 0/1."""
    try:
        return Fraction(text or "") or None
    except (ValueError, ZeroDivisionError):
        return None


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _hint(words: str, path: Path) -> str | None:
    """Take ffprobe's last line, without the path that means nothing to the user."""
    lines = words.strip().splitlines()
    return f"ffprobe says: {lines[-1].removeprefix(f'{path}: ')}." if lines else None
