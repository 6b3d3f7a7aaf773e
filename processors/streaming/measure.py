"""What the segments of a stream are: each is read as a player does that knows nothing of those before it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from processors.ffmpeg.verify import incomplete
from processors.streaming.entry import is_entry
from processors.streaming.playlists import peak_bandwidth
from processors.streaming.tracks import Kind, Track
from processors.worker.threads import granted_threads


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, as it was found."""

    size: int
    starts_at: float  #: of the first frame that is shown, in seconds
    seconds: float
    frames: int
    key_times: Sequence[float]


@dataclass(frozen=True, slots=True)
class MeasuredTrack:
    """What a track turned out to be."""

    track: Track
    segments: Sequence[Segment]
    peak_bandwidth: int
    average_bandwidth: int

    @property
    def seconds(self) -> float:
        """From the first frame to the end of the last one."""
        return self.segments[-1].starts_at + self.segments[-1].seconds - self.segments[0].starts_at

    @property
    def frames(self) -> int:
        """How many there are in all."""
        return sum(segment.frames for segment in self.segments)


def measured(out: Path, tracks: Sequence[Track], segment_seconds: float) -> list[MeasuredTrack]:
    """Read all segments of the pictures and sounds; decode the key frames, which nothing can be shown without.

    Raises:
        HandlerError: a segment is missing, or cannot be played by itself.
    """
    with ThreadPoolExecutor(granted_threads()) as pool:  # FFmpeg's libraries work outside of Python's lock
        return [_measured(out, track, segment_seconds, pool) for track in tracks if track.kind != "text"]


def variant_bandwidths(found: Sequence[MeasuredTrack]) -> dict[str, int]:
    """The highest rate of each variant, by its folder: of a picture with the dearest sound, or of a sound alone."""
    sounds = [each for each in found if each.track.kind == "audio"]
    videos = [each for each in found if each.track.kind == "video"]
    dearest = max((each.peak_bandwidth for each in sounds), default=0) if videos else 0
    return {each.track.folder: each.peak_bandwidth + dearest for each in videos or sounds}


def _measured(out: Path, track: Track, segment_seconds: float, pool: ThreadPoolExecutor) -> MeasuredTrack:
    init = (out / track.folder / "init.mp4").read_bytes()
    paths = sorted((out / track.folder).glob("segment-*.m4s"))
    if not paths:
        raise incomplete(track.folder, "it has no segments")
    segments = list(pool.map(lambda path: _segment(init, path, track), paths))
    sizes, lengths = [segment.size for segment in segments], shown_seconds(segments)
    return MeasuredTrack(
        track,
        segments,
        peak_bandwidth=int(peak_bandwidth(sizes, lengths, segment_seconds)),
        average_bandwidth=int(8 * sum(sizes) / sum(lengths)),
    )


def shown_seconds(segments: Sequence[Segment]) -> list[float]:
    """How long each is shown, as playlists say: what a codec of sound needs before its beginning (its delay) is not."""
    begins = [max(0.0, segment.starts_at) for segment in segments]
    ends = [*begins[1:], segments[-1].starts_at + segments[-1].seconds]
    return [max(0.0, end - begin) for begin, end in zip(begins, ends, strict=True)]


def _segment(init: bytes, path: Path, track: Track) -> Segment:
    """Read one segment as a player does, knowing nothing of those before it."""
    name, data = f"{track.folder}/{path.name}", path.read_bytes()
    try:
        with av.open(io.BytesIO(init + data), "r", format="mp4") as container:
            stream = container.streams[0]
            base = float(stream.time_base or 1)
            packets = [packet for packet in container.demux(stream) if packet.pts is not None]
            shown = sorted(
                (packet.pts * base, (packet.duration or 0) * base, packet.is_keyframe)
                for packet in packets
                if packet.pts is not None
            )
            codec = stream.codec_context.codec.canonical_name
            if track.kind == "video" and packets and not is_entry(codec, bytes(packets[0])):
                raise incomplete(name, "its first picture needs others before it")
    except FFmpegError as error:
        raise incomplete(name, f"it cannot be read: {error.strerror}") from error
    if not shown:
        raise incomplete(name, "it has no frames")
    keys = [time for time, _, is_key in shown if is_key]
    decoded = _decoded_keys(init + data, track.kind)
    # What is first decoded of AAC is its delay: of one frame by itself nothing is left.
    if decoded == 0 and (track.kind == "video" or len(shown) > 1):
        raise incomplete(name, "it cannot be decoded by itself")
    if decoded < len(keys) and track.kind == "video":
        raise incomplete(name, f"{len(keys) - decoded} of its {len(keys)} key frames cannot be decoded")
    last, last_seconds, _ = shown[-1]
    return Segment(len(data), shown[0][0], last + last_seconds - shown[0][0], len(shown), keys)


def _decoded_keys(data: bytes, kind: Kind) -> int:
    """Count the key frames that can be decoded; of sound the frames."""
    count = 0
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        if kind == "video":
            context = container.streams.video[0].codec_context
            context.thread_count, context.skip_frame = 1, "NONKEY"
        with suppress(FFmpegError):
            for _ in container.decode(container.streams[0]):
                count += 1
    return count
