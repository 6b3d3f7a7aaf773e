"""Cuts, rates, fields: every frame that is asked for, and no other."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.resources.studio import BIKES, SAMPLE, TINY, Studio, combed, ffmpeg, ffprobe, likeness, streams, times


def frame(source: Path, number: int, into: Path) -> Path:
    ffmpeg("-i", source, "-vf", f"select=eq(n\\,{number})", "-frames:v", "1", into)
    return into


def test_a_cut_begins_and_ends_with_the_very_frames(studio: Studio, tmp_path: Path) -> None:
    out, result = studio.make(BIKES, start=3.04, end=4.04, quality="ultra")
    (video,) = streams(out / "video.mp4", "video")
    assert video["nb_read_frames"] == "25"
    first = frame(BIKES, 76, tmp_path / "first.png")  # a frame earlier is another shot
    last = frame(BIKES, 100, tmp_path / "last.png")
    assert likeness(frame(out / "video.mp4", 0, tmp_path / "a.png"), first) > 0.95
    assert likeness(frame(out / "video.mp4", 24, tmp_path / "b.png"), last) > 0.95
    assert result["outputs"][0]["details"]["durationSeconds"] == pytest.approx(1.0, abs=0.04)


def test_a_start_after_the_end_is_refused(studio: Studio) -> None:
    error = studio.failure(BIKES, start=11)
    assert (error["code"], error["hint"]) == ("start_after_end", "Choose a start before 10.")


def test_frames_that_come_as_they_like_keep_their_moments(studio: Studio, tmp_path: Path) -> None:
    """Some are closer together than the rate of the file says: FFmpeg would drop them."""
    uneven = tmp_path / "uneven.mp4"
    ffmpeg(
        "-i", BIKES, "-t", "2", "-vf", "scale=160:-2,settb=1/90000,setpts='PTS+if(mod(N,3),0,1700)'",
        "-fps_mode", "vfr", "-enc_time_base", "1:90000", "-video_track_timescale", "90000", uneven,
    )  # fmt: skip
    before = times(uneven)
    for container in ("mp4", "webm"):
        out, result = studio.make(uneven, outputFormat=container)
        after = times(out / f"video.{container}")
        assert len(after) == len(before) == 50
        assert max(abs(one - other) for one, other in zip(after, before, strict=True)) <= 0.001
        assert "notes" not in result["details"]


def test_a_slide_show_keeps_its_few_frames(studio: Studio, tmp_path: Path) -> None:
    slides = tmp_path / "slides.mkv"
    ffmpeg("-i", BIKES, "-vf", "scale=160:-2,select='not(mod(n,40))'", "-fps_mode", "vfr", slides)
    out, _ = studio.make(slides)
    assert times(out / "video.mp4") == pytest.approx(times(slides), abs=0.002)


@pytest.mark.parametrize("rate", [10, 50])
def test_a_rate_that_is_asked_for_is_exact(studio: Studio, rate: int) -> None:
    out, _ = studio.make(BIKES, framerate=rate, end=2, resolution=TINY)
    (video,) = streams(out / "video.mp4", "video")
    assert (video["avg_frame_rate"], video["nb_read_frames"]) == (f"{rate}/1", str(2 * rate))


@pytest.mark.parametrize("is_said", [True, False])
def test_fields_become_whole_frames_also_where_the_file_is_silent(
    studio: Studio, tmp_path: Path, is_said: bool
) -> None:
    tape = tmp_path / "tape.mkv"
    said = ["-flags", "+ildct+ilme"] if is_said else []
    fields = "tinterlace=interleave_top" + ("" if is_said else ",setfield=prog")
    moving = ["-f", "lavfi", "-i", "testsrc2=s=128x480:r=50:d=2", "-vf", fields]
    ffmpeg(*moving, "-c:v", "mpeg2video", "-q:v", "2", *said, tape)
    assert combed(tape) > 0.5
    out, result = studio.make(tape, quality="high")
    assert combed(out / "video.mp4") < 0.2
    assert streams(out / "video.mp4", "video")[0]["nb_read_frames"] == streams(tape, "video")[0]["nb_read_frames"]
    assert ("notes" in result["details"]) is not is_said
    out, _ = studio.make(tape, quality="high", deinterlace="off")
    assert combed(out / "video.mp4") > 0.5


def test_odd_sides_and_full_range_come_out_right(studio: Studio, tmp_path: Path) -> None:
    odd = tmp_path / "odd.mkv"
    ffmpeg(
        "-i", SAMPLE, "-t", "1", "-an", "-vf", "scale=161:91:out_range=full,setsar=1", "-c:v", "mjpeg", "-q:v", "2", odd
    )
    out, _ = studio.make(odd, quality="ultra")
    (video,) = streams(out / "video.mp4", "video")
    assert (video["width"], video["height"]) == (160, 90)
    plain = tmp_path / "plain.png"
    ffmpeg("-i", odd, "-frames:v", "1", "-vf", "scale=160:90", plain)
    assert likeness(frame(out / "video.mp4", 0, tmp_path / "made.png"), plain) > 0.95


def test_hdr_that_says_nothing_but_its_transfer_is_tone_mapped_too(studio: Studio, tmp_path: Path) -> None:
    bare = tmp_path / "bare.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=160x96:d=0.4:r=10,format=yuv420p10le", "-c:v", "libx265"),
        *("-x265-params", "log-level=error:transfer=smpte2084", "-color_trc", "smpte2084", bare),
    )
    video = ffprobe(bare)["video"]
    assert (video["color_transfer"], video.get("color_primaries")) == ("smpte2084", None)
    split: dict[str, Any] = {"outputFormat": "scenes", "scenes": {"split": True, "thumbnails": False}}
    asked: dict[str, Any]
    for asked in ({}, {"outputFormat": "gif"}, split):
        _, result = studio.make(bare, **asked)
        assert not any(each["details"].get("isHdr") for each in result["outputs"])


def colours(path: Path) -> tuple[str | None, ...]:
    video = ffprobe(path)["video"]
    return tuple(video.get(key) for key in ("color_range", "color_space", "color_primaries", "color_transfer"))


@pytest.mark.parametrize("form", ["mp4", "webm"])
def test_what_has_the_range_of_pictures_gets_that_of_video(studio: Studio, tmp_path: Path, form: str) -> None:
    """Players take all video for limited: full range would lose its darkest and its brightest parts."""
    camera = tmp_path / "camera.avi"
    picture = "gradients=s=160x120:c0=black:c1=white:x0=0:y0=0:x1=159:y1=0:d=1:r=5,format=yuvj420p"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "mjpeg", "-q:v", "2", camera)
    out, _ = studio.make(camera, outputFormat=form, quality="high")
    made = ffprobe(out / f"video.{form}")["video"]
    assert (made["pix_fmt"], made["color_range"]) == ("yuv420p", "tv")
    grey = ["-frames:v", "1", "-vf", "format=gray"]
    ffmpeg("-i", camera, *grey, tmp_path / "before.png")
    ffmpeg("-i", out / f"video.{form}", *grey, tmp_path / "after.png")
    assert likeness(tmp_path / "before.png", tmp_path / "after.png") > 0.98


@pytest.mark.parametrize(
    ("size", "expected"),
    [("1280x720", "bt709"), ("720x576", "bt470bg"), ("640x480", "smpte170m")],
)
def test_what_does_not_say_its_colours_is_said_to_have_those_of_its_size(
    studio: Studio, tmp_path: Path, size: str, expected: str
) -> None:
    untold = tmp_path / "untold.mp4"
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size}:d=0.4:r=5,format=yuv420p", "-preset", "ultrafast", untold)
    assert colours(untold)[1:] == (None, None, None)
    out, _ = studio.make(untold, resolution="320x180")
    assert colours(out / "video.mp4")[1:3] == (expected, expected)


def test_red_green_and_blue_become_the_colours_that_the_result_says(studio: Studio, tmp_path: Path) -> None:
    screen = tmp_path / "screen.mkv"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=160x90:d=0.4:r=5,format=gbrp", "-c:v", "ffv1", screen)
    out, _ = studio.make(screen, quality="high")
    assert colours(out / "video.mp4") == ("tv", "bt709", "bt709", "bt709")
    command = ["ffmpeg", "-v", "error", "-i", out / "video.mp4", "-frames:v", "1", "-f", "rawvideo", "-"]
    red, blue = (subprocess.run(command, check=True, capture_output=True).stdout[160 * 90 + at * 3600] for at in (1, 0))
    assert red == pytest.approx(240, abs=2) and blue == pytest.approx(102, abs=2)  # of BT.709; 240 and 90 in BT.601


@pytest.mark.parametrize(
    "spec",
    [
        {"resolution": "1920x1080", "end": 1},
        {"outputFormat": "thumbnail", "thumbnailSize": "1920x1080"},
        {"outputFormat": "hls", "ladder": {"sizes": ["1920x1080", "160x90"]}, "end": 2},
    ],
    ids=["file", "picture", "stream"],
)
def test_a_size_that_is_larger_than_the_picture_is_told(studio: Studio, spec: dict[str, Any]) -> None:
    _, result = studio.make(BIKES, **spec)
    (note,) = [note for note in result["details"]["notes"] if "enlarged" in note]
    assert note == "1920x1080 is larger than the picture, which was not enlarged: bikes.mp4 is 640x272."


def test_a_size_that_only_one_side_reaches_is_none_to_tell_of(studio: Studio) -> None:
    _, result = studio.make(BIKES, resolution="640x640", end=1)
    assert "notes" not in result["details"]
