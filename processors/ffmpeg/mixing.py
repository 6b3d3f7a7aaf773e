"""Pure: how a sound gets fewer channels, as text for libavfilter, and never more than full scale."""

from __future__ import annotations

_SHARE = 0.7071  # -3 dB, for what is heard on both sides: ITU-R BS.775-4, table 2

# The channels that go into the left and the right, by layout; the low-frequency one is left out, as BS.775 has it.
_DOWN = {
    "3.0": ("FC", ""),
    "quad": ("", "BL BR"),
    "5.0": ("FC", "BL BR"),
    "5.0(side)": ("FC", "SL SR"),
    "5.1": ("FC", "BL BR"),
    "5.1(side)": ("FC", "SL SR"),
    "7.1": ("FC", "BL BR SL SR"),
}

#: layouts that need no guess
KNOWN_LAYOUTS = frozenset({"mono", "stereo", *_DOWN})

_NAMES = {1: "mono", 2: "stereo"}


def mixing(layout: str, channels: int, wanted: int) -> str:
    """Mix down without clipping: the shares of each side add up to one. One channel is played on both sides."""
    if (channels, wanted) == (1, 2):
        return "pan=stereo|c0=c0|c1=c0"  # FFmpeg's own way would take 3 dB of it
    if wanted >= channels:
        return "anull"
    if wanted == 1 and channels == 2:
        return "pan=mono|c0=0.5*c0+0.5*c1"
    if layout in _DOWN and wanted <= 2:
        centre, back = _DOWN[layout]
        sides = back.split()
        left = "+".join(["FL", *(f"{_SHARE}*{each}" for each in (centre, *sides[::2]) if each)])
        right = "+".join(["FR", *(f"{_SHARE}*{each}" for each in (centre, *sides[1::2]) if each)])
        # First the layout that was seen: broken streams change theirs, and the names would not be there.
        stereo = f"aformat=channel_layouts={layout},pan=stereo|FL<{left}|FR<{right}"
        return stereo if wanted == 2 else f"{stereo},pan=mono|c0=0.5*c0+0.5*c1"
    # FFmpeg lowers samples in floating point, which most decoders give, only if it is told how loud they may be.
    return f"aresample=rematrix_maxval=1,aformat=channel_layouts={_NAMES.get(wanted, '5.1')}"
