"""A file that was made: whether it is whole, and how loud it is when it is decoded."""

from __future__ import annotations

from typing import Any

from processors.ffmpeg.levelling import measured, metering
from processors.ffmpeg.loudness import Measured
from processors.ffmpeg.opening import opened
from processors.ffmpeg.program import FFMPEG, run_ffmpeg
from processors.ffmpeg.streams import Probe
from processors.ffmpeg.tasks import Report
from processors.ffmpeg.verify import Expected, incomplete, verified
from processors.media.analysis import Sound
from processors.media.wanted import Encode
from processors.worker.context import Context

PADDING_SECONDS = 0.15  #: encoders fill their last frame: 2048 samples of AAC at 16 kHz, and its look-ahead


def meter(context: Context[Any], made: Encode, scratch: str, *, seconds: float | None, report: Report) -> Measured:
    """Decode all of a file, and measure its loudness.

    Raises:
        HandlerError: it cannot be decoded.
    """
    path = f"{scratch}/made.txt"
    sound = Sound(context.out / made.name, 0, made.channels, made.layout, made.sample_rate, seconds)
    graph = f"[0:a:0]{metering(path, with_peaks=True, shortest=sound.loop_samples)}[out]"
    argv = [*FFMPEG, "-xerror", *sound.arguments, "-filter_complex", graph, "-map", "[out]", "-f", "null", "-"]
    run_ffmpeg(context, argv, made.name, report, seconds=seconds)
    return measured(context.out / path, is_looped=sound.loop_samples is not None)


def sound_rate(context: Context[Any], made: Encode, found: Probe) -> int | None:
    """Bits per second of the sound of a file: a cover counts for the file, and is none of it."""
    if not any(other.kind == "cover" for other in found.others):
        return found.bitrate
    (audio,) = found.audios
    seconds = found.duration_seconds
    if not seconds:
        return audio.bitrate
    with opened(context.out / made.name, made.name) as container:
        size = sum(packet.size for packet in container.demux(container.streams[audio.index]))
    return round(size * 8 / seconds)


def checked(context: Context[Any], made: Encode, seconds: float | None) -> Probe:
    """Look at a file before it is published: its streams, its length, its beginning and its end.

    Raises:
        HandlerError: it is not what it should be.
    """
    expected = Expected({"audio": 1}, seconds, is_index_first=made.container == "m4a")
    found = verified(context.out / made.name, made.name, expected)
    (audio,) = found.audios
    if audio.channels != made.channels and not made.is_copy:
        why = f"it has {audio.channels} channels instead of {made.channels}"
        raise incomplete(made.name, why, retryable=False)
    length = found.duration_seconds
    if seconds is not None and length is not None and abs(length - seconds) > PADDING_SECONDS + seconds * 0.001:
        raise incomplete(made.name, f"it is {length:g} s long instead of {seconds:g} s", retryable=False)
    return found
