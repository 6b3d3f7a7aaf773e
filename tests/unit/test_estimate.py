"""What a job is expected to take, from those before it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.estimate import LEAST, Estimate, Past, experience, features_of
from processors.vocabulary import Service

MP4 = ("mp4", "medium", "own resolution")
MB = 1_000_000
PASTS = st.lists(
    st.builds(
        Past, st.just(MP4), st.none() | st.integers(0, 10**12), st.integers(0, 10**8).map(lambda ticks: ticks / 100)
    ),
    min_size=LEAST,
    max_size=20,
)


def estimate(past: list[Past], features: tuple[str, ...], size: int | None) -> Estimate | None:
    known = experience(past, features, is_sized=size is not None)
    return None if known is None else known.estimate(size)


def line(count: int, *, noise: float = 0.0, features: tuple[str, ...] = MP4) -> list[Past]:
    """Jobs that took two seconds, and a second for each megabyte."""
    dice = random.Random(7)
    return [Past(features, n * MB, (2 + n) * (1 + dice.uniform(-noise, noise))) for n in range(1, count + 1)]


def test_jobs_on_a_line_are_found_to_be_on_it() -> None:
    found = estimate(line(20), MP4, 40 * MB)
    assert found is not None
    assert found.seconds == pytest.approx(42)
    assert (found.low_seconds, found.high_seconds) == pytest.approx((42, 42))
    assert (found.jobs, found.is_by_size, found.is_far) == (20, True, False)
    assert found.error == pytest.approx(0, abs=1e-9)


def test_a_few_odd_jobs_move_it_hardly() -> None:
    odd = [Past(MP4, MB, 9000.0), Past(MP4, 19 * MB, 0.01)]
    found = estimate([*line(20), *odd], MP4, 10 * MB)
    assert found is not None and found.seconds == pytest.approx(12, rel=0.05)


def test_the_range_holds_about_eight_of_ten_and_the_error_is_what_it_is_wrong_by() -> None:
    past = line(60, noise=0.3)
    found = [estimate(past, MP4, each.input_bytes) for each in past]
    inside = [
        guess is not None and guess.low_seconds <= each.seconds <= guess.high_seconds
        for guess, each in zip(found, past, strict=True)
    ]
    assert 0.7 <= sum(inside) / len(inside) <= 0.95
    assert found[0] is not None and 0.05 < found[0].error < 0.3


def test_too_few_jobs_are_none_to_go_by() -> None:
    assert estimate(line(LEAST - 1), MP4, MB) is None
    assert estimate([], MP4, MB) is None
    assert estimate(line(50, features=("webm", "medium", "own resolution")), MP4, MB) is None


def test_those_most_alike_count_and_others_of_the_kind_where_these_are_too_few() -> None:
    ultra = ("mp4", "ultra", "own resolution")
    slow = [each._replace(features=ultra, seconds=each.seconds * 10) for each in line(10)]
    own, borrowed = (estimate([*line(10), *slow[:count]], ultra, 5 * MB) for count in (10, 2))
    assert own is not None and (own.alike, own.jobs) == (ultra, 10) and own.seconds == pytest.approx(70)
    assert borrowed is not None and (borrowed.alike, borrowed.jobs) == (("mp4",), 12)


def test_an_input_whose_size_nobody_knows_takes_what_jobs_took() -> None:
    found = estimate(line(9), MP4, None)
    assert found is not None and (found.seconds, found.is_by_size) == (7, False)
    assert found.low_seconds < 7 < found.high_seconds


def test_an_input_far_larger_than_any_before_is_a_guess() -> None:
    found = estimate(line(10), MP4, 100 * MB)
    assert found is not None and found.is_far


def test_what_weighs_is_the_kind_and_of_a_video_its_quality_and_resolution() -> None:
    assert features_of(Service.VIDEO, "webm", {"quality": "low"}) == ("webm", "low", "own resolution")
    assert features_of(Service.CODE, "python", {"quality": "low"}) == ("python",)


@given(PASTS, st.none() | st.integers(0, 10**13))
def test_an_estimate_lies_in_its_range_and_below_it_is_nothing(past: list[Past], size: int | None) -> None:
    found = estimate(past, MP4, size)
    assert found is not None
    assert 0 <= found.low_seconds <= found.seconds <= found.high_seconds
    assert found.error >= 0


@given(PASTS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_larger_input_is_never_expected_to_be_quicker(past: list[Past], one: int, two: int) -> None:
    small, large = (estimate(past, MP4, size) for size in sorted((one, two)))
    assert small is not None and large is not None and small.seconds <= large.seconds
