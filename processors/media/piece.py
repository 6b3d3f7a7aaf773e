"""One sound of a job on its way: the file that was given, and each of an album."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from processors.ffmpeg.cut import Cut, settled
from processors.ffmpeg.loudness import Measured, Setting
from processors.ffmpeg.streams import Audio, Probe
from processors.ffmpeg.tasks import Source
from processors.media.analysis import Analysis, Sound
from processors.media.encoding import Labels
from processors.media.wanted import Encode, Wanted
from processors.specs import MediaSpec
from processors.worker.context import Rejected


@dataclass(slots=True)
class Piece:
    """What is known of a sound so far."""

    source: Source
    audio: Audio
    sound: Sound
    wanted: Wanted
    labels: Labels
    scratch: str
    cut: Cut  #: of the source: what is left of it
    prefix: str = ""  #: of its files; empty where there is one alone
    number: int = 0  #: 0: the job's own
    analysis: Analysis | None = None
    settings: dict[str, Setting] = field(default_factory=dict)  #: by the name of a file
    made: dict[str, Measured] = field(default_factory=dict)  #: by the name of a file
    seconds: float | None = None  #: of what was made

    @property
    def files(self) -> list[Encode]:
        """All that are to be made, those that become parts of a stream too."""
        return [*self.wanted.encodes, *self.wanted.rungs]


def sound_of(source: Source, spec: MediaSpec) -> tuple[Audio, Sound]:
    """Choose the track that is meant.

    Raises:
        Rejected: there is no sound, or no such track, or nothing is left of it.
    """
    audios = source.probe.audios
    if not audios:
        what = "has a picture, but no sound" if source.probe.videos else "has no sound"
        raise Rejected("no_audio_stream", f"{source.name} {what}.", "Choose a file with a sound track.")
    if spec.audio_track > len(audios):
        many = "only one sound track" if len(audios) == 1 else f"{len(audios)} sound tracks"
        message = f"{source.name} has {many}, and no track {spec.audio_track}."
        raise Rejected("no_such_track", message, f"Choose audioTrack from 1 to {len(audios)}.")
    audio = audios[spec.audio_track - 1]
    seconds = audio.duration_seconds or source.probe.file_seconds
    cut = settled(spec.start, spec.end, seconds, source.name)
    return audio, Sound(source.path, audio.index, audio.channels, audio.layout, audio.sample_rate, seconds, cut)


def bitrate_of(probe: Probe, audio: Audio) -> int | None:
    """The bit rate of a sound; of a file that has nothing else, it is the file's."""
    alone = len(probe.audios) == 1 and not probe.videos
    return audio.bitrate or (probe.bitrate if alone else None)


def facts(measured: Measured) -> dict[str, Any]:
    """A measurement as a result shows it."""
    loudness, peak = measured.integrated, measured.true_peak
    return {
        "integrated": None if loudness is None else round(loudness, 2),
        "range": round(measured.range, 1),
        "truePeak": None if peak is None else round(peak, 2),
        "method": measured.method,
    }
