"""What a job may ask of the media service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from processors.names import problem_among
from processors.specs.base import Part, Spec
from processors.specs.bitrate import BITRATE_PATTERN, bits_per_second

AudioCodec = Literal["aac", "mp3", "opus", "vorbis", "flac", "pcm"]
Rate = Annotated[str, Field(pattern=BITRATE_PATTERN)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
PRESET_PATTERN = r"^[a-z0-9][a-z0-9-]{0,39}$"
PRESET_NAME = re.compile(PRESET_PATTERN)


def _named_well(files: dict[str, str] | None) -> dict[str, str] | None:
    if problem := problem_among(files or ()):
        raise ValueError(problem)
    for name in files or ():
        if name.startswith("."):  # among the outputs, the service has folders of its own that are called so
            raise ValueError(f"the name {name!r} begins with a dot, as those that the service itself uses")
    return files


class AudioSettings(Part):
    """Codec settings of audio outputs; they go before what a preset says."""

    codec: AudioCodec | None = Field(None, description="aac, mp3, opus, vorbis, flac or pcm; else the preset's.")
    bitrate: Rate | None = Field(None, description="Bit rate as 128k; else the preset's.")
    sample_rate: int | None = Field(None, ge=8000, le=192000, description="Samples per second; else the source's.")
    channels: Literal["keep", "mono", "stereo"] | None = Field(
        None, description="keep, mono or stereo; else the preset's."
    )


class Loudness(Part):
    """What the sound's loudness is brought to."""

    target: float | None = Field(None, ge=-50, le=-5, description="Integrated loudness in LUFS, as -16.")
    true_peak: float | None = Field(None, ge=-20, le=0, description="Highest true peak in dBTP; else -1.")
    album: bool = Field(False, description="One gain for all files, so that quiet tracks stay quieter than loud ones.")


class Denoise(Part):
    """How noise is taken away."""

    method: Literal["rnnoise", "fft"] = Field("rnnoise", description="rnnoise (speech) or fft (any sound).")
    strength: float = Field(1.0, gt=0, le=1, description="Share of the cleaned sound in the result, up to 1.")


class Chapter(Part):
    """A part of a recording with a title."""

    start: Seconds = Field(description="Where it begins, in seconds.")
    title: Text = Field(description="What it is called.")
    end: Seconds | None = Field(None, description="Where it ends; else where the next one begins.")
    url: Text | None = Field(None, description="A page about it.")
    image: Text | None = Field(None, description="The address of a picture of it.")


PresetFormat = Literal["mp3", "m4a", "ogg", "opus", "flac", "wav", "hls", "dash"]

STREAMS: frozenset[PresetFormat] = frozenset({"hls", "dash"})  #: formats that are folders of segments
LISTS = {"hls": "master.m3u8", "dash": "manifest.mpd"}  #: what a player opens, of each of them
LOSSLESS: frozenset[AudioCodec] = frozenset({"flac", "pcm"})  #: their samples come back as they were

#: the codecs that each format takes; the first is the usual one; a stream has several rates, which AAC alone has
CODECS_OF: Mapping[PresetFormat, tuple[AudioCodec, ...]] = {
    "mp3": ("mp3",),
    "m4a": ("aac", "flac"),
    "ogg": ("vorbis", "opus", "flac"),
    "opus": ("opus",),
    "flac": ("flac",),
    "wav": ("pcm",),
    "hls": ("aac",),
    "dash": ("aac",),
}


