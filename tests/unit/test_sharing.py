"""How nodes share what waits for all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.sharing import PATIENCE_SECONDS, portion, share, share_of_all

WEIGHTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(0, 1e12), min_size=1, max_size=6)
LONG = PATIENCE_SECONDS + 1


@given(st.integers(0, 5000), WEIGHTS)
def test_the_portions_of_all_are_the_whole(whole: int, weights: dict[str, float]) -> None:
    assert sum(portion(whole, each, weights) for each in weights) == whole


@given(st.integers(0, 5000), WEIGHTS)
def test_nobody_has_more_than_one_above_or_below_what_is_due(whole: int, weights: dict[str, float]) -> None:
    total = sum(weights.values())
    for name, weight in weights.items():
        due = whole * weight / total if total else whole / len(weights)
        assert abs(portion(whole, name, weights) - due) < 1.001


def test_for_one_job_one_node_starts_an_instance() -> None:
    weights = {"a": 4.0, "b": 4.0, "c": 4.0}
    taken = [share(1, each, weights, free_elsewhere=0, waited_seconds=0.0) for each in weights]
    assert taken == [1, 0, 0]
    assert [portion(1, each, {"a": 4.0, "b": 5.0}) for each in "ab"] == [0, 1]


@given(st.integers(1, 500), WEIGHTS)
def test_whoever_waits_for_long_is_counted_by_everybody(waiting: int, weights: dict[str, float]) -> None:
    shares = [share(waiting, each, weights, free_elsewhere=99, waited_seconds=LONG) for each in weights]
    assert all(1 <= each <= waiting for each in shares) and sum(shares) >= waiting


def test_what_is_free_elsewhere_is_not_started_here() -> None:
    weights = {"a": 1.0, "b": 1.0}
    assert share(3, "a", weights, free_elsewhere=4, waited_seconds=0.0) == 0
    assert share(7, "a", weights, free_elsewhere=4, waited_seconds=0.0) == 2
    assert share(3, "a", weights, free_elsewhere=4, waited_seconds=LONG) == 2


def test_a_slot_that_is_free_elsewhere_is_for_one_job_whatever_others_ask_of_their_node() -> None:
    weights = {"a": 2.0, "b": 1.0}
    alike = [(4, weights), (4, weights)]
    assert share_of_all(alike, "a", free_elsewhere=4, waited_seconds=0.0) == share(
        4, "a", weights, free_elsewhere=0, waited_seconds=0.0
    )
    only_here = [(3, {"a": 2.0}), (4, weights)]
    assert share_of_all(only_here, "a", free_elsewhere=4, waited_seconds=0.0) == 3


@given(st.integers(0, 5000), st.integers(0, 50), st.floats(0, 100))
def test_who_is_alone_takes_all(waiting: int, free: int, waited: float) -> None:
    assert share(waiting, "a", {"a": 1.0}, free_elsewhere=free, waited_seconds=waited) == waiting
