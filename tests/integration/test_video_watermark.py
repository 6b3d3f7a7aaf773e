"""Watermarks over real clips, through a real worker: what is seen, what is not run, and what is refused."""

from __future__ import annotations

import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.resources.studio import Studio, ffmpeg, ffprobe
from tests.resources.workers import Worker

SIZE = (320, 180)
RED, GREY = (255, 0, 0), (128, 128, 128)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Worker(tmp_path_factory.mktemp("video"), service="video") as worker:
        yield Studio(worker)


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of nothing but grey."""
    clip = tmp_path_factory.mktemp("clips") / "grey.mp4"
    ffmpeg("-f", "lavfi", "-i", f"color=0x808080:s={SIZE[0]}x{SIZE[1]}:d=1:r=10", "-pix_fmt", "yuv420p", clip)
    return clip


@pytest.fixture(scope="module")
def logo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of it red, the lower half transparent."""
    picture = tmp_path_factory.mktemp("logos") / "logo.png"
    source = "color=red:s=80x20,format=rgba,pad=80:40:color=black@0"
    ffmpeg("-f", "lavfi", "-i", source, "-frames:v", "1", picture)
    return picture


class Picture:
    """The last frame of a video: the mark has to be there to its end."""

    def __init__(self, video: Path) -> None:
        command = ["ffmpeg", "-v", "error", "-sseof", "-0.15", "-i", video, "-frames:v", "1"]
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        self.data = subprocess.run([*command, *raw], check=True, capture_output=True).stdout
        self.width, self.height = SIZE
        assert len(self.data) == self.width * self.height * 3

    def at(self, x: int, y: int) -> tuple[int, ...]:
        start = (y * self.width + x) * 3
        return tuple(self.data[start : start + 3])

    def changed(self) -> tuple[int, int, int, int] | None:
        """The rectangle of all that is not the grey of the clip: left, top, right, bottom."""
        places = [
            (x, y)
            for y in range(self.height)
            for x in range(self.width)
            if max(abs(a - b) for a, b in zip(self.at(x, y), GREY, strict=True)) > 24
        ]
        if not places:
            return None
        across, down = [x for x, _ in places], [y for _, y in places]
        return min(across), min(down), max(across) + 1, max(down) + 1


def watermarked(studio: Studio, clip: Path, logo: Path | None = None, **watermark: Any) -> Picture:
    return Picture(made(studio, clip, logo, **watermark)[0])


def made(studio: Studio, clip: Path, logo: Path | None = None, **watermark: Any) -> tuple[Path, dict[str, Any]]:
    also = {} if logo is None else {"watermark.image_url": logo}
    watermark |= {} if logo is None else {"imageUrl": logo.name}
    out, result = studio.make(clip, also=also, watermark=watermark, quality="high")
    return out / "video.mp4", result


# --- images


@pytest.mark.parametrize(
    ("position", "x", "y"),
    [
        ("top-left", 9, 9),
        ("top-right", 231, 9),
        ("bottom-left", 9, 131),
        ("bottom-right", 231, 131),
        ("center", 120, 70),
    ],
)  # fmt: skip
def test_an_image_is_where_it_is_asked_for(
    studio: Studio, grey: Path, logo: Path, position: str, x: int, y: int
) -> None:
    picture = watermarked(studio, grey, logo, position=position, scale=0.25, opacity=1, margin=0.05)
    found = picture.changed()
    assert found is not None
    assert found == pytest.approx((x, y, x + 80, y + 20), abs=2)  # its lower half cannot be seen
    assert picture.at(x + 40, y + 10) == pytest.approx(RED, abs=12)
    assert picture.at(x + 40, y + 30) == pytest.approx(GREY, abs=8)


def test_half_an_opacity_is_half_of_both_colours(studio: Studio, grey: Path, logo: Path) -> None:
    picture = watermarked(studio, grey, logo, position="top-left", margin=0, scale=1, opacity=0.5)
    assert picture.at(160, 40) == pytest.approx((192, 64, 64), abs=12)


