"""Frames of a video: the very one that a player shows at a time, any one of a span, or all from a time on.

Times are seconds from the beginning of the file, as a player counts them. What decodes here has as many threads as the
instance was granted, by frames and not by slices (see `opening`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from processors.ffmpeg.opening import blame_the_machine, decoded, opened
from processors.ffmpeg.streams import Video
from processors.worker.threads import granted_threads

_STEP_BACK_SECONDS = 10.0  # where an index is wrong, a seek lands too late: begin earlier
_TOLERANCE_SECONDS = 0.001  # people round times, and so do files
_NEAR_SECONDS = 1.0  # to go on decoding for so long is not worth a seek
_GAP_SAMPLES = 24
_DRAFT = {"skip_loop_filter": "all"}  # the edges of blocks are not smoothed
_FEW = 3  # threads take longer to start than so many frames take


@dataclass(frozen=True, slots=True)
class Found:
    """A frame, and the moment from which on it is shown."""

    frame: VideoFrame
    at_seconds: float
    is_last: bool = False  #: nothing can be decoded after it


def frames_at(source: Path, name: str, video: Video, times: Sequence[float]) -> Iterator[Found | None]:
    """Find the frame that is shown at each of some times; None where there is none at all.

    They are found in one walk through the file, which decodes on to a time that is near, and seeks to one that is far.
    How far a seek has to save is learnt on the way: one that landed before where the walk was already was a loss.

    Args:
        name: what to call the file in messages.
        times: ascending. After the end, it is the last frame.
    """
    with closing(_Walk(source, name, video, threads=granted_threads() if len(times) > _FEW else 1)) as walk:
        for time in times:
            yield walk.at(time)


def frames_within(
    source: Path, name: str, video: Video, spans: Sequence[tuple[float, float]], *, is_draft: bool = False
) -> Iterator[Found | None]:
    """Find a frame of each of some spans: a key frame, which costs least, where it has one, and else its first one.

    What lies between the key frame before and the span has to be decoded anyway; what follows need not be.

    Args:
        spans: from (included) and to (excluded), ascending.
        is_draft: the frames are made small, so what costs time and only shows when they are large may be left out.
    """
    walk = _Walk(source, name, video, threads=granted_threads(), is_draft=is_draft)
    with opened(source, name) as container, closing(walk):
        stream = _stream(container, video)
        if is_draft:
            stream.codec_context.options = _DRAFT
        for start, end in spans:
            found = _key_frame(container, stream, start, end)
            yield found or walk.within(start, end)


def frames_from(source: Path, name: str, video: Video, start: float) -> Iterator[Found]:
    """Yield all frames that begin at a time or after it."""
    with closing(_Walk(source, name, video, threads=granted_threads())) as walk:
        if start > 0:
            found = walk.at(start)
            if found is not None and found.at_seconds >= start - _TOLERANCE_SECONDS:
                yield found
        yield from walk.rest()


def key_frame_gap(source: Path, name: str, video: Video, start: float, end: float) -> float | None:
    """Estimate how far key frames are from each other at most, in seconds; None where nobody knows without decoding.

    Seeks land on key frames; so it is the farthest that one landed before where it should have.
    """
    with opened(source, name) as container:
        stream, origin = _stream(container, video), _origin(container)
        gaps: list[float] = []
        for number in range(_GAP_SAMPLES):
            target = start + (end - start) * (number + 0.5) / _GAP_SAMPLES
            try:
                container.seek(round((origin + target) * av.time_base))
                packet = next(iter(container.demux(stream)))
            except FFmpegError as error:
                blame_the_machine(error, source)
                return None
            at = _time(packet)
            if at is None or not packet.is_keyframe:
                return None
            gaps.append(target - (at - origin))
        return max(gaps)


def measured_seconds(source: Path, name: str, video: Video) -> float:
    """How long a video is whose file does not say so: its packets are counted, and not decoded."""
    with opened(source, name) as container:
        try:
            return sum(1 for packet in container.demux(_stream(container, video)) if packet.size) / video.framerate
        except FFmpegError as error:
            blame_the_machine(error, source)
            return 0.0


class _Walk:
    """A way through a video, forwards; back only where a file's index has led it astray."""

    def __init__(self, source: Path, name: str, video: Video, *, threads: int, is_draft: bool = False) -> None:
        self._source, self._name, self._video, self._threads = source, name, video, threads
        self._is_draft = is_draft
        self._stack = ExitStack()
        self._container: InputContainer | None = None
        self._frames: Iterator[Found] = iter(())
        self._last: Found | None = None  # the frame where the walk is
        self._next: Found | None = None  # the one after it, if it has been decoded already
        self._worth_seconds = _NEAR_SECONDS

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def at(self, seconds: float) -> Found | None:
        """Walk on to the frame that is shown at a time, not before that of the last call."""
        if self._container is None:
            self._open(seconds)
        elif self._last is not None and seconds - self._last.at_seconds > self._worth_seconds:
            self._jump(seconds)
        for start in (max(0.0, seconds - _STEP_BACK_SECONDS), 0.0):
            found = self._forward(seconds)
            if found is not None:
                return found
            self._open(start)
        return self._forward(seconds) or self._next

    def within(self, start: float, end: float) -> Found | None:
        """Walk on to the first frame of a span, or to the one that is shown throughout it."""
        shown, following = self.at(start), self._next
        if shown is None or following is None or shown.at_seconds >= start - _TOLERANCE_SECONDS:
            return shown
        return following if following.at_seconds < end else shown

    def rest(self) -> Iterator[Found]:
        """Yield what comes after the frame where the walk is."""
        if self._container is None:
            self._open(0.0)
        if self._next is not None:
            yield self._next
        yield from self._frames

    def _forward(self, seconds: float) -> Found | None:
        """Decode on to a time; give None if that is before what can be decoded from here."""
        while True:
            if self._next is None:
                self._next = next(self._frames, None)
            if self._next is None:
                return self._last and Found(self._last.frame, self._last.at_seconds, is_last=True)
            if self._next.at_seconds > seconds + _TOLERANCE_SECONDS:
                return self._last
            self._last, self._next = self._next, None

    def _jump(self, seconds: float) -> None:
        assert self._container is not None and self._last is not None
        here = self._last.at_seconds
        try:
            self._seek(self._container, seconds)
        except FFmpegError:
            self._open(0.0)  # the decoder may have lost its place
            self._worth_seconds = float("inf")
            return
        self._next = next(self._frames, None)
        if self._next is None or self._next.at_seconds <= here:
            self._worth_seconds = 2 * (seconds - here)

    def _open(self, start: float) -> None:
        self._stack.close()
        container = self._container = self._stack.enter_context(opened(self._source, self._name))
        stream = _stream(container, self._video)
        stream.thread_type = "FRAME"
        stream.codec_context.thread_count = self._threads
        if self._is_draft:
            stream.codec_context.skip_frame = "NONREF"  # without the frames that no other needs
            stream.codec_context.options = _DRAFT
        if start == 0:
            self._begin(container, is_start=True)
            return
        try:
            self._seek(container, start)
        except FFmpegError:  # a stream without an index: begin at the beginning
            self._open(0.0)

    def _seek(self, container: InputContainer, seconds: float) -> None:
        container.seek(round((_origin(container) + seconds) * av.time_base))
        self._begin(container, is_start=False)

    def _begin(self, container: InputContainer, *, is_start: bool) -> None:
        self._last = self._next = None
        self._frames = self._timed(container, is_start=is_start)

    def _timed(self, container: InputContainer, *, is_start: bool) -> Iterator[Found]:
        origin = _origin(container)
        for number, frame in enumerate(decoded(container, _stream(container, self._video))):
            time: float | None = frame.time  # PyAV's stub promises more than raw streams hold
            if time is None and not is_start:
                return  # nobody knows where this is
            yield Found(frame, number / self._video.framerate if time is None else time - origin)