class Preset(Part):
    """A named output: of the table that ships, or of the user's settings."""

    format: PresetFormat = Field(description="The container: mp3, m4a, ogg, opus, flac, wav, hls or dash.")
    codec: AudioCodec | None = Field(None, description="Else the usual one of the format.")
    bitrate: Rate | None = Field(None, description="Of two channels, as 128k; none for lossless ones.")
    bit_depth: Literal[16, 24] | None = Field(None, description="Of lossless ones; else the source's, 24 at most.")
    sample_rate: int | None = Field(None, ge=8000, le=192000, description="Else the source's.")
    channels: Literal["keep", "mono", "stereo"] = Field("keep", description="keep, mono or stereo.")
    loudness: float | None = Field(None, ge=-50, le=-5, description="In LUFS.")
    true_peak: float | None = Field(None, ge=-20, le=0, description="In dBTP.")
    description: str = Field("", max_length=200, description="What it is for.")

    @model_validator(mode="after")
    def _fits_together(self) -> Preset:
        codec, takes = self.audio_codec, CODECS_OF[self.format]
        if codec not in takes:
            raise ValueError(f"codec {codec} does not go into {self.format}, which takes {', '.join(takes)}")
        if self.bitrate is not None and codec in LOSSLESS:
            raise ValueError(f"bitrate is of sound that is made smaller, and {codec} leaves all of it")
        if self.bit_depth is not None and codec not in LOSSLESS:
            raise ValueError(f"bitDepth is of sound of which all is left, and {codec} makes it smaller")
        return self

    @property
    def audio_codec(self) -> AudioCodec:
        """The codec that is named, or the usual one of the format."""
        return self.codec or CODECS_OF[self.format][0]

    def rate_of(self, channels: int) -> int | None:
        """Bits per second of so many channels: one has half of what two have; None where the preset says none."""
        return None if self.bitrate is None else round(bits_per_second(self.bitrate) * channels / 2)


class MediaSpec(Spec):
    """Encode sound for delivery: presets, loudness, chapters, tags, waveforms, streams."""

    input_fields = ("input_media", "cover_url", "chapters_url")
    attached_field = "album"

    input_media: str = Field(min_length=1, description="Path or URL of the media file.")
    output_presets: list[Annotated[str, Field(pattern=PRESET_PATTERN)]] = Field(
        min_length=1, max_length=20, description="Names of presets, as mp3,podcast; `pitchey presets` lists them."
    )
    generate_thumbnails: bool = Field(False, description="Also the waveform as JSON and PNG.")
    spectrogram: bool = Field(False, description="Also a spectrogram as PNG.")
    audio_settings: AudioSettings | None = Field(None, description="Codec settings that go before the presets'.")
    audio_track: int = Field(1, ge=1, le=99, description="Which sound track of the file, from 1.")
    loudness: Loudness | None = Field(None, description="Loudness that goes before the presets'.")
    denoise: Denoise | None = Field(None, description="Take noise away.")
    trim_silence: bool = Field(False, description="Cut silence off the beginning and the end.")
    start: Seconds | None = Field(None, description="Where to begin, in seconds.")
    end: Seconds | None = Field(None, description="Where to stop, in seconds.")
    tags: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_ -]{0,39}$")], Text] | None = Field(
        None, max_length=64, description="Tags, as title or artist; they go before the file's own."
    )
    cover_url: str | None = Field(None, min_length=1, description="Path or URL of the cover: JPEG or PNG.")
    chapters: list[Chapter] | None = Field(None, max_length=1000, description="Chapters, in place of the file's own.")
    chapters_url: str | None = Field(None, min_length=1, description="Path or URL of Podcasting 2.0 JSON chapters.")
    album: Annotated[dict[str, str] | None, AfterValidator(_named_well)] = Field(
        None, max_length=100, description="More files of the same album, a path or URL by name."
    )
    presets: dict[Annotated[str, Field(pattern=PRESET_PATTERN)], Preset] | None = Field(
        None, max_length=100, description="Presets beside those that ship; the settings' are added by themselves."
    )
    segment_seconds: int = Field(
        6, ge=2, le=30, multiple_of=2, description="Length of a stream's segments; by default 6."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> MediaSpec:
        if self.chapters is not None and self.chapters_url is not None:
            raise ValueError("chapters and chaptersUrl say the same thing: give one of them")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"end {self.end:g} is not after start {self.start:g}")
        return self

    def output_paths(self) -> list[str]:
        """What is made of the job's own file: a file for each preset, the lists of streams, pictures of the sound."""
        from processors.specs.presets import PRESETS  # late: a table of models, which few commands need

        table = {**PRESETS, **(self.presets or {})}
        named = {name: table[name].format for name in dict.fromkeys(self.output_presets) if name in table}
        paths = [f"{name}.{made}" for name, made in named.items() if made not in STREAMS]
        paths += [LISTS[made] for made in named.values() if made in STREAMS]
        paths += ["waveform.json", "waveform.png"] if self.generate_thumbnails else []
        return [*dict.fromkeys(paths), *(["spectrogram.png"] if self.spectrogram else [])]

    def tells_all_outputs(self) -> bool:
        """Chapters may be the file's own, and an album has more files."""
        return False

    def kind(self) -> str:
        """Noise reduction has a model to load."""
        return "denoise" if self.denoise is not None else ""
