"""What is in a media file, as far as it says so itself: its streams and tags. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from processors.ffmpeg.colours import Colours, Light, Mastering

_HDR_TRANSFERS = {"smpte2084", "arib-std-b67"}  # PQ and HLG


@dataclass(frozen=True, slots=True)
class Stream:
    """What streams of every kind have."""

    index: int
    codec: str
    duration_seconds: float | None = None
    start_seconds: float | None = None  #: of its first moment, from that of the file; None where nothing says it
    bitrate: int | None = None
    profile: str | None = None
    language: str | None = None  #: ISO 639-2, as eng; None where it is not said
    title: str | None = None
    is_default: bool = False
    is_forced: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def end_seconds(self) -> float | None:
        """When it ends, from the first moment of the file."""
        return None if self.duration_seconds is None else (self.start_seconds or 0.0) + self.duration_seconds


@dataclass(frozen=True, slots=True)
class Video(Stream):
    """A moving picture."""

    width: int = 0  #: as shown: with square pixels, and turned as the file says
    height: int = 0
    framerate: float = 25.0
    stored_width: int = 0
    stored_height: int = 0
    sample_aspect: Fraction = Fraction(1)
    rotation: int = 0  #: degrees, counter-clockwise, by which players turn it
    time_base: Fraction | None = None  #: seconds of a tick of its timestamps
    is_variable: bool = False  #: frames do not come at one rate
    is_interlaced: bool = False
    pixel_format: str = "yuv420p"
    bit_depth: int = 8
    primaries: str | None = None
    transfer: str | None = None
    matrix: str | None = None
    range: str | None = None
    frames: int | None = None  #: that its header or its index says
    mastering: Mastering | None = None  #: of HDR
    light: Light | None = None  #: of HDR

    @property
    def is_hdr(self) -> bool:
        """Whether its colours are those of PQ or HLG."""
        return self.transfer in _HDR_TRANSFERS

    @property
    def is_full_range(self) -> bool:
        """Whether black is 0 and white 255, as in JPEG; players of video take it for 16 and 235 all the same."""
        return self.range == "pc" or self.pixel_format.startswith("yuvj")

    @property
    def is_rgb(self) -> bool:
        """Whether it has no brightness of its own, but red, green and blue."""
        return self.matrix == "gbr" or self.pixel_format.startswith(("gbr", "rgb", "bgr", "argb", "abgr", "pal8"))

    @property
    def hdr_colours(self) -> Colours | None:
        """What a player has to know of its colours, where they are HDR's."""
        if self.transfer is None or not self.is_hdr:
            return None
        primaries, matrix = self.primaries or "bt2020", self.matrix or "bt2020nc"
        return Colours(primaries, self.transfer, matrix, self.mastering, self.light)


@dataclass(frozen=True, slots=True)
class Audio(Stream):
    """A sound."""

    channels: int = 2
    layout: str = "stereo"
    sample_rate: int = 48000
    bit_depth: int | None = None  #: of lossless codecs


@dataclass(frozen=True, slots=True)
class Subtitle(Stream):
    """Subtitles."""

    is_text: bool = True  #: else pictures, as those of DVDs and Blu-rays


@dataclass(frozen=True, slots=True)
class Other(Stream):
    """Data or an attachment, as a font or a cover."""

    kind: str = "data"


@dataclass(frozen=True, slots=True)
class Probe:
    """A media file. The lists hold what can be decoded, in the file's order; covers are among the others."""

    format: str
    is_duration_exact: bool
    file_seconds: float | None
    size: int
    bitrate: int | None
    videos: Sequence[Video] = ()
    audios: Sequence[Audio] = ()
    subtitles: Sequence[Subtitle] = ()
    others: Sequence[Other] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    start_seconds: float = 0.0  #: of the first timestamp

    @property
    def video(self) -> Video | None:
        """The moving picture that is meant: the default one, or else the first."""
        return next((video for video in self.videos if video.is_default), next(iter(self.videos), None))

    @property
    def audio(self) -> Audio | None:
        """The sound that is meant: the default one, or else the first."""
        return next((audio for audio in self.audios if audio.is_default), next(iter(self.audios), None))

    @property
    def video_seconds(self) -> float | None:
        """How long there is a picture."""
        return (self.video.duration_seconds if self.video else None) or self.file_seconds

    @property
    def duration_seconds(self) -> float | None:
        """How long the streams that are meant are; a file may have longer ones."""
        lengths = [stream.end_seconds for stream in (self.video, self.audio) if stream is not None]
        known = [length for length in lengths if length is not None]
        return max(known) if known and len(known) == len(lengths) else self.file_seconds

    @property
    def has_index(self) -> bool:
        """Whether it tells exactly how many packets each stream has."""
        return "mp4" in self.format.split(",")

    def of_kind(self, kind: str) -> Sequence[Stream]:
        """The streams of a kind: video, audio or subtitle."""
        return {"video": self.videos, "audio": self.audios, "subtitle": self.subtitles}[kind]
