"""What a job may ask of the video service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from processors.specs.base import Part, Spec
from processors.specs.bitrate import BITRATE_PATTERN, bits_per_second
from processors.specs.video_fields import CHANGING, FIELDS, OUTPUTS, either, formats_of
from processors.specs.video_needs import NEEDS

Quality = Literal["low", "medium", "high", "ultra"]
Position = Literal["top-left", "top-right", "bottom-left", "bottom-right", "center"]
VideoFormat = Literal["mp4", "webm", "hls", "dash", "cmaf", "audio", "gif", "webp", "thumbnail", "scenes", "probe"]
VideoCodec = Literal["h264", "hevc", "av1", "vp9"]
PictureFormat = Literal["jpg", "png", "webp"]

RESOLUTION_PATTERN = r"^[1-9]\d{1,4}x[1-9]\d{1,4}$"
RESOLUTION_FORM = "two sides of at least 10 pixels, as 1280x720"
BITRATES = ("10k", "500M")  # encoders fail below, and 8K at 60 frames per second takes half of the upper
STREAMS: frozenset[str] = frozenset({"hls", "dash", "cmaf"})  #: formats that are folders of segments

#: the codecs that each format with a moving picture can hold; the first is the one that it has by default
CODECS: dict[str, tuple[VideoCodec, ...]] = {
    "mp4": ("h264", "hevc", "av1"),
    "webm": ("vp9", "av1"),
    "hls": ("h264", "hevc", "av1"),
    "dash": ("h264", "hevc", "av1", "vp9"),
    "cmaf": ("h264", "hevc", "av1"),
}

_WITH_FILES_OF_TEXT = ("mp4", "webm")

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Resolution = Annotated[str, Field(pattern=RESOLUTION_PATTERN)]
Rate = Annotated[str, Field(pattern=BITRATE_PATTERN)]


def _problem_of(rate: str) -> str:
    least, most = BITRATES
    is_possible = bits_per_second(least) <= bits_per_second(rate) <= bits_per_second(most)
    return "" if is_possible else f"bitrate {rate} is not between {least} and {most}"


class Watermark(Part):
    """A text or an image over the picture."""

    text: str | None = Field(
        None, min_length=1, max_length=500, description="The text, in any script; line breaks are kept."
    )
    image_url: str | None = Field(None, min_length=1, description="Path or URL of the image: PNG, JPEG or WebP.")
    position: Position = Field(
        "bottom-right", description="top-left, top-right, bottom-left, bottom-right or center; by default bottom-right."
    )
    opacity: float = Field(0.5, ge=0, le=1, description="From 0, unseen, to 1; by default 0.5.")
    scale: float = Field(
        0.15,
        gt=0,
        le=1,
        description="Width of an image as a share of the picture's; a line of text is a quarter as high.",
    )
    margin: float = Field(0.03, ge=0, le=0.5, description="Distance from the edges as a share of the picture's height.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Watermark:
        if (self.text is None) == (self.image_url is None):
            raise ValueError("watermark needs a text or an image, and not both")
        if self.text is not None and not self.text.strip():
            raise ValueError(f"watermark.text {self.text!r} has nothing that can be seen: give it letters")
        return self


class Ladder(Part):
    """Which renditions a stream has."""

    max_rungs: int = Field(6, ge=1, le=12, description="Renditions at most; by default 6.")
    max_bitrate: Rate | None = Field(None, description="No rendition above this rate, as 5M.")
    min_bitrate: Rate | None = Field(None, description="No rendition below this rate, as 300k.")
    sizes: list[Resolution] | None = Field(
        None,
        min_length=1,
        max_length=12,
        description="The boxes of the renditions, as 1280x720,640x360; none is larger than the source.",
    )
    per_title: bool = Field(False, description="Find the rates by short trial encodes of this very video.")

    @model_validator(mode="after")
    def _has_room(self) -> Ladder:
        for rate in (self.min_bitrate, self.max_bitrate):
            if rate is not None and (problem := _problem_of(rate)):
                raise ValueError(problem)
        least, most = self.min_bitrate, self.max_bitrate
        if least is not None and most is not None and bits_per_second(least) > bits_per_second(most):
            raise ValueError(f"minBitrate {least} is above maxBitrate {most}")
        if self.sizes is not None and self.per_title:
            raise ValueError("sizes and perTitle say two things of one ladder: give one of them")
        return self


class SceneOptions(Part):
    """How scenes are told apart, and what is made of them."""

    threshold: float = Field(
        3.0, gt=0, le=100, description="How many times more a cut differs than its neighbours; lower finds more."
    )
    min_seconds: float = Field(
        0.1, ge=0, le=600, description="No scene is shorter; what is shorter and comes back to what was is a flash."
    )
    split: bool = Field(False, description="Also cut the video into a file for each scene.")
    thumbnails: bool = Field(True, description="A picture from the middle of each scene.")


class VideoSpec(Spec):
    """Transcode a video, package it for streaming, take pictures or sound from it, or find its scenes."""

    input_fields = ("input_url", "watermark.image_url", "subtitle_url")

    input_url: str = Field(min_length=1, description="Path or URL of the video.")
    output_format: VideoFormat = Field(
        "mp4",
        description="mp4, webm, hls, dash, cmaf (both), audio, gif, webp, thumbnail, scenes or probe.",
    )
    codec: VideoCodec | None = Field(None, description="h264, hevc, av1 or vp9; else h264, in webm vp9.")
    quality: Quality = Field("medium", description="Quality tier: low, medium, high or ultra.")
    target_quality: float | None = Field(
        None, ge=50, le=99, description="VMAF that the picture is to have, as 93; trial encodes find the rate."
    )
    resolution: Resolution | None = Field(
        None,
        description="The box the picture is fitted into, as 1280x720; its shape is kept, and it is never enlarged.",
    )
    bitrate: Rate | None = Field(None, description="Video bit rate as 2500k or 4M; else by quality.")
    framerate: float | None = Field(None, gt=0, le=240, description="Frames per second, at most 240.")
    start: Seconds | None = Field(None, description="Where to begin, in seconds.")
    end: Seconds | None = Field(None, description="Where to stop, in seconds.")
    hdr: Literal["sdr", "keep"] = Field("sdr", description="What becomes of HDR: sdr, or keep (needs hevc, av1, vp9).")
    deinterlace: Literal["auto", "on", "off"] = Field("auto", description="auto, on or off.")
    audio_tracks: list[Annotated[str, Field(pattern=r"^(all|none|\d{1,2}|[A-Za-z]{2,8})$")]] | None = Field(
        None,
        min_length=1,
        max_length=32,
        description="all, none, numbers from 1 or languages, as 1,fra; else the default one, in streams all.",
    )
    audio_format: Literal["m4a", "mp3", "opus", "flac", "wav", "copy"] = Field(
        "m4a", description="Of outputFormat audio: m4a, mp3, opus, flac, wav, or copy (as it is)."
    )
    audio_bitrate: Rate | None = Field(None, description="Audio bit rate as 128k; else by quality.")
    loudness: float | None = Field(
        None, ge=-50, le=-5, description="Loudness that the sound is brought to, in LUFS, as -16."
    )
    subtitles: Literal["keep", "burn", "extract", "none"] = Field(
        "keep", description="keep as tracks, burn into the picture, extract as WebVTT, or none."
    )
    subtitle_track: int = Field(1, ge=1, le=99, description="Which track burn takes, from 1.")
    subtitle_url: str | None = Field(None, min_length=1, description="Path or URL of a subtitle file (SRT, ASS, VTT).")
    thumbnail_times: list[Seconds] | None = Field(
        None, max_length=100, description="Seconds of the input at which to take a picture, as 1,2.5,8."
    )
    thumbnail_interval: float | None = Field(
        None, gt=0, le=86400, description="Take a picture each so many seconds, from start."
    )
    thumbnail_count: int | None = Field(
        None, ge=1, le=1000, description="Take so many pictures: of the middles of equal parts."
    )
    thumbnail_size: Resolution | None = Field(
        None, description="The box that pictures are fitted into, as 320x180; else resolution."
    )
    thumbnail_format: PictureFormat = Field("jpg", description="jpg, png or webp.")
    poster: bool = Field(False, description="Also one picture that stands for the video: bright, sharp, not a fade.")
    sprite: bool = Field(False, description="Also sheets of small pictures with a WebVTT file, for a seek bar.")
    watermark: Watermark | None = Field(None, description="A text or an image over the picture.")
    scenes: SceneOptions | None = Field(None, description="How scenes are told apart; of outputFormat scenes.")
    ladder: Ladder | None = Field(None, description="Which renditions a stream has; of hls, dash and cmaf.")
    segment_seconds: int = Field(
        6, ge=2, le=30, multiple_of=2, description="Length of a stream's segments; by default 6."
    )
    drop_larger: bool = Field(False, description="Keep the input itself where the result would be larger.")

    @model_validator(mode="after")
    def _fits_together(self) -> VideoSpec:
        problems = (
            self._problem_of_fields,
            self._problem_of_rate,
            self._problem_of_format,
            self._problem_of_pictures,
            self._problem_of_needs,
        )
        for find in problems:
            if problem := find():
                raise ValueError(problem)
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"end {self.end:g} is not after start {self.start:g}")
        return self

    def _problem_of_fields(self) -> str:
        for name in self._given():
            if name not in ("input_url", "output_format", *FIELDS[self.output_format]):
                way_out = (
                    ": audioBitrate is that of sound" if (name, self.output_format) == ("bitrate", "audio") else ""
                )
                takers = either(formats_of(name))
                return f"{self.spelled(name)} is of outputFormat {takers}, and this is {self.output_format}{way_out}"
        for name in CHANGING if self.drop_larger else ():
            if name in self._given():
                text = "dropLarger may give the input itself, which is as it was"
                return f"{text}: leave out {self.spelled(name)}, or dropLarger"
        return ""

    def _given(self) -> list[str]:
        """The fields that say something else than they do by themselves."""
        return [
            name
            for name, field in type(self).model_fields.items()
            if (value := getattr(self, name)) != field.default and value != []
        ]

    def _problem_of_rate(self) -> str:
        if self.bitrate is not None and (problem := _problem_of(self.bitrate)):
            return problem
        said = {
            "bitrate": self.bitrate,
            "targetQuality": self.target_quality,
            "ladder.perTitle": self.ladder is not None and self.ladder.per_title,
        }
        given = [name for name, value in said.items() if value]
        if len(given) > 1:
            return f"{' and '.join(given)} say two things of one picture: give one of them"
        return ""

    def _problem_of_format(self) -> str:
        possible = CODECS.get(self.output_format, ())
        if self.codec is not None and self.codec not in possible:
            return f"codec {self.codec} does not go into {self.output_format}, which takes {', '.join(possible)}"
        if self.hdr == "keep" and self.video_codec == "h264":
            return "hdr keep needs codec hevc, av1 or vp9: H.264 has eight bits"
        if self.subtitles == "extract" and self.output_format not in _WITH_FILES_OF_TEXT:
            way_out = "keep makes WebVTT of them" if self.is_stream else "burn draws them"
            return f"subtitles extract is of outputFormat mp4 or webm, and this is {self.output_format}: {way_out}"
        return ""

    def _problem_of_pictures(self) -> str:
        said = {
            "thumbnailTimes": self.thumbnail_times,
            "thumbnailInterval": self.thumbnail_interval,
            "thumbnailCount": self.thumbnail_count,
        }
        given = [name for name, value in said.items() if value is not None]
        if len(given) > 1:
            return f"{' and '.join(given)} say when to take pictures: give one of them"
        if self.output_format == "thumbnail" and self.thumbnail_times == []:
            return "thumbnailTimes is empty: name at least one time, or leave it out for the middle frame"
        return ""

    def _problem_of_needs(self) -> str:
        given = self._given()
        unmet = (need for need in NEEDS if need.field in given and not need.is_met(self))
        return next((f"{self.spelled(need.field)} {need.says}" for need in unmet), "")

    @property
    def video_codec(self) -> VideoCodec:
        """The codec that is asked for, or that the format has by default."""
        return self.codec or CODECS[self.output_format][0]

    @property
    def is_stream(self) -> bool:
        """Whether the output is a folder of segments."""
        return self.output_format in STREAMS

    @property
    def takes_pictures(self) -> bool:
        """Whether pictures are numbered among the outputs; the poster and the sprite are not."""
        times = (self.thumbnail_times, self.thumbnail_interval, self.thumbnail_count)
        return any(times) or (self.output_format == "thumbnail" and not (self.poster or self.sprite))

    def kind(self) -> str:
        """The format: encoders differ in the memory they need."""
        return self.output_format

    def output_paths(self) -> list[str]:
        """The video, unless only pictures are wanted or it may be the input, and the thumbnails at given times."""
        if self.drop_larger:
            return []
        paths = [*OUTPUTS.get(self.output_format, ())]
        if self.output_format == "audio" and self.audio_format != "copy" and self.audio_tracks is None:
            paths = [f"audio.{self.audio_format}"]
        paths += self.thumbnail_paths()
        if self.poster:
            paths.append(f"poster.{self.thumbnail_format}")
        if self.sprite:
            paths += [f"sprite-001.{self.thumbnail_format}", "sprite.vtt"]
        return paths

    def tells_all_outputs(self) -> bool:
        """Pictures at an interval, scenes, segments and tracks are as many as the video has."""
        is_open = self.output_format in (*STREAMS, "scenes", "audio") or self.subtitles == "extract"
        return not (is_open or self.drop_larger or self.sprite or self.thumbnail_interval is not None)

    def thumbnail_paths(self) -> list[str]:
        """The pictures whose number the spec alone tells: of those at an interval, the first."""
        if self.thumbnail_interval is not None:
            return [f"thumbnail-001.{self.thumbnail_format}"]
        count = self.thumbnail_count or len(dict.fromkeys(self.thumbnail_times or ()))
        if self.output_format == "thumbnail" and count == 0 and not (self.poster or self.sprite):
            count = 1
        return [f"thumbnail-{number:03}.{self.thumbnail_format}" for number in range(1, count + 1)]
