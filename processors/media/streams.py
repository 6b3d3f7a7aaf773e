"""Sound at several rates, packaged for HLS and DASH from one set of segments."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from processors.media.deliverable import PADDING_SECONDS
from processors.media.track import Track
from processors.streaming.making import make_stream
from processors.streaming.packager import MASTER
from processors.streaming.tracks import Track as Rendition
from processors.streaming.tracks import language_of
from processors.worker.context import Context

_GROUP = re.compile(r',AUDIO="[^"]*"')


def streamed(context: Context[Any], track: Track, segment_seconds: int) -> list[Rendition]:
    """Package what was encoded at several rates; give the renditions, the best first."""
    wanted = track.wanted
    language = language_of(track.audio.language)
    renditions = [
        Rendition("audio", PurePosixPath(rung.name).stem, context.out / rung.name, language) for rung in wanted.rungs
    ]
    make_stream(
        context,
        renditions,
        hls="hls" in wanted.formats,
        dash="dash" in wanted.formats,
        segment_seconds=segment_seconds,
        group_seconds=segment_seconds,
        seconds=track.seconds,
        frame_seconds=PADDING_SECONDS,
    )
    master = context.out / MASTER
    if master.exists():
        master.write_text(variants(master.read_text()))
    return renditions


def variants(master: str) -> str:
    """Make each rate a variant of its own.

    Packager lists them as choices of one group, as languages are: a player that takes a lower variant would still play
    the group's default. RFC 8216, 4.3.4.2.1: renditions of one group differ in their content, and not in their rate.
    """
    lines = [_GROUP.sub("", line) for line in master.splitlines() if not line.startswith("#EXT-X-MEDIA:TYPE=AUDIO")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"
