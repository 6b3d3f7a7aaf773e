"""Pure: what each codec can hold, and how ffmpeg is told to write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from processors.specs.media import AudioCodec

Container = Literal["mp3", "m4a", "ogg", "opus", "flac", "wav"]

_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # ISO/IEC 11172-3, 13818-3, and "2.5"
_AAC_RATES = (7350, *_MPEG_RATES, 64000, 88200, 96000)  # ISO/IEC 14496-3, table 1.18


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec. Rates are in samples per second; an empty list is any up to `highest_rate`."""

    encoder: str
    rates: tuple[int, ...]
    highest_rate: int
    most_channels: int
    bits_per_channel: int  #: of the bit rate, where neither a preset nor a user says one


CODECS: Mapping[AudioCodec, Codec] = {
    "mp3": Codec("libmp3lame", _MPEG_RATES, 48000, 2, 96_000),
    "aac": Codec("aac", _AAC_RATES, 96000, 8, 80_000),
    "opus": Codec("libopus", (48000,), 48000, 8, 64_000),  # RFC 7845: it is always played at 48 kHz
    "vorbis": Codec("libvorbis", (), 192_000, 8, 80_000),
    "flac": Codec("flac", (), 192_000, 8, 0),
    "pcm": Codec("pcm_s16le", (), 192_000, 16, 0),
}

MEDIA_TYPES: Mapping[Container, str] = {
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
}

#: of ffmpeg's muxers
CONTAINER_OPTIONS: Mapping[Container, Mapping[str, str]] = {
    "mp3": {"id3v2_version": "3", "write_id3v1": "0"},  # ID3 2.4 is not read by all players
    "m4a": {"movflags": "+faststart"},
    "wav": {"rf64": "auto"},  # beyond 4 GiB the sizes of RIFF do not suffice: EBU Tech 3306
}

#: the layouts that libopus and players know; others are mixed into the nearest
LAYOUTS: Mapping[int, str] = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}

# Of libvorbis: the highest rate of its managed mode for a channel, by the sample rate that it is good up to.
_VORBIS_MOST = ((9000, 32_000), (15000, 44_000), (19000, 86_000), (26000, 86_000), (40000, 190_000))


def nearest_rate(codec: AudioCodec, wanted: int) -> int:
    """The lowest rate that keeps all of the sound, or the codec's highest."""
    rates = CODECS[codec].rates
    if not rates:
        return min(wanted, CODECS[codec].highest_rate)
    return next((rate for rate in rates if rate >= wanted), rates[-1])


def bounded_bitrate(codec: AudioCodec, bitrate: int, channels: int, sample_rate: int) -> int:
    """The nearest bit rate that the encoder takes: it would fail at others, or silently use what it likes."""
    match codec:
        case "mp3":
            most = 320_000 if sample_rate >= 32000 else 160_000 if sample_rate >= 16000 else 64_000
            return max(8_000 if sample_rate < 32000 else 32_000, min(bitrate, most))
        case "aac":
            return max(8_000 * channels, min(bitrate, 6 * sample_rate * channels))  # 6144 bits in 1024 samples
        case "opus":
            return max(6_000 * channels, min(bitrate, 256_000 * channels))
        case "vorbis":
            most = next((most for top, most in _VORBIS_MOST if sample_rate < top), 240_000)
            least = 8_000 if sample_rate < 26000 else 32_000
            return max(least * channels, min(bitrate, most * channels))
    return bitrate


def encoder_options(codec: AudioCodec, *, bitrate: int | None, bit_depth: int, is_float: bool) -> list[str]:
    """The options that make ffmpeg write it.

    Args:
        bit_depth: of the samples, for lossless codecs.
        is_float: the source has samples in floating point, which WAV keeps.
    """
    match codec:
        case "flac":
            deep = ["-sample_fmt", "s32", "-bits_per_raw_sample", "24"] if bit_depth > 16 else ["-sample_fmt", "s16"]
            return ["-c:a", "flac", *deep]
        case "pcm":
            kind = "f" if is_float else "u" if bit_depth == 8 else "s"
            return ["-c:a", f"pcm_{kind}{bit_depth}" + ("" if bit_depth == 8 else "le")]
    options = ["-c:a", CODECS[codec].encoder]
    if bitrate is not None:
        options += ["-b:a", str(bitrate)]
    if codec == "opus":
        options += ["-mapping_family", "-1"]
    return options
