"""Whether what came out is what should have, before it becomes a result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from processors.ffmpeg.opening import decoded, opened
from processors.ffmpeg.probe import probe_opened
from processors.ffmpeg.streams import Probe
from processors.worker.context import HandlerError, Rejected

CUT_OFF = "The file seems to be cut off: copy or download it again."

LEAST_MISSING_SECONDS = 0.1  #: of a file whose end is missing: frames are rounded, and encoders fill their last one
_FEWEST_MISSING_SECONDS = 0.5  # a result may be so much shorter than its source, for rounding and padding ...
_MISSING_SHARE = 0.02  # ... or by so much of it
_GROUP_SECONDS = 20.0  # from a key frame to the next, hardly ever more
_TAIL_SECONDS = 1.0  # of the end that is decoded: a file that was cut breaks there


@dataclass(frozen=True, slots=True)
class Expected:
    """What an output should be. Counts of streams by kind: video, audio, subtitle."""

    streams: Mapping[str, int]
    seconds: float | None = None
    frames: int | None = None  #: of the picture, exactly
    is_index_first: bool = False  #: an MP4 that a player can begin before it has all of it


def verified(path: Path, name: str, expected: Expected) -> Probe:
    """Look at an output: it is there, has its streams and its length, and its beginning and its end can be decoded.

    Raises:
        HandlerError: it is not what it should be.
    """
    if not path.exists() or path.stat().st_size == 0:
        raise incomplete(name, "it is missing" if not path.exists() else "it is empty")
    with ExitStack() as stack:
        try:
            container = stack.enter_context(opened(path, name))
        except Rejected as error:
            raise incomplete(name, error.message) from error
        made = probe_opened(container, path)
        _compare(made, name, expected)
        frames = _read_all(container, name)
        if expected.frames is not None and frames != expected.frames:
            raise incomplete(name, f"it has {frames} frames instead of {expected.frames}", retryable=False)
        if expected.is_index_first and not is_index_first(path):
            raise incomplete(name, "its index stands at the end")
        _decode_ends(container, name)
    return made


def _compare(made: Probe, name: str, expected: Expected) -> None:
    for kind, count in expected.streams.items():
        found = len(made.of_kind(kind))
        if found != count:
            raise incomplete(name, f"it has {found} {kind} streams instead of {count}", retryable=False)
    if is_short(made.duration_seconds or 0.0, expected.seconds):
        why = f"it is {made.duration_seconds or 0:g} s long instead of {expected.seconds:g} s"
        raise incomplete(name, why, retryable=False)


def _read_all(container: InputContainer, name: str) -> int:
    """Read every packet of the pictures and sounds; give the number of those of the first picture.

    The index of an MP4 tells how many there should be, also of a file from which some are missing.

    Raises:
        HandlerError: one of them is not there, or not all of it.
    """
    streams = [*container.streams.video, *container.streams.audio]
    container.seek(0)
    frames = 0
    try:
        for packet in container.demux(streams):
            if packet.is_corrupt:
                raise incomplete(name, f"its stream {packet.stream.index} has a packet that is not whole")
            frames += bool(packet.size) and packet.stream is streams[0]
    except FFmpegError as error:
        raise incomplete(name, f"it cannot be read to its end: {error.strerror}") from error
    return frames


def last_moment(path: Path, name: str) -> float:
    """Find when the last of a file's packets ends, in seconds from its first moment: headers may promise more."""
    with opened(path, name) as container:
        end = 0.0
        try:
            for packet in container.demux():
                if packet.pts is not None and packet.time_base is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except FFmpegError:  # what follows cannot be read
            pass
        return end - (container.start_time or 0) / av.time_base


