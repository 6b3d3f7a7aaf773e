"""A file, open in this process, and its frames. FFmpeg's libraries do it: a program would take 70 ms to start."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import cast

import av
import av.logging
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from processors.ffmpeg.picture_header import header
from processors.ffmpeg.safety import DECODERS, MOST_COVER_PIXELS, MOST_PIXELS, SAFE_INPUT
from processors.ffmpeg.unreadable import HEAD_BYTES, guess
from processors.worker.context import HandlerError, Rejected

_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}  # of MP4 and QuickTime files
_STILLS = frozenset("apng bmp exr gif jpeg2000 jpegls mjpeg pam pbm pgm png ppm qoi targa tiff webp".split())
_CHUNK_BYTES = 1024 * 1024


@contextmanager
def opened(path: Path, name: str) -> Iterator[InputContainer]:
    """Open a file of a stranger.

    Args:
        name: what to call it in messages.

    Raises:
        Rejected: it is of no format that we read, or its end is missing, or its picture has no sensible size.
        HandlerError: it cannot be read.
        MemoryError: there is not enough for it.
    """
    with _first_look(path, name, frozenset()) as container:
        _refuse_other_decoders(container, name)
        for stream in container.streams.video:
            codec = stream.codec_context
            width = max(codec.width, round(codec.width * (stream.sample_aspect_ratio or 1))) if codec else 0  # as shown
            if codec and width * codec.height > MOST_PIXELS:
                text = f"{name} has pictures of {width}x{codec.height}, which is more than any player shows."
                raise Rejected("too_large", text, "The largest are 16384x8192.")
        covers = {stream.index for stream in container.streams.video if is_cover(stream)}
        moving = {
            stream.codec_context.codec.name
            for stream in container.streams.video
            if stream.codec_context and stream.index not in covers
        }
        if not covers and not moving & _STILLS:
            yield container
            return
        _refuse_large_covers(container, covers, name)
    with _first_look(path, name, moving) as container:  # again: the covers were taken out of it
        yield container


@contextmanager
def _first_look(path: Path, name: str, stills: AbstractSet[str]) -> Iterator[InputContainer]:
    """Open a file, and look at its streams: FFmpeg decodes the first picture of those that say too little of it.

    Args:
        stills: the decoders of single pictures that it may use; those of covers would decode any size.
    """
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            # As `options` they would go to each stream too, and PyAV frees as many as there are streams
            # after the header was read: formats without one (MPEG-PS, FLV) crash it (PyAV, issue 2010).
            options = {**SAFE_INPUT, "codec_whitelist": ",".join((DECODERS - _STILLS) | (DECODERS & stills))}
            container = av.open(str(path), container_options=options, metadata_errors="replace")
    except FFmpegError as error:
        blame_the_machine(error, path)
        if any("moov atom not found" in message for _, _, message in said) and _begins_as_mp4(path):
            hint = "Its index, which stands at the end, is missing: copy or download the file again."
            raise Rejected("truncated", f"{name} is cut off: the end of the file is missing.", hint) from error
        message, hint = f"{name} is not a media file that can be read.", f"FFmpeg says: {error.strerror}."
        if kind := guess(_head(path)):
            hint = f"It seems to be {kind}."
        raise Rejected("not_media", message, hint) from error
    finally:
        # A decoder's thread that has something to say would wait for Python's lock, and whoever closes the decoder has
        # that and waits for the thread.
        av.logging.set_level(None)
    with container:
        for stream in container.streams.video:
            if stream.codec_context:
                # The slice threads that it would have by default wait for each other for ever, once in a while, in HEVC
                # with wavefronts (FFmpeg 7.1, on a busy machine). For a few frames they gain nothing.
                stream.codec_context.thread_count = 1
        yield container


def decoded(container: InputContainer, stream: VideoStream, *, packets: int | None = None) -> Iterator[VideoFrame]:
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
                blame_the_machine(error, Path(container.name))
    except FFmpegError as error:  # of the container: what follows cannot be read
        blame_the_machine(error, Path(container.name))


def blame_the_machine(error: FFmpegError, path: Path) -> None:
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


def is_cover(stream: Stream) -> bool:
    """Whether a stream is a picture of a file, and no moving one."""
    return bool(stream.disposition & Disposition.attached_pic)


def _refuse_other_decoders(container: InputContainer, name: str) -> None:
    """Refuse streams that nothing of ours would decode; subtitles of that kind are left where they are."""
    for stream in [*container.streams.video, *container.streams.audio]:
        codec = stream.codec_context and stream.codec_context.codec
        if codec and codec.name not in DECODERS:
            what = "a sound" if stream.type == "audio" else "a cover" if is_cover(stream) else "a picture"
            text = f"{name} has {what} in {codec.canonical_name}, which is not decoded here."
            raise Rejected("codec_refused", text, "Convert it with the program that it comes from, or take that out.")


def _refuse_large_covers(container: InputContainer, covers: AbstractSet[int], name: str) -> None:
    """Read the headers of covers, which come before all else that a file has."""
    if not covers:
        return
    for packet in islice(container.demux([container.streams[index] for index in covers]), len(covers)):
        found = header(bytes(packet))
        if found is None and packet.size:
            # A decoder may well find a picture in what does not begin as one, and one of any size.
            text = f"{name} has a cover of which not even the size can be read."
            hint = "Take it out, or put a JPEG or a PNG in its place."
            raise Rejected("cover_unreadable", text, hint)
        if found is not None and found.width * found.height > MOST_COVER_PIXELS:
            text = f"{name} has a cover of {found.width}x{found.height}, which is more than any player shows."
            raise Rejected("too_large", text, "Make it smaller, or take it out: 3000x3000 is usual.")


def _begins_as_mp4(path: Path) -> bool:
    """Tell a file that was cut off from one that only bears the name."""
    return _head(path)[4:8] in _FIRST_BOXES


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
