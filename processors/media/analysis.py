"""One decode of a sound for all that has to be known of it: loudness, silence at its ends, its waveform."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.levelling import loop_samples, measured, metering, read_pairs
from processors.ffmpeg.loudness import Measured
from processors.ffmpeg.mixing import mixing
from processors.ffmpeg.program import FFMPEG, run_ffmpeg
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.tasks import Report
from processors.media.filters import cutting, peaks, silence, split
from processors.media.waveform import Waveform, samples_per_pixel
from processors.worker.context import Context

_LEFT_SECONDS = 0.1  # of silence that is kept at each end: words do not begin at once
_NO_SAMPLE = 1e100  # beyond it is what FFmpeg says of a span that has not one number
_EDGE_SECONDS = 0.03  # silence that begins so early, or ends so late, is at the end


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound in a file, as ffmpeg is to read it."""

    path: Path
    index: int  #: of the stream
    channels: int
    layout: str
    sample_rate: int
    seconds: float | None  #: of the whole of it
    cut: Cut = field(default_factory=Cut)

    @property
    def arguments(self) -> list[str]:
        """The input, for a command of ffmpeg."""
        bounds = {**SAFE_INPUT, **SAFE_DECODER}
        safety = [word for key, value in bounds.items() for word in (f"-{key}", str(value))]
        return [*safety, "-i", str(self.path)]

    @property
    def length(self) -> float | None:
        """Seconds of the part that is wanted, where that is known."""
        return self.cut.seconds(self.seconds)

    @property
    def loop_samples(self) -> int | None:
        """How many samples a meter has to repeat, where there are too few for its window."""
        return loop_samples(self.length, self.sample_rate)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be found out."""

    mixes: Sequence[int] = ()  #: the numbers of channels that loudness is wanted of
    with_silence: bool = False
    with_waveform: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is."""
        return not (self.mixes or self.with_silence or self.with_waveform)


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found out."""

    seconds: float
    levels: Mapping[int, Measured] = field(default_factory=dict)  #: by the number of channels
    sounding: Cut = field(default_factory=Cut)  #: without the silence at the ends; within the cut
    is_silent: bool = False
    waveform: Waveform | None = None


def analyse(context: Context[Any], sound: Sound, wish: Wish, scratch: str, name: str, report: Report) -> Analysis:
    """Decode a sound once, and give what is wanted.

    Args:
        scratch: a folder of the out directory, as it is called from there.
        name: what to call the input in messages.
    """
    meters = {mix: f"{scratch}/loudness-{mix}.txt" for mix in wish.mixes}
    silent, peaked = f"{scratch}/silence.txt", f"{scratch}/peaks.txt"
    chains = [
        f"{mixing(sound.layout, sound.channels, mix)},"
        f"{metering(path, with_peaks=True, shortest=sound.loop_samples)}[o{number}]"
        for number, (mix, path) in enumerate(meters.items())
    ]
    if wish.with_silence:
        chains.append(f"{silence(silent)}[o{len(chains)}]")
    pixel = samples_per_pixel(sound.length, sound.sample_rate)
    if wish.with_waveform:
        chains.append(f"{peaks(peaked, pixel)}[o{len(chains)}]")
    graph = [f"[0:{sound.index}]{cutting(sound.cut)}[whole]", *split("whole", chains)]
    argv = [*FFMPEG, *sound.arguments, "-filter_complex", ";".join(graph)]
    for number in range(len(chains)):
        argv += ["-map", f"[o{number}]", "-f", "null", "-"]
    made = run_ffmpeg(context, argv, name, report, seconds=sound.length)
    if sound.loop_samples is not None and sound.length is not None:
        made = sound.length  # ffmpeg tells how long it was when it had been repeated
    out = context.out
    levels = {mix: measured(out / path, is_looped=sound.loop_samples is not None) for mix, path in meters.items()}
    sounding, is_silent = _sounding(out / silent, made) if wish.with_silence else (Cut(), False)
    return Analysis(
        seconds=made,
        levels=levels,
        sounding=sounding,
        is_silent=is_silent,
        waveform=_waveform(out / peaked, sound.sample_rate, pixel) if wish.with_waveform else None,
    )


def _sounding(path: Path, seconds: float) -> tuple[Cut, bool]:
    """Find where sound begins and ends, in what `filters.silence` has written."""
    spans: list[list[float]] = []
    for key, value in read_pairs(path):
        if key == "lavfi.silence_start":
            spans.append([value, seconds])
        elif key == "lavfi.silence_end" and spans:
            spans[-1][1] = value
    start, end = 0.0, None
    if spans and spans[0][0] <= _EDGE_SECONDS:
        if spans[0][1] >= seconds - _EDGE_SECONDS:
            return Cut(), True
        start = max(0.0, spans[0][1] - _LEFT_SECONDS)
    if spans and spans[-1][1] >= seconds - _EDGE_SECONDS:
        end = min(seconds, spans[-1][0] + _LEFT_SECONDS)
    return Cut(start, end), False


def _waveform(path: Path, sample_rate: int, pixel: int) -> Waveform:
    lows: list[float] = []
    highs: list[float] = []
    for key, value in read_pairs(path):
        if key.endswith("Min_level"):
            lows.append(_level(value))
        elif key.endswith("Max_level"):
            highs.append(_level(value))
    return Waveform(sample_rate, pixel, lows, highs)


def _level(value: float) -> float:
    """A sample as it is drawn: files of floating point may have infinite ones, and such as are no numbers."""
    if math.isnan(value) or _NO_SAMPLE < abs(value) < math.inf:
        return 0.0
    return max(-1.0, min(1.0, value))
