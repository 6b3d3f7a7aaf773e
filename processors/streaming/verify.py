"""Whether a stream is what players need, before it becomes a result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from processors.ffmpeg.probe import probe
from processors.ffmpeg.verify import LEAST_MISSING_SECONDS, incomplete
from processors.streaming.measure import MeasuredTrack, variant_bandwidths
from processors.streaming.packager import MANIFEST, MASTER
from processors.streaming.playlists import master_entries, media_segments, represented
from processors.streaming.tracks import Track

_SAME_SECONDS = 0.002  # times are rounded to the units of a file
_EXTINF_SECONDS = 0.001  # playlists give milliseconds


def verify_stream(
    out: Path, tracks: Sequence[Track], found: Sequence[MeasuredTrack], *, seconds: float | None, frame_seconds: float
) -> None:
    """Compare the segments with each other, and with what the playlists say of them.

    Args:
        seconds: that the picture, or else the first sound, should last; None where that is not known.
        frame_seconds: by how much it may differ.

    Raises:
        HandlerError: the stream is not what it should be.
    """
    videos = [each for each in found if each.track.kind == "video"]
    for each in videos:
        _begins_with_key_frames(each)
        _is_aligned(each, videos[0])
    leading = (videos or found)[0]
    if seconds is not None and abs(leading.seconds - seconds) > frame_seconds + _SAME_SECONDS:
        why = f"it is {leading.seconds:.3f} s long instead of {seconds:.3f} s"
        raise incomplete(leading.track.folder, why, retryable=False)
    if (out / MASTER).exists():
        _playlists_are_true(out, found, tracks)
    if (out / MANIFEST).exists():
        _manifest_is_true(out, found)


def verify_sound(measured: MeasuredTrack) -> None:
    """Compare a sound with the file that it was packaged from.

    Raises:
        HandlerError: a part of it is missing.
    """
    made = probe(measured.track.source, measured.track.folder)
    expected = None if made.audio is None else made.audio.duration_seconds
    if expected is not None and expected - measured.seconds > LEAST_MISSING_SECONDS:
        why = f"it is {measured.seconds:.3f} s long instead of {expected:.3f} s"
        raise incomplete(measured.track.folder, why, retryable=False)


def _begins_with_key_frames(measured: MeasuredTrack) -> None:
    for number, segment in enumerate(measured.segments, start=1):
        if not segment.key_times or segment.key_times[0] > segment.starts_at + _SAME_SECONDS:
            raise incomplete(measured.track.folder, f"its segment {number} does not begin with a key frame")


def _is_aligned(measured: MeasuredTrack, first: MeasuredTrack) -> None:
    """Compare a rung with the best one: where it has key frames, the other has one too."""
    for mine, other in zip(measured.segments, first.segments, strict=False):
        pairs = zip(mine.key_times, other.key_times, strict=False)
        if len(mine.key_times) != len(other.key_times) or any(abs(a - b) > _SAME_SECONDS for a, b in pairs):
            raise incomplete(measured.track.folder, f"its key frames are not those of {first.track.folder}")
    if len(measured.segments) != len(first.segments):
        raise incomplete(measured.track.folder, f"it has not as many segments as {first.track.folder}")


def _playlists_are_true(out: Path, found: Sequence[MeasuredTrack], tracks: Sequence[Track]) -> None:
    entries = master_entries((out / MASTER).read_text())
    by_folder = {each.track.folder: each for each in found}
    variants = {each.uri.rpartition("/")[0]: each for each in entries if each.tag == "#EXT-X-STREAM-INF"}
    for each in entries:
        if not (out / each.uri).is_file():
            raise incomplete(MASTER, f"it names {each.uri}, which is not there")
    for folder in (track.folder for track in tracks):
        playlist = out / folder / "playlist.m3u8"
        text = playlist.read_text() if playlist.is_file() else ""
        if "#EXT-X-ENDLIST" not in text:
            raise incomplete(f"{folder}/playlist.m3u8", "it has no end")
        segments = media_segments(text)
        if missing := [each.uri for each in segments if not (out / folder / each.uri).is_file()]:
            raise incomplete(f"{folder}/playlist.m3u8", f"it names {missing[0]}, which is not there")
        if (measured := by_folder.get(folder)) is None:
            continue
        says = [segment.seconds for segment in segments]
        is_same = len(says) == len(measured.segments) and all(
            abs(said - segment.seconds) <= _EXTINF_SECONDS + _SAME_SECONDS
            for said, segment in zip(says, measured.segments, strict=True)
        )
        if not is_same and measured.track.kind == "video":
            raise incomplete(f"{folder}/playlist.m3u8", "its segments are not as long as it says")
    for folder, needed in variant_bandwidths(found).items():
        said = int(variants[folder].attributes.get("BANDWIDTH", "0")) if folder in variants else 0
        if said < needed:
            raise incomplete(MASTER, f"it says that {folder} has {said} bits per second at most, and it has {needed}")


def _manifest_is_true(out: Path, found: Sequence[MeasuredTrack]) -> None:
    said = represented((out / MANIFEST).read_text())
    for each in found:
        if each.track.folder not in said:
            raise incomplete(MANIFEST, f"it does not name {each.track.folder}")
        if said[each.track.folder] < each.peak_bandwidth:
            raise incomplete(
                MANIFEST,
                f"it says that {each.track.folder} has {said[each.track.folder]} bits per second at most, "
                f"and it has {each.peak_bandwidth}",
            )
