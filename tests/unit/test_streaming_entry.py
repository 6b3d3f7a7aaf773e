"""What tells a picture that a player can begin with from one that is only marked as such."""

from __future__ import annotations

import pytest

from processors.streaming.entry import is_entry


def units(*each: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in each)


def obu(kind: int, payload: bytes) -> bytes:
    return bytes([kind << 3 | 0x02, len(payload)]) + payload


PARAMETERS, H264_IDR, H264_RECOVERY = b"\x67\0", b"\x65\0", b"\x41\0"
HEVC_PARAMETERS, HEVC_IDR, HEVC_OPEN = b"\x40\x01", bytes([20 << 1, 1]), bytes([21 << 1, 1])


@pytest.mark.parametrize(
    ("codec", "entry", "other"),
    [
        ("h264", units(PARAMETERS, H264_IDR), units(PARAMETERS, H264_RECOVERY)),
        ("hevc", units(HEVC_PARAMETERS, HEVC_IDR), units(HEVC_PARAMETERS, HEVC_OPEN)),
        ("av1", obu(1, b"\0" * 10) + obu(6, b"\x10"), obu(1, b"\0" * 10) + obu(6, b"\x30")),
        ("av1", obu(2, b"") + obu(3, b"\x10"), obu(3, b"\x80")),  # the other one shows what was there before
        ("vp9", b"\x82\x49", b"\x86\0"),
        ("vp9", b"\xb0\x24", b"\xb2\0"),  # of profile 3, which has one bit more
    ],
)
def test_a_picture_that_needs_others_is_no_entry(codec: str, entry: bytes, other: bytes) -> None:
    assert is_entry(codec, entry)
    assert not is_entry(codec, other)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"\xff" * 40, b"\0\0\0\x01"])
def test_what_is_no_picture_is_no_entry(codec: str, data: bytes) -> None:
    assert not is_entry(codec, data)
