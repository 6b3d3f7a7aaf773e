"""Whether a stream is what players need, before it becomes a result. Every packet is read, every key frame decoded."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from processors.ffmpeg.verify import incomplete
from processors.streaming.packager import MANIFEST, MASTER
from processors.streaming.playlists import master_entries, media_segments, peak_bandwidth, represented
from processors.streaming.tracks import Track

_SAME_SECONDS = 0.002  # times are rounded to the units of a file
_EXTINF_SECONDS = 0.001  # playlists give milliseconds


@dataclass(frozen=True, slots=True)
class Cut:
    """One segment, as it was found."""

    size: int
    starts_at: float  #: of the first frame that is shown, in seconds
    seconds: float
    frames: int
    key_times: Sequence[float]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a track turned out to be."""

    track: Track
    cuts: Sequence[Cut]
    peak_bandwidth: int
    average_bandwidth: int

    @property
    def seconds(self) -> float:
        """From the first frame to the end of the last one."""
        return self.cuts[-1].starts_at + self.cuts[-1].seconds - self.cuts[0].starts_at

    @property
    def frames(self) -> int:
        """How many there are in all."""
        return sum(cut.frames for cut in self.cuts)


def verified_stream(
    out: Path, tracks: Sequence[Track], *, segment_seconds: float, seconds: float | None, frame_seconds: float
) -> list[Measured]:
    """Look at all segments of a stream, and at what its playlists say of them.

    Args:
        seconds: that the picture, or else the sound, should last; None where that is not known.
        frame_seconds: by how much it may differ.

    Raises:
        HandlerError: it is not what it should be.
    """
    found = [_measured(out, track, segment_seconds) for track in tracks if track.kind != "text"]
    videos = [each for each in found if each.track.kind == "video"]
    for each in videos:
        _begins_with_key_frames(each)
        _is_aligned(each, videos[0])
    leading = (videos or found)[0]
    if seconds is not None and abs(leading.seconds - seconds) > frame_seconds + _SAME_SECONDS:
        raise incomplete(leading.track.folder, f"it is {leading.seconds:.3f} s long instead of {seconds:.3f} s")
    if (out / MASTER).exists():
        _playlists_are_true(out, found, tracks)
    if (out / MANIFEST).exists():
        _manifest_is_true(out, found)
    return found


def _measured(out: Path, track: Track, segment_seconds: float) -> Measured:
    init = (out / track.folder / "init.mp4").read_bytes()
    paths = sorted((out / track.folder).glob("segment-*.m4s"))
    if not paths:
        raise incomplete(track.folder, "it has no segments")
    cuts = [_cut(init, path, track) for path in paths]
    sizes, lengths = [cut.size for cut in cuts], [cut.seconds for cut in cuts]
    return Measured(
        track,
        cuts,
        peak_bandwidth=int(peak_bandwidth(sizes, lengths, segment_seconds)),
        average_bandwidth=int(8 * sum(sizes) / sum(lengths)),
    )


def _cut(init: bytes, path: Path, track: Track) -> Cut:
    """Read one segment as a player does, knowing nothing of those before it."""
    name, data = f"{track.folder}/{path.name}", path.read_bytes()
    try:
        with av.open(io.BytesIO(init + data), format="mp4") as container:
            stream = container.streams[0]
            base = stream.time_base
            assert base is not None  # of MP4
            packets = [packet for packet in container.demux(stream) if packet.pts is not None]
            if not packets:
                raise incomplete(name, "it has no frames")
            times = sorted((float(packet.pts * base), float((packet.duration or 0) * base)) for packet in packets)
            keys = sorted(float(packet.pts * base) for packet in packets if packet.is_keyframe)
    except FFmpegError as error:
        raise incomplete(name, f"it cannot be read: {error.strerror}") from error
    if (decoded := _decoded_keys(init + data)) == 0:
        raise incomplete(name, "it cannot be decoded by itself")
    if decoded < len(keys) and track.kind == "video":
        raise incomplete(name, f"{len(keys) - decoded} of its {len(keys)} key frames cannot be decoded")
    last, last_seconds = times[-1]
    return Cut(len(data), times[0][0], last + last_seconds - times[0][0], len(times), keys)


def _decoded_keys(data: bytes) -> int:
    """Count the key frames that can be decoded; of sound the frames."""
    with av.open(io.BytesIO(data), format="mp4") as container:
        stream = container.streams[0]
        stream.codec_context.thread_count = 1
        if stream.type == "video":
            stream.codec_context.skip_frame = "NONKEY"
        return sum(1 for _ in _frames(container.decode(stream)))


def _frames(frames: Iterator[object]) -> Iterator[object]:
    try:
        yield from frames
    except FFmpegError:
        return


def _begins_with_key_frames(measured: Measured) -> None:
    for number, cut in enumerate(measured.cuts, start=1):
        if not cut.key_times or cut.key_times[0] > cut.starts_at + _SAME_SECONDS:
            raise incomplete(measured.track.folder, f"its segment {number} does not begin with a key frame")


def _is_aligned(measured: Measured, first: Measured) -> None:
    """Compare a rung with the best one: where it has key frames, the other has one too."""
    for mine, other in zip(measured.cuts, first.cuts, strict=False):
        pairs = zip(mine.key_times, other.key_times, strict=False)
        if len(mine.key_times) != len(other.key_times) or any(abs(a - b) > _SAME_SECONDS for a, b in pairs):
            raise incomplete(measured.track.folder, f"its key frames are not those of {first.track.folder}")
    if len(measured.cuts) != len(first.cuts):
        raise incomplete(measured.track.folder, f"it has not as many segments as {first.track.folder}")


def _playlists_are_true(out: Path, found: Sequence[Measured], tracks: Sequence[Track]) -> None:
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
        is_same = len(says) == len(measured.cuts) and all(
            abs(said - cut.seconds) <= _EXTINF_SECONDS + _SAME_SECONDS
            for said, cut in zip(says, measured.cuts, strict=True)
        )
        if not is_same and measured.track.kind == "video":
            raise incomplete(f"{folder}/playlist.m3u8", "its segments are not as long as it says")
    sounds = max((each.peak_bandwidth for each in found if each.track.kind == "audio"), default=0)
    for folder, variant in variants.items():
        measured = by_folder[folder]
        needed = measured.peak_bandwidth + (sounds if measured.track.kind == "video" else 0)
        if (said := int(variant.attributes.get("BANDWIDTH", "0"))) < needed:
            raise incomplete(MASTER, f"it says that {folder} has {said} bits per second at most, and it has {needed}")


def _manifest_is_true(out: Path, found: Sequence[Measured]) -> None:
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
