"""The image of a watermark: looked at before it is decoded, for its size may be an attack."""

from __future__ import annotations

from pathlib import Path

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame

from processors.ffmpeg.filters import Filter, upright
from processors.ffmpeg.picture_header import header
from processors.ffmpeg.probe import display_matrix
from processors.video.pictures import filtered
from processors.worker.context import Rejected

_MOST_BYTES = 32 * 1024 * 1024
_MOST_PIXELS = 8192 * 8192  # 256 MB, decoded
_FORMATS = ("PNG", "JPEG", "WebP")
_OPTIONS = {"protocol_whitelist": "file"}
_HINT = "A watermark is a still PNG, JPEG or WebP."


def image(path: Path, name: str) -> VideoFrame:
    """Decode the image, upright.

    Args:
        name: what to call it in messages.

    Raises:
        Rejected: it is no picture, or one that is too large.
    """
    size = path.stat().st_size
    if size > _MOST_BYTES:
        what = f"is {size // 1024 // 1024} MB large; {_MOST_BYTES // 1024 // 1024} MB are the limit"
        raise Rejected("watermark_too_large", f"The watermark {name} {what}.", "Save it smaller.")
    found = header(path.read_bytes())
    if found is None or found.format not in _FORMATS:
        raise Rejected("watermark_not_picture", f"The watermark {name} is not a PNG, JPEG or WebP picture.", _HINT)
    if found.is_animated:
        raise Rejected("watermark_animated", f"The watermark {name} is animated.", _HINT)
    if found.width * found.height > _MOST_PIXELS:
        what = f"has {found.width}x{found.height} pixels"
        raise Rejected("watermark_too_large", f"The watermark {name} {what}.", "Make it smaller: 8192x8192 at most.")
    try:
        # With its format: a name that ends with .jpg is else taken for one of a sequence of images.
        with av.open(str(path), format=f"{found.format}_pipe", container_options=_OPTIONS) as container:
            frame = next(container.decode(video=0), None)
    except FFmpegError as error:
        hint = f"FFmpeg says: {error.strerror}."
        raise Rejected("watermark_damaged", f"The watermark {name} is damaged.", hint) from error
    if frame is None or (frame.width, frame.height) != (found.width, found.height):
        raise Rejected("watermark_damaged", f"The watermark {name} is damaged.", _HINT)
    return filtered([frame], [Filter("format", options={"pix_fmts": "gbrap"}), *upright(display_matrix(frame))])
