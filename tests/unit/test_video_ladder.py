"""Which renditions a stream has."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.specs import Ladder, VideoCodec, VideoSpec, bits_per_second
from processors.video.ladder import Rung, ladder, names, stream_framerate, thinned, without_dominated


def wanted(**fields: Any) -> Ladder:
    return Ladder.model_validate(fields)


def sides(rungs: tuple[Rung, ...]) -> list[tuple[int, int, int]]:
    return [(rung.width, rung.height, rung.bitrate // 1000) for rung in rungs]


def test_a_film_in_full_hd_gets_apples_rungs() -> None:
    assert sides(ladder(1920, 1080, 25, wanted(max_rungs=9))) == [
        (1920, 1080, 7800),
        (1920, 1080, 6000),
        (1280, 720, 4500),
        (1280, 720, 3000),
        (960, 540, 2000),
        (768, 432, 1100),
        (768, 432, 730),
        (640, 360, 365),
        (416, 234, 145),
    ]


def test_fewer_rungs_are_an_even_spread_between_the_best_and_the_cheapest() -> None:
    rungs = ladder(1920, 1080, 25, wanted(max_rungs=4))
    assert (rungs[0].bitrate, rungs[-1].bitrate, len(rungs)) == (7_800_000, 145_000, 4)
    steps = [better.bitrate / worse.bitrate for better, worse in pairwise(rungs)]
    assert max(steps) < 7
    assert len(ladder(1920, 1080, 25, wanted(max_rungs=1))) == 1


def test_an_upright_video_gets_upright_rungs_and_a_wide_one_pays_for_fewer_pixels() -> None:
    assert sides(ladder(1080, 1920, 30, wanted(max_rungs=3)))[0] == (1080, 1920, 7800)
    assert all(rung.width < rung.height for rung in ladder(1080, 1920, 30, wanted()))
    wide = ladder(1920, 800, 24, wanted())[0]
    assert (wide.width, wide.height, wide.bitrate < 7_800_000) == (1920, 800, True)


def test_a_size_between_apples_is_kept_and_what_costs_nearly_as_much_is_not() -> None:
    rungs = ladder(1000, 562, 25, wanted())
    assert (rungs[0].width, rungs[0].height) == (1000, 562)
    assert (960, 540) not in [(rung.width, rung.height) for rung in rungs]


def test_only_small_rungs_of_a_fast_video_have_half_its_frames() -> None:
    assert ladder(640, 360, 60, wanted())[0].framerate == 60
    rates = {rung.height: rung.framerate for rung in ladder(1280, 720, 60, wanted())}
    assert rates == {720: 60, 540: 60, 432: 30, 360: 30, 234: 30}
    assert {rung.framerate for rung in ladder(1280, 720, 30, wanted())} == {30}
    assert [stream_framerate(rate) for rate in (240, 120, 59.94, 24, 0.2)] == [60, 60, 59.94, 24, 10]


def test_limits_are_kept_even_where_no_rung_fits_them() -> None:
    limited = ladder(1920, 1080, 25, wanted(max_bitrate="2500k", min_bitrate="500k"))
    assert [rung.bitrate for rung in limited] == [2_000_000, 1_100_000, 730_000]
    assert [rung.bitrate for rung in ladder(1920, 1080, 25, wanted(max_bitrate="100k"))] == [100_000]
    assert [rung.bitrate for rung in ladder(320, 180, 25, wanted(min_bitrate="2M"))] == [2_000_000]


def test_sizes_that_are_named_are_what_comes_out_but_never_larger_than_the_source() -> None:
    named = wanted(sizes=["1920x1080", "640x360", "320x180"])
    assert [(width, height) for width, height, _ in sides(ladder(1280, 720, 25, named))] == [
        (1280, 720),
        (640, 360),
        (320, 180),
    ]


def test_tiny_sizes_that_are_named_are_all_there() -> None:
    assert len(ladder(160, 90, 25, wanted(sizes=["160x90", "96x54", "64x36"]), share=0.1)) == 3


def test_a_rate_is_that_of_the_best_rung_and_other_codecs_need_less() -> None:
    rungs = ladder(1280, 720, 25, wanted(), top_bitrate=1_500_000)
    assert rungs[0].bitrate == 1_500_000
    rates: dict[VideoCodec, int] = {
        codec: ladder(1280, 720, 25, wanted(), codec=codec)[0].bitrate for codec in ("h264", "hevc", "vp9", "av1")
    }
    assert list(rates.values()) == sorted(rates.values(), reverse=True)


def test_rungs_of_one_size_are_told_apart_by_their_rate() -> None:
    rungs = (Rung(1280, 720, 25, 4_500_000), Rung(1280, 720, 25, 3_000_000), Rung(640, 360, 25, 365_000))
    assert names(rungs) == ("720p-4500k", "720p-3000k", "360p")
    assert names((Rung(404, 720, 25, 1), Rung(234, 416, 25, 1))) == ("404p", "234p")


def test_what_costs_nearly_as_much_as_something_better_is_left_out() -> None:
    rungs = [Rung(8, 8, 25, rate) for rate in (100, 99, 90, 80, 50)]
    assert [rung.bitrate for rung in without_dominated(rungs)] == [100, 80, 50]
    assert [rung.bitrate for rung in thinned(rungs, 2)] == [100, 50]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"minBitrate": "2M", "maxBitrate": "1M"}, "minBitrate 2M is above maxBitrate 1M"),
        ({"maxBitrate": "1k"}, "bitrate 1k is not between 10k and 500M"),
        ({"sizes": ["640x360"], "perTitle": True}, "sizes and perTitle"),
    ],
)
def test_a_ladder_that_cannot_be_is_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        VideoSpec.model_validate({"inputUrl": "a.mp4", "outputFormat": "hls", "ladder": asked})


RATES = st.integers(10, 40_000).map(lambda kilobits: f"{kilobits}k")
BOXES = st.builds("{}x{}".format, st.integers(16, 4000), st.integers(16, 4000))


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    least, most = draw(st.none() | RATES), draw(st.none() | RATES)
    if least and most and bits_per_second(least) > bits_per_second(most):
        least, most = most, least
    sizes = draw(st.none() | st.lists(BOXES, min_size=1, max_size=5))
    return wanted(max_rungs=draw(st.integers(1, 12)), min_bitrate=least, max_bitrate=most, sizes=sizes)


@given(
    st.integers(8, 4000), st.integers(8, 4000), st.floats(10, 60), ladders(),
    st.sampled_from(["h264", "hevc", "vp9", "av1"]), st.floats(0.1, 3), st.none() | st.integers(10_000, 50_000_000),
)  # fmt: skip
def test_rungs_never_exceed_the_source_fall_in_rate_and_never_grow(
    half_width: int,
    half_height: int,
    framerate: float,
    asked: Ladder,
    codec: VideoCodec,
    share: float,
    top: int | None,
) -> None:
    width, height = half_width * 2, half_height * 2
    rungs = ladder(width, height, framerate, asked, codec=codec, share=share, top_bitrate=top)
    assert 1 <= len(rungs) <= (len(asked.sizes) if asked.sizes else asked.max_rungs)
    for rung in rungs:
        assert rung.width <= width and rung.height <= height and rung.framerate <= framerate
        assert rung.width % 2 == rung.height % 2 == 0
        assert asked.max_bitrate is None or rung.bitrate <= bits_per_second(asked.max_bitrate)
        assert asked.min_bitrate is None or rung.bitrate >= bits_per_second(asked.min_bitrate)
    for better, worse in pairwise(rungs):
        assert better.bitrate > worse.bitrate
        assert better.pixels >= worse.pixels
    assert len(set(names(rungs))) == len(rungs)
    if asked.sizes is None and asked.max_bitrate is None and asked.min_bitrate is None:
        assert (rungs[0].width, rungs[0].height) == (width, height)