@pytest.mark.parametrize("form", ["jpg", "webp"])
def test_jpeg_and_webp_are_taken_too(studio: Studio, grey: Path, tmp_path: Path, form: str) -> None:
    picture = tmp_path / f"logo.{form}"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=400x200", "-frames:v", "1", picture)
    found = watermarked(studio, grey, picture, scale=0.5, opacity=1, margin=0)
    assert found.changed() == pytest.approx((160, 100, 320, 180), abs=2)
    assert found.at(240, 140) == pytest.approx(RED, abs=16)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    rows = zlib.compress(bytes(1000))
    size = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data", "code", "message"),
    [
        (
            "huge.png",
            png_of(100_000, 100_000),
            "watermark_too_large",
            "has 100000x100000 pixels.",
        ),
        ("large.png", png_of(30_000, 30_000), "watermark_too_large", "has 30000x30000 pixels."),
        ("half.png", png_of(300, 300), "watermark_damaged", "is damaged."),
        (
            "logo.svg",
            b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
            "watermark_not_picture",
            "is not a PNG, JPEG or WebP picture.",
        ),
        ("logo.png", b"", "watermark_not_picture", "is not a PNG, JPEG or WebP picture."),
    ],
)
def test_what_is_no_picture_is_refused_before_any_work(
    studio: Studio, grey: Path, tmp_path: Path, name: str, data: bytes, code: str, message: str
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    error = studio.failure(grey, also={"watermark.image_url": file}, watermark={"imageUrl": name})
    assert (error["code"], error["reason"], error["message"]) == (code, "rejected", f"The watermark {name} {message}")


# --- texts


def test_a_text_is_in_its_corner_and_legible_on_white_and_black(studio: Studio, tmp_path: Path, grey: Path) -> None:
    found = watermarked(studio, grey, text="Pitchey", scale=0.5, opacity=1, margin=0.1).changed()
    assert found is not None
    left, top, right, bottom = found
    assert (right, bottom) == pytest.approx((302, 162), abs=3)
    assert 40 < right - left < 120
    assert 12 < bottom - top < 24
    for colour in ("white", "black"):
        clip = tmp_path / f"{colour}.mp4"
        ffmpeg("-f", "lavfi", "-i", f"color={colour}:s=320x180:d=0.5:r=10", "-pix_fmt", "yuv420p", clip)
        picture = watermarked(studio, clip, text="Pitchey", scale=0.5, opacity=1, margin=0.1)
        levels = sorted(picture.at(x, y)[1] for x in range(left, right) for y in range(top, bottom))
        assert levels[-1] - levels[0] > 180, colour


def test_a_text_is_drawn_and_never_run(studio: Studio, grey: Path) -> None:
    """Escapes, filter options, commands of subtitles and expansions: all of it is text."""
    hostile = '{\\an7\\pos(0,0)\\fs1}x\':textfile=/etc/passwd,[in];%{pts}\\N$(id) "q"\n{b}'
    found = watermarked(studio, grey, text=hostile, scale=0.4, opacity=1, position="bottom-right", margin=0).changed()
    assert found is not None
    left, top, right, bottom = found
    assert (right, bottom) == pytest.approx((320, 180), abs=4)
    assert left > 0 or top > 0
    assert right - left > 200


@pytest.mark.parametrize(
    ("joined", "apart"),
    [("سلسلة", "س\u200cل\u200cس\u200cل\u200cة"), ("ﷲ الله", "ﷲ ا\u200cل\u200cل\u200cه")],
    ids=["word", "ligature"],
)
def test_arabic_letters_join(studio: Studio, grey: Path, joined: str, apart: str) -> None:
    """Without shaping, they would be as wide as letters that are kept apart."""
    widths = []
    for text in (joined, apart):
        found = watermarked(studio, grey, text=text, scale=1, opacity=1, margin=0).changed()
        assert found is not None
        widths.append(found[2] - found[0])
    assert widths[0] < 0.9 * widths[1]


def test_hebrew_runs_from_right_to_left(studio: Studio, grey: Path) -> None:
    """The narrow letter is written first, so it has to be on the right."""
    picture = watermarked(studio, grey, text="ו" + "ש" * 3, scale=1, opacity=1, margin=0, position="center")
    mirror = watermarked(studio, grey, text="ש" * 3 + "ו", scale=1, opacity=1, margin=0, position="center")
    assert narrow_end(picture) == "right"
    assert narrow_end(mirror) == "left"


def narrow_end(picture: Picture) -> str:
    """At which end the letter is that is a single stroke."""
    rows, columns = range(picture.height), range(picture.width)
    inked = ["x" if any(picture.at(x, y)[1] > 200 for y in rows) else " " for x in columns]
    letters = "".join(inked).split()
    return "left" if len(letters[0]) < len(letters[-1]) else "right"


def test_letters_that_no_font_has_are_told(studio: Studio, grey: Path) -> None:
    _, result = made(studio, grey, text="a\U0010fffd")
    assert result["details"]["notes"] == [
        "No font here has \U0010fffd of the watermark's text: a box stands in its place."
    ]
    _, result = made(studio, grey, text="abc")
    assert "notes" not in result["details"]


def test_a_long_text_is_broken_and_stays_in_the_picture(studio: Studio, grey: Path) -> None:
    found = watermarked(studio, grey, text="All rights reserved. " * 20, scale=1, opacity=1, margin=0.05).changed()
    assert found is not None
    assert found[0] >= 4 and found[1] >= 4
    assert found[2] <= 316 and found[3] <= 176


def test_a_text_of_nothing_is_refused(studio: Studio, grey: Path) -> None:
    error = studio.failure(grey, watermark={"text": " \u200b\n"})
    assert (error["code"], error["reason"]) == ("watermark_empty", "rejected")


def test_a_watermark_of_webm_goes_to_its_end(studio: Studio, grey: Path, logo: Path) -> None:
    out, _ = studio.make(
        grey,
        also={"watermark.image_url": logo},
        outputFormat="webm",
        watermark={"imageUrl": "logo.png", "opacity": 1, "scale": 0.5, "position": "top-left", "margin": 0},
    )
    assert Picture(out / "video.webm").at(80, 20) == pytest.approx(RED, abs=24)


@pytest.mark.parametrize(
    ("size", "encoder"),
    [("320x180", ("-c:v", "libx264rgb")), ("1280x640", ("-c:v", "libx264", "-pix_fmt", "yuv420p"))],
    ids=["of red, green and blue", "wide, and not high"],
)
def test_a_mark_has_the_colours_that_players_take_the_picture_for(
    studio: Studio, tmp_path: Path, size: str, encoder: tuple[str, ...]
) -> None:
    clip = tmp_path / "clip.mkv"
    ffmpeg("-f", "lavfi", "-i", f"color=0x808080:s={size}:d=0.5:r=10", *encoder, clip)
    green = tmp_path / "green.png"
    ffmpeg("-f", "lavfi", "-i", "color=0x00c000:s=80x40", "-frames:v", "1", green)
    mark = {"imageUrl": green.name, "scale": 0.5, "position": "center", "opacity": 1}
    out, _ = studio.make(clip, resolution="320x180", watermark=mark, also={"watermark.image_url": green})
    assert ffprobe(out / "video.mp4")["video"]["color_space"] == "bt709"
    shown = ["ffmpeg", "-v", "error", "-i", out / "video.mp4", "-frames:v", "1", "-vf", "crop=2:2", "-f", "rawvideo"]
    raw = subprocess.run([*shown, "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    assert list(raw[:3]) == pytest.approx([0, 192, 0], abs=6)
