"""The search for a quality, against encoders of all kinds."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from processors.video.target import SAMPLE_SECONDS, SAMPLES, next_trial, samples

BOUNDS = (12, 40)


def searched(score: Callable[[int], float], target: float) -> dict[int, float]:
    tried: dict[int, float] = {}
    while (crf := next_trial(tried, target, 23, BOUNDS)) is not None:
        assert crf not in tried
        tried[crf] = score(crf)
    return tried


@given(
    st.floats(70, 100),
    st.lists(st.floats(0, 3), min_size=BOUNDS[1] - BOUNDS[0], max_size=BOUNDS[1] - BOUNDS[0]),
    st.floats(50, 99),
)
def test_a_search_ends_with_the_quality_that_was_asked_for_or_the_best(
    best: float, steps: list[float], target: float
) -> None:
    scores = {BOUNDS[0]: best}
    for crf, step in enumerate(steps, start=BOUNDS[0] + 1):
        scores[crf] = scores[crf - 1] - step
    tried = searched(scores.__getitem__, target)
    if best >= target:
        assert max(tried.values()) >= target
    else:
        assert BOUNDS[0] in tried


def test_a_usual_curve_needs_few_trials() -> None:
    for target in (80, 85, 90, 93, 95, 97):
        tried = searched(lambda crf: 100 - 0.06 * max(0, crf - 10) ** 1.7, target)
        assert len(tried) <= 4
        chosen = max(crf for crf, score in tried.items() if score >= target)
        assert chosen == BOUNDS[1] or tried[chosen] - target <= 0.6 or chosen + 1 in tried


@given(st.floats(0.1, 36000))
def test_samples_lie_within_the_video_and_do_not_overlap(seconds: float) -> None:
    found = samples(seconds)
    ends = [part.end or 0 for part in found]
    assert found[0].start >= 0
    assert ends[-1] <= seconds + 0.001
    assert all(end <= part.start for end, part in zip(ends, found[1:], strict=False))
    assert len(found) in (1, SAMPLES)


def test_a_long_video_costs_no_more_than_a_few_seconds() -> None:
    assert sum(part.seconds(36000) or 0 for part in samples(36000)) == SAMPLES * SAMPLE_SECONDS
