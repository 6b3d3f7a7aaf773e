"""What measures a sound and what brings it to its loudness, as text for libavfilter; and what a meter has written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from processors.ffmpeg.loudness import Measured, Setting

_LIMITER_RATE = 192_000  # peaks between samples are peaks of samples there: BS.1770-4, annex 2, asks for as much
_ATTACK, _RELEASE = 5, 80  # milliseconds
_RUN_TOGETHER = re.compile(r"(lavfi\.[\w.]+)=([-+.\d]+|[-+]?(?:nan|inf))")  # long numbers lose their line's end
_WINDOW_SECONDS = 0.4  # of momentary loudness; what is shorter is repeated


def levelling(setting: Setting) -> str:
    """Raise or lower, and limit what would stand out."""
    chain = [] if setting.gain == 0 else [f"volume={setting.gain:.3f}dB:precision=double"]
    if setting.ceiling is not None:
        limit = 10 ** (setting.ceiling / 20)
        chain += [
            f"aresample={_LIMITER_RATE}",
            f"alimiter=limit={limit:.6f}:attack={_ATTACK}:release={_RELEASE}:level=0:latency=1",
        ]
    return ",".join(chain) or "anull"


def metering(path: str, *, with_peaks: bool, shortest: int | None) -> str:
    """Measure loudness into a file of metadata.

    Args:
        shortest: samples of a sound that is shorter than a window, which is repeated for as long as it takes.
    """
    repeated = "" if shortest is None else f"aloop=loop=-1:size={shortest},atrim=duration=3,"
    peaks = ":peak=true" if with_peaks else ""
    return f"{repeated}ebur128=metadata=1{peaks}:framelog=verbose,ametadata=print:file={path}"


def loop_samples(seconds: float | None, sample_rate: int) -> int | None:
    """How many samples a meter has to repeat, where there are too few for its window."""
    if seconds is None or seconds >= _WINDOW_SECONDS + 0.05:
        return None
    return max(1, round(sample_rate * 0.5))


def measured(path: Path, *, is_looped: bool) -> Measured:
    """Read what `metering` has written."""
    momentary: list[float] = []
    spread, peak = 0.0, 0.0
    for key, value in read_pairs(path):
        match key:
            case "lavfi.r128.M":
                momentary.append(value)
            case "lavfi.r128.LRA":
                spread = value
            case "lavfi.r128.true_peak":
                peak = max(peak, value)
            case _ if key.startswith("lavfi.r128.true_peaks_ch"):
                peak = max(peak, value)
    return Measured(momentary, spread, 20 * math.log10(peak) if peak > 0 else None, is_looped)


def read_pairs(path: Path) -> Iterator[tuple[str, float]]:
    """Yield keys and numbers; a long recording has millions of lines, which are not held at once."""
    if not path.exists():
        return
    with path.open() as lines:
        for line in lines:
            key, is_pair, value = line.partition("=")
            if not is_pair:
                continue
            try:
                yield key, float(value)
            except ValueError:
                yield from ((key, float(number)) for key, number in _RUN_TOGETHER.findall(line))
