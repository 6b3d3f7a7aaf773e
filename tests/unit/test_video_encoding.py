"""From a spec and a probe to ffmpeg's arguments, by equality."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.colours import Colours
from processors.ffmpeg.cut import Cut
from processors.ffmpeg.filters import Filter, fitted, upright
from processors.ffmpeg.program import FFMPEG
from processors.ffmpeg.progress import ProgressReader
from processors.ffmpeg.safety import MOST_PIXELS, SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.streams import Audio, Probe, Video
from processors.ffmpeg.tasks import Source
from processors.specs import VideoSpec, bits_per_second
from processors.video.codecs import CRF
from processors.video.encoding import Transcode, Wanted
from processors.video.encoding import transcode as planned_transcode
from processors.video.quality import TIERS, ceiling, fit
from processors.video.sounds import sounds

SAFE = [
    *("-codec_whitelist", str(SAFE_DECODER["codec_whitelist"])),
    *("-format_whitelist", SAFE_INPUT["format_whitelist"], "-max_pixels", str(MOST_PIXELS)),
    *("-protocol_whitelist", "file,pipe"),
]
HD = Video(0, "h264", 10.0, width=1920, height=1080, framerate=30.0, time_base=Fraction(1, 15360), matrix="bt709")
CLIP = Probe("mov,mp4", True, 10.0, 1_000_000, None, [HD], [Audio(1, "aac", 10.0, is_default=True)])
SILENT = replace(CLIP, audios=[])


def asked(**fields: Any) -> VideoSpec:
    return VideoSpec.model_validate({"inputUrl": "a.mp4", **fields})


def transcode(probe: Probe = CLIP, **fields: Any) -> Transcode:
    spec, source = asked(**fields), Source(Path("/in/a.mp4"), "a.mp4", probe)
    part = Cut(spec.start or 0.0, spec.end)
    wanted = Wanted(part=part, sounds=sounds(spec, probe, "a.mp4"), threads=2)
    return planned_transcode(spec, source, probe.videos[0], wanted)


def option(step: Transcode, name: str) -> str:
    return step.argv[step.argv.index(name) + 1]


def test_an_mp4_is_capped_h264_and_aac_that_a_browser_can_start_at_once() -> None:
    step = transcode()
    assert list(step.argv) == [
        *FFMPEG, "-filter_complex_threads", "2", *SAFE, "-threads", "2", "-i", "/in/a.mp4",
        "-filter_complex", "[0:0]scale=1920:1080[s0];[s0]setsar=1[s1]", "-map", "[s1]", "-map", "0:1",
        "-b:a:0", "128000", "-bufsize:v", "15600000", "-c:a", "aac", "-c:v", "libx264", "-crf:v", "23",
            "-disposition:a:0", "+default",
        "-enc_time_base:v", "1:15360", "-filter:a:0", "aformat=channel_layouts=mono|stereo|5.1|7.1",
        "-fps_mode:v", "vfr", "-map_chapters", "0", "-map_metadata", "0", "-maxrate:v", "7800000",
        "-movflags", "+faststart", "-pix_fmt:v", "yuv420p", "-preset:v", "medium", "-threads:v", "3", "video.mp4", "-y",
    ]  # fmt: skip


def test_a_webm_is_vp9_and_opus_in_its_box() -> None:
    step = transcode(outputFormat="webm", quality="low", resolution="640x480", framerate=24)
    assert option(step, "-filter_complex") == "[0:0]fps=fps=24[s0];[s0]scale=640:360[s1];[s1]setsar=1[s2]"
    wanted = {"-c:v": "libvpx-vp9", "-crf:v": "39", "-b:v": "412750", "-c:a": "libopus", "-b:a:0": "96000"}
    assert {key: option(step, key) for key in wanted} == wanted
    assert "-fps_mode:v" not in step.argv


def test_a_cut_is_sought_in_the_input_and_ends_the_output_with_its_chapters() -> None:
    step = transcode(start=2, end=4.5)
    before = step.argv[: step.argv.index("-i")]
    assert (before[before.index("-ss") + 1], before[before.index("-t") + 1]) == ("2.0", "2.5")
    assert step.argv[step.argv.index("-i") :].count("-t") == 1
    assert step.seconds == 2.5


def test_a_bit_rate_that_is_asked_for_replaces_the_constant_quality() -> None:
    step = transcode(bitrate="2M")
    assert "-crf:v" not in step.argv
    assert [option(step, key) for key in ("-b:v", "-maxrate:v", "-bufsize:v")] == [
        "2000000", "3000000", "4000000",
    ]  # fmt: skip


def test_a_silent_video_stays_silent() -> None:
    step = transcode(SILENT)
    assert "-c:a" not in step.argv


def test_hdr_is_tone_mapped_in_video_and_pictures() -> None:
    assert "tonemap=" in " ".join(transcode(replace(SILENT, videos=[replace(HD, transfer="smpte2084")])).argv)
    assert "tonemap" in [
        each.name
        for each in fitted(2, 2, hdr=Colours("bt2020", "smpte2084", "bt2020nc"), framerate=None, is_full_range=True)
    ]


MATRICES = {
    "as stored": ((1, 0, 0, 1), ()),
    "upside down": ((-1, 0, 0, -1), (Filter("hflip"), Filter("vflip"))),
    "clockwise": ((0, 1, -1, 0), (Filter("transpose", ["clock"]),)),
    "counterclockwise": ((0, -1, 1, 0), (Filter("transpose", ["cclock"]),)),
    "a selfie": ((-1, 0, 0, 1), (Filter("hflip"),)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_display_matrix_becomes_a_turn(name: str) -> None:
    (a, b, c, d), filters = MATRICES[name]
    one = 1 << 16
    assert upright(struct.pack("=9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)) == filters


@pytest.mark.parametrize(
    ("size", "box", "fitted"),
    [
        ((1920, 1080), None, (1920, 1080)),
        ((1920, 1080), "1280x720", (1280, 720)),
        ((1920, 1080), "1280x1280", (1280, 720)),
        ((640, 272), "1280x720", (640, 272)),
        ((193, 145), None, (192, 144)),
        ((1080, 1920), "1280x720", (404, 720)),
        ((4000, 20), "100x100", (100, 2)),
    ],
)
def test_a_picture_fits_its_box(size: tuple[int, int], box: str | None, fitted: tuple[int, int]) -> None:
    assert fit(*size, box) == fitted


SIDES = st.integers(10, 5000)


@given(SIDES, SIDES, SIDES, SIDES)
def test_a_fitted_picture_is_even_within_its_box_and_never_larger(w: int, h: int, box_w: int, box_h: int) -> None:
    width, height = fit(w, h, f"{box_w}x{box_h}")
    assert width % 2 == height % 2 == 0
    assert 2 <= width <= min(w, box_w)
    assert 2 <= height <= min(h, box_h)


def test_a_better_tier_never_has_less() -> None:
    tiers = [TIERS[name] for name in ("low", "medium", "high", "ultra")]
    assert tiers == sorted(tiers, key=lambda tier: tier.ceiling_1080p30)
    for of_codec in CRF.values():
        qualities = [of_codec[name] for name in ("low", "medium", "high", "ultra")]
        assert qualities == sorted(set(qualities), reverse=True)
    assert [ceiling(TIERS["medium"], *size, 30) for size in ((1920, 1080), (1280, 720))] == [7_800_000, 4_246_000]


@pytest.mark.parametrize(("text", "rate"), [("800000", 800_000), ("2500k", 2_500_000), ("2.5M", 2_500_000)])
def test_bit_rates_are_read_as_ffmpeg_writes_them(text: str, rate: int) -> None:
    assert bits_per_second(text) == rate


def test_progress_is_read_block_by_block() -> None:
    seen: list[tuple[float, float | None]] = []
    reader = ProgressReader(lambda seconds, speed: seen.append((seconds, speed)))
    for line in "out_time_us=N/A\nspeed=N/A\nprogress=continue\nout_time_us=1500000\nspeed= 2.5x\nprogress=end".split(
        "\n"
    ):
        reader(line)
    assert seen == [(0.0, None), (1.5, 2.5)]
