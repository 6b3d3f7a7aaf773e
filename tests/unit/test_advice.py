"""Which other setting is better, and which only looks so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.advice import Setting, alternatives, choose
from pitchey_cli.domain.simulation import PoolResult
from pitchey_cli.domain.waits import WaitSummary

SLEEP = "services.video.sleep_after_seconds"
LEAST = "services.video.min_instances"


def result(cost: int, p95: float = 0.0, *, p99: float | None = None, left: int = 0, starts: int = 1) -> PoolResult:
    waits = WaitSummary(p95=p95, p99=p95 if p99 is None else p99)
    return PoolResult("all", 100, waits, left, 1.0, 0.5, cost, starts, 0, 1, 1.0, 1, 0, 0)


def test_what_saves_and_hardly_keeps_anybody_waiting_is_advised() -> None:
    (found,) = choose(result(1000, 0.8), [(Setting(SLEEP, 120), 300, result(900, 1.2))])
    assert (found.setting.value, found.instead_of, found.saved) == (120, 300, 100)


def test_what_saves_little_or_keeps_people_waiting_is_not() -> None:
    was = result(1000, 0.8)
    for other in (result(960, 0.8), result(500, 30.0), result(500, 0.8, p99=60.0), result(500, 0.8, left=3)):
        assert choose(was, [(Setting(SLEEP, 120), 300, other)]) == []


def test_a_much_shorter_wait_for_little_is_advised_and_for_much_is_not() -> None:
    was = result(1000, 20.0)
    (found,) = choose(was, [(Setting(LEAST, 1), 0, result(1040, 2.0))])
    assert found.saved == -40
    assert choose(was, [(Setting(LEAST, 1), 0, result(1500, 2.0))]) == []
    assert choose(was, [(Setting(LEAST, 1), 0, result(1040, 15.0))]) == []


def test_of_several_values_only_the_best_is_advised_and_the_dearest_mistake_comes_first() -> None:
    tried = [
        (Setting(LEAST, 0), 1, result(700)),
        (Setting(SLEEP, 60), 300, result(400)),
        (Setting(SLEEP, 120), 300, result(600)),
        (Setting(SLEEP, 600), 300, result(1400)),
    ]
    assert [each.setting for each in choose(result(1000), tried)] == [Setting(SLEEP, 60), Setting(LEAST, 0)]


def test_what_costs_nothing_cannot_be_cheaper() -> None:
    assert choose(result(0), [(Setting(SLEEP, 60), 300, result(0))]) == []


@given(
    st.tuples(st.integers(0, 1000), st.floats(0, 100)),
    st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 100)), max_size=6),
)
def test_nothing_is_advised_that_is_worse_in_both(was: tuple[int, float], others: list[tuple[int, float]]) -> None:
    tried = [(Setting(SLEEP, float(place)), 300.0, result(*each)) for place, each in enumerate(others)]
    for each in choose(result(*was), tried):
        assert each.would_be.cost_nanodollars < was[0] or each.would_be.waits.p95 < was[1]


def test_what_is_set_is_not_tried_again_and_no_value_that_could_not_be_set() -> None:
    found = alternatives("video", sleep_after=300.0, least=1, most=1)
    by_key: dict[str, list[float]] = {}
    for setting, _ in found:
        by_key.setdefault(setting.key, []).append(setting.value)
    assert by_key == {
        SLEEP: [30, 60, 120, 600, 1800],
        LEAST: [0],
        "services.video.max_instances": [2],
    }
