"""Noise reduction: RNNoise, a small recurrent network for speech, or FFmpeg's spectral one for any sound.

Both lag behind. What they give is moved back, so that the clean sound stands where the noisy one stood.
"""

from __future__ import annotations

import ctypes
import importlib.util
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Any

from processors.ffmpeg.mixing import KNOWN_LAYOUTS
from processors.ffmpeg.program import FFMPEG, PIPED, between, run_ffmpeg
from processors.ffmpeg.tasks import Report
from processors.media.analysis import Sound
from processors.media.filters import cutting
from processors.specs.media import Denoise
from processors.worker.context import Context, Rejected

RNNOISE_RATE = 48_000  #: the only one that the network knows
RNNOISE_LAG = 960  #: samples; two frames, measured by cross-correlation with its input
_FRAME = 480  # samples that it takes at once
_SCALE = 32768  # it takes samples of 16 bits, as floating point
_FRAMES_AT_ONCE = 200  # two seconds
_FFT = "afftdn=nr=20:nf=-40:tn=1"


def fft_lag(sample_rate: int) -> int:
    """The samples by which `afftdn` lags: two of its steps, of an eightieth of a second each."""
    return 2 * (sample_rate // 80)


def clean(context: Context[Any], sound: Sound, wish: Denoise, target: str, name: str, report: Report) -> Sound:
    """Write a sound without its noise into a file of the out directory; give what stands there.

    Args:
        target: the file, as it is called from the out directory.
        name: what to call the input in messages.

    Raises:
        Rejected: RNNoise is asked for and is not here.
    """
    if wish.method == "rnnoise":
        seconds = _rnnoise(context, sound, wish.strength, target, name, report)
        rate = RNNOISE_RATE
    else:
        seconds = _fft(context, sound, wish.strength, target, name, report)
        rate = sound.sample_rate
    return Sound(context.out / target, 0, sound.channels, sound.layout, rate, seconds)


def _fft(context: Context[Any], sound: Sound, strength: float, target: str, name: str, report: Report) -> float:
    lag = fft_lag(sound.sample_rate)
    graph = (
        f"[0:{sound.index}]{cutting(sound.cut)},aformat=sample_fmts=fltp,asplit[dry][raw];"
        f"[raw]apad=pad_len={lag},{_FFT},atrim=start_sample={lag},asetpts=N/SR/TB,volume={strength}[wet];"
        f"[dry]volume={1 - strength}[rest];[wet][rest]amix=inputs=2:normalize=0:duration=shortest[out]"
    )
    argv = [*FFMPEG, *sound.arguments, "-filter_complex", graph, "-map", "[out]", *_STORED, target]
    return run_ffmpeg(context, argv, name, report, seconds=sound.length)


_STORED = ("-c:a", "wavpack", "-sample_fmt", "fltp", "-compression_level", "0", "-f", "wv", "-y")


@cache
def library_path() -> Path | None:
    """Where RNNoise's library is: beside the module that brings it, which itself is not needed."""
    found = importlib.util.find_spec("pyrnnoise")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations))) / "librnnoise.so"
    return path if path.exists() else None


@cache
def _library() -> ctypes.CDLL:
    path = library_path()
    if path is None:
        raise Rejected(
            "rnnoise_missing",
            "RNNoise is not installed here, so that noise cannot be taken away by it.",
            "Use the method fft, or the service's image, which has it; elsewhere: pip install --no-deps pyrnnoise.",
        )
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise Rejected("rnnoise_missing", f"RNNoise cannot be loaded: {error}.", "Use the method fft.") from error
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    return library


class _Channel:
    """One channel's way through the network."""

    def __init__(self) -> None:
        self._library = _library()
        self._state = self._library.rnnoise_create(None)

    def __call__(self, samples: array[float]) -> array[float]:
        """Take whole frames, and give as many back."""
        address, _ = samples.buffer_info()
        for offset in range(0, len(samples), _FRAME):
            at = address + offset * samples.itemsize
            self._library.rnnoise_process_frame(self._state, at, at)
        return samples

    def close(self) -> None:
        """Free the network's memory."""
        self._library.rnnoise_destroy(self._state)


def _rnnoise(context: Context[Any], sound: Sound, strength: float, target: str, name: str, report: Report) -> float:
    _library()
    layout = ("-ch_layout", sound.layout) if sound.layout in KNOWN_LAYOUTS else ("-ac", str(sound.channels))
    raw = ("-f", "f32le", "-ar", str(RNNOISE_RATE), *layout)
    at_rate = f"{cutting(sound.cut)},aresample={RNNOISE_RATE}"
    decode = [
        *PIPED, *sound.arguments,
        "-filter_complex", f"[0:{sound.index}]{at_rate},volume={_SCALE}:precision=float[out]",
        "-map", "[out]", "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1",
    ]  # fmt: skip
    wet = f"[0:a]volume={strength / _SCALE:.12f}:precision=float"
    if strength == 1:
        inputs, graph = [], f"{wet}[out]"
    else:
        inputs = sound.arguments
        graph = (
            f"{wet}[wet];[1:{sound.index}]{at_rate},volume={1 - strength}:precision=float[dry];"
            "[wet][dry]amix=inputs=2:normalize=0:duration=longest[out]"
        )
    encode = [*PIPED, *raw, "-i", "pipe:0", *inputs, "-filter_complex", graph, "-map", "[out]", *_STORED, target]
    channels = [_Channel() for _ in range(sound.channels)]
    try:
        with between(decode, encode, name) as (source, sink):
            return _pump(source, sink, channels, sound, report) / RNNOISE_RATE
    finally:
        for channel in channels:
            channel.close()


def _pump(source: IO[bytes], sink: IO[bytes], channels: Sequence[_Channel], sound: Sound, report: Report) -> int:
    """Pass everything through the network, without its lag; give the number of samples of a channel."""
    count = len(channels)
    frame_bytes = _FRAME * count * 4
    skip = RNNOISE_LAG
    taken = given = 0
    with ThreadPoolExecutor(count) as pool:  # the library works outside of Python's lock
        while True:
            data = source.read(frame_bytes * _FRAMES_AT_ONCE)
            taken += len(data) // (4 * count)
            is_last = len(data) < frame_bytes * _FRAMES_AT_ONCE
            if is_last:
                data = data[: len(data) - len(data) % (4 * count)]
                data += bytes(RNNOISE_LAG * count * 4)
                data += bytes(-len(data) % frame_bytes)
            mixed = array("f", data)
            pieces = [mixed[number::count] for number in range(count)]
            cleaned = list(pool.map(_Channel.__call__, channels, pieces))
            for number, channel in enumerate(cleaned):
                mixed[number::count] = channel
            keep = mixed[skip * count :][: (taken - given) * count]
            skip = max(0, skip - len(mixed) // count)
            sink.write(keep.tobytes())
            given += len(keep) // count
            if sound.length:
                report(taken / RNNOISE_RATE / sound.length, None)
            if is_last:
                return given
