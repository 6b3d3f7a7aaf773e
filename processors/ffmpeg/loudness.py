"""How loud a sound is by ITU-R BS.1770, as FFmpeg measures it, and what brings it to a target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from processors.ffmpeg.program import heard
from processors.ffmpeg.tasks import Report
from processors.worker.context import Context

_SILENCE = -69.9  # LUFS; -70 is the absolute gate of BS.1770-4, and what ebur128 says of silence
_CEILING = -1.5  # dBTP; EBU R 128 has -1, and lossy encoders add up to half a decibel
_MOST_GAIN = 40.0  # dB; what is that quiet is noise for the most part
_LIMITER_RATE = 192_000  # a limiter that works on samples sees peaks between them at four times 48 kHz
_HEARD = 6.0  # dB of limiting that can be heard


@dataclass(frozen=True, slots=True)
class Level:
    """What was measured of a sound."""

    integrated: float | None  #: LUFS; None for silence, or for what is shorter than 400 ms
    true_peak: float | None  #: dBTP


@dataclass(frozen=True, slots=True)
class Setting:
    """What brings a sound to its target."""

    filters: str  #: of libavfilter; empty: nothing
    note: str = ""  #: a sentence for the user


def measured(context: Context[Any], argv: Sequence[str], name: str, report: Report, *, seconds: float | None) -> Level:
    """Measure one sound.

    Args:
        argv: a run of a `TALKING` ffmpeg with `METER` as its last filter.
    """
    said = heard(context, argv, name, report, seconds=seconds)
    summary = said.rpartition("Summary:")[2]
    return Level(_number(r"\bI:\s+(\S+) LUFS", summary, _SILENCE), _number(r"\bPeak:\s+(\S+) dBFS", summary, -200.0))


METER = "ebur128=peak=true:framelog=verbose"  #: the filter that measures; its summary is a message of the level info


def setting(level: Level, target: float, sample_rate: int) -> Setting:
    """Say what is to be done to a sound: a gain, and a limiter where its peaks would pass the ceiling."""
    if level.integrated is None:
        return Setting("", "The sound is silent, or too short to be measured; its level was left as it is.")
    gain = min(_MOST_GAIN, target - level.integrated)
    filters = [f"volume={gain:.2f}dB"]
    over = (level.true_peak or 0.0) + gain - _CEILING
    if over > 0:
        limit = 10 ** (_CEILING / 20)
        filters += [f"aresample={_LIMITER_RATE}", f"alimiter=limit={limit:.4f}:level=disabled:attack=5:release=50"]
        filters += [f"aresample={sample_rate}"]
    note = f"Peaks were pressed down by {over:.0f} dB, which can be heard." if over > _HEARD else ""
    return Setting(",".join(filters), note)


def _number(pattern: str, text: str, least: float) -> float | None:
    found = re.search(pattern, text)
    try:
        value = float(found[1]) if found else least
    except ValueError:
        return None
    return value if value > least else None
