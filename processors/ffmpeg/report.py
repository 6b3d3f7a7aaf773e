"""A probe as JSON: all of it, or the few numbers that a result shows of a file."""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from fractions import Fraction
from typing import Any

from pydantic.alias_generators import to_camel

from processors.ffmpeg.streams import Audio, Other, Probe, Stream, Subtitle, Video

_KINDS: dict[type[Stream], str] = {Video: "video", Audio: "audio", Subtitle: "subtitle"}
_OTHER_NAMES = {
    "primaries": "colorPrimaries",
    "transfer": "colorTransfer",
    "matrix": "colorSpace",
    "range": "colorRange",
}


def summary(probe: Probe) -> dict[str, Any]:
    """The numbers that a result shows of a file; what is not known is left out."""
    video, audio = probe.video, probe.audio
    details = {
        "format": probe.format,
        "width": video and video.width,
        "height": video and video.height,
        "durationSeconds": probe.duration_seconds,
        "framerate": video and video.framerate,
        "bitrate": probe.bitrate,
        "videoCodec": video and video.codec,
        "isHdr": True if video and video.is_hdr else None,
        "audioCodec": audio and audio.codec,
        "audioChannels": audio and audio.channels,
        "sampleRate": audio and audio.sample_rate,
        "size": probe.size,
    }
    return {key: value for key, value in details.items() if value is not None}


def described(probe: Probe) -> dict[str, Any]:
    """What a result shows of a file, with its streams."""
    return summary(probe) | {"streams": document(probe)["streams"]}


def document(probe: Probe) -> dict[str, Any]:
    """All that is known of a file; its streams in their order, with what is not known left out."""
    streams = sorted([*probe.videos, *probe.audios, *probe.subtitles, *probe.others], key=lambda each: each.index)
    return {
        "format": probe.format,
        "durationSeconds": probe.file_seconds,
        "size": probe.size,
        "bitrate": probe.bitrate,
        "tags": dict(probe.tags),
        "streams": [_stream(each) for each in streams],
    }


def _stream(stream: Stream) -> dict[str, Any]:
    kind = stream.kind if isinstance(stream, Other) else _KINDS[type(stream)]
    found: dict[str, Any] = {"index": stream.index, "kind": kind}
    for each in fields(stream):
        value = getattr(stream, each.name)
        if value is None or each.name == "kind":
            continue
        if is_dataclass(value) and not isinstance(value, type):
            value = {to_camel(key): part for key, part in asdict(value).items()}
        if isinstance(value, Fraction):
            value = f"{value.numerator}:{value.denominator}"
        found[_OTHER_NAMES.get(each.name) or to_camel(each.name)] = dict(value) if each.name == "tags" else value
    if isinstance(stream, Video):
        found["isHdr"] = stream.is_hdr
    return found
