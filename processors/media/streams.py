"""Sound at several rates, packaged for HLS and DASH from one set of segments."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from processors.media.deliverable import PADDING_SECONDS
from processors.media.piece import Piece
from processors.streaming.making import make_stream
from processors.streaming.tracks import Track, language_of
from processors.worker.context import Context


def streamed(context: Context[Any], piece: Piece, segment_seconds: int) -> list[Track]:
    """Package what was encoded at several rates; give the renditions, the best first."""
    wanted = piece.wanted
    language = language_of(piece.audio.language)
    renditions = [
        Track("audio", PurePosixPath(rung.name).stem, context.out / rung.name, language) for rung in wanted.rungs
    ]
    make_stream(
        context,
        renditions,
        hls="hls" in wanted.formats,
        dash="dash" in wanted.formats,
        segment_seconds=segment_seconds,
        group_seconds=segment_seconds,
        seconds=piece.seconds,
        frame_seconds=PADDING_SECONDS,
        is_one_sound=True,
    )
    return renditions
