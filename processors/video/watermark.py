"""A text or an image over the picture, for everything that has a moving one.

Whoever encodes makes the mark once, before ffmpeg runs, and lays it over the picture after it has its size, before the
encoder; with several sizes, over each of them, or over the largest before it is made smaller:

    mark = made(context, video, width, height)      # None without a watermark; width and height of the largest picture
    ...
    picture = marked(picture, mark, width, height)  # as it is without a mark

`made` gives a PNG in the working directory, already cropped, scaled, with its opacity, and with its white as bright as
that of HDR where HDR is kept. So ffmpeg has to do no more than to blend one small still picture, and nothing that a
user has written or sent comes near its command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg

from processors.ffmpeg.filters import Filter
from processors.ffmpeg.streams import Video
from processors.specs import VideoSpec
from processors.specs.video import Position, Watermark
from processors.video.framing import usual_matrix
from processors.video.pictures import Look, encoded, filtered
from processors.video.watermark_image import image
from processors.video.watermark_text import text_image
from processors.worker.context import Context

NAME = "watermark.png"  # in the working directory; no output is called so

# Where white is in HDR: 203 cd/m2, which is 58 % of PQ's signal and 75 % of HLG's (ITU-R BT.2408, table 1).
_HDR_WHITE = {"smpte2084": 0.58, "arib-std-b67": 0.75}

_MATRICES = {"bt2020nc": "bt2020", "bt2020c": "bt2020", "smpte240m": "smpte240m", "bt709": "bt709"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mark is in a picture, in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A watermark that is ready."""

    width: int
    height: int
    picture_width: int  #: for which it was made
    position: Position
    margin: float
    matrix: str  #: of the picture's colours
    is_deep: bool = False  #: the picture has ten bits
    notes: Sequence[str] = ()  #: what the user should know


def made(context: Context[VideoSpec], video: Video, width: int, height: int) -> Mark | None:
    """Make the watermark that the spec asks for.

    Args:
        width: of the picture that it will be laid over; of the largest one, if there are several.

    Raises:
        Rejected: the image is none, or too large; or the text has nothing that could be seen.
    """
    wanted = context.spec.watermark
    if wanted is None:
        return None
    is_hdr = video.is_hdr and context.spec.hdr == "keep"
    notes: list[str] = []
    if wanted.text is not None:
        picture, notes = text_image(context, wanted.text, wanted, width, height)
        share = 1.0
    else:
        picture = image(context.input_path("watermark.image_url"), context.input_name("watermark.image_url"))
        share = wanted.scale * width / picture.width
    for note in notes:
        context.log(note)
    size = shrunk(wanted, picture.width * share, picture.height * share, width, height)
    white = _HDR_WHITE.get(video.transfer or "", 1.0) if is_hdr else 1.0
    levels = {"rr": white, "gg": white, "bb": white, "aa": wanted.opacity}
    filters = [
        # Colours by their share, or those of invisible pixels would bleed into the edges.
        Filter("format", options={"pix_fmts": "gbrap"}),
        Filter("premultiply", options={"inplace": 1}),
        Filter("scale", [*size], {"flags": "lanczos"}),
        Filter("unpremultiply", options={"inplace": 1}),
        Filter("format", options={"pix_fmts": "rgba"}),
        Filter("colorchannelmixer", options={key: f"{value:g}" for key, value in levels.items()}),
    ]
    (context.out / NAME).write_bytes(encoded(filtered([picture], filters), Look(*size, "png"), has_alpha=True))
    return Mark(*size, width, wanted.position, wanted.margin, _matrix(video, is_hdr), is_deep=is_hdr, notes=notes)


def marked(picture: Any, mark: Mark | None, width: int, height: int) -> Any:
    """Lay a watermark over a picture.

    Args:
        picture: a stream of ffmpeg-python, upright and in its size.
        width: of the picture.
    """
    if mark is None:
        return picture
    place = placed(mark, width, height)
    still = ffmpeg.input(NAME, format="png_pipe")
    if (place.width, place.height) != (mark.width, mark.height):
        still = still.filter("scale", place.width, place.height)
    still = still.filter("scale", out_color_matrix=mark.matrix, out_range="limited")
    still = still.filter("format", "yuva420p10" if mark.is_deep else "yuva420p")
    return picture.overlay(still, x=place.x, y=place.y, format="yuv420p10" if mark.is_deep else "yuv420")


def placed(mark: Mark, width: int, height: int) -> Place:
    """Find the place of a mark in a picture of any size; on even pixels, for those are where colours are."""
    share = width / mark.picture_width
    own_width, own_height = max(1, round(mark.width * share)), max(1, round(mark.height * share))
    edge = round(mark.margin * height)
    room_x, room_y = max(0, width - own_width), max(0, height - own_height)
    x = room_x / 2 if mark.position == "center" else edge if "left" in mark.position else room_x - edge
    y = room_y / 2 if mark.position == "center" else edge if "top" in mark.position else room_y - edge
    return Place(_even(x, room_x), _even(y, room_y), own_width, own_height)


def shrunk(wanted: Watermark, own_width: float, own_height: float, width: int, height: int) -> tuple[int, int]:
    """Make a mark so small that it fits between the margins of a picture."""
    edge = wanted.margin * height if wanted.position != "center" else 0.0
    share = min(1.0, max(1.0, width - 2 * edge) / own_width, max(1.0, height - 2 * edge) / own_height)
    return max(1, round(own_width * share)), max(1, round(own_height * share))


def _even(offset: float, most: int) -> int:
    return min(max(0, round(offset / 2) * 2), most - most % 2)


def _matrix(video: Video, is_hdr: bool) -> str:
    if video.is_hdr and not is_hdr:
        return "bt709"
    matrix = usual_matrix(video) if video.is_rgb else video.matrix or usual_matrix(video)
    return _MATRICES.get(matrix, "bt601")
