"""Which fields of a video spec are of which output formats, and the files of each. What would be ignored is refused."""

from __future__ import annotations

from collections.abc import Mapping

_PART = ("start", "end")
_PICTURES = ("thumbnail_times", "thumbnail_interval", "thumbnail_count", "thumbnail_size", "thumbnail_format",
             "poster", "sprite")  # fmt: skip
_BURNING = ("subtitles", "subtitle_track", "subtitle_url")
_FRAMES = ("resolution", "quality", *_PART, *_PICTURES)  # of whatever shows some of the frames
_MOVING = (*_FRAMES, "framerate", "deinterlace", "watermark", *_BURNING)
_SOUND = ("audio_tracks", "audio_bitrate", "loudness")
_ENCODED = (*_MOVING, *_SOUND, "codec", "target_quality", "bitrate", "hdr")
_FILE = (*_ENCODED, "drop_larger")
_STREAM = (*_ENCODED, "ladder", "segment_seconds")

#: the fields that each format takes, beside the input and the format itself
FIELDS: Mapping[str, frozenset[str]] = {
    "mp4": frozenset(_FILE),
    "webm": frozenset(_FILE),
    "hls": frozenset(_STREAM),
    "dash": frozenset(_STREAM),
    "cmaf": frozenset(_STREAM),
    "audio": frozenset((*_PART, *_SOUND, "quality", "audio_format")),
    "gif": frozenset(_MOVING),
    "webp": frozenset(_MOVING),
    "thumbnail": frozenset(_FRAMES),
    "scenes": frozenset((*_FRAMES, "scenes", "audio_bitrate")),
    "probe": frozenset(),
}

#: the fields that make a video another one than the input, so that the input cannot stand for it
CHANGING = ("start", "end", "resolution", "framerate", "deinterlace", "watermark", "audio_tracks", "loudness",
            *_BURNING)  # fmt: skip

#: the files that each format always has
OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "mp4": ("video.mp4",),
    "webm": ("video.webm",),
    "gif": ("video.gif",),
    "webp": ("video.webp",),
    "hls": ("master.m3u8",),
    "dash": ("manifest.mpd",),
    "cmaf": ("master.m3u8", "manifest.mpd"),
    "scenes": ("scenes.json", "scenes.csv", "scenes.edl"),
    "probe": ("probe.json",),
}


def formats_of(field: str) -> list[str]:
    """The formats that take a field."""
    return [name for name, fields in FIELDS.items() if field in fields]


def either(names: list[str]) -> str:
    """Some names as a sentence has them: hls, dash or cmaf."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
