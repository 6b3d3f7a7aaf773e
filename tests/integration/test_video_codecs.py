"""Each codec in each container that holds it: what comes out, and what players are told of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.resources.studio import BIKES, HDR, SAMPLE, Studio, ffmpeg, ffprobe, streams

SMALL: dict[str, Any] = {"resolution": "160x90"}


@pytest.mark.parametrize(
    ("container", "codec", "tag"),
    [
        ("mp4", "h264", "avc1"),
        ("mp4", "hevc", "hvc1"),
        ("mp4", "av1", "av01"),
        ("webm", "vp9", None),
        ("webm", "av1", None),
    ],
)
def test_every_frame_comes_out_in_every_codec(studio: Studio, container: str, codec: str, tag: str | None) -> None:
    out, result = studio.make(BIKES, outputFormat=container, codec=codec, end=1, **SMALL)
    (video,) = streams(out / f"video.{container}", "video")
    assert (video["codec_name"], video["nb_read_frames"], video["pix_fmt"]) == (codec, "25", "yuv420p")
    assert tag is None or video["codec_tag_string"] == tag
    details = result["outputs"][0]["details"]
    assert (details["frames"], details["videoCodec"]) == (25, codec)
    assert details["speed"] > 0


@pytest.mark.parametrize(("container", "codec"), [("mp4", "hevc"), ("mp4", "av1"), ("webm", "vp9")])
def test_a_rate_that_is_asked_for_is_kept(studio: Studio, container: str, codec: str) -> None:
    out, _ = studio.make(BIKES, outputFormat=container, codec=codec, bitrate="150k", resolution="320x180", end=6)
    assert int(ffprobe(out / f"video.{container}")["format"]["bit_rate"]) == pytest.approx(150_000, rel=0.4)


def side_data(path: Path) -> dict[str, dict[str, Any]]:
    command = [
        "ffprobe",
        "-v",
        "error",
        "-read_intervals",
        "%+#1",
        "-show_frames",
        "-select_streams",
        "v",
        "-of",
        "json",
        path,
    ]
    frame = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["frames"][0]
    return {each["side_data_type"]: each for each in frame.get("side_data_list", [])}


@pytest.mark.parametrize(("container", "codec"), [("mp4", "hevc"), ("mp4", "av1"), ("webm", "vp9")])
def test_hdr_that_is_kept_has_ten_bits_its_tags_and_its_display(studio: Studio, container: str, codec: str) -> None:
    out, result = studio.make(HDR, outputFormat=container, codec=codec, hdr="keep", end=0.5, **SMALL)
    made = out / f"video.{container}"
    (video,) = streams(made, "video")
    assert (video["pix_fmt"], video["color_transfer"], video["color_primaries"], video["color_space"]) == (
        "yuv420p10le", "smpte2084", "bt2020", "bt2020nc",
    )  # fmt: skip
    if codec == "vp9":  # has no place for it
        assert "mastering" in result["details"]["notes"][0]
        return
    found = side_data(made)
    before = side_data(HDR)
    assert fraction(found, "max_luminance") == pytest.approx(fraction(before, "max_luminance"), rel=0.01)
    assert fraction(found, "red_x") == pytest.approx(fraction(before, "red_x"), abs=0.001)
    assert found["Content light level metadata"]["max_content"] == 1000


def fraction(found: dict[str, dict[str, Any]], key: str) -> float:
    over, under = found["Mastering display metadata"][key].split("/")
    return int(over) / int(under)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_hdr_that_is_not_kept_is_ordinary_video_all_through(studio: Studio, codec: str) -> None:
    out, _ = studio.make(HDR, codec=codec, end=0.5, **SMALL)
    (video,) = streams(out / "video.mp4", "video")
    assert (video["pix_fmt"], video["color_transfer"], video["color_primaries"]) == ("yuv420p", "bt709", "bt709")
    assert not {"Mastering display metadata", "Content light level metadata"} & set(side_data(out / "video.mp4"))


def test_hlg_is_kept_too(studio: Studio, tmp_path: Path) -> None:
    hlg = tmp_path / "hlg.mp4"
    colours = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc"
    x265 = ["-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", "log-level=error"]
    tags = ["-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc"]
    ffmpeg("-i", BIKES, "-t", "1", "-vf", f"scale=160:68,{colours}", *x265, *tags, hlg)
    out, result = studio.make(hlg, codec="hevc", hdr="keep")
    (video,) = streams(out / "video.mp4", "video")
    assert (video["pix_fmt"], video["color_transfer"]) == ("yuv420p10le", "arib-std-b67")
    assert result["details"]["input"]["isHdr"]


def test_the_colours_of_ordinary_video_are_said_again(studio: Studio, tmp_path: Path) -> None:
    tagged = tmp_path / "tagged.mp4"
    tags = ["-color_primaries", "bt470bg", "-color_trc", "gamma28", "-colorspace", "bt470bg", "-color_range", "tv"]
    colours = "setparams=color_primaries=bt470bg:color_trc=bt470bg:colorspace=bt470bg:range=tv"
    ffmpeg("-i", SAMPLE, "-t", "1", "-an", "-vf", colours, *tags, tagged)
    out, _ = studio.make(tagged, **SMALL)
    (video,) = streams(out / "video.mp4", "video")
    assert (video["color_space"], video["color_primaries"], video["color_range"]) == ("bt470bg", "bt470bg", "tv")


@pytest.mark.parametrize(("codec", "least"), [("av1", 64), ("hevc", 16)])
def test_a_picture_that_is_too_small_for_its_codec_is_refused_in_words(studio: Studio, codec: str, least: int) -> None:
    error = studio.failure(BIKES, codec=codec, resolution="32x32")
    assert (error["code"], error["reason"]) == ("too_small", "rejected")
    assert error["message"].endswith(f"would become a picture of 32x14, and {codec} needs {least}x{least} at least.")


def test_streams_are_refused_in_the_same_words(studio: Studio, tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.mp4"
    ffmpeg("-i", BIKES, "-t", "1", "-vf", "scale=48:48", "-c:v", "mpeg4", tiny)
    for asked in ({}, {"ladder": {"sizes": ["32x32"]}}):
        clip = BIKES if asked else tiny
        error = studio.failure(clip, codec="av1", outputFormat="hls", **asked)
        assert (error["code"], error["reason"]) == ("too_small", "rejected")
        assert "and av1 needs 64x64 at least" in error["message"]
