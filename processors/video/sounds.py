"""Pure: which sounds of a file are meant, and how they are encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from processors.ffmpeg.languages import is_same
from processors.ffmpeg.mixing import mixing
from processors.ffmpeg.sound_codecs import bounded_bitrate, nearest_rate
from processors.ffmpeg.streams import Audio, Probe
from processors.specs import VideoSpec, bits_per_second
from processors.specs.media import AudioCodec
from processors.video.quality import TIERS
from processors.worker.context import Rejected

LAYOUTS = "mono|stereo|5.1|7.1"  #: libopus refuses others, and players know no others in AAC
_NO_LAYOUT = 3  # channels: of the layouts above FFmpeg takes stereo for them


def sounds(spec: VideoSpec, probe: Probe, name: str) -> list[Audio]:
    """Find the tracks that are wanted: where nothing is said, the one that players choose."""
    if spec.audio_tracks is None:
        return [] if probe.audio is None else [probe.audio]
    return chosen_sounds(probe.audios, spec.audio_tracks, name)


def chosen_sounds(audios: Sequence[Audio], wanted: Sequence[str] | None, name: str) -> list[Audio]:
    """Find the tracks that are wanted, each once, in the order in which they are named.

    Args:
        wanted: all, none, numbers from 1, or languages; None for all, the file's default one first.
        name: what to call the file in messages.

    Raises:
        Rejected: the file has no such track.
    """
    if wanted is None:
        return sorted(audios, key=lambda audio: not audio.is_default)
    found: list[Audio] = []
    for each in wanted:
        if each == "none":
            continue
        if each == "all":
            matching = list(audios)
        elif each.isdigit():
            matching = list(audios[int(each) - 1 : int(each)]) if int(each) else []
        else:
            matching = [audio for audio in audios if audio.language and is_same(each, audio.language)]
        if not matching and each != "all":
            raise Rejected("no_such_track", f"{name} has no sound track {each}.", _what_there_is(audios))
        found += [audio for audio in matching if audio not in found]
    return found


def sound_options(spec: VideoSpec, audios: Sequence[Audio], encoder: str, levels: Mapping[int, str]) -> dict[str, Any]:
    """Say how tracks are encoded; each is mapped as it is, so that its language and title stay with it.

    The one that players choose is the first that is named; of all tracks, the one that the file says.

    Args:
        encoder: ffmpeg's name of it.
        levels: filters that bring tracks to a loudness, by the tracks' indexes.
    """
    options: dict[str, Any] = {"c:a": encoder} if audios else {}
    is_in_order = spec.audio_tracks is not None and "all" not in spec.audio_tracks
    first = next((number for number, audio in enumerate(audios) if audio.is_default and not is_in_order), 0)
    for number, audio in enumerate(audios):
        chain = [levels[audio.index], f"aformat=channel_layouts={LAYOUTS}"] if audio.index in levels else [mixed(audio)]
        options[f"filter:a:{number}"] = ",".join(chain)
        options[f"b:a:{number}"] = audio_rate(spec, audio, codec="opus" if encoder == "libopus" else "aac")
        if audio.title is not None and spec.output_format == "mp4":  # has no titles: players show the handler's name
            options[f"metadata:s:a:{number}"] = f"handler_name={audio.title}"
        options[f"disposition:a:{number}"] = "+default" if number == first else "-default"
    return options


def layouts(audio: Audio, most_channels: int) -> str:
    """The layouts that a sound may be given, for `aformat`; of mono and stereo alone FFmpeg cannot choose for 5.1."""
    return LAYOUTS if most_channels > 2 else "mono" if audio.channels == 1 else "stereo"


def mixed(audio: Audio, most_channels: int = 8, *, least_channels: int = 1) -> str:
    """The filters that give a sound its channels: as many as it has, where players know so many."""
    if most_channels > 2 and audio.channels != _NO_LAYOUT:
        return f"aformat=channel_layouts={LAYOUTS}"
    wanted = max(least_channels, min(2, audio.channels))
    mix = mixing(audio.layout, audio.channels, wanted)
    layout = f"aformat=channel_layouts={'mono' if wanted == 1 else 'stereo'}"
    return layout if mix == "anull" else f"{mix},{layout}"


def audio_rate(spec: VideoSpec, audio: Audio, *, codec: AudioCodec = "aac", most_channels: int = 8) -> int:
    """Bits per second: as asked for, or by the tier and the channels; never what the encoder would refuse."""
    channels = max(1, min(most_channels, audio.channels))
    if spec.audio_bitrate is not None:
        wanted = bits_per_second(spec.audio_bitrate)
    else:
        wanted = TIERS[spec.quality].audio_per_channel * channels
    return bounded_bitrate(codec, wanted, channels, nearest_rate(codec, audio.sample_rate))


def _what_there_is(audios: Sequence[Audio]) -> str:
    if not audios:
        return "It has no sound at all."
    said = ", ".join(f"{number} ({audio.language or 'no language'})" for number, audio in enumerate(audios, start=1))
    return f"It has {said}."
