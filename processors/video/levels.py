"""What brings the sounds of a video to a loudness: found with the sounds alone, before the picture costs its time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.levelling import levelling, loop_samples, measured, metering
from processors.ffmpeg.loudness import Measured, Setting, corrected, first_setting
from processors.ffmpeg.program import FFMPEG, run_ffmpeg
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.sound_codecs import CODECS
from processors.ffmpeg.streams import Audio
from processors.ffmpeg.tasks import Report, Source
from processors.specs import VideoSpec
from processors.specs.media import CODECS_OF, LOSSLESS, AudioCodec
from processors.video.sounds import audio_rate, mixed
from processors.worker.context import Context

TRUE_PEAK = -1.0  #: dBTP at most: EBU R 128
_ROUNDS = 3  # of corrections at most; one is the rule
_MISSED = 0.5  # LU; the promise
_PEAK_TOLERANCE = 0.1  # dB above the true peak that is asked for, which need no word
_FIRST_SHARE = 0.4  # of the progress: the measuring of the source
_SCRATCH = ".level"  # files of ours in the out directory


@dataclass(frozen=True, slots=True)
class Level:
    """What is done to one sound."""

    filters: str  #: of libavfilter: mixed down, raised or lowered, limited; empty: nothing
    note: str  #: a sentence for the user; empty: it is as asked for


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a sound is delivered as, as far as it changes how loud it is."""

    codec: AudioCodec
    mix: str  #: the filter that gives it its channels
    most_channels: int


def delivery(spec: VideoSpec, audio: Audio) -> Delivery:
    """Say what the sounds of a job are delivered as. Pure."""
    if spec.is_stream:
        return Delivery("aac", mixed(audio, 2, least_channels=2), 2)
    if spec.output_format == "audio" and spec.audio_format != "copy":
        codec = CODECS_OF[spec.audio_format][0]
        most = CODECS[codec].most_channels
        if codec in LOSSLESS:
            return Delivery(codec, "anull", most)
        return Delivery(codec, mixed(audio, most), most)
    return Delivery("opus" if spec.output_format == "webm" else "aac", mixed(audio), 8)


def found(context: Context[VideoSpec], source: Source, audio: Audio, part: Cut, goal: float, report: Report) -> Level:
    """Find what brings a sound to a loudness: it is measured, made by itself, measured again, and corrected.

    Args:
        goal: LUFS of what is delivered.
    """
    return _Rehearsal(context, source, audio, part, report).level(goal)


class _Rehearsal:
    """One sound, made as it will be in the result, but without the picture."""

    def __init__(self, context: Context[VideoSpec], source: Source, audio: Audio, part: Cut, report: Report) -> None:
        self._context, self._source, self._audio, self._part, self._report = context, source, audio, part, report
        self._delivery = delivery(context.spec, audio)
        self._seconds = part.seconds(audio.duration_seconds or source.probe.duration_seconds)
        self._share = (0.0, _FIRST_SHARE)  # of the progress that the next run has

    def level(self, goal: float) -> Level:
        try:
            return self._level(goal)
        finally:
            for path in self._context.out.glob(f"{_SCRATCH}*"):
                path.unlink()

    def _level(self, goal: float) -> Level:
        before = self._measured(self._source.path, str(self._audio.index), self._part.options, self._delivery.mix)
        if before.integrated is None:
            return Level("", first_setting(before, goal, TRUE_PEAK, is_lossless=True).note)
        setting = first_setting(before, goal, TRUE_PEAK, is_lossless=self._delivery.codec in LOSSLESS)
        earlier: tuple[float, float] | None = None
        for number in range(_ROUNDS + 1):
            self._share = (1 - (1 - _FIRST_SHARE) * 0.3**number, 1 - (1 - _FIRST_SHARE) * 0.3 ** (number + 1))
            made = self._made(setting)
            better = corrected(
                setting, before, made, target=goal, true_peak=TRUE_PEAK, own_peak=made.true_peak, earlier=earlier
            )
            if better is None or number == _ROUNDS:
                note = " ".join(filter(None, [setting.note or _miss(goal, made), _too_high(made)]))
                return Level(self._chain(setting), note)
            earlier = (setting.gain, made.integrated) if made.integrated is not None else None
            setting = better
        raise AssertionError("the last round returns")

    def _chain(self, setting: Setting) -> str:
        return f"{self._delivery.mix},{levelling(setting)},aresample={self._audio.sample_rate}"

    def _made(self, setting: Setting) -> Measured:
        """Make the sound, and measure it as it is decoded."""
        codec, name = self._delivery.codec, f"{_SCRATCH}.mka"
        options: dict[str, Any] = {"af": self._chain(setting), "c:a": CODECS[codec].encoder, "map_metadata": -1}
        if codec not in LOSSLESS:
            spec, most = self._context.spec, self._delivery.most_channels
            options["b:a"] = audio_rate(spec, self._audio, codec=codec, most_channels=most)
        media = ffmpeg.input(str(self._source.path), **self._part.options, **SAFE_INPUT, **SAFE_DECODER)
        self._run(ffmpeg.output(media[str(self._audio.index)], name, **options, **self._part.limit))
        return self._measured(self._context.out / name, "a:0", {}, "anull")

    def _measured(self, path: Path, stream: str, options: dict[str, float], mix: str) -> Measured:
        name, shortest = f"{_SCRATCH}.txt", loop_samples(self._seconds, self._audio.sample_rate)
        media = ffmpeg.input(str(path), **options, **SAFE_INPUT, **SAFE_DECODER)
        meter = metering(name, with_peaks=True, shortest=shortest)
        self._run(ffmpeg.output(media[stream], "-", af=f"{mix},{meter}", f="null"))
        return measured(self._context.out / name, is_looped=shortest is not None)

    def _run(self, output: Any) -> None:
        begin, end = self._share

        def pass_on(fraction: float | None, speed: float | None) -> None:
            self._report(begin + (end - begin) * min(1.0, fraction or 0.0), speed)

        argv = output.compile(cmd=list(FFMPEG), overwrite_output=True)
        run_ffmpeg(self._context, argv, self._source.name, pass_on, seconds=self._seconds)
        self._share = (end, end)  # what follows of the same round goes on from here


def _too_high(made: Measured) -> str:
    """Say that the encoder has brought back peaks which were pressed down."""
    peak = made.true_peak
    if peak is None or peak <= TRUE_PEAK + _PEAK_TOLERANCE:
        return ""
    return f"The true peak is {peak:.1f} dBTP, above {TRUE_PEAK:g}: the encoder adds to it."


def _miss(goal: float, made: Measured) -> str:
    loudness = made.integrated
    if loudness is None or abs(goal - loudness) <= _MISSED:
        return ""
    return f"The target of {goal:g} LUFS is missed by {abs(goal - loudness):.1f} LU."
