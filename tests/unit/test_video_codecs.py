"""What each encoder is told."""

from __future__ import annotations

import struct

import pytest

from processors.ffmpeg.colours import Colours, Light, Mastering, read_light, read_mastering
from processors.specs.video import VideoCodec
from processors.video.codecs import Average, Constant, Options, encoder, with_specifier

CAPPED = Constant(30, 5_000_000)
BT2020 = Mastering((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), (0.3127, 0.329), 0.005, 1000.0)
HDR10 = Colours("bt2020", "smpte2084", "bt2020nc", BT2020, Light(1000, 400))


def told(codec: VideoCodec, rate: Constant | Average = CAPPED, colours: Colours | None = None) -> Options:
    return encoder(codec, "medium", rate, width=1920, threads=2, colours=colours)


def test_apple_plays_hevc_by_its_tag() -> None:
    assert (told("hevc")["c"], told("hevc")["tag"]) == ("libx265", "hvc1")


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_every_tier_has_a_ceiling_and_eight_bits(codec: VideoCodec) -> None:
    options = told(codec)
    assert (options["crf"], options["pix_fmt"]) == ("30", "yuv420p")
    said = " ".join(map(str, options.values()))
    assert ("mbr=5000" if codec == "av1" else "5000000") in said


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_a_rate_that_is_asked_for_is_the_average_without_a_constant_quality(codec: VideoCodec) -> None:
    options = told(codec, Average(2_000_000))
    assert options["b"] == 2_000_000
    assert "crf" not in options


def test_x264_has_more_threads_than_processors_and_the_others_have_as_many() -> None:
    assert (told("h264")["threads"], told("vp9")["threads"]) == (3, 2)
    assert "pools=2" in told("hevc")["x265-params"]
    assert "lp=2" in told("av1")["svtav1-params"]


def test_svt_is_never_asked_for_more_than_its_six_levels() -> None:
    options = encoder("av1", "medium", CAPPED, width=1920, threads=64)
    assert "lp=6:" in options["svtav1-params"]


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9"])
def test_hdr_that_is_kept_has_ten_bits_and_its_tags(codec: VideoCodec) -> None:
    options = told(codec, colours=HDR10)
    assert options["pix_fmt"] == "yuv420p10le"
    assert (options["color_trc"], options["color_primaries"], options["colorspace"]) == (
        "smpte2084", "bt2020", "bt2020nc",
    )  # fmt: skip


def test_the_mastering_display_is_told_in_each_encoders_units() -> None:
    x265 = "master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50)"
    assert x265 in told("hevc", colours=HDR10)["x265-params"]
    assert "max-cll=1000,400" in told("hevc", colours=HDR10)["x265-params"]
    svt = "mastering-display=G(0.17000,0.79700)B(0.13100,0.04600)R(0.70800,0.29200)WP(0.31270,0.32900)"
    assert svt + "L(1000.0000,0.0050)" in told("av1", colours=HDR10)["svtav1-params"]


def test_hlg_is_not_called_hdr10() -> None:
    assert "hdr10=1" not in told("hevc", colours=Colours("bt2020", "arib-std-b67", "bt2020nc"))["x265-params"]


def test_what_ffmpeg_knows_of_a_display_is_read() -> None:
    numbers = [35400, 14600, 8500, 39850, 6550, 2300, 15635, 16450]
    pairs = [part for number in numbers for part in (number, 50000)]
    data = struct.pack("=22i", *pairs, 50, 10000, 10_000_000, 10000, 1, 1)
    assert read_mastering(data) == BT2020
    assert read_mastering(struct.pack("=22i", *[0] * 22)) is None
    assert read_mastering(None) is None
    assert read_light(struct.pack("=2I", 1000, 400)) == Light(1000, 400)


def test_options_are_given_to_one_of_several_streams() -> None:
    assert with_specifier({"c": "libx264", "crf": 20}, "v:1") == {"c:v:1": "libx264", "crf:v:1": 20}
