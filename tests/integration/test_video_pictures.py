"""Thumbnails, posters and sprite sheets of real clips, through a real worker."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from av.filter import filters_available

from tests.resources.studio import BIKES, HDR, SAMPLE, Studio, brightness, ffmpeg, ffprobe, likeness
from tests.resources.workers import Worker


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Worker(tmp_path_factory.mktemp("video"), service="video") as worker:
        yield Studio(worker)


def frame(clip: Path, number: int, target: Path) -> Path:
    """Take a frame by its number: slow, and sure."""
    ffmpeg("-i", clip, "-vf", f"select=eq(n\\,{number})", "-frames:v", "1", target)
    return target


def frames_of(clip: Path, numbers: Sequence[int], folder: Path) -> list[Path]:
    """Take several frames by their numbers, which ascend."""
    chosen = "+".join(f"eq(n\\,{number})" for number in numbers)
    ffmpeg("-i", clip, "-vf", f"select={chosen}", "-fps_mode", "passthrough", folder / "expected-%03d.png")
    return [folder / f"expected-{number:03}.png" for number in range(1, len(numbers) + 1)]


def tile(out: Path, cue: str, target: Path) -> Path:
    """Cut a tile out of its sheet, as a player does."""
    found = re.fullmatch(r"(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)", cue)
    assert found is not None
    x, y, width, height = found.groups()[1:]
    ffmpeg("-i", out / found[1], "-vf", f"crop={width}:{height}:{x}:{y}:exact=1", "-frames:v", "1", target)
    return target


def cues(out: Path) -> list[tuple[str, str]]:
    head, *blocks = (out / "sprite.vtt").read_text().rstrip().split("\n\n")
    assert head == "WEBVTT"
    return [(block.split("\n")[0], block.split("\n")[1]) for block in blocks]


@pytest.mark.parametrize(
    ("form", "codec"), [("jpg", "mjpeg"), ("png", "png"), ("webp", "webp")], ids=["jpg", "png", "webp"]
)
def test_a_thumbnail_has_the_format_that_is_asked_for(studio: Studio, tmp_path: Path, form: str, codec: str) -> None:
    out, result = studio.make(
        BIKES, outputFormat="thumbnail", thumbnailTimes=[3.04], thumbnailFormat=form, thumbnailSize="320x320"
    )
    picture = out / f"thumbnail-001.{form}"
    video = ffprobe(picture)["video"]
    assert (video["codec_name"], video["width"], video["height"]) == (codec, 320, 136)
    assert result["outputs"][0]["mediaType"] == {"jpg": "image/jpeg"}.get(form, f"image/{form}")
    expected = tmp_path / "expected.png"
    ffmpeg("-i", frame(BIKES, 76, tmp_path / "frame.png"), "-vf", "scale=320:136", expected)
    assert likeness(picture, expected) > 0.9


def test_pictures_have_the_colours_of_the_video(studio: Studio, tmp_path: Path) -> None:
    """BT.709 read as BT.601 makes this green too dark."""
    green = tmp_path / "green.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=0x20C040:s=128x128:d=1,format=yuv444p"),
        *("-vf", "scale=out_color_matrix=bt709,format=yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709"),
        *("-color_trc", "bt709", "-color_range", "tv", green),
    )
    for form in ("jpg", "png", "webp"):
        best = {} if form == "png" else {"quality": "ultra"}  # of png there is one
        out, _ = studio.make(green, outputFormat="thumbnail", thumbnailFormat=form, **best)
        command = ["ffmpeg", "-v", "error", "-i", out / f"thumbnail-001.{form}", "-vf", "scale=1:1"]
        raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True)
        assert tuple(raw.stdout) == pytest.approx((0x20, 0xC0, 0x40), abs=8), form


def test_so_many_pictures_are_of_the_middles_of_equal_parts(studio: Studio, tmp_path: Path) -> None:
    out, result = studio.make(BIKES, outputFormat="thumbnail", thumbnailCount=5, quality="ultra")
    assert [each["path"] for each in result["outputs"]] == [f"thumbnail-00{number}.jpg" for number in range(1, 6)]
    for number, expected in enumerate(frames_of(BIKES, (25, 75, 125, 175, 225), tmp_path), start=1):
        assert likeness(out / f"thumbnail-00{number}.jpg", expected) > 0.95


def test_an_interval_takes_every_frame_that_it_means(studio: Studio, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse.mp4"  # one key frame, at the beginning: no seek is of use
    ffmpeg("-i", BIKES, "-vf", "scale=160:68", "-g", "1000", "-sc_threshold", "0", "-preset", "ultrafast", sparse)
    out, result = studio.make(
        sparse, outputFormat="thumbnail", thumbnailInterval=1.5, start=1, end=9, thumbnailFormat="png"
    )
    assert [each["details"]["timeSeconds"] for each in result["outputs"]] == [1.0, 2.5, 4.0, 5.5, 7.0, 8.5]
    wanted = frames_of(sparse, (25, 62, 100, 137, 175, 212), tmp_path)
    for each, expected in zip(result["outputs"], wanted, strict=True):
        assert likeness(out / each["path"], expected) > 0.99


def test_pictures_come_with_a_video_and_are_numbered_as_asked(studio: Studio, tmp_path: Path) -> None:
    out, result = studio.make(BIKES, resolution="160x160", thumbnailTimes=[9, 1], thumbnailSize="640x640", poster=True)
    assert [each["path"] for each in result["outputs"]] == [
        "video.mp4", "thumbnail-001.jpg", "thumbnail-002.jpg", "poster.jpg",
    ]  # fmt: skip
    assert likeness(out / "thumbnail-001.jpg", frame(BIKES, 225, tmp_path / "expected.png")) > 0.85


def test_more_pictures_than_frames_are_refused(studio: Studio) -> None:
    error = studio.failure(BIKES, outputFormat="thumbnail", thumbnailCount=251)
    assert (error["code"], error["reason"]) == ("too_many_thumbnails", "rejected")
    assert error["message"] == "251 pictures are asked for, but bikes.mp4 has only 250 frames."


# --- posters


def test_a_poster_is_of_the_scene_and_not_of_the_black_around_it(studio: Studio, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"  # black but for a second and a half, with long fades
    ffmpeg("-i", BIKES, "-vf", "fade=in:75:50,fade=out:150:50", "-g", "25", "-preset", "ultrafast", film)
    out, result = studio.make(film, outputFormat="thumbnail", poster=True)
    (poster,) = result["outputs"]
    assert (poster["path"], poster["role"]) == ("poster.jpg", "poster")
    assert 4.5 < poster["details"]["timeSeconds"] < 6.5
    at = round(poster["details"]["timeSeconds"] * 25)
    assert likeness(out / "poster.jpg", frame(film, at, tmp_path / "expected.png")) > 0.9


@pytest.mark.parametrize("form", ["raw.h264", "stream.ts"])
def test_poster_and_sprite_need_no_index(studio: Studio, tmp_path: Path, form: str) -> None:
    clip = tmp_path / form
    ffmpeg("-i", BIKES, "-c", "copy", clip)
    out, result = studio.make(clip, outputFormat="thumbnail", poster=True, sprite=True)
    assert [each["path"] for each in result["outputs"]] == ["poster.jpg", "sprite-001.jpg", "sprite.vtt"]
    assert len(cues(out)) == 10


# --- sprite sheets


def test_every_cue_of_a_sprite_shows_a_frame_of_its_time(studio: Studio, tmp_path: Path) -> None:
    """With a key frame a second, which is shown, and with a single one: no cue shows what comes before or after it."""
    for gap in (25, 1000):
        clip = tmp_path / f"every-{gap}.mp4"
        ffmpeg(
            "-i",
            BIKES,
            "-vf",
            "scale=160:68",
            "-g",
            str(gap),
            "-sc_threshold",
            "0",
            "-crf",
            "12",
            "-preset",
            "veryfast",
            clip,
        )
        out, result = studio.make(clip, outputFormat="thumbnail", sprite=True, thumbnailFormat="png")
        assert [each["path"] for each in result["outputs"]] == ["sprite-001.png", "sprite.vtt"]
        found = cues(out)
        assert found[0] == ("00:00:00.000 --> 00:00:01.000", "sprite-001.png#xywh=0,0,160,68")
        assert found[9] == ("00:00:09.000 --> 00:00:10.000", "sprite-001.png#xywh=1440,0,160,68")
        for number in (1, 9):
            picture = tile(out, found[number][1], tmp_path / "tile.png")
            # of the frames that no other refers to, some are left out
            wanted = range(number * 25, number * 25 + (1 if gap == 25 else 5))
            alike = [likeness(picture, expected) for expected in frames_of(clip, wanted, tmp_path)]
            assert max(alike) > 0.95, (gap, number)


def test_a_sprite_of_a_part_counts_from_where_the_result_begins(studio: Studio, tmp_path: Path) -> None:
    out, _ = studio.make(SAMPLE, outputFormat="thumbnail", sprite=True, start=4, end=6.5)
    found = cues(out)
    assert [times for times, _ in found] == [
        "00:00:00.000 --> 00:00:01.000", "00:00:01.000 --> 00:00:02.000", "00:00:02.000 --> 00:00:02.500",
    ]  # fmt: skip
    video = ffprobe(out / "sprite-001.jpg")["video"]
    assert (video["width"], video["height"]) == (480, 160)


def test_a_long_video_has_several_sheets(studio: Studio, tmp_path: Path) -> None:
    long = tmp_path / "long.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:r=1:d=250", "-g", "1", "-preset", "ultrafast", long)
    out, result = studio.make(long, outputFormat="thumbnail", sprite=True)
    assert [each["path"] for each in result["outputs"]] == [
        "sprite-001.jpg", "sprite-002.jpg", "sprite-003.jpg", "sprite.vtt",
    ]  # fmt: skip
    last = ffprobe(out / "sprite-003.jpg")["video"]
    assert (last["width"], last["height"]) == (640, 320)
    assert cues(out)[249] == ("00:04:09.000 --> 00:04:10.000", "sprite-003.jpg#xywh=576,256,64,64")


def test_hdr_pictures_say_what_is_missing_or_look_ordinary(studio: Studio) -> None:
    token = studio.begin(HDR, outputFormat="thumbnail", sprite=True, poster=True)
    last = studio.worker.ending(token)
    if "zscale" in filters_available:  # of PyAV's own libraries, which the worker uses
        assert last["type"] == "result", last
        assert 40 < brightness(studio.worker.spool / token / "out" / "poster.jpg") < 215
    else:
        assert (last["error"]["code"], last["error"]["retryable"]) == ("hdr_unsupported", False)
        assert HDR.name in last["error"]["message"]
