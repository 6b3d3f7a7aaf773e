"""The simulation against what queueing theory knows, and what a person would notice in its results.

The bounds are confidence bounds: of a dozen independent runs, the theory has to lie within a few standard errors of
the mean. Seeds are fixed, so a test that passes passes always.
"""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from statistics import mean, stdev

import numpy as np
import pytest

from pitchey_cli.domain.arrivals import Arrival
from pitchey_cli.domain.capacity import CapacityPolicy, Size
from pitchey_cli.domain.decision import PoolSettings
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.loads import Durations, RecordedLoad, Shape, Spread, Stream, SyntheticLoad, rate_at
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.simulated_pool import PoolModel
from pitchey_cli.domain.simulation import PoolResult, Result, Scenario, run
from processors.vocabulary import Service

VIDEO = PoolKey(Service.VIDEO)
LARGE = Size(1e6, 10**6 * GIB)
SMALL = Size(1, GIB)
WARM_UP = 250.0  # what has piled up until all servers are there has to be gone


def fixed(servers: int) -> PoolModel:
    """Always so many, of one slot each."""
    settings = PoolSettings(300, min_instances=servers, max_instances=servers)
    return PoolModel(settings, 1, SMALL, 0.144, start_seconds=0.0)


def one(model: PoolModel, load: SyntheticLoad | RecordedLoad, seed: int = 1, **changes: object) -> PoolResult:
    scenario = replace(Scenario({VIDEO: model}, LARGE), **changes)  # type: ignore[arg-type]
    return run(scenario, load, seed=seed).total


def stream(per_second: float, seconds: float, spread: Spread = Spread.EXPONENTIAL) -> Stream:
    return Stream(VIDEO, per_second, Durations(seconds, spread))


def erlang_c(servers: int, offered: float) -> float:
    """The share of the jobs that wait in M/M/c (A. K. Erlang, 1917)."""
    below = sum(offered**n / math.factorial(n) for n in range(servers))
    top = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return top / (below + top)


def within(values: list[float], expected: float, errors: float = 4.0) -> None:
    """The expected value lies within so many standard errors of the mean."""
    error = stdev(values) / math.sqrt(len(values))
    assert abs(mean(values) - expected) <= errors * error, (mean(values), expected, error)
    assert error < 0.1 * expected  # a bound that anything would pass is no test


# --- closed forms


@pytest.mark.parametrize(("servers", "load", "seconds"), [(1, 0.7, 0.1), (3, 0.8, 0.1), (10, 0.9, 0.5), (40, 0.9, 1.0)])
def test_with_a_fixed_number_of_servers_the_waits_are_those_of_erlang(servers, load, seconds):
    rate = load * servers / seconds
    length = WARM_UP + 40_000 / rate
    runs = [
        one(fixed(servers), SyntheticLoad((stream(rate, seconds),), length), seed, warm_up_seconds=WARM_UP)
        for seed in range(12)
    ]
    waiting = erlang_c(servers, servers * load)
    within([each.waits.share_waiting for each in runs], waiting)
    within([each.waits.mean for each in runs], waiting * seconds / (servers * (1 - load)))
    within([each.busy_share for each in runs], load)
    # The wait of those who wait is exponential: so is its tail.
    p95 = max(0.0, math.log(waiting / 0.05) * seconds / (servers * (1 - load)))
    if p95:
        within([each.waits.p95 for each in runs], p95, errors=5.0)


def test_with_equal_service_times_the_mean_wait_is_that_of_pollaczek_and_khinchine():
    seconds, load = 0.1, 0.8
    works = SyntheticLoad((stream(load / seconds, seconds, Spread.FIXED),), WARM_UP + 4_000.0)
    runs = [one(fixed(1), works, seed, warm_up_seconds=WARM_UP) for seed in range(10)]
    within([each.waits.mean for each in runs], load * seconds / (2 * (1 - load)))


def test_lognormal_service_times_wait_as_their_variance_says():
    seconds, load, deviation = 0.1, 0.6, 0.5
    durations = Durations(seconds, Spread.LOGNORMAL, deviation)
    works = SyntheticLoad((Stream(VIDEO, load / seconds, durations),), WARM_UP + 3_000.0)
    runs = [one(fixed(1), works, seed, warm_up_seconds=WARM_UP) for seed in range(10)]
    within([each.waits.mean for each in runs], (1 + deviation**2) * load * seconds / (2 * (1 - load)))


