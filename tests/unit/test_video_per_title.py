"""The rungs that trials of a video lead to."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from processors.video.per_title import HEADROOM, Trial, decibels, hull, per_title


def trials_of(detail: float) -> list[Trial]:
    """Three sizes at three qualities; the more detail, the more a small picture loses."""
    found = []
    for width, height in ((1280, 720), (640, 360), (320, 180)):
        for crf in (23, 29, 35):
            rate = width * height * detail * 2 ** ((23 - crf) / 6)
            blur = detail * math.log2(1280 / width) * 2
            found.append(Trial(width, height, crf, rate, 20 - (crf - 23) / 2 - blur))
    return found


def test_a_trial_that_costs_more_and_looks_worse_is_not_on_the_hull() -> None:
    good, worse, dear = Trial(4, 2, 20, 100, 10), Trial(4, 2, 20, 150, 9), Trial(4, 2, 20, 200, 12)
    assert hull([dear, worse, good]) == [good, dear]


def test_a_trial_below_the_line_between_two_others_is_not_on_the_hull() -> None:
    ends = [Trial(4, 2, 30, 100, 10), Trial(4, 2, 20, 400, 20)]
    assert hull([*ends, Trial(4, 2, 25, 200, 14)]) == ends
    assert len(hull([*ends, Trial(4, 2, 25, 200, 16)])) == 3


def test_an_easy_video_gets_large_pictures_where_a_hard_one_gets_small_ones() -> None:
    easy = per_title(trials_of(0.2), 25, most_rungs=6, most_bitrate=1e9, least_bitrate=0)
    hard = per_title(trials_of(4), 25, most_rungs=6, most_bitrate=1e9, least_bitrate=0)
    assert easy[0].width == hard[0].width == 1280
    assert easy[0].bitrate < hard[0].bitrate / 5
    assert easy[-1].pixels <= easy[0].pixels


def test_a_rung_has_the_quality_that_its_rate_needs() -> None:
    (rung,) = per_title([Trial(640, 360, 23, 800_000, 15), Trial(640, 360, 29, 400_000, 12)], 25,
                        most_rungs=1, most_bitrate=565_685, least_bitrate=0)  # fmt: skip
    assert rung.crf == 26
    assert rung.bitrate == 565_685


def test_similarity_is_told_in_steps_that_look_alike() -> None:
    assert [round(decibels(value), 6) for value in (0.9, 0.99)] == [10, 20]
    assert decibels(1) == 60


@st.composite
def some_trials(draw: st.DrawFn) -> list[Trial]:
    sizes = draw(st.lists(st.sampled_from([(1280, 720), (960, 540), (640, 360), (416, 234)]), min_size=1, unique=True))
    return [
        Trial(*size, crf, draw(st.floats(20_000, 2e7)), draw(st.floats(1, 40)))
        for size in sizes
        for crf in (23, 29, 35)
    ]


@given(some_trials(), st.integers(1, 12), st.floats(50_000, 2e7), st.floats(0, 1e6))
def test_rungs_fall_in_rate_never_grow_and_keep_the_limits(
    trials: list[Trial], most: int, most_bitrate: float, least_bitrate: float
) -> None:
    rungs = per_title(trials, 25, most_rungs=most, most_bitrate=most_bitrate, least_bitrate=least_bitrate)
    assert 1 <= len(rungs) <= most
    sizes = {trial.size for trial in trials}
    for rung in rungs:
        assert (rung.width, rung.height) in sizes
        assert rung.bitrate <= math.ceil(most_bitrate)
        assert rung.crf is not None and 1 <= rung.crf <= 51
    assert rungs[0].bitrate <= max(trial.bitrate for trial in trials) * HEADROOM + 1
    for better, worse in pairwise(rungs):
        assert better.bitrate > worse.bitrate and better.pixels >= worse.pixels


@given(some_trials())
def test_the_hull_rises_ever_more_slowly(trials: list[Trial]) -> None:
    edge = hull(trials)
    assert edge and edge[-1].quality == max(trial.quality for trial in trials)
    slopes = [
        (other.quality - one.quality) / (math.log(other.bitrate) - math.log(one.bitrate))
        for one, other in pairwise(edge)
        if math.log(other.bitrate) - math.log(one.bitrate) > 1e-6
    ]
    assert all(slope > 0 for slope in slopes)
    assert all(one >= other * 0.999 for one, other in pairwise(slopes))
