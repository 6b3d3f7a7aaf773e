"""How many instances a pool is to have: each rule by itself, what bounds it, and what holds whatever comes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.decision import Headroom, Limit, Metrics, PoolSettings, PoolView, Rule, ScalerState, Wish
from pitchey_cli.domain.demand import Demand
from pitchey_cli.domain.scaling import decide, restart_delay

SETTINGS = PoolSettings(sleep_after_seconds=300, max_instances=20)
QUIET = Metrics(stable_demand=0.0, panic_demand=0.0, wait_seconds=0.0, cpu=0.0, memory=0.0)
NOW = 1000.0


def steady(wanted: int) -> ScalerState:
    """A pool that has had so many for long."""
    return ScalerState(wanted, changed_at=0.0)


# --- each rule by itself


@pytest.mark.parametrize(
    ("pool", "metrics", "rule", "wanted"),
    [
        (PoolView(), QUIET, Rule.NOTHING, 0),
        (PoolView(waiting=1), QUIET, Rule.FIRST_JOB, 1),
        (PoolView(waiting=1, running=2, ready=1, slots=3, is_head_refused=True), QUIET, Rule.NO_FIT, 2),
        (PoolView(running=3, ready=1, slots=3), replace(QUIET, stable_demand=2.1), Rule.CONCURRENCY, 1),
        (PoolView(running=3, ready=1, slots=3), replace(QUIET, stable_demand=2.2), Rule.CONCURRENCY, 2),
        (PoolView(waiting=3, running=3, ready=2, slots=3), replace(QUIET, panic_demand=12.0), Rule.PANIC, 4),
        (
            PoolView(waiting=1, running=1, ready=1, slots=10, slots_of_job=10),
            replace(QUIET, stable_demand=1.4),
            Rule.CONCURRENCY,
            2,
        ),
        (
            PoolView(waiting=3, running=1, ready=1, slots=10, slots_of_job=5),
            replace(QUIET, panic_demand=4.0),
            Rule.PANIC,
            2,
        ),
        (PoolView(waiting=101, running=3, ready=2, slots=3), QUIET, Rule.QUEUE_DEPTH, 3),
        (PoolView(waiting=100, running=3, ready=2, slots=3), QUIET, Rule.QUEUE_DEPTH, 2),
        (PoolView(waiting=10, running=3, ready=2, slots=3), QUIET, Rule.QUEUE_DEPTH, 2),
        (PoolView(waiting=9, running=3, ready=2, slots=3), QUIET, Rule.NOTHING, 1),
        (PoolView(waiting=9, running=3, ready=2, slots=3), replace(QUIET, wait_seconds=30.1), Rule.QUEUE_WAIT, 3),
        (PoolView(waiting=9, running=3, ready=2, slots=3), replace(QUIET, wait_seconds=30.0), Rule.NOTHING, 1),
        (PoolView(running=6, ready=2, slots=3), replace(QUIET, cpu=0.80), Rule.CPU, 2),
        (PoolView(running=6, ready=2, slots=3), replace(QUIET, cpu=0.81), Rule.CPU, 3),
        (PoolView(running=6, ready=2, slots=3), replace(QUIET, memory=0.85), Rule.MEMORY, 2),
        (PoolView(running=6, ready=2, slots=3), replace(QUIET, memory=0.86), Rule.MEMORY, 3),
    ],
)
def test_each_rule_by_itself(pool, metrics, rule, wanted):
    decision = decide(pool, metrics, SETTINGS, steady(pool.active), now=NOW)
    assert (decision.rule, decision.wanted) == (rule, wanted)


def test_what_an_idle_instance_keeps_in_memory_is_no_reason_to_keep_it():
    decision = decide(PoolView(ready=2), replace(QUIET, memory=0.99), SETTINGS, steady(2), now=NOW)
    assert decision.rule is Rule.NOTHING


def test_one_that_starts_is_waited_for_before_the_queue_asks_for_another():
    pool = PoolView(waiting=500, ready=2, starting=1, slots=3)
    assert decide(pool, replace(QUIET, wait_seconds=99.0), SETTINGS, steady(3), now=NOW).wanted == 3


@pytest.mark.parametrize("rule", [Rule.WARM, Rule.WARM_HOURS, Rule.FORECAST])
def test_what_is_to_be_kept_warm_is(rule):
    floors = (Wish(rule, 1, "somebody said so"),)
    decision = decide(PoolView(), QUIET, SETTINGS, ScalerState(), now=NOW, floors=floors)
    assert (decision.wanted, decision.rule) == (1, rule)
    assert decision.why == "somebody said so"


def test_the_minimum_is_kept():
    settings = replace(SETTINGS, min_instances=1)
    assert decide(PoolView(), QUIET, settings, ScalerState(), now=NOW).wanted == 1
    assert decide(PoolView(ready=1), QUIET, settings, steady(1), now=NOW).wanted == 1


def test_the_larger_wish_wins_and_the_reason_names_the_losers_and_the_bounds():
    pool = PoolView(waiting=150, running=3, ready=1, slots=3)
    metrics = replace(QUIET, stable_demand=21.0, cpu=0.9)
    decision = decide(pool, metrics, SETTINGS, steady(1), now=NOW)
    assert (decision.rule, decision.wanted) == (Rule.CONCURRENCY, 2)
    assert {wish.rule for wish in decision.losers} == {Rule.QUEUE_DEPTH, Rule.CPU}
    assert "21.0 jobs at once" in decision.why
    assert "queue_depth asked for 2" in decision.why and "cpu asked for 2" in decision.why
    assert "step: at most doubled: from 1" in decision.why


# --- what bounds a wish


def test_a_panic_begins_at_twice_the_capacity_and_lasts_for_a_stable_window_after_it():
    pool = PoolView(waiting=3, running=3, ready=1, slots=3)
    calm = decide(pool, replace(QUIET, panic_demand=5.9), SETTINGS, steady(1), now=NOW)
    assert calm.state.panic_until is None
    alarmed = decide(pool, replace(QUIET, panic_demand=6.0), SETTINGS, steady(1), now=NOW)
    assert (alarmed.rule, alarmed.wanted, alarmed.state.panic_until) == (Rule.PANIC, 2, NOW + 60)
    after = PoolView(ready=4, slots=3)
    state = replace(steady(4), panic_until=NOW + 60)
    assert decide(after, QUIET, SETTINGS, state, now=NOW + 59).wanted == 4
    assert decide(after, QUIET, SETTINGS, state, now=NOW + 60).wanted == 2  # halved, not gone


def test_after_a_step_nothing_goes_down_for_a_cooldown_but_up_it_goes():
    state = ScalerState(4, changed_at=NOW - 10)
    down = decide(PoolView(ready=4, slots=3), QUIET, SETTINGS, state, now=NOW)
    assert down.wanted == 4
    assert [clamp.limit for clamp in down.clamps] == [Limit.COOLDOWN]
    up = decide(PoolView(running=12, ready=4, slots=3), replace(QUIET, stable_demand=15), SETTINGS, state, now=NOW)
    assert up.wanted == 8
    assert decide(PoolView(ready=4, slots=3), QUIET, SETTINGS, state, now=NOW + 50).wanted == 2


@pytest.mark.parametrize("missing", ["stable_demand", "cpu", "memory"])
def test_what_is_not_known_holds(missing):
    pool = PoolView(running=1, ready=4, slots=3)
    decision = decide(pool, replace(QUIET, **{missing: None}), SETTINGS, steady(4), now=NOW)
    assert decision.wanted == 4
    assert Limit.MISSING in {clamp.limit for clamp in decision.clamps}


def test_what_is_not_known_of_the_use_does_not_hold_an_idle_pool():
    unknown = replace(QUIET, cpu=None, memory=None)
    assert decide(PoolView(ready=1), unknown, SETTINGS, steady(1), now=NOW).wanted == 0


def test_a_step_up_waits_for_its_pace_but_the_first_instance_never_does():
    state = ScalerState(2, changed_at=NOW - 1)
    pool = PoolView(waiting=9, running=6, ready=2, slots=3)
    decision = decide(pool, replace(QUIET, stable_demand=15), SETTINGS, state, now=NOW)
    assert (decision.wanted, decision.clamps[-1].limit) == (2, Limit.PACE)
    first = decide(PoolView(waiting=1), QUIET, SETTINGS, ScalerState(0, changed_at=NOW - 0.1), now=NOW)
    assert first.wanted == 1


def test_starts_that_fail_and_a_host_under_pressure_bound_what_is_asked():
    pool = PoolView(waiting=9, running=3, ready=1, slots=3)
    metrics = replace(QUIET, stable_demand=15)
    for headroom, limit in (
        (Headroom(no_start_for_seconds=3.0), Limit.RESTARTS),
        (Headroom(pressure="the load is 90"), Limit.PRESSURE),
        (Headroom(instances=0, why="the host is full"), Limit.ROOM),
    ):
        decision = decide(pool, metrics, SETTINGS, steady(1), now=NOW, headroom=headroom)
        assert (decision.wanted, decision.clamps[-1].limit) == (1, limit)
        assert decision.is_short_of_room == (limit is Limit.ROOM)


def test_pressure_leaves_a_first_instance_unless_it_is_critical():
    pool = PoolView(waiting=1)
    pressure = Headroom(pressure="the load is 90")
    assert decide(pool, QUIET, SETTINGS, ScalerState(), now=NOW, headroom=pressure).wanted == 1
    critical = replace(pressure, is_critical=True)
    assert decide(pool, QUIET, SETTINGS, ScalerState(), now=NOW, headroom=critical).wanted == 0


def test_starts_that_fail_one_after_the_other_wait_longer_and_longer_up_to_a_minute():
    assert [restart_delay(failures) for failures in (0, 1, 2, 3, 6, 7, 10_000)] == [0, 1, 2, 4, 32, 60, 60]


# --- what holds whatever comes

pools = st.builds(
    PoolView,
    waiting=st.integers(0, 300),
    running=st.integers(0, 60),
    starting=st.integers(0, 8),
    ready=st.integers(0, 12),
    paused=st.integers(0, 4),
    slots=st.integers(1, 10),
    is_head_refused=st.booleans(),
)
shares = st.none() | st.floats(0, 1)
amounts = st.none() | st.floats(0, 400)
metrics_of = st.builds(
    Metrics, stable_demand=amounts, panic_demand=amounts, wait_seconds=st.none() | st.floats(0, 1e5), cpu=shares,
    memory=shares,
)  # fmt: skip
settings_of = st.builds(
    lambda least, extra: replace(SETTINGS, min_instances=least, max_instances=least + extra),
    st.integers(0, 4),
    st.integers(0, 20),
).filter(lambda settings: settings.max_instances > 0)
states = st.builds(
    ScalerState, wanted=st.integers(0, 20), changed_at=st.none() | st.floats(900, 1000),
    panic_until=st.none() | st.floats(900, 1060),
)  # fmt: skip
headrooms = st.builds(
    Headroom, instances=st.none() | st.integers(0, 5), pressure=st.sampled_from(["", "load"]),
    is_critical=st.booleans(), no_start_for_seconds=st.sampled_from([0.0, 5.0]),
)  # fmt: skip


@given(pools, metrics_of, settings_of, states, headrooms)
def test_a_step_is_bounded(pool, metrics, settings, state, headroom):
    wanted = decide(pool, metrics, settings, state, now=NOW, headroom=headroom).wanted
    assert 0 <= wanted <= max(1, 2 * pool.active)
    assert wanted <= settings.max_instances
    if headroom.instances is not None:
        assert wanted <= pool.active + pool.paused + headroom.instances
    # Never below half, but for what bounds it from above.
    bounds = (settings.max_instances, max(1, 2 * pool.active), pool.active)
    assert wanted >= min((state.wanted + 1) // 2 if state.wanted > 1 else 0, *bounds)


@given(pools, metrics_of, settings_of, states, headrooms)
def test_the_reason_is_never_silent_about_a_change(pool, metrics, settings, state, headroom):
    decision = decide(pool, metrics, settings, state, now=NOW, headroom=headroom)
    assert decision.why
    if decision.wanted > decision.was:
        assert decision.rule is not Rule.NOTHING or decision.clamps
    for wish in decision.losers:
        assert f"{wish.rule} asked for {wish.instances}" in decision.why
    for clamp in decision.clamps:
        assert clamp.why in decision.why
    assert decision.state.wanted == decision.wanted


known = st.builds(Metrics, st.floats(0, 400), st.floats(0, 400), st.floats(0, 1e5), st.floats(0, 1), st.floats(0, 1))


@given(pools, known, settings_of, states, headrooms, st.integers(0, 200), st.floats(0, 200), st.floats(0, 0.5))
def test_more_load_never_asks_for_less(pool, metrics, settings, state, headroom, waiting, demand, use):
    more = replace(pool, waiting=pool.waiting + waiting)
    heavier = Metrics(
        metrics.stable_demand + demand,
        metrics.panic_demand + demand,
        metrics.wait_seconds + demand,
        min(1.0, metrics.cpu + use),
        min(1.0, metrics.memory + use),
    )
    before = decide(pool, metrics, settings, state, now=NOW, headroom=headroom)
    after = decide(more, heavier, settings, state, now=NOW, headroom=headroom)
    assert after.wanted >= before.wanted


@given(st.integers(0, 20), st.integers(1, 10))
def test_an_idle_pool_comes_to_nothing_and_stays_there(instances, slots):
    state, now, seen = ScalerState(instances, changed_at=0.0), 61.0, []
    for _ in range(600):
        decision = decide(PoolView(ready=state.wanted, slots=slots), QUIET, SETTINGS, state, now=now)
        state, now = decision.state, now + 1.0
        seen.append(decision.wanted)
    assert seen[-1] == 0
    assert seen == sorted(seen, reverse=True)


@given(st.integers(1, 60), st.integers(1, 10), st.integers(0, 20))
def test_a_constant_load_leads_to_one_size_that_is_kept(jobs, slots, instances):
    """No flapping: from any beginning it goes to its size, and there it stays."""
    demand = Demand(60)
    demand.note(jobs, 0.0)
    state = ScalerState(instances, changed_at=0.0)
    sizes, settings = [], replace(SETTINGS, max_instances=200)
    ready, coming = instances, 0
    for tick in range(1, 1200):
        now = float(tick)
        ready, coming = ready + coming, 0  # what was started at the last tick is ready at this one
        running = min(jobs, ready * slots)
        pool = PoolView(waiting=jobs - running, running=running, ready=ready, slots=slots)
        metrics = Metrics(demand.average(60, now), demand.average(6, now), 0.0, 0.0, 0.0)
        decision = decide(pool, metrics, settings, state, now=now)
        state = decision.state
        coming = max(0, decision.wanted - ready)
        ready = min(ready, max(decision.wanted, -(-running // slots)))  # a busy one is never taken
        sizes.append(decision.wanted)
    settled = sizes[600:]
    assert set(settled) == {settled[0]}
    assert settled[0] * slots >= jobs  # and everybody runs
    assert settled[0] <= -(-jobs // (0.7 * slots)) + 1
    turns = [after - before for before, after in pairwise(sizes) if after != before]
    assert all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns), sizes