def test_with_room_for_everybody_as_many_run_as_little_says_and_at_most_what_poisson_allows():
    rate, seconds = 500.0, 0.2
    works = SyntheticLoad((stream(rate, seconds),), WARM_UP + 200.0)
    runs = [one(fixed(400), works, seed, warm_up_seconds=WARM_UP) for seed in range(8)]
    assert all(each.waits.share_waiting == 0 for each in runs)
    within([each.mean_running for each in runs], rate * seconds)
    for each in runs:  # a Poisson number of mean 100, looked at ten thousand times over
        assert 100 + 2.5 * 10 < each.peak_running < 100 + 6 * 10


# --- what a person would notice

DAY = 86400.0
POOL = PoolModel(PoolSettings(300, 0, 8), 3, Size(2, 2 * GIB), 0.144, start_seconds=2.0)


def quiet_day(seed: int = 1, **changes: object) -> PoolResult:
    load = SyntheticLoad((stream(60 / 3600, 30.0),), DAY / 4)
    return one(replace(POOL, **changes), load, seed)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_result_and_another_one_another():
    assert quiet_day(3) == quiet_day(3)
    assert quiet_day(3) != quiet_day(4)


def test_nothing_comes_and_nothing_is_started():
    nothing = RecordedLoad.of([], begin=0.0, end=DAY)
    result = run(Scenario({}, LARGE), nothing, seed=1)
    assert (result.pools, result.total.jobs, result.total.cost_nanodollars) == ((), 0, 0)


def test_one_job_pays_for_its_start_its_work_and_its_idle_time_and_waits_for_the_start():
    job = RecordedLoad.of([Arrival(100.0, "video", 50.0)], begin=0.0, end=3600.0)
    result = one(replace(POOL, start_seconds=2.0, waiting_price_per_hour=0.0), job)
    assert (result.jobs, result.cold_starts, result.waits.longest) == (1, 1, pytest.approx(2.0))
    assert result.instance_hours * 3600 == pytest.approx(2 + 50 + 300, abs=1.1)
    assert result.cost_nanodollars == pytest.approx(0.144 * result.instance_hours * 1e9, abs=1)
    assert result.busy_share == pytest.approx(50 / 3 / 352, rel=0.01)


def test_a_paused_instance_wakes_faster_than_a_new_one_starts():
    jobs = [Arrival(at, "video", 10.0) for at in (0.0, 200.0, 400.0)]
    result = one(POOL, RecordedLoad.of(jobs))
    assert (result.cold_starts, result.unpauses) == (1, 2)
    assert result.waits.mean == pytest.approx((2.0 + 0.1 + 0.1) / 3)


def test_sleeping_later_costs_more_and_starts_less():
    early, late = (quiet_day(settings=PoolSettings(seconds, 0, 8)) for seconds in (10, 1800))
    assert early.instance_hours < late.instance_hours
    assert early.cold_starts > late.cold_starts
    assert early.waits.mean > late.waits.mean


def test_a_minimum_of_one_leaves_nobody_to_wait_for_a_start():
    warm = quiet_day(settings=PoolSettings(300, 1, 8))
    assert warm.cold_starts < quiet_day().cold_starts
    assert warm.instance_hours >= 6.0 - 0.01


def test_a_burst_is_met_with_more_instances_which_go_again():
    load = SyntheticLoad((Stream(VIDEO, 0.05, Durations(30.0), Shape.BURST),), DAY / 4)
    result = one(POOL, load)
    assert result.peak_instances > 3
    assert result.instance_hours < 0.7 * result.peak_instances * 6
    assert result.still_waiting < 20


def test_a_trace_keeps_its_order_and_its_pools():
    arrivals = [Arrival(5.0, "video", 1.0), Arrival(1.0, "media", 2.0), Arrival(3.0, "video", 4.0, "standard-4")]
    load = RecordedLoad.of(arrivals)
    assert load.pools == [PoolKey(Service.MEDIA), PoolKey(Service.VIDEO), PoolKey(Service.VIDEO, "standard-4")]
    (block,) = load.blocks(0)
    assert (block.at.tolist(), block.pool.tolist(), block.seconds.tolist()) == ([0, 2, 4], [0, 2, 1], [2, 4, 1])


