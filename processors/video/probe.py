"""What a file is, or why it is not a video. Asks FFmpeg's libraries in this process: ffprobe takes 70 ms to start."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

import av
import av.logging
from av.buffer import Buffer
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from processors.video.filters import SAFE_INPUT, upright
from processors.worker.context import HandlerError, Rejected

_EXACT_FORMATS = {"mov", "mp4", "matroska", "webm", "avi"}  # their headers know the duration; of others it is estimated
_HDR_TRANSFERS = {16, 18}  # PQ and HLG; numbers of ITU-T H.273, table 3
_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}  # of MP4 and QuickTime files
_CHUNK_BYTES = 1024 * 1024
_PACKETS_TO_FIRST_FRAME = 250  # a stream that was cut begins with what cannot be decoded


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The first moving picture of a file."""

    index: int
    codec: str
    width: int  #: as shown: with square pixels, and turned as the file says
    height: int
    framerate: float
    duration_seconds: float | None
    bitrate: int | None
    is_hdr: bool


@dataclass(frozen=True, slots=True)
class AudioStream:
    """The first sound of a file."""

    index: int
    codec: str
    channels: int
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class Probe:
    """A file with a video in it."""

    format: str
    is_duration_exact: bool
    file_seconds: float | None
    bitrate: int | None
    video: VideoStream
    audio: AudioStream | None

    @property
    def video_seconds(self) -> float | None:
        """How long there is a picture."""
        return self.video.duration_seconds or self.file_seconds

    @property
    def duration_seconds(self) -> float | None:
        """How long the streams that we use are; a file may have longer ones."""
        lengths = [stream.duration_seconds for stream in (self.video, self.audio) if stream is not None]
        known = [length for length in lengths if length is not None]
        return max(known) if len(known) == len(lengths) else self.file_seconds


def probe(path: Path, name: str) -> Probe:
    """Look into a file, as far as its first picture.

    Args:
        name: what to call it in messages.

    Raises:
        Rejected: it is not a video, or not a whole one.
    """
    if path.stat().st_size == 0:
        raise Rejected("not_a_video", f"{name} is empty.", "Was the upload or download interrupted?")
    with opened(path, name) as container:
        videos = [stream for stream in container.streams.video if not _is_cover(stream) and stream.codec_context]
        moving = next((stream for stream in videos if stream.codec_context.width), None)
        if moving is None:
            what = "has sound, but no moving picture" if container.streams.audio else "has no moving picture"
            hint = "Sound alone is for the media service." if container.streams.audio else None
            raise Rejected("no_video_stream", f"{name} {what}.", hint)
        return Probe(
            format=container.format.name,
            is_duration_exact=not _EXACT_FORMATS.isdisjoint(container.format.name.split(",")),
            file_seconds=None if container.duration is None else container.duration / av.time_base,
            bitrate=container.bit_rate or None,
            video=_video(container, moving),
            audio=_audio(container),
        )


@contextmanager
def opened(path: Path, name: str) -> Iterator[InputContainer]:
    """Open a file of a stranger.

    Raises:
        Rejected: it is of no format that we read, or its end is missing.
        HandlerError: it cannot be read.
        MemoryError: there is not enough for it.
    """
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            container = av.open(str(path), options=dict(SAFE_INPUT), metadata_errors="replace")
    except FFmpegError as error:
        _blame_the_machine(error, path)
        if any("moov atom not found" in message for _, _, message in said) and _begins_as_mp4(path):
            hint = "Its index, which stands at the end, is missing: copy or download the file again."
            raise Rejected("truncated", f"{name} is cut off: the end of the file is missing.", hint) from error
        hint = f"FFmpeg says: {error.strerror}."
        raise Rejected("not_a_video", f"{name} is not a video that can be read.", hint) from error
    with container:
        for stream in container.streams.video:
            if stream.codec_context:
                # The slice threads that it would have by default wait for each other for ever, once in a while, in HEVC
                # with wavefronts (FFmpeg 7.1, on a busy machine). For a few frames they gain nothing.
                stream.codec_context.thread_count = 1
        yield container


def decoded(container: InputContainer, stream: AvVideoStream, *, packets: int | None = None) -> Iterator[VideoFrame]:
    """Yield the frames from here on, from so many packets at most; what is damaged is left out.

    Raises:
        HandlerError: the file cannot be read.
        MemoryError: there is not enough for it.
    """
    try:
        for packet in islice(container.demux(stream), packets):
            try:
                yield from cast(list[VideoFrame], packet.decode())
            except FFmpegError as error:  # of one packet
                _blame_the_machine(error, Path(container.name))
    except FFmpegError as error:  # of the container: what follows cannot be read
        _blame_the_machine(error, Path(container.name))


def _blame_the_machine(error: FFmpegError, path: Path) -> None:
    """Raise what is no fault of the file: another attempt may go well.

    Demuxers say "input/output error" of a file that ends too early as well, so it is read again to tell the two apart.
    """
    if error.errno == errno.ENOMEM:
        raise MemoryError("FFmpeg has run out of memory") from error
    if error.errno != errno.EIO:
        return
    try:
        with path.open("rb") as file:
            while file.read(_CHUNK_BYTES):
                pass
    except OSError as unreadable:
        text = f"The input cannot be read: {unreadable.strerror}."
        raise HandlerError("input_unreadable", text, "It is the disk, and not the file: look at it.") from unreadable


def display_matrix(frame: VideoFrame) -> bytes | None:
    """How the file says that a picture is to be turned; decoders hang it to every frame."""
    side_data = cast(Mapping[str, Buffer], frame.side_data).get("DISPLAYMATRIX")
    return None if side_data is None else bytes(side_data)


def _video(container: InputContainer, stream: AvVideoStream) -> VideoStream:
    codec = stream.codec_context
    width, height = round(codec.width * (stream.sample_aspect_ratio or 1)), codec.height
    first = next(decoded(container, stream, packets=_PACKETS_TO_FIRST_FRAME), None)
    if first is not None and any(turn.name == "transpose" for turn in upright(display_matrix(first))):
        width, height = height, width
    return VideoStream(
        index=stream.index,
        codec=codec.codec.canonical_name,
        width=width,
        height=height,
        framerate=round(float(stream.average_rate or stream.base_rate or 25), 3),
        duration_seconds=_duration(stream),
        bitrate=stream.bit_rate or None,
        is_hdr=codec.color_trc in _HDR_TRANSFERS,
    )


def _audio(container: InputContainer) -> AudioStream | None:
    for stream in container.streams.audio:
        if stream.codec_context and stream.codec_context.channels:
            codec = stream.codec_context
            return AudioStream(stream.index, codec.codec.canonical_name, codec.channels, _duration(stream))
    return None


def _duration(stream: Stream) -> float | None:
    """Find a stream's length: Matroska keeps it in a tag, as 00:00:10.005000000."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _begins_as_mp4(path: Path) -> bool:
    """Tell a file that was cut off from one that only bears the name."""
    with path.open("rb") as file:
        return file.read(8)[4:] in _FIRST_BOXES
