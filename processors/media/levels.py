"""The loudness of what is made: a first setting, and corrections by what the finished files measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from processors.ffmpeg.loudness import Measured, Setting, corrected, first_setting, of_one, pooled
from processors.ffmpeg.tasks import Report
from processors.media.deliverable import meter
from processors.media.encoding import Order, encode
from processors.media.piece import Piece, facts
from processors.media.wanted import Encode
from processors.worker.context import Context

_ROUNDS = 3  # of corrections at most; one is the rule, and a third is for what is pressed down by ten dB
_MISSED = 0.5  # LU; the promise


class Levels:
    """Settings for the files of all pieces."""

    def __init__(self, context: Context[Any], pieces: Sequence[Piece], *, is_album: bool) -> None:
        self._context = context
        self._pieces = pieces
        self._is_album = is_album
        self._earlier: dict[str, tuple[float, float]] = {}  #: gain and loudness of the try before, by the file's name

    def foresee(self) -> None:
        """Find the first setting of each file."""
        for piece in self._pieces:
            for made in piece.files:
                if made.target is not None:
                    found = self._source(piece, made)
                    piece.settings[made.name] = first_setting(
                        found, made.target, made.true_peak, is_lossless=made.is_lossless
                    )

    def correct(self, report: Report) -> None:
        """Measure what was made, and make anew what is not as it was asked for."""
        report = _forward(report)
        pending = [(piece, made) for piece in self._pieces for made in piece.files if made.target is not None]
        for round_number in range(_ROUNDS + 1):
            for number, (piece, made) in enumerate(pending):
                self._measure(piece, made, _part(report, round_number, number, len(pending)))
            if round_number == _ROUNDS:
                break
            changed = [(piece, made, setting) for piece, made in pending if (setting := self._next(piece, made))]
            for piece in self._pieces:
                orders = [Order(made, setting) for of, made, setting in changed if of is piece]
                if orders:
                    piece.settings |= {order.encode.name: order.setting for order in orders}
                    encode(
                        self._context, piece.sound, orders, piece.labels, piece.scratch, piece.source.name,
                        _part(report, round_number + 0.5, 0, 1),
                    )  # fmt: skip
            pending = [(piece, made) for piece, made, _ in changed]
            if not pending:
                break

    def details(self, piece: Piece, made: Encode) -> Mapping[str, Any]:
        """What the result says of a file's loudness."""
        if made.target is None or made.name not in piece.made:
            return {}
        setting, after = piece.settings[made.name], piece.made[made.name]
        before = self._own_source(piece, made)
        if self._is_album:
            setting = of_one(setting, before.true_peak)
        note = setting.note
        loudness = after.integrated
        if not note and loudness is not None and abs(made.target - loudness) > _MISSED and not self._is_album:
            note = f"The target is missed by {abs(made.target - loudness):.1f} LU."
        if after.true_peak is not None and after.true_peak > made.true_peak + 0.05:
            note = " ".join(filter(None, [note, f"The true peak is {after.true_peak:.1f} dBTP."]))
        found: dict[str, Any] = {
            "target": made.target,
            "truePeakTarget": made.true_peak,
            "gain": round(setting.gain, 2),
            "limited": round(setting.limited, 1),
            "before": facts(before),
            "after": facts(after),
        }
        if self._is_album:
            found["album"] = facts(self._made(made.preset))
        if note:
            found["note"] = note if len(self._pieces) == 1 else f"{piece.source.name}: {note}"
        return {"loudness": found}

    def _next(self, piece: Piece, made: Encode) -> Setting | None:
        assert made.target is not None
        after = self._made(made.preset) if self._is_album else piece.made[made.name]
        setting = piece.settings[made.name]
        found = corrected(
            setting,
            self._source(piece, made),
            after,
            target=made.target,
            true_peak=made.true_peak,
            own_peak=piece.made[made.name].true_peak,
            is_album=self._is_album,
            earlier=self._earlier.get(made.name),
        )
        if after.integrated is not None:
            self._earlier[made.name] = (setting.gain, after.integrated)
        return found

    def _measure(self, piece: Piece, made: Encode, report: Report) -> None:
        piece.made[made.name] = meter(self._context, made, piece.scratch, seconds=piece.seconds, report=report)

    def _source(self, piece: Piece, made: Encode) -> Measured:
        """What the gain is found from: the sound as it was, or the whole album."""
        if not self._is_album:
            return self._own_source(piece, made)
        return pooled(
            [
                self._own_source(each, same)
                for each in self._pieces
                for same in each.files
                if same.preset == made.preset  # and not by the rate, which is another one for mono
            ]
        )

    def _own_source(self, piece: Piece, made: Encode) -> Measured:
        assert piece.analysis is not None
        return piece.analysis.levels[made.channels]

    def _made(self, preset: str) -> Measured:
        found = [
            piece.made[made.name]
            for piece in self._pieces
            for made in piece.files
            if made.preset == preset and made.name in piece.made
        ]
        return pooled(found)


def _forward(report: Report) -> Report:
    """Let nothing go back: a round that was not foreseen takes of what is left."""
    reached = 0.0

    def pass_on(fraction: float | None, speed: float | None) -> None:
        nonlocal reached
        reached = max(reached, fraction or 0.0)
        report(reached, speed)

    return pass_on


def _part(report: Report, round_number: float, number: int, count: int) -> Report:
    """A share of a task: each round takes most of what the one before has left, because later ones are seldom."""
    begin, end = (1 - 0.4 ** (2 * each) for each in (round_number, round_number + 0.5))
    width = (end - begin) / max(1, count)

    def pass_on(fraction: float | None, speed: float | None) -> None:
        report(begin + width * (number + min(1.0, fraction or 0.0)), speed)

    return pass_on
