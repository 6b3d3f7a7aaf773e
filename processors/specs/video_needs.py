"""Which fields of a video spec mean something only beside others. One that would mean nothing is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processors.specs.video import VideoSpec

AS_LARGE_AS_IT_IS = ("flac", "wav", "copy")  #: formats of sound that is not made smaller
_TAKEN = "thumbnailTimes, thumbnailInterval, thumbnailCount or poster"


@dataclass(frozen=True, slots=True)
class Need:
    """What a field needs beside it."""

    field: str
    is_met: Callable[[VideoSpec], bool]
    says: str  #: what the field is for, and the way out: the rest of a sentence that begins with the field


def _has_sound(spec: VideoSpec) -> bool:
    return spec.audio_tracks is None or any(each != "none" for each in spec.audio_tracks)


def _has_scene(spec: VideoSpec, *, as_file: bool) -> bool:
    """Whether scenes become files of video, or else pictures."""
    if spec.output_format != "scenes":
        return False
    if spec.scenes is None:
        return not as_file
    return spec.scenes.split if as_file else spec.scenes.thumbnails


def _has_sized_picture(spec: VideoSpec) -> bool:
    """Whether pictures are taken whose size can be said: a sheet of a sprite has its own."""
    return spec.takes_pictures or spec.poster or _has_scene(spec, as_file=False)


def _has_picture(spec: VideoSpec) -> bool:
    return spec.sprite or _has_sized_picture(spec)


def _has_video(spec: VideoSpec) -> bool:
    return spec.output_format not in ("audio", "thumbnail", "scenes") or _has_scene(spec, as_file=True)


#: in the order in which they are looked at; the first that is not met is told
NEEDS: tuple[Need, ...] = (
    Need(
        "audio_tracks",
        lambda spec: spec.output_format != "audio" or _has_sound(spec),
        "none leaves no sound to extract: name a track, or all",
    ),
    Need("audio_bitrate", _has_sound, "is of sound, and audioTracks none leaves it out: give one of them"),
    Need("loudness", _has_sound, "is of sound, and audioTracks none leaves it out: give one of them"),
    Need(
        "audio_bitrate",
        lambda spec: spec.output_format != "audio" or spec.audio_format not in AS_LARGE_AS_IT_IS,
        "is of sound that is made smaller, and flac, wav and copy leave all of it: choose another audioFormat",
    ),
    Need(
        "audio_bitrate",
        lambda spec: _has_video(spec) or spec.output_format == "audio",
        "is of scenes that become files: set scenes.split, or leave it out",
    ),
    Need(
        "loudness",
        lambda spec: spec.output_format != "audio" or spec.audio_format != "copy",
        "changes the sound, and audioFormat copy leaves it as it is: give one of them",
    ),
    Need(
        "subtitle_url",
        lambda spec: spec.subtitles != "none",
        "names subtitles, and subtitles none leaves them out: give one of them",
    ),
    Need(
        "subtitle_url",
        lambda spec: spec.output_format not in ("gif", "webp") or spec.subtitles == "burn",
        "is of subtitles, and a gif or webp has none but those in its picture: set subtitles to burn",
    ),
    Need(
        "subtitle_track",
        lambda spec: spec.subtitles == "burn",
        "says which track is burnt in: set subtitles to burn, or leave it out",
    ),
    Need(
        "subtitle_track",
        lambda spec: spec.subtitle_url is None,
        "is one of the video's own, and subtitleUrl is burnt in: give one of them",
    ),
    Need(
        "thumbnail_size",
        _has_sized_picture,
        f"is of pictures, and none is taken that it could be of: set {_TAKEN}, or leave it out",
    ),
    Need(
        "thumbnail_format",
        _has_picture,
        f"is of pictures, and none is taken: set {_TAKEN}, or sprite, or leave it out",
    ),
    Need(
        "resolution",
        lambda spec: _has_video(spec) or _has_sized_picture(spec),
        "is of videos and pictures, and none is made that it could be of: leave it out",
    ),
    Need(
        "resolution",
        lambda spec: _has_video(spec) or spec.thumbnail_size is None,
        "and thumbnailSize say two things of one picture: give one of them",
    ),
    Need(
        "quality",
        lambda spec: spec.output_format != "audio" or spec.audio_format not in AS_LARGE_AS_IT_IS,
        "is of sound that is made smaller, and flac, wav and copy leave all of it: leave it out",
    ),
    Need(
        "quality",
        lambda spec: spec.output_format != "audio" or spec.audio_bitrate is None,
        "and audioBitrate say two things of one sound: give one of them",
    ),
    Need(
        "quality",
        lambda spec: spec.output_format == "audio" or _has_video(spec) or _has_picture(spec),
        "is of videos and pictures, and none is made: leave it out",
    ),
    Need(
        "quality",
        lambda spec: spec.output_format == "audio" or _has_video(spec) or spec.thumbnail_format != "png",
        "is of pictures that are made smaller, and png leaves all of it: choose another thumbnailFormat",
    ),
)  # fmt: skip
