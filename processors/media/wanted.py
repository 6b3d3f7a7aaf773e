"""Pure: presets, settings and what the source is become the files that are to be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import cast

from processors.ffmpeg.sound_codecs import CODECS, LAYOUTS, MEDIA_TYPES, Container, bounded_bitrate, nearest_rate
from processors.ffmpeg.streams import Audio
from processors.specs import MediaSpec, bits_per_second
from processors.specs.media import LOSSLESS, STREAMS, AudioCodec, Preset
from processors.specs.media_needs import HAS_NO, problem_of
from processors.specs.presets import PRESETS
from processors.worker.context import Rejected

_PEAK = -1.0  # dBTP, where nobody says: EBU R 128, and what the large podcast and music services ask for
_SAME_RATE = 1.02  # encoders miss the rate that they were told by so much


@dataclass(frozen=True, slots=True)
class Encode:
    """One sound file that is to be made."""

    name: str  #: in the out directory
    preset: str
    container: Container
    codec: AudioCodec
    bitrate: int | None  #: bits per second; None for lossless ones
    sample_rate: int
    channels: int
    bit_depth: int  #: of lossless ones
    is_float: bool
    target: float | None  #: LUFS; None: the loudness stays as it is
    true_peak: float  #: dBTP, at most
    is_copy: bool  #: nothing has to change but tags, cover and chapters

    @property
    def media_type(self) -> str:
        """Its media type."""
        return MEDIA_TYPES[self.container]

    @property
    def is_lossless(self) -> bool:
        """Whether its samples come back as they were."""
        return self.codec in LOSSLESS

    @property
    def layout(self) -> str:
        """The channel layout, as FFmpeg calls it."""
        return LAYOUTS[self.channels]


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that is to be made of one sound."""

    encodes: tuple[Encode, ...]  #: the files
    rungs: tuple[Encode, ...] = ()  #: of a stream, the best first
    formats: frozenset[str] = frozenset()  #: of the stream: hls, dash or both; they share their segments


def presets_of(spec: MediaSpec) -> Mapping[str, Preset]:
    """The presets that the job names.

    Raises:
        Rejected: there is none of a name, or the job does not fit them.
    """
    table = {**PRESETS, **(spec.presets or {})}
    for name in spec.output_presets:
        if name not in table:
            near = get_close_matches(name, table, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(table))}."
            raise Rejected("unknown_preset", f"There is no preset {name}.", hint)
    named = {name: table[name] for name in dict.fromkeys(spec.output_presets)}
    if problem := problem_of(spec, named):
        raise Rejected(problem.code, problem.message, problem.hint)
    return named


def settle(spec: MediaSpec, source: Audio, *, source_bitrate: int | None, prefix: str = "") -> Wanted:
    """Say what is to be made of one sound.

    Args:
        source_bitrate: of the sound, where the stream or the file tells it.
        prefix: of the names of the files.

    Raises:
        Rejected: as `presets_of`.
    """
    encodes: list[Encode] = []
    rungs: tuple[Encode, ...] = ()
    formats: set[str] = set()
    for name, preset in presets_of(spec).items():
        if preset.format in STREAMS:
            formats.add(preset.format)
            whole = _encode(spec, name, preset, source, source_bitrate, "m4a", name)
            rungs = rungs or ladder(whole, source, source_bitrate)
        else:
            container = cast(Container, preset.format)
            path = f"{prefix}{name}.{container}"
            encodes.append(_encode(spec, name, preset, source, source_bitrate, container, path))
    return Wanted(tuple(encodes), rungs, frozenset(formats))


def left_out(spec: MediaSpec) -> list[str]:
    """Sentences for the user: what is asked for, and has no place in a format that is asked for too."""
    asked = {"tags": "tags", "cover_url": "a cover", "chapters": "chapters", "chapters_url": "chapters"}
    notes = []
    for name, preset in presets_of(spec).items():
        lost = [what for field, what in asked.items() if spec.at(field) and field in HAS_NO.get(preset.format, ())]
        if lost:
            where = " The chapters are in chapters.json." if "chapters" in lost else ""
            notes.append(f"{name} was made without {' and '.join(lost)}: {preset.format} has no place for it.{where}")
    return notes


def other_rates(spec: MediaSpec, wanted: Wanted) -> list[str]:
    """Sentences for the user: a sample rate that was asked for, and is another one in a result."""
    asked = spec.audio_settings.sample_rate if spec.audio_settings else None
    if asked is None:
        return []
    made = {each.preset: each for each in (*wanted.encodes, *wanted.rungs) if each.sample_rate != asked}
    return [
        f"{each.preset} has {each.sample_rate} Hz instead of {asked}: {each.codec} has no such rate."
        for each in made.values()
    ]


