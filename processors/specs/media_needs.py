"""What of a media spec does not fit the presets that it names, or would mean nothing with them. Pure.

The host asks when a job is submitted, for it knows the user's own presets; the instance asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from processors.specs.media import CODECS_OF, LOSSLESS, STREAMS, AudioCodec, MediaSpec, Preset, PresetFormat

OPUS_RATE = 48000  # RFC 7845, 5.1: it is always played at that rate

#: what a format has no place for, by the fields that ask for it
HAS_NO: Mapping[PresetFormat, frozenset[str]] = {
    "wav": frozenset({"cover_url", "chapters", "chapters_url"}),
    "hls": frozenset({"tags", "cover_url", "chapters", "chapters_url"}),
    "dash": frozenset({"tags", "cover_url", "chapters", "chapters_url"}),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a job cannot be."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class _Order:
    """A spec, and what it names."""

    spec: MediaSpec
    presets: Mapping[str, Preset]

    def codec(self, preset: Preset) -> AudioCodec:
        settings = self.spec.audio_settings
        return (settings and settings.codec) or preset.audio_codec

    @property
    def codecs(self) -> set[AudioCodec]:
        return {self.codec(preset) for preset in self.presets.values()}

    @property
    def has_stream(self) -> bool:
        return any(preset.format in STREAMS for preset in self.presets.values())

    def has_place(self, field: str) -> bool:
        return any(field not in HAS_NO.get(preset.format, ()) for preset in self.presets.values())


@dataclass(frozen=True, slots=True)
class _Need:
    """What a field needs beside it."""

    field: str
    is_met: Callable[[_Order], bool]
    says: str  #: the rest of a sentence that begins with the field
    hint: str


_NEEDS = (
    _Need(
        "audio_settings.bitrate",
        lambda order: bool(order.codecs - LOSSLESS),
        "is of sound that is made smaller, and these presets leave all of it.",
        "Leave it out, or add a preset as mp3.",
    ),
    _Need(
        "audio_settings.sample_rate",
        lambda order: order.spec.at("audio_settings.sample_rate") == OPUS_RATE or order.codecs != {"opus"},
        "cannot be had: Opus is always 48000 Hz.",
        "Leave it out, or choose another preset, as aac.",
    ),
    _Need(
        "segment_seconds",
        lambda order: order.has_stream,
        "is of streams, and none is made.",
        "Leave it out, or add the preset hls-audio or dash-audio.",
    ),
    _Need(
        "loudness.album",
        lambda order: bool(order.spec.album),
        "is one gain for several files, and this job has one.",
        "Name the other files with --file, or in album, or leave it out.",
    ),
    _Need(
        "tags",
        lambda order: order.has_place("tags"),
        "have no place in a stream.",
        "Leave them out, or add a preset as mp3.",
    ),
    _Need(
        "cover_url",
        lambda order: order.has_place("cover_url"),
        "names a cover, and these presets have no place for one.",
        "Leave it out, or add a preset as mp3.",
    ),
)


def problem_of(spec: MediaSpec, presets: Mapping[str, Preset]) -> Problem | None:
    """Say what does not fit; None when all does.

    Args:
        presets: those that the spec names.
    """
    order = _Order(spec, presets)
    misfits = (_misfit(name, preset, order.codec(preset)) for name, preset in presets.items())
    found = next(filter(None, misfits), None) or _problem_of_album(order) or _problem_of_level(order)
    if found is not None:
        return found
    for need in _NEEDS:
        if not _is_said(spec, need.field) or need.is_met(order):
            continue
        return Problem("no_effect", f"{spec.spelled(need.field)} {need.says}", need.hint)
    return None


def _is_said(spec: MediaSpec, field: str) -> bool:
    """Whether it says something else than it does by itself."""
    field_info = type(spec).model_fields.get(field)
    value = spec.at(field)
    return bool(value) and (field_info is None or value != field_info.default)


def _misfit(name: str, preset: Preset, codec: AudioCodec) -> Problem | None:
    takes = CODECS_OF[preset.format]
    if codec in takes:
        return None
    if preset.format in STREAMS:
        return Problem(
            "codec_misfit",
            f"A stream has AAC at several rates, and not {codec}, which the preset {name} would be made of.",
            f"Leave the codec out, or give the preset {name} a job of its own.",
        )
    return Problem(
        "codec_misfit",
        f"The codec {codec} does not go into {preset.format}, which the preset {name} makes.",
        f"{preset.format} takes {', '.join(takes)}.",
    )


def _problem_of_album(order: _Order) -> Problem | None:
    if not order.spec.album or not order.has_stream:
        return None
    message = "A stream is made of one file, and not of an album."
    return Problem("album_of_streams", message, "Give each file a job of its own.")


def _problem_of_level(order: _Order) -> Problem | None:
    wanted = order.spec.loudness
    if wanted is None or wanted.target is not None or any(each.loudness is not None for each in order.presets.values()):
        return None
    if not wanted.album and wanted.true_peak is None:
        return None
    needs = "One gain for an album needs" if wanted.album else "A true peak is kept with"
    hint = "Give loudness.target, as -16, or choose a preset that has one, as podcast."
    return Problem("no_target", f"{needs} a loudness to bring the sound to.", hint)
