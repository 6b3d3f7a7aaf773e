"""Pure: whether a player can begin with a picture, by its own bits: a mark as key frame may mean less than that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

_LENGTH_BYTES = 4  # before each unit of H.264 and HEVC in an MP4, as FFmpeg writes them and Packager keeps them
_H264_PICTURES, _H264_IDR = range(1, 6), 5  # ITU-T H.264, table 7-1
_HEVC_PICTURES, _HEVC_IDR = (
    range(32),
    (19, 20),
)  # ITU-T H.265, table 7-1: with leading pictures, and without
_OBU_FRAMES = (
    3,
    6,
)  # AV1 Bitstream & Decoding Process Specification, 6.2.2: a header alone, and with its tiles


def is_entry(codec: str, data: bytes) -> bool:
    """Whether a picture needs none before it, and neither does any that follows it.

    Args:
        codec: h264, hevc, av1 or vp9.
        data: the first packet of a segment of an MP4.
    """
    return _ENTRIES[codec](data)


def _is_h264(data: bytes) -> bool:
    kinds = (unit[0] & 0x1F for unit in _units(data))
    return next((kind for kind in kinds if kind in _H264_PICTURES), 0) == _H264_IDR


def _is_hevc(data: bytes) -> bool:
    kinds = (unit[0] >> 1 & 0x3F for unit in _units(data))
    return next((kind for kind in kinds if kind in _HEVC_PICTURES), -1) in _HEVC_IDR


def _units(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _LENGTH_BYTES < len(data):
        size = int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        at += _LENGTH_BYTES
        if size:
            yield data[at : at + size]
        at += size


def _is_av1(data: bytes) -> bool:
    """Section 5.9.2: the first bit says that a frame is shown that was there before, the next two its kind, 0 a key."""
    at = 0
    while at < len(data):
        head = data[at]
        at += 2 if head & 0x04 else 1  # an extension
        if not head & 0x02:  # without a size it goes on to the end
            size = len(data) - at
        else:
            size, at = _leb128(data, at)
        if head >> 3 & 0x0F in _OBU_FRAMES:
            return at < len(data) and data[at] & 0xE0 == 0
        at += size
    return False


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number in bytes of seven bits, and where what follows begins. Section 4.10.5."""
    value = 0
    for number, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << (7 * number)
        if not byte & 0x80:
            return value, at + number + 1
    return 0, len(data)


def _is_vp9(data: bytes) -> bool:
    """VP9 Bitstream & Decoding Process Specification, 6.2: two bits of a mark, the profile, and then as in AV1."""
    bits = f"{int.from_bytes(data[:2], 'big'):016b}"
    profile = int(bits[3] + bits[2], 2)
    return bits[:2] == "10" and bits[4 + (profile == 3) :][:2] == "00"  # in profile 3 a reserved bit stands between


_ENTRIES: Mapping[str, Callable[[bytes], bool]] = {
    "h264": _is_h264, "hevc": _is_hevc, "av1": _is_av1, "vp9": _is_vp9
}  # fmt: skip