def several(
    total: Size, hosts: int = 1, seconds: float = 3600.0, seed: int = 1
) -> tuple[Result, dict[PoolKey, PoolModel]]:
    sizes = {"media": Size(0.5, GIB // 2), "video": Size(2, 2 * GIB), "inference": Size(4, 8 * GIB)}
    pools = {PoolKey(Service(name)): PoolModel(PoolSettings(300, 0, 8), 2, size, 0.1) for name, size in sizes.items()}
    streams = tuple(Stream(key, 0.05, Durations(40.0)) for key in pools)
    return run(Scenario(pools, total, hosts), SyntheticLoad(streams, seconds), seed=seed), pools


def test_pools_that_do_not_fit_beside_each_other_take_turns_and_all_get_work_done():
    result, _ = several(Size(16, 8 * GIB))  # the largest needs all of it
    assert all(pool.jobs > 10 for pool in result.pools), result
    assert result.total.peak_instances <= 16


def test_on_two_hosts_nobody_spans_both():
    alone = {VIDEO: replace(POOL, size=Size(2, 3 * GIB), slots=1)}
    load = SyntheticLoad((stream(1.0, 60.0),), 3600.0)
    for hosts, most in ((1, 1), (2, 2), (5, 5)):  # each has room for one and two thirds
        result = run(Scenario(alone, Size(16, 5 * GIB), hosts), load, seed=1)
        assert result.total.peak_instances == most


def test_what_is_hopeless_waits_and_keeps_nobody_else_from_work():
    models = {VIDEO: POOL, PoolKey(Service.INFERENCE): replace(POOL, size=Size(4, 8 * GIB))}
    streams = tuple(Stream(key, 0.02, Durations(20.0)) for key in models)
    result = run(Scenario(models, Size(8, 4 * GIB)), SyntheticLoad(streams, 7200.0), seed=1)
    by_name = {pool.name: pool for pool in result.pools}
    assert by_name["inference"].jobs == 0 and by_name["inference"].still_waiting > 50
    assert by_name["video"].waits.p95 < 60


def test_the_rates_of_a_day_and_of_bursts_are_what_was_asked_for_on_average():
    for shape in Shape:
        load = SyntheticLoad((Stream(VIDEO, 2.0, Durations(1.0), shape),), DAY)
        jobs = sum(len(block.at) for block in load.blocks(7))
        assert jobs == pytest.approx(2.0 * DAY, abs=5 * math.sqrt(2.0 * DAY))
        assert load.expected_jobs == pytest.approx(2.0 * DAY, rel=1e-9)
        ends = [float(block.at[-1]) for block in load.blocks(7)]
        assert ends == sorted(ends) and ends[-1] <= DAY


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("seconds", [60.0, 1750.0, 1800.0, 40_000.0, 100_000.0])
def test_how_many_jobs_are_expected_is_the_integral_of_the_rate(shape, seconds):
    at = (np.arange(1_000_000) + 0.5) * (seconds / 1_000_000)
    integral = float(rate_at(shape, 2.0, at).mean()) * seconds
    load = SyntheticLoad((Stream(VIDEO, 2.0, Durations(1.0), shape),), seconds)
    assert load.expected_jobs == pytest.approx(integral, rel=1e-3)


def test_a_queue_that_only_grows_takes_few_bytes_for_each_job():
    jobs = 300_000
    load = SyntheticLoad((stream(jobs / 60, 1e6),), 60.0)
    tracemalloc.start()
    result = one(fixed(1), load)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.still_waiting == pytest.approx(jobs, rel=0.01)
    assert most < 16_000_000  # a third of it is the queue; a tuple for each would take twice all this


def test_what_is_counted_begins_after_the_warm_up():
    model = fixed(5)
    load = SyntheticLoad((stream(0.2, 10.0),), 4000.0)
    counted = one(model, load, warm_up_seconds=1000.0)
    assert counted.instance_hours == pytest.approx(5 * 3000 / 3600)
    assert counted.cold_starts == 0
    assert counted.jobs == pytest.approx(0.2 * 3000, abs=100)


def test_progress_goes_from_nothing_to_nearly_all():
    said: list[float] = []
    load = SyntheticLoad((stream(0.1, 10.0),), 5000.0)
    run(Scenario({VIDEO: POOL}, LARGE, policy=CapacityPolicy()), load, seed=1, on_progress=said.append)
    assert said == sorted(said) and said[0] == 0.0 and said[-1] > 0.9


def test_jobs_of_organisations_meet_in_a_simulation_only_where_their_instances_are_shared():
    jobs = [
        Arrival(float(number), name, 1.0, "", who)
        for name in ("code", "video")
        for number, who in enumerate(("acme", "globex"))
    ]
    load = RecordedLoad.of(jobs, end=60.0)
    code = [PoolKey.of(Service.CODE, organisation=each) for each in ("acme", "globex")]
    assert load.pools == [*code, VIDEO]
    result = run(Scenario(dict.fromkeys(load.pools, POOL), LARGE), load, seed=1)
    assert [(pool.name, pool.jobs) for pool in result.pools] == [
        ("code of acme", 1),
        ("code of globex", 1),
        ("video", 2),
    ]
