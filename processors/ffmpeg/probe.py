"""Look into a file: its streams and tags, or why it cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream as AvAudioStream
from av.buffer import Buffer
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.stream import Stream as AvStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from processors.ffmpeg.colours import read_light, read_mastering
from processors.ffmpeg.filters import upright
from processors.ffmpeg.mp3_header import find_note
from processors.ffmpeg.opening import decoded, is_cover, opened
from processors.ffmpeg.safety import DECODERS
from processors.ffmpeg.streams import Audio, Other, Probe, Subtitle, Video
from processors.worker.context import Rejected

_EXACT_FORMATS = {"mov", "mp4", "matroska", "webm", "avi"}  # their headers know the duration; of others it is estimated
_PACKETS_TO_FIRST_FRAME = 250  # a stream that was cut begins with what cannot be decoded
_LOSSLESS = {"flac", "alac", "wavpack", "tta", "ape", "mlp", "truehd"}
_TEXT_SUBTITLES = {"subrip", "ass", "ssa", "webvtt", "mov_text", "text", "srt", "eia_608", "ttml"}
_ROUNDING_SECONDS = 0.1
_WITHOUT_LENGTH = {"aac"}  # no header tells their length, and FFmpeg's estimate is off by a factor of three
_STILL_TAGS = {"BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES"}  # statistics that Matroska keeps as tags

# The names that FFmpeg gives to the numbers of ITU-T H.273, tables 2 to 4.
_PRIMARIES = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 11: "smpte431",
              12: "smpte432"}  # fmt: skip
_TRANSFERS = {1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 8: "linear", 13: "iec61966-2-1",
              14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 18: "arib-std-b67"}  # fmt: skip
_MATRICES = {0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc",
             10: "bt2020c"}  # fmt: skip
_RANGES = {1: "tv", 2: "pc"}


def probe(path: Path, name: str) -> Probe:
    """Look into a file, as far as its first picture.

    Args:
        name: what to call it in messages.

    Raises:
        Rejected: it is no media file, or not a whole one.
    """
    if path.stat().st_size == 0:
        raise Rejected("not_media", f"{name} is empty.", "Was the upload or download interrupted?")
    with opened(path, name) as container:
        return probe_opened(container, path)


def probe_opened(container: InputContainer, path: Path) -> Probe:
    """Look into a file that is open already, and leave it wherever that was."""
    videos: list[Video] = []
    audios: list[Audio] = []
    subtitles: list[Subtitle] = []
    others: list[Other] = []
    for stream in container.streams:
        codec: Any = stream.codec_context
        if stream.type == "video" and codec and codec.width and not is_cover(stream):
            videos.append(_video(container, cast(AvVideoStream, stream)))
        elif stream.type == "audio" and codec and codec.channels:
            audios.append(_audio(cast(AvAudioStream, stream)))
        elif stream.type == "subtitle" and codec and codec.codec.name in DECODERS:
            codec_name = codec.codec.canonical_name
            subtitles.append(Subtitle(**_shared(stream), is_text=codec_name in _TEXT_SUBTITLES))
        else:
            kind = "cover" if stream.type == "video" and is_cover(stream) else stream.type
            others.append(Other(**_shared(stream), kind=kind))
    found = Probe(
        format=container.format.name,
        is_duration_exact=not _EXACT_FORMATS.isdisjoint(container.format.name.split(",")),
        file_seconds=None if container.duration is None else container.duration / av.time_base,
        size=path.stat().st_size,
        bitrate=container.bit_rate or None,
        videos=videos,
        audios=audios,
        subtitles=subtitles,
        others=others,
        tags=dict(container.metadata),
        start_seconds=(container.start_time or 0) / av.time_base,
    )
    return _counted(found, container) if audios and not _has_length(path, found.format) else found


def _has_length(path: Path, form: str) -> bool:
    if form == "mp3":  # without a note FFmpeg takes the rate of the first frame for that of all
        with path.open("rb") as file:
            return find_note(file) is not None
    return form not in _WITHOUT_LENGTH


def _counted(found: Probe, container: InputContainer) -> Probe:
    """Say how long a sound is by its packets, and its bit rate by their sizes, without decoding them."""
    stream = container.streams.audio[0]
    ticks = size = 0
    with suppress(FFmpegError):  # what follows cannot be read
        for packet in container.demux(stream):
            ticks, size = ticks + (packet.duration or 0), size + packet.size
    if not ticks or stream.time_base is None:
        return found
    seconds = float(ticks * stream.time_base)
    rate = round(size * 8 / seconds)
    first = replace(found.audios[0], duration_seconds=seconds, bitrate=rate)
    return replace(found, file_seconds=seconds, bitrate=rate, audios=[first, *found.audios[1:]])


def display_matrix(frame: VideoFrame) -> bytes | None:
    """How the file says that a picture is to be turned; decoders hang it to every frame."""
    return _side_data(frame, "DISPLAYMATRIX")


def _side_data(frame: VideoFrame | None, kind: str) -> bytes | None:
    side_data = None if frame is None else cast(Mapping[str, Buffer], frame.side_data).get(kind)
    return None if side_data is None else bytes(side_data)


def _video(container: InputContainer, stream: AvVideoStream) -> Video:
    codec = stream.codec_context
    aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
    width, height = max(1, round(codec.width * aspect)), codec.height
    with suppress(FFmpegError):  # raw streams cannot be sought in; they have no other stream that was read before
        container.seek(0)
    first = next(decoded(container, stream, packets=_PACKETS_TO_FIRST_FRAME), None)
    if first is not None and any(turn.name == "transpose" for turn in upright(display_matrix(first))):
        width, height = height, width
    average, base = stream.average_rate, stream.base_rate
    depths = [component.bits for component in codec.format.components] if codec.format else []
    return Video(
        **_shared(stream),
        width=width,
        height=height,
        framerate=round(float(average or base or 25), 3),
        stored_width=codec.width,
        stored_height=codec.height,
        sample_aspect=aspect,
        rotation=0 if first is None else first.rotation,
        time_base=stream.time_base,
        is_variable=bool(average and base and abs(average / base - 1) > 0.01),
        is_interlaced=first is not None and bool(first.interlaced_frame),
        pixel_format=codec.pix_fmt or "yuv420p",
        bit_depth=max(depths, default=8),
        primaries=_PRIMARIES.get(codec.color_primaries),
        transfer=_TRANSFERS.get(codec.color_trc),
        matrix=_MATRICES.get(codec.colorspace),
        range=_RANGES.get(codec.color_range),
        frames=stream.frames or None,
        mastering=read_mastering(_side_data(first, "MASTERING_DISPLAY_METADATA")),
        light=read_light(_side_data(first, "CONTENT_LIGHT_LEVEL")),
    )


def _audio(stream: AvAudioStream) -> Audio:
    codec = stream.codec_context
    return Audio(
        **_shared(stream),
        channels=codec.channels,
        layout=codec.layout.name,
        sample_rate=codec.sample_rate,
        bit_depth=_sample_bits(codec.codec.canonical_name, codec.format.bits),
    )


def _sample_bits(codec: str, stored: int) -> int | None:
    """Find the bits of a sample, which lossy codecs have none of.

    Args:
        stored: bits of a sample as it is decoded; 24 bits of FLAC are decoded to 32.
    """
    if codec.startswith("pcm_") and (digits := re.search(r"\d+", codec)):
        return int(digits[0])
    return min(stored, 24) if codec in _LOSSLESS else None


def _shared(stream: AvStream) -> dict[str, Any]:
    codec: Any = stream.codec_context
    tags = {key: value for key, value in stream.metadata.items() if key.partition("-")[0] not in _STILL_TAGS}
    language = tags.pop("language", None)
    start, container = _start(stream), cast(InputContainer, stream.container)
    return {
        "index": stream.index,
        "codec": codec.codec.canonical_name if codec else stream.type,
        "duration_seconds": _duration(stream, start),
        "start_seconds": None if start is None else start - (container.start_time or 0) / av.time_base,
        "bitrate": (codec.bit_rate or None) if codec and stream.type in ("video", "audio") else None,
        "profile": stream.profile,
        "language": None if language in (None, "und") else language,
        "title": tags.get("title") or None,
        "is_default": bool(stream.disposition & Disposition.default),
        "is_forced": bool(stream.disposition & Disposition.forced),
        "tags": tags,
    }


def _start(stream: AvStream) -> float | None:
    """Find the first timestamp of a stream; of one that begins late, FFmpeg may not have looked so far."""
    if stream.time_base is None:
        return None
    if stream.start_time is not None:
        return float(stream.start_time * stream.time_base)
    container = cast(InputContainer, stream.container)
    if stream.type not in ("video", "audio") or "DURATION" not in stream.metadata:  # it would tell nothing
        return None
    first = None
    with suppress(FFmpegError):  # what follows cannot be read
        first = next((packet.pts for packet in container.demux(stream) if packet.pts is not None), None)
    with suppress(FFmpegError):  # raw streams cannot be sought in
        container.seek(0)
    return None if first is None else float(first * stream.time_base)


def _duration(stream: AvStream, start: float | None) -> float | None:
    """Find a stream's length: Matroska keeps it in a tag, as 00:00:10.005000000.

    FFmpeg writes there when the stream ends; mkvmerge, which says that these are statistics, how long it is.
    """
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return None
    length = hours * 3600 + minutes * 60 + seconds
    whole, start = cast(InputContainer, stream.container).duration, start or 0.0
    is_statistics = any(key.startswith("_STATISTICS") for key in stream.metadata)
    if is_statistics and (whole is None or start + length <= whole / av.time_base + _ROUNDING_SECONDS):
        return length
    return max(0.0, length - start)