def _key_frame(container: InputContainer, stream: VideoStream, start: float, end: float) -> Found | None:
    """Find a key frame of a span, without decoding any other."""
    origin = _origin(container)
    # Indexes go by when frames are decoded, which is before they are shown: a seek may land on the key frame after.
    for target in (end, (start + end) / 2, start):
        try:
            container.seek(round((origin + target) * av.time_base))
            packet = next((each for each in container.demux(stream) if each.is_keyframe or not each.size), None)
            at = None if packet is None or not packet.size else _time(packet)
            if packet is None or at is None or at - origin < start:
                return None
            if at - origin >= end:
                continue
            frames = [*stream.codec_context.decode(packet), *stream.codec_context.decode(None)]
        except FFmpegError as error:  # no index, or a packet that is damaged
            blame_the_machine(error, Path(container.name))
            return None
        return Found(frames[0], at - origin) if frames else None
    return None


def _time(packet: Packet) -> float | None:
    if packet.pts is None or packet.time_base is None:
        return None
    return float(packet.pts * packet.time_base)


def _stream(container: InputContainer, video: Video) -> VideoStream:
    stream = container.streams[video.index]
    assert isinstance(stream, VideoStream)  # the probe has chosen it
    return stream


def _origin(container: InputContainer) -> float:
    return (container.start_time or 0) / av.time_base
