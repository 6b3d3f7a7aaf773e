"""From encoded tracks to a stream that was looked at, and its files as outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from processors.protocol import OutputFile
from processors.streaming.measure import MeasuredTrack, measured, variant_bandwidths
from processors.streaming.packager import MANIFEST, MASTER, package
from processors.streaming.playlists import as_variants, raised_manifest, raised_master, with_default_sound
from processors.streaming.tracks import Kind, Track
from processors.streaming.verify import verify_sound, verify_stream
from processors.worker.context import Context

_LISTS = {".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml"}
_PARTS: dict[Kind, str] = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}


def make_stream(
    context: Context[Any],
    tracks: Sequence[Track],
    *,
    hls: bool,
    dash: bool,
    segment_seconds: float,
    group_seconds: float,
    seconds: float | None,
    frame_seconds: float,
    is_one_sound: bool = False,
) -> list[MeasuredTrack]:
    """Package tracks, and verify what came out.

    Args:
        tracks: the best video first; the first audio is the default one.
        segment_seconds: a whole number of groups of pictures.
        group_seconds: of one group of pictures.
        seconds: that the best video, or else the first sound, should last; None where that is not known.
        frame_seconds: by how much it may differ.
        is_one_sound: the tracks are one sound at several rates, and nothing else.

    Returns:
        What was measured of the videos and sounds, in their order.

    Raises:
        HandlerError: Packager is missing or failed, or the stream is not what it should be.
    """
    package(context, tracks, hls=hls, dash=dash, segment_seconds=segment_seconds, group_seconds=group_seconds)
    found = measured(context.out, tracks, segment_seconds)
    if hls:
        master = context.out / MASTER
        text = raised_master(master.read_text(), variant_bandwidths(found))
        master.write_text(as_variants(text) if is_one_sound else with_default_sound(text))
    if dash:
        manifest = context.out / MANIFEST
        needed = {each.track.folder: each.peak_bandwidth for each in found}
        manifest.write_text(raised_manifest(manifest.read_text(), needed))
    verify_stream(context.out, tracks, found, seconds=seconds, frame_seconds=frame_seconds)
    for each in found:
        if each.track.kind == "audio":
            verify_sound(each)
    return found


def published(context: Context[Any], tracks: Sequence[Track]) -> Iterator[OutputFile]:
    """Name all files of a stream as outputs: first what a player opens."""
    for name in (MASTER, MANIFEST):
        if (context.out / name).exists():
            yield context.output(name, media_type=_LISTS[Path(name).suffix], role="playlist")
    for track in tracks:
        for path in sorted((context.out / track.folder).iterdir()):
            is_list = path.suffix in _LISTS
            media_type = _LISTS.get(path.suffix) or ("text/vtt" if path.suffix == ".vtt" else _PARTS[track.kind])
            role = "playlist" if is_list else "segment"
            yield context.output(f"{track.folder}/{path.name}", media_type=media_type, role=role)