STREAM_FOLDER = ".work"  #: where renditions lie before they are packaged
_STEP = 1.2  # a rung that costs nearly as much as the next better one is worth nothing, as in ladders of pictures
LADDER = (64_000, 128_000, 192_000)  #: bits per second of two channels, in AAC


def ladder(whole: Encode, source: Audio, source_bitrate: int | None) -> tuple[Encode, ...]:
    """The renditions of a stream, the best first, in AAC, which all players of streams know.

    The best one has the rate of its preset, or that of the source, where that is lossy and has less; below it are the
    steps of the ladder that are far enough from it to be worth a switch.
    """
    lossy = source_bitrate if source.bit_depth is None else None
    best = whole.bitrate or LADDER[-1]
    if lossy is not None:
        best = min(best, round(lossy, -3))
    steps = (round(each * whole.channels / 2) for each in LADDER)
    rates = [best, *(rate for rate in steps if rate * _STEP <= best)]
    bounded = {bounded_bitrate("aac", rate, whole.channels, whole.sample_rate) for rate in rates}
    return tuple(
        replace(whole, name=f"{STREAM_FOLDER}/audio-{rate // 1000}k.m4a", bitrate=rate, is_copy=False)
        for rate in sorted(bounded, reverse=True)
    )


def _encode(
    spec: MediaSpec,
    name: str,
    preset: Preset,
    source: Audio,
    source_bitrate: int | None,
    container: Container,
    path: str,
) -> Encode:
    settings, loudness = spec.audio_settings, spec.loudness
    codec = (settings and settings.codec) or preset.audio_codec
    mix = (settings and settings.channels) or preset.channels
    channels = min(_channels(mix, source.channels), CODECS[codec].most_channels)
    if channels not in LAYOUTS or (codec == "mp3" and source.channels > 2):
        channels = 2 if channels > 1 else 1
    wanted_rate = (settings and settings.sample_rate) or preset.sample_rate
    rate = nearest_rate(codec, wanted_rate or source.sample_rate)
    bitrate = None if codec in LOSSLESS else _bitrate(spec, preset, codec, channels, rate)
    target = loudness.target if loudness and loudness.target is not None else preset.loudness
    peak = loudness.true_peak if loudness and loudness.true_peak is not None else preset.true_peak
    is_float = codec == "pcm" and preset.bit_depth is None and source.codec.startswith("pcm_f")
    depth = preset.bit_depth or source.bit_depth or 16
    asked = wanted_rate or (source.sample_rate if codec != "opus" else rate)
    # Opus is decoded at 48 kHz whatever it was made from, so its own rate never asks for a change.
    same = source.sample_rate == rate and asked == rate and channels == source.channels
    same = same and preset.bit_depth in (None, source.bit_depth)
    return Encode(
        name=path,
        preset=name,
        container=container,
        codec=codec,
        bitrate=bitrate,
        sample_rate=rate,
        channels=channels,
        bit_depth=depth if codec == "pcm" else min(depth, 24),
        is_float=is_float,
        target=target,
        true_peak=_PEAK if peak is None else peak,
        is_copy=same and target is None and _is_untouched(spec) and _holds(source, codec, source_bitrate, bitrate),
    )


def _is_untouched(spec: MediaSpec) -> bool:
    return spec.denoise is None and not spec.trim_silence and spec.start is None and spec.end is None


def _holds(source: Audio, codec: AudioCodec, source_bitrate: int | None, bitrate: int | None) -> bool:
    """Whether the source is in this codec already, at no higher rate."""
    if codec == "pcm":
        return source.codec.startswith("pcm_") and source.codec.endswith(("le", "u8"))
    if source.codec != codec:
        return False
    return bitrate is None or (source_bitrate is not None and source_bitrate <= bitrate * _SAME_RATE)


def _channels(mix: str, source: int) -> int:
    """How many channels come of a mix: what says stereo makes two of one, for a loudness is that of so many."""
    return {"keep": source, "mono": 1, "stereo": 2}[mix]


def _bitrate(spec: MediaSpec, preset: Preset, codec: AudioCodec, channels: int, sample_rate: int) -> int:
    if spec.audio_settings is not None and spec.audio_settings.bitrate is not None:
        wanted = bits_per_second(spec.audio_settings.bitrate)
    elif preset.bitrate is not None:
        wanted = preset.rate_of(channels) or 0
    else:
        wanted = CODECS[codec].bits_per_channel * channels
    return bounded_bitrate(codec, wanted, channels, sample_rate)
