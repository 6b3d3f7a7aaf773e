"""Pure: how loud a sound is by ITU-R BS.1770-4, and by how much it is to be raised or lowered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Method = Literal["integrated", "ungated", "silent"]

_ABSOLUTE_GATE = -70.0  # LUFS; BS.1770-4, annex 1
_RELATIVE_GATE = -10.0  # LU below what passes the absolute gate
MOST_GAIN = 40.0  #: dB; what is that quiet is noise for the most part
MOST_LIMITED = 15.0  #: dB by which peaks may be pressed down; beyond, sound is crushed and the target is given up
_HEARD_LIMITED = 6.0  # dB from which it is said: limiting by more can be heard
TOLERANCE = 0.3  #: LU; the promise is 0.5, and another meter may see 0.1 more or less
_PEAK_MARGIN = 0.1  # dB that a first try stays below the peak that was asked for
_LOSSY_MARGIN = 0.6  # dB more, for encoders that change peaks
_TAKEN = 0.2  # dB of loudness that limiting by a dB takes: of speech and music of ours, .13 to .35
_PEAK_TOLERANCE = 0.005  # dB; half of the last digit that FFmpeg writes at full scale


@dataclass(frozen=True, slots=True)
class Measured:
    """What a meter has seen of a sound."""

    momentary: Sequence[float]  #: LUFS of windows of 400 ms, each 100 ms
    range: float  #: LU; EBU Tech 3342
    true_peak: float | None  #: dBTP; None where it was not measured, or is that of silence
    is_looped: bool = False  #: the sound is shorter than a window, and was repeated to be measured at all

    @property
    def integrated(self) -> float | None:
        """LUFS; None for silence."""
        return integrated(self.momentary)

    @property
    def method(self) -> Method:
        """How the loudness was found."""
        if self.integrated is None:
            return "silent"
        return "ungated" if self.is_looped else "integrated"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is done to a sound."""

    gain: float = 0.0  #: dB
    ceiling: float | None = None  #: dBTP of the limiter; None: there is nothing to limit
    limited: float = 0.0  #: dB by which the highest peak is pressed down
    note: str = ""  #: a sentence for the user, where the target is not met or is met at a price
    is_given_up: bool = False  #: the target is out of reach: no correction will meet it


def integrated(momentary: Iterable[float]) -> float | None:
    """Loudness over gated blocks, or None where none passes the absolute gate.

    Args:
        momentary: loudness in LUFS of blocks of 400 ms that overlap by three quarters.
    """
    powers = [10 ** (each / 10) for each in momentary if each > _ABSOLUTE_GATE]
    if not powers:
        return None
    gate = sum(powers) / len(powers) * 10 ** (_RELATIVE_GATE / 10)
    passed = [power for power in powers if power > gate]
    return 10 * math.log10(sum(passed) / len(passed))


def pooled(measured: Sequence[Measured]) -> Measured:
    """Several sounds as one, for an album."""
    peaks = [each.true_peak for each in measured if each.true_peak is not None]
    return Measured(
        momentary=[value for each in measured for value in each.momentary],
        range=max((each.range for each in measured), default=0.0),
        true_peak=max(peaks, default=None),
        is_looped=all(each.is_looped for each in measured),
    )


def first_setting(found: Measured, target: float, true_peak: float, *, is_lossless: bool) -> Setting:
    """What brings a sound to its target, as far as can be foreseen."""
    loudness = found.integrated
    if loudness is None:
        return Setting(note="The sound is silent, or too quiet to be measured; its level was left as it is.")
    ceiling = max(-23.9, true_peak - _PEAK_MARGIN - (0.0 if is_lossless else _LOSSY_MARGIN))  # alimiter's lowest: -24
    plain = _setting(found, target - loudness, ceiling)
    if plain.is_given_up:
        return plain
    return _setting(found, plain.gain + _TAKEN * plain.limited, ceiling)


def corrected(
    before: Setting,
    source: Measured,
    made: Measured,
    *,
    target: float,
    true_peak: float,
    own_peak: float | None,
    is_album: bool = False,
    earlier: tuple[float, float] | None = None,
) -> Setting | None:
    """What brings it closer, after what came out was measured; None where that is good.

    Args:
        source: what the gain is found from; of an album, all of it.
        made: what came out; of an album, all of it.
        own_peak: dBTP of this very output.
        is_album: the gain is that of other files too: it changes for all of them, or not at all.
        earlier: the gain of the try before, and the loudness that came of it.
    """
    loudness = made.integrated
    if before.ceiling is None and before.gain == 0.0 and source.integrated is None:
        return None
    if loudness is None:
        return None
    missing = 0.0 if before.is_given_up else target - loudness
    over = 0.0 if own_peak is None else own_peak - true_peak
    if abs(missing) <= TOLERANCE and over <= _PEAK_TOLERANCE:
        return None
    if abs(missing) <= (TOLERANCE if is_album else 0.05):
        missing = 0.0
    ceiling = before.ceiling if before.ceiling is not None else true_peak - _PEAK_MARGIN
    lowered = over + 2 * _PEAK_MARGIN if over > _PEAK_TOLERANCE else 0.0
    yield_ = _yield(source, before, loudness, earlier)
    raised = 0.0 if is_album else lowered * (1 - yield_)
    return _setting(source, before.gain + (missing + raised) / yield_, max(-23.9, ceiling - lowered))


def of_one(shared: Setting, true_peak: float | None) -> Setting:
    """What a setting that is found for an album does to one of its files.

    Args:
        true_peak: dBTP of the file before.
    """
    peak = -math.inf if true_peak is None else true_peak
    limited = 0.0 if shared.ceiling is None else max(0.0, peak + shared.gain - shared.ceiling)
    return replace(shared, limited=limited, note=shared.note if shared.is_given_up else _price(limited))


def _price(limited: float) -> str:
    if limited <= _HEARD_LIMITED:
        return ""
    return f"Peaks were pressed down by {limited:.1f} dB to meet the target; that may be heard."


def _yield(source: Measured, before: Setting, loudness: float, earlier: tuple[float, float] | None) -> float:
    """The loudness that another dB of gain brings: what two tries show, or after one what the limiter has taken."""
    if earlier is not None and abs(before.gain - earlier[0]) > 0.1:
        return min(1.0, max(0.3, (loudness - earlier[1]) / (before.gain - earlier[0])))
    if before.limited == 0 or source.integrated is None:
        return 1.0
    taken = source.integrated + before.gain - loudness
    return min(1.0, max(0.6, 1 - taken / before.limited))


def _setting(found: Measured, gain: float, ceiling: float) -> Setting:
    note, is_given_up = "", False
    peak = found.true_peak if found.true_peak is not None else 0.0
    if gain > MOST_GAIN:
        note = f"The target is not met: it would take {gain:.1f} dB, and more than {MOST_GAIN:g} dB raise noise alone."
        gain, is_given_up = MOST_GAIN, True
    limited = max(0.0, peak + gain - ceiling)
    if limited > MOST_LIMITED:
        note = (
            f"The target is not met: peaks would have to be pressed down by {limited:.1f} dB, and more than "
            f"{MOST_LIMITED:g} dB crush the sound."
        )
        gain, limited = gain - (limited - MOST_LIMITED), MOST_LIMITED
        is_given_up = True
    elif not note:
        note = _price(limited)
    return Setting(
        gain=gain, ceiling=ceiling if limited > 0 else None, limited=limited, note=note, is_given_up=is_given_up
    )