def count_packets(path: Path, name: str, index: int, start: float, end: float) -> int:
    """Count what a stream has between two moments, in seconds from the file's first one, without decoding it.

    What comes before the first key frame is not counted: a recording may begin anywhere, and it cannot be decoded.
    """
    with opened(path, name) as container:
        first, found, has_begun = (container.start_time or 0) / av.time_base, 0, False
        try:
            for packet in container.demux(container.streams[index]):
                has_begun = has_begun or packet.is_keyframe
                moment = packet.dts if packet.pts is None else packet.pts
                if has_begun and packet.size and moment is not None and packet.time_base is not None:
                    found += start <= float(moment * packet.time_base) - first < end
        except FFmpegError:  # what follows cannot be read
            pass
        return found


def is_lost(path: Path, name: str, index: int, start: float, end: float) -> bool:
    """Whether a picture has something between two moments, and none of it can be decoded.

    Formats without an index are sought in by bytes, and what follows may have no key frame: farther back there is one.
    """
    if not count_packets(path, name, index, start, end):
        return False
    return not any(_is_reached(path, name, index, start, place) for place in (start, start - _GROUP_SECONDS, 0.0))


def _is_reached(path: Path, name: str, index: int, moment: float, start: float) -> bool:
    """Whether decoding from a place on gives a picture that is shown at a moment or after it."""
    with opened(path, name) as container:
        stream = cast(VideoStream, container.streams[index])
        first = container.start_time or 0
        with suppress(FFmpegError):  # raw streams cannot be sought in: they are decoded from their beginning
            container.seek(first + round(max(0.0, start) * av.time_base))
        times = (frame.time - first / av.time_base for frame in decoded(container, stream) if frame.time is not None)
        return any(time >= moment for time in times)


def is_index_first(path: Path) -> bool:
    """Whether the box with the index of an MP4 stands before the one with the media."""
    with path.open("rb") as file:
        while len(head := file.read(16)) >= 8:
            size, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if kind in (b"moov", b"mdat"):
                return kind == b"moov"
            size = int.from_bytes(head[8:16], "big") if size == 1 else size
            if size < 8:
                return False
            file.seek(size - len(head), 1)
    return False


def is_short(seconds: float, expected: float | None) -> bool:
    """Whether something is shorter than rounding explains."""
    return expected is not None and expected - seconds > max(_FEWEST_MISSING_SECONDS, expected * _MISSING_SHARE)


def incomplete(name: str, why: str, *, retryable: bool = True) -> HandlerError:
    """Make the error for an output that may not be published.

    Args:
        retryable: another attempt may go well; not where it is short or has other streams, for it would be so again.
    """
    text = f"The output {name} is not what it should be: {why}."
    return HandlerError("output_incomplete", text, retryable=retryable)


def _decode_ends(container: InputContainer, name: str) -> None:
    """Decode the first frame of each stream, and the last second."""
    streams = [*container.streams.video, *container.streams.audio]
    for stream in streams:
        container.seek(0)
        try:
            if next(iter(container.decode(stream)), None) is None:
                raise incomplete(name, f"its stream {stream.index} has nothing in it")
        except FFmpegError as error:
            raise incomplete(name, f"its stream {stream.index} cannot be decoded: {error.strerror}") from error
    if container.duration is None or not streams:
        return
    tail = max(0, container.duration + (container.start_time or 0) - round(_TAIL_SECONDS * av.time_base))
    container.seek(tail)
    try:
        for packet in container.demux(streams):
            if _is_needed(packet, tail / av.time_base):
                packet.decode()
    except FFmpegError as error:
        raise incomplete(name, f"its end cannot be decoded: {error.strerror}") from error


def _is_needed(packet: Packet, tail: float) -> bool:
    """Whether a packet is decoded on the way from a key frame to the tail, which may be far.

    Of what comes before the tail, no sound is needed, and of the pictures only those that others refer to.
    """
    is_before = packet.pts is not None and float((packet.pts + (packet.duration or 0)) * packet.time_base) < tail
    if packet.stream.type == "video":
        cast(VideoStream, packet.stream).codec_context.skip_frame = "NONREF" if is_before else "DEFAULT"
        return True
    return not is_before
