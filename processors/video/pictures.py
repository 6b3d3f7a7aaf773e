"""Single pictures of a video. Made in this process: a program would take ten times as long to start as to do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.filter
from av.container import InputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from processors.ffmpeg.filters import Filter, fitted, upright
from processors.ffmpeg.opening import decoded, opened
from processors.ffmpeg.probe import Video, display_matrix
from processors.worker.context import HandlerError

_STEP_BACK_SECONDS = 10.0  # where an index is wrong, a seek lands too late: begin earlier
_TOLERANCE_SECONDS = 0.001  # people round times, and so do files


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG, and the moment from which on it is shown."""

    jpeg: bytes
    width: int
    height: int
    at_seconds: float
    is_last: bool  #: nothing can be decoded after it


@dataclass(frozen=True, slots=True)
class _Found:
    frame: VideoFrame
    at_seconds: float
    is_last: bool


def picture_at(
    source: Path, name: str, video: Video, seconds: float, *, width: int, height: int, qscale: int
) -> Picture | None:
    """Take the picture that a player shows at a time.

    Args:
        qscale: 2 is best, 31 worst; as ffmpeg's -q:v.

    Returns:
        The last picture, if the video ends before; None when there is none at all.
    """
    found = _frame_at(source, name, video, seconds)
    if found is None:
        return None
    is_hdr = video.is_hdr
    if is_hdr and "zscale" not in av.filter.filters_available:
        raise HandlerError(
            "hdr_unsupported",
            f"No picture can be taken of {name}: it is HDR, and this FFmpeg was built without zscale.",
            "In a container there is one with it: choose the engine docker or podman.",
            retryable=False,
        )
    filters = [
        *upright(display_matrix(found.frame)),
        *fitted(width, height, is_hdr=is_hdr, framerate=None, is_full_range=True),
        Filter("format", options={"pix_fmts": "yuvj420p"}),
    ]
    jpeg = _jpeg(_filtered(found.frame, filters), qscale)
    return Picture(jpeg, width, height, found.at_seconds, found.is_last)


def _frame_at(source: Path, name: str, video: Video, seconds: float) -> _Found | None:
    for start in dict.fromkeys((seconds, max(0.0, seconds - _STEP_BACK_SECONDS), 0.0)):
        with opened(source, name) as container:
            stream = container.streams[video.index]
            assert isinstance(stream, VideoStream)  # the probe has chosen it
            origin = (container.start_time or 0) / av.time_base
            if start > 0:
                try:
                    container.seek(round((origin + start) * av.time_base))
                except FFmpegError:  # a stream without an index: begin at the beginning
                    continue
            found = _last_before(container, stream, seconds, origin, video.framerate, is_start=start == 0)
            if found is not None:
                return found
    return None


def _last_before(
    container: InputContainer, stream: VideoStream, seconds: float, origin: float, framerate: float, *, is_start: bool
) -> _Found | None:
    """Find the last frame up to a time; None when the first one here is already later, unless it is the very first."""
    last: tuple[VideoFrame, float] | None = None
    for number, frame in enumerate(decoded(container, stream)):
        time: float | None = frame.time  # PyAV's stub promises more than raw streams hold
        if time is None and not is_start:
            return None
        at = number / framerate if time is None else time - origin
        if at > seconds + _TOLERANCE_SECONDS:
            last = last or ((frame, at) if is_start else None)
            return None if last is None else _Found(*last, is_last=False)
        last = frame, at
    return None if last is None else _Found(*last, is_last=True)


def _filtered(frame: VideoFrame, filters: Sequence[Filter]) -> VideoFrame:
    graph = av.filter.Graph()
    time_base = frame.time_base or Fraction(1, 25)
    # With its colours: what the source does not say is unknown to the filters, whatever the frames say later.
    source = (
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={time_base}"
        f":colorspace={frame.colorspace}:range={frame.color_range}"
    )
    nodes = [graph.add("buffer", source)]
    nodes += [graph.add(each.name, each.text) for each in filters]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    graph.vpush(frame)
    graph.vpush(None)
    return graph.vpull()


def _jpeg(frame: VideoFrame, qscale: int) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, frame.format.name
    encoder.time_base = Fraction(1, 25)
    encoder.qmin = encoder.qmax = qscale
    frame.pts = 0
    frame.time_base = encoder.time_base
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
