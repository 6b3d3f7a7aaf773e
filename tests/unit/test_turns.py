"""Whose turn it is: nobody starves, shares are fair, keys and hours are kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.off_peak import OffPeak
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.turns import Flow, KeyLimit, KeyUse, Queue, QueuePolicy, Turns
from pitchey_cli.domain.windows import Window
from processors.vocabulary import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def flow(number: int, organisation: str = "acme", *, queued_since: datetime = NOON, **changes: object) -> Flow:
    line = Flow(number, organisation, "", 3, "", False, False, 1000, queued_since, queued_since)
    return replace(line, **changes)  # type: ignore[arg-type]


def turns(*flows: Flow, policy: QueuePolicy | None = None, now: datetime = NOON, **queue: object) -> Turns:
    return Turns(Queue(flows, **queue), policy or QueuePolicy(), now=now)  # type: ignore[arg-type]


def given_turns(of: Turns, count: int) -> list[int]:
    order: list[int] = []
    for _ in range(count):
        chosen = of.next()
        if chosen is None:
            break
        of.serve(chosen, 1)
        order.append(chosen.id)
    return order


def test_a_higher_priority_goes_first() -> None:
    assert given_turns(turns(flow(1, priority=2, queued=1), flow(2, priority=4, queued=2)), 9) == [2, 2, 1]


def test_what_was_passed_over_long_enough_gets_one_turn() -> None:
    old = flow(1, priority=2, queued_since=NOON - timedelta(seconds=1300))
    assert given_turns(turns(old, flow(2, priority=3)), 3) == [1, 2, 2]


def test_a_line_that_was_served_lately_does_not_age() -> None:
    old = flow(1, priority=2, queued_since=NOON - timedelta(days=1), last_served_at=NOON - SECOND)
    assert given_turns(turns(old, flow(2, priority=3)), 1) == [2]


def test_organisations_share_by_weight() -> None:
    policy = QueuePolicy(weights={"big": 3.0})
    order = given_turns(turns(flow(1, "big"), flow(2, "small"), policy=policy), 400)
    assert Counter(order) == {1: 300, 2: 100}


def test_an_organisation_with_many_batches_gets_no_more_than_one_with_a_single_one() -> None:
    lines = [flow(n, "many", batch=f"b{n}") for n in range(1, 6)]
    order = Counter(given_turns(turns(*lines, flow(9, "single")), 100))
    assert order[9] == 50
    assert {order[n] for n in range(1, 6)} == {10}


def test_who_was_away_cannot_save_up_turns() -> None:
    order = given_turns(turns(flow(1, "busy"), flow(2, "back"), served={"busy": 1e6, "back": 0.0}), 20)
    assert order[:8] == [2] * 8
    assert Counter(order[8:]) == {1: 6, 2: 6}


def test_a_key_holds_its_jobs_back_and_nobody_else() -> None:
    policy = QueuePolicy(keys={"camera": KeyLimit(2)})
    assert given_turns(turns(flow(1, key="camera", priority=5), flow(2, queued=2), policy=policy), 9) == [1, 1, 2, 2]
    busy = turns(flow(1, key="camera"), policy=policy, keys={"camera": KeyUse(running=2)})
    assert (busy.next(), busy.demand()) == (None, 0)


def test_starts_of_a_key_are_spaced() -> None:
    policy = QueuePolicy(keys={"api": KeyLimit(5, per_minute=10)})
    first = turns(flow(1, key="api"), policy=policy)
    assert given_turns(first, 5) == [1]
    assert first.rates() == {"api": NOON + timedelta(seconds=6)}
    too_soon = turns(flow(1, key="api"), policy=policy, keys={"api": KeyUse(0, NOON + SECOND)})
    assert too_soon.next() is None
    assert given_turns(turns(flow(1, key="api"), policy=policy, now=NOON + 6 * SECOND,
                             keys={"api": KeyUse(1, NOON + 6 * SECOND)}), 5) == [1]  # fmt: skip


def test_off_peak_jobs_wait_for_their_hours() -> None:
    policy = QueuePolicy(off_peak=OffPeak((Window(time(22), time(6)),), UTC))
    assert turns(flow(1, is_off_peak=True), policy=policy).next() is None
    assert turns(flow(1, is_off_peak=True), policy=policy, now=NOON + timedelta(hours=11)).next() is not None
    assert turns(flow(1, is_off_peak=True)).next() is not None  # nobody has set any hours


def test_the_wait_for_off_peak_hours_is_nobodys_delay_and_gives_no_precedence() -> None:
    policy = QueuePolicy(off_peak=OffPeak((Window(time(22), time(6)),), UTC))
    ten = NOON + timedelta(hours=10)
    night = turns(flow(1, is_off_peak=True), flow(2, queued_since=ten - SECOND), policy=policy, now=ten + 5 * SECOND)
    assert (night.oldest(), night.wait_seconds()) == (ten - SECOND, 5.5)
    late = turns(flow(1, is_off_peak=True), flow(2, queued_since=ten), policy=policy, now=ten + timedelta(minutes=11))
    assert late.oldest() == ten
    assert given_turns(turns(flow(1, is_off_peak=True), flow(2, priority=4), policy=policy, now=ten), 2) == [2, 2]


def test_a_node_that_may_be_taken_away_gives_turns_to_those_who_do_not_mind_and_counts_no_others() -> None:
    both = flow(1, queued=4, priority=5), flow(2, is_spot_ok=True, queued=2)
    on_spot = turns(*both, policy=QueuePolicy(is_spot=True))
    assert on_spot.demand() == 2
    assert given_turns(on_spot, 9) == [2, 2]
    assert given_turns(turns(*both), 9) == [1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [(Window(time(22), time(6)), (23, 3), (6, 12)), (Window(time(9), time(17)), (9, 16), (17, 3))],
)
def test_a_window_may_pass_midnight(window: Window, inside: tuple[int, ...], outside: tuple[int, ...]) -> None:
    assert all(window.contains(NOON.replace(hour=hour)) for hour in inside)
    assert not any(window.contains(NOON.replace(hour=hour)) for hour in outside)


LINES = st.lists(st.tuples(st.integers(1, 5), st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=8)


@given(LINES, st.integers(1, 3))
def test_nobody_starves(lines: list[tuple[int, str, int]], width: int) -> None:
    """With a stream of urgent work beside them, all jobs run, each after so many rounds as ageing allows."""
    policy = QueuePolicy(ageing_seconds=60)
    flows = {n: flow(n, org, priority=p, queued=q) for n, (p, org, q) in enumerate(lines, start=1)}
    flows[0] = flow(0, "flood", priority=5, queued=10**6)
    served: dict[str, float] = {}
    now, rounds = NOON, 0
    waiting = sum(each.queued for number, each in flows.items() if number)
    while waiting:
        asked = turns(*(each for each in flows.values() if each.queued), policy=policy, now=now, served=served)
        for _ in range(width):
            chosen = asked.next()
            assert chosen is not None
            asked.serve(chosen, 1)
            line = flows[chosen.id]
            flows[chosen.id] = replace(line, queued=line.queued - 1, queued_since=NOON, last_served_at=now)
            waiting -= chosen.id != 0
        served.update(asked.served)
        now += timedelta(seconds=60)
        rounds += 1
        assert rounds <= 4 * 32 * (5 + len(lines)), "somebody starves"


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.integers(50, 300))
def test_shares_are_never_off_by_more_than_a_turn(weights: list[int], count: int) -> None:
    names = [f"org{n}" for n in range(len(weights))]
    policy = QueuePolicy(weights=dict(zip(names, map(float, weights), strict=True)))
    order = Counter(given_turns(turns(*(flow(n, name) for n, name in enumerate(names)), policy=policy), count))
    service = [order[n] / weight for n, weight in enumerate(weights)]
    assert max(service) - min(service) <= 1 + 1e-9


def test_a_budget_that_is_used_up_holds_the_flows_it_covers_and_no_others() -> None:
    flows = flow(1, "acme", queued=2), flow(2, "others", queued=2)

    def order(scope: Scope) -> tuple[list[int], int]:
        policy = QueuePolicy(capped=frozenset([scope]))
        found = turns(*flows, policy=policy, service=Service.VIDEO)
        demand = found.demand()
        return given_turns(found, 9), demand

    assert order(Scope("acme")) == order(Scope("acme", Service.VIDEO)) == ([2, 2], 2)
    assert order(Scope("", Service.VIDEO)) == order(Scope()) == ([], 0)
    assert order(Scope("acme", Service.CODE)) == ([1, 2, 1, 2], 4)
