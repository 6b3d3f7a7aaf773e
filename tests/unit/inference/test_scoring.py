"""Labels with scores: what is said where none of them is sure enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.inference.manifest import Scores
from processors.inference.tasks.scoring import with_neutral

HOW = Scores(neutral_below=0.75)


def shares(*scores: float) -> list[dict[str, object]]:
    return [{"label": f"l{place}", "score": score} for place, score in enumerate(scores)]


def test_the_label_for_what_is_not_sure_is_there_in_every_answer() -> None:
    assert with_neutral(shares(0.98, 0.02), HOW) == [*shares(0.98, 0.02), {"label": "NEUTRAL", "score": 0.0}]
    assert [each["label"] for each in with_neutral(shares(0.6, 0.4), HOW)] == ["NEUTRAL", "l0", "l1"]
    assert with_neutral(shares(0.6, 0.4), Scores()) == shares(0.6, 0.4), "and in none of a model that has none"


def test_of_two_labels_that_are_equal_nothing_is_left() -> None:
    assert [each["score"] for each in with_neutral(shares(0.5, 0.5), HOW)] == [1, 0, 0]


def test_of_five_labels_all_keep_a_score() -> None:
    scores = [each["score"] for each in with_neutral(shares(0.3, 0.25, 0.2, 0.15, 0.1), HOW)]
    assert scores[0] == pytest.approx(1 - 0.1 / 0.55 / 2, abs=1e-5) and all(score > 0 for score in scores)


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=8), st.floats(0.1, 1))
def test_scores_stay_shares_in_their_order(weights: list[float], below: float) -> None:
    given_scores = sorted((weight / sum(weights) for weight in weights), reverse=True)
    answer = with_neutral(shares(*given_scores), Scores(neutral_below=below))
    assert (answer[0]["label"] == "NEUTRAL") == (given_scores[0] < below)
    found = [each["score"] for each in answer]
    assert sum(found) == pytest.approx(1, abs=1e-4) and found == sorted(found, reverse=True)
    assert all(0 <= score <= 1 for score in found)
    assert (given_scores[0] < below) == (
        found[0] >= 0.5 and found[1:] != given_scores[1:] and found[0] != given_scores[0]
    )
