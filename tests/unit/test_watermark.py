"""Where a watermark is, what a picture says of itself, and how a text is made harmless."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.picture_header import Header, header
from processors.specs.video import Position, Watermark
from processors.video.watermark import Mark, Place, placed, shrunk
from processors.video.watermark_text import canvas_of, cleaned, escaped, script


def mark(position: Position = "bottom-right", margin: float = 0.05, width: int = 100, height: int = 50) -> Mark:
    return Mark(width, height, 1000, position, margin, "bt709")


@pytest.mark.parametrize(
    ("position", "x", "y"),
    [
        ("top-left", 20, 20), ("top-right", 880, 20), ("bottom-left", 20, 330), ("bottom-right", 880, 330),
        ("center", 450, 176),
    ],
)  # fmt: skip
def test_a_mark_has_its_margin_to_both_edges(position: Position, x: int, y: int) -> None:
    assert placed(mark(position), 1000, 400) == Place(x, y, 100, 50)


def test_a_mark_is_as_large_a_share_of_every_rendition() -> None:
    assert placed(mark(), 500, 200) == Place(440, 164, 50, 25)


@given(
    st.sampled_from(["top-left", "top-right", "bottom-left", "bottom-right", "center"]),
    st.floats(0, 0.5), st.floats(0.001, 1), st.integers(1, 5000), st.integers(1, 5000),
    st.integers(16, 8192), st.integers(16, 8192),
)  # fmt: skip
def test_a_mark_is_always_within_the_picture(
    position: Position, margin: float, scale: float, own_width: int, own_height: int, width: int, height: int
) -> None:
    wanted = Watermark(image_url="a.png", position=position, margin=margin, scale=scale)
    size = shrunk(wanted, scale * width, scale * width * own_height / own_width, width, height)
    place = placed(Mark(*size, width, position, margin, "bt709"), width, height)
    assert place.x % 2 == place.y % 2 == 0
    assert place.x >= 0 and place.y >= 0
    assert place.x + place.width <= width and place.y + place.height <= height


# --- headers

_PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 100_000, 100_000)
_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(10) + b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", 480, 640)
_LOSSY = b"RIFF____WEBPVP8 " + bytes(7) + b"\x9d\x01\x2a" + struct.pack("<HH", 640, 480)
_LOSSLESS = b"RIFF____WEBPVP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 639 | 479 << 14)
_EXTENDED = b"RIFF____WEBPVP8X" + bytes(4) + b"\x02\0\0\0" + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (_PNG, Header("PNG", 100_000, 100_000)),
        (_JPEG, Header("JPEG", 640, 480)),
        (_LOSSY, Header("WebP", 640, 480)),
        (_LOSSLESS, Header("WebP", 640, 480)),
        (_EXTENDED, Header("WebP", 640, 480, is_animated=True)),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"GIF89a\x01\0\x02\0", Header("GIF", 1, 2, is_animated=True)),
        (b"", None),
    ],
)
def test_a_picture_says_its_size_before_it_is_decoded(data: bytes, expected: Header | None) -> None:
    assert header(data) == expected


@given(
    st.sampled_from([_PNG, _JPEG, _LOSSY, _LOSSLESS, _EXTENDED]), st.integers(0, 40), st.binary(max_size=64), st.data()
)
def test_a_broken_header_is_no_picture_and_no_error(whole: bytes, at: int, more: bytes, data: st.DataObject) -> None:
    header(whole[:at])
    header(whole[: data.draw(st.integers(0, len(whole)))] + more)


# --- texts


def test_a_text_cannot_command_libass() -> None:
    assert escaped("{\\pos(1,1)}a\\Nb\nc") == "\\{\\\u2060pos(1,1)\\}a\\\u2060Nb\\Nc"


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_a_text_is_one_line_of_its_script(text: str) -> None:
    wanted = Watermark(text=text)
    text = cleaned(text)
    lines = script(text, canvas_of(text, wanted, 640, 360), 9).split("\n")
    assert len(lines) == 15
    assert lines[-2].startswith("Dialogue: 0,0:00:00.00,9:59:59.99,W,,0,0,0,,")
    said = lines[-2].partition(",,0,0,0,,")[2]
    assert all(before == "\\" for before, brace in zip(" " + said, said, strict=False) if brace in "{}")


@given(
    st.text(st.sampled_from("a \n界"), min_size=1, max_size=500).filter(str.strip),
    st.floats(0.01, 1),
    st.integers(64, 4096),
)
def test_the_canvas_of_a_text_stays_small_enough_to_be_drawn(text: str, scale: float, width: int) -> None:
    found = canvas_of(cleaned(text), Watermark(text=text, scale=scale), width, width * 9 // 16)
    assert found.size >= 8
    assert found.width <= 24_000
    assert found.width * found.height <= 12 * max(width, 640) ** 2


def test_control_characters_are_left_out_and_lines_kept() -> None:
    assert cleaned("a\r\nb\tc\x07\x1b[0m\u2028d\ud800") == "a\nb c[0m\nd"
