"""From a frame to the bytes of a picture: upright, fitted, without HDR; and single pictures back from bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.filter
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from processors.ffmpeg.filters import Filter, fitted, upright
from processors.ffmpeg.picture_header import header
from processors.ffmpeg.probe import display_matrix
from processors.ffmpeg.streams import Video
from processors.specs import Quality
from processors.specs.video import PictureFormat
from processors.video.quality import TIERS
from processors.worker.context import HandlerError

#: libwebp's own scale, from 0 to 100; 75 is its default
_WEBP_QUALITY: dict[Quality, int] = {"low": 60, "medium": 75, "high": 85, "ultra": 92}

#: JPEG and WebP mean BT.601, whatever the video had; JPEG has the full range, WebP the limited one
_FORMATS: dict[PictureFormat, tuple[str, Sequence[Filter]]] = {
    "jpg": ("mjpeg", [
        Filter("scale", options={"out_range": "full", "out_color_matrix": "bt601"}),
        Filter("format", options={"pix_fmts": "yuvj420p"}),
    ]),
    "webp": ("libwebp", [
        Filter("scale", options={"out_range": "limited", "out_color_matrix": "bt601"}),
        Filter("format", options={"pix_fmts": "yuv420p"}),
    ]),
    "png": ("png", [Filter("format", options={"pix_fmts": "rgb24"})]),
}  # fmt: skip

MEDIA_TYPES: dict[PictureFormat, str] = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Look:
    """What pictures of one video are to be like."""

    width: int
    height: int
    format: PictureFormat = "jpg"
    quality: Quality = "medium"


def drawn(frame: VideoFrame, video: Video, look: Look, name: str) -> bytes:
    """Make a picture of a frame.

    Args:
        name: of the video, for messages.

    Raises:
        HandlerError: it is HDR, and this FFmpeg cannot make that ordinary.
    """
    return encoded(filtered([frame], shaping(frame, video, look.width, look.height, name)), look)


def shaping(frame: VideoFrame, video: Video, width: int, height: int, name: str) -> list[Filter]:
    """Say what makes a frame upright, so large, and ordinary."""
    if video.is_hdr and "zscale" not in av.filter.filters_available:
        raise HandlerError(
            "hdr_unsupported",
            f"No picture can be taken of {name}: it is HDR, and this FFmpeg was built without zscale.",
            "In a container there is one with it: choose the engine docker or podman.",
            retryable=False,
        )
    turns = upright(display_matrix(frame))
    return [*turns, *fitted(width, height, hdr=video.hdr_colours, framerate=None, is_full_range=False)]


def encoded(frame: VideoFrame, look: Look, *, has_alpha: bool = False) -> bytes:
    """Make a file of a frame as it is.

    Args:
        has_alpha: what is transparent stays so; of PNG.
    """
    codec, filters = _FORMATS[look.format]
    frame = filtered([frame], [Filter("format", options={"pix_fmts": "rgba"})] if has_alpha else filters)
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, frame.format.name
    encoder.time_base = Fraction(1, 25)
    if look.format == "jpg":
        encoder.qmin = encoder.qmax = TIERS[look.quality].jpeg_q
    elif look.format == "webp":
        encoder.options = {"quality": str(_WEBP_QUALITY[look.quality])}
    frame.pts = 0
    frame.time_base = encoder.time_base
    made = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    found = header(made)
    if found is None or (found.width, found.height) != (look.width, look.height):
        raise HandlerError("output_incomplete", f"A {look.format} of {look.width}x{look.height} could not be made.")
    return made


def filtered(frames: Sequence[VideoFrame], filters: Sequence[Filter]) -> VideoFrame:
    """Send frames of one kind through filters that give a single one."""
    graph = _graph(_kind(frames[0]), [(each.name, each.text) for each in filters])
    for number, frame in enumerate(frames):
        _push(graph, frame, number)
    graph.vpush(None)
    return graph.vpull()


class Conveyor:
    """Sends frames through filters that give one for each; they are set up anew only where frames are of another kind.

    To set them up takes as long as to make three small pictures.
    """

    def __init__(self) -> None:
        self._made_for: tuple[str, Sequence[tuple[str, str]]] | None = None
        self._graph = av.filter.Graph()
        self._count = 0

    def sent(self, frame: VideoFrame, filters: Sequence[Filter]) -> VideoFrame:
        """Send one."""
        wanted = (_kind(frame), [(each.name, each.text) for each in filters])
        if wanted != self._made_for:
            self._made_for, self._graph = wanted, _graph(*wanted)
        self._count += 1
        _push(self._graph, frame, self._count)
        return self._graph.vpull()


def _kind(frame: VideoFrame) -> str:
    """What filters are told of frames; with their colours, or those are unknown whatever the frames say later."""
    return (
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/25"
        f":colorspace={frame.colorspace}:range={frame.color_range}"
    )


def _graph(kind: str, filters: Sequence[tuple[str, str]]) -> av.filter.Graph:
    graph = av.filter.Graph()
    nodes = [graph.add("buffer", kind), *(graph.add(name, text) for name, text in filters)]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph


def _push(graph: av.filter.Graph, frame: VideoFrame, number: int) -> None:
    frame.pts = number
    frame.time_base = Fraction(1, 25)
    graph.vpush(frame)
