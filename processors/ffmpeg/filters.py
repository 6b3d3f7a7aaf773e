"""Pure: what has to be done to a picture, as the filters of libavfilter. ffmpeg takes them, and so does PyAV."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from processors.ffmpeg.colours import Colours

# Of a display matrix with a quarter turn: the signs of its second and fourth number.
_TRANSPOSE = {
    (True, False): "clock",
    (False, True): "cclock",
    (True, True): "cclock_flip",
    (False, False): "clock_flip",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter and its arguments."""

    name: str
    arguments: Sequence[str | int | float] = ()
    options: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The arguments as libavfilter reads them."""
        return ":".join([*map(str, self.arguments), *(f"{key}={value}" for key, value in self.options.items())])


def upright(display_matrix: bytes | None) -> tuple[Filter, ...]:
    """Turn and mirror a picture as its file says; ffmpeg does this by itself.

    Args:
        display_matrix: 3x3 numbers of 32 bits that move a point from where it is stored to where it is shown, as in
            ISO/IEC 14496-12, section 6.2.2. Turns by other angles than quarters are left out, as players do.
    """
    if display_matrix is None:
        return ()
    a, b, _, c, d = struct.unpack_from("=5i", display_matrix)
    if abs(b) > abs(a):
        return (Filter("transpose", [_TRANSPOSE[b > 0, c > 0]]),)
    return (*([Filter("hflip")] if a < 0 else []), *([Filter("vflip")] if d < 0 else []))


def fitted(
    width: int,
    height: int,
    *,
    hdr: Colours | None,
    framerate: float | None,
    is_full_range: bool,
    scaling: Mapping[str, str] | None = None,
) -> list[Filter]:
    """Give an upright picture its rate, size and colours.

    Args:
        hdr: the colours of HDR that are to become ordinary.
        is_full_range: for JPEG; video has the limited range.
        scaling: what else the scaler is told.
    """
    filters = [] if framerate is None else [Filter("fps", options={"fps": f"{framerate:g}"})]
    span = {"out_range": "full"} if is_full_range and hdr is None else {}
    filters += [Filter("scale", [width, height], {**span, **(scaling or {})}), Filter("setsar", [1])]
    if hdr is not None:
        # PQ and HLG to BT.709: else eight bits of it, still tagged as HDR, look grey. Files may say the transfer alone,
        # and zscale finds no way from colours that it is not told.
        filters += [
            Filter("setparams", options=hdr.options()),
            Filter("zscale", options={"transfer": "linear", "npl": 100}),
            Filter("format", options={"pix_fmts": "gbrpf32le"}),
            Filter("zscale", options={"primaries": "bt709"}),
            Filter("tonemap", options={"tonemap": "hable", "desat": 0}),
            Filter(
                "zscale",
                options={"transfer": "bt709", "matrix": "bt709", "range": "full" if is_full_range else "limited"},
            ),
        ]
    return filters
