"""A daemon that scales its pools: out, in, to rest, and in turns where there is no room for all. Scripted engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pitchey_cli.daemon.node import ServiceConfig
from pitchey_cli.domain.budget import Budget
from pitchey_cli.domain.capacity import CapacityPolicy
from pitchey_cli.domain.cost import TICKS_PER_SECOND
from pitchey_cli.domain.decision import Limit, Rule
from pitchey_cli.domain.job import InstanceState, JobId, JobState, NewJob
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.observation import Change, Measure, WarmRequest
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.pool_history import stretches
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.pricelist import PriceList
from pitchey_cli.domain.scope import Scope
from pitchey_cli.operations import scaling
from processors.protocol import Service
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import service

Make = Callable[..., Ground]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Ground] = []

    def make(*services: ServiceConfig, **chosen: object) -> Ground:
        ground = Ground(tmp_path, {each.service: each for each in services}, **chosen)
        made.append(ground)
        ground.start_daemon()
        return ground

    yield make
    for ground in made:
        ground.end()


def video(slots: int = 2, instances: int = 4, *, waiting_price: float = 0.0, **pool: float) -> ServiceConfig:
    config = service(Service.VIDEO, slots=slots, instances=instances, sleep_after_seconds=300.0)
    return replace(config, pool=replace(config.pool, **pool), waiting_price_per_hour=waiting_price)


def code(slots: int = 1) -> ServiceConfig:
    return service(Service.CODE, slots=slots, sleep_after_seconds=300.0)


def states(ground: Ground) -> list[str]:
    return sorted(each.state.value for each in ground.store.instances())


def running(ground: Ground, jobs: list[JobId]) -> int:
    return sum(ground.store.job(each).state is JobState.RUNNING for each in jobs)


def changes(ground: Ground, change: Change) -> list[str]:
    return [each.why for each in ground.store.scaling_events() if each.change is change][::-1]


def test_sudden_load_gets_twice_as_many_instances_at_each_step_and_no_more_than_are_allowed(make: Make) -> None:
    ground = make(video(slots=2, instances=4))
    jobs = [ground.submit() for _ in range(20)]
    ground.pass_time(30)
    assert states(ground) == ["ready"] * 4
    assert running(ground, jobs) == 8
    wanted = [each.wanted for each in ground.store.scaling_events() if each.change is Change.WANTED][::-1]
    assert wanted == [1, 2, 4]
    (last,) = ground.store.last_decisions()
    assert last.explanation["rule"] == Rule.PANIC
    assert Limit.MAX_INSTANCES in {each["limit"] for each in last.explanation["clamps"]}


def test_jobs_that_fill_an_instance_each_get_as_many_instances_as_if_it_had_one_slot(make: Make) -> None:
    ground = make(video(slots=10, instances=4))
    jobs = [ground.submit(slots=10) for _ in range(8)]
    ground.pass_time(20)
    assert running(ground, jobs) == 4


def test_a_pool_with_nothing_to_do_goes_back_to_nothing_and_never_through_a_busy_instance(make: Make) -> None:
    ground = make(video(slots=2, instances=3))
    jobs = [ground.submit() for _ in range(8)]
    ground.pass_time(20)
    assert running(ground, jobs) == 6
    for job in jobs[6:]:
        ground.store.cancel(job, why="", now=ground.clock.now())
    last = next(each for each in jobs if ground.store.job(each).state is JobState.RUNNING)
    for job in jobs[:6]:
        if job != last:
            ground.let_succeed(job)
    ground.pass_time(900)
    assert running(ground, jobs) == 1  # what runs has not been touched
    assert len(states(ground)) == 1
    ground.let_succeed(last)
    ground.pass_time(900)
    assert states(ground) == []
    assert len(changes(ground, Change.STOP)) == 3


def test_work_that_has_ended_keeps_no_instance_for_longer_than_sleep_after_whatever_the_windows(make: Make) -> None:
    ground = make(video(sleep_after_seconds=10.0, stable_seconds=60.0, cooldown_seconds=60.0))
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(8)
    assert states(ground) == ["ready"]
    ground.pass_time(15)
    assert states(ground) == []


def test_what_is_idle_goes_at_once_when_the_host_wants_memory_and_what_works_stays(make: Make) -> None:
    ground = make(video(slots=2, instances=2))
    first, *others = [ground.submit_and_start() for _ in range(3)]
    for job in others:
        ground.let_succeed(job)
    ground.pass_time(100)
    assert states(ground) == ["ready"] * 2
    ground.want_memory(percent=50.0)
    ground.pass_time(20)
    assert states(ground) == ["ready"] and running(ground, [first]) == 1
    assert "work stands still for want of memory 50% of the time" in changes(ground, Change.STOP)[0]


def test_an_idle_instance_is_paused_woken_by_the_next_job_and_stopped_in_the_end(make: Make) -> None:
    ground = make(video(waiting_price=8640.0))
    first = ground.submit_and_start()
    ground.let_succeed(first)
    ground.pass_time(270)
    assert states(ground) == ["paused"]
    second = ground.submit_and_start()
    (woken,) = ground.store.instances()
    assert woken.state is InstanceState.READY
    assert ground.attempt(second).instance_id == ground.attempt(first).instance_id
    assert ground.store.measurements(Service.VIDEO, Measure.START)
    ground.let_succeed(second)
    ground.pass_time(900)
    assert states(ground) == []
    assert ground.store.measurements(Service.VIDEO, Measure.UNPAUSE)
    assert ground.store.measurements(Service.VIDEO, Measure.COLD_PICKUP)


def test_a_paused_instance_is_thawed_and_used_by_the_next_daemon(make: Make) -> None:
    ground = make(video(waiting_price=8640.0))
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(270)
    assert states(ground) == ["paused"]
    ground.kill_daemon()
    ground.start_daemon()
    ground.pass_time(2)
    job = ground.submit_and_start()
    assert states(ground) == ["ready"]
    assert ground.attempt(job).instance_id == ground.store.instances()[0].id


def test_a_service_without_room_takes_that_of_an_idle_instance_of_another_at_once(make: Make) -> None:
    ground = make(video(), code(), capacity=CapacityPolicy(memory_bytes=3 * GIB))
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(5)
    job = ground.submit(Service.CODE)
    ground.pass_time(10)
    assert ground.store.job(job).state is JobState.RUNNING
    assert [each.service for each in ground.store.instances()] == [Service.CODE]
    assert "code has no room" in changes(ground, Change.GIVE_WAY)[0]


def test_services_that_do_not_fit_beside_each_other_take_turns_and_nothing_that_runs_is_ended(make: Make) -> None:
    policy = CapacityPolicy(memory_bytes=3 * GIB, yield_seconds=30, tenure_seconds=60)
    ground = make(video(slots=1), code(), capacity=policy)
    films = [ground.submit() for _ in range(3)]
    ground.pass_time(5)
    program = ground.submit(Service.CODE)
    ground.pass_time(100)
    assert running(ground, films) == 1  # told to take nothing new, and at work all the same
    assert ground.store.job(program).state is JobState.QUEUED
    ground.let_succeed(films[0])
    ground.pass_time(5)
    assert ground.store.job(program).state is JobState.RUNNING
    assert running(ground, films) == 0
    ground.pass_time(100)
    ground.let_succeed(program)
    ground.pass_time(5)
    assert running(ground, films) == 1
    assert all(ground.store.job(each).attempts_used <= 1 for each in films)


def test_memory_is_never_promised_twice(make: Make) -> None:
    ground = make(video(slots=1, instances=8), capacity=CapacityPolicy(memory_bytes=5 * GIB))
    jobs = [ground.submit() for _ in range(30)]
    ground.pass_time(60)
    assert sum(each.granted_memory_bytes for each in ground.store.instances()) <= 5 * GIB
    assert running(ground, jobs) == 2
    (last,) = ground.store.last_decisions()
    assert Limit.ROOM in {each["limit"] for each in last.explanation["clamps"]}


def test_instances_are_kept_warm_for_as_long_as_somebody_has_asked(make: Make) -> None:
    ground = make(video())
    until = ground.clock.now() + timedelta(seconds=600)
    ground.store.keep_warm(WarmRequest(PoolKey(Service.VIDEO), 2, until))
    ground.pass_time(590)
    assert states(ground) == ["ready", "ready"]
    ground.pass_time(600)
    assert states(ground) == []


def test_a_warm_instance_picks_a_job_up_and_it_is_measured(make: Make) -> None:
    ground = make(video())
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(15)
    ground.submit_and_start()
    ground.pass_time(15)
    assert [each.count for each in ground.store.measurements(Service.VIDEO, Measure.WARM_PICKUP)] == [1]


@pytest.mark.parametrize("is_warm", [True, False])
def test_the_time_that_a_budget_held_a_job_is_no_pickup(make: Make, is_warm: bool) -> None:
    ground = make(video())
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(15 if is_warm else 900)
    scope = Scope("", Service.VIDEO)
    ground.store.set_budget(Budget(scope, Period.DAY, 1), now=ground.clock.now())
    ground.pass_time(10)
    held = ground.submit()
    ground.pass_time(120)
    assert ground.store.job(held).state is JobState.QUEUED
    ground.store.remove_budget(scope, Period.DAY)
    ground.pass_time(20)
    assert ground.store.job(held).state is JobState.RUNNING
    ground.submit_and_start()
    ground.pass_time(20)
    found = scaling.measured(ground.store)[Service.VIDEO]
    pickups = [timing for measure, timing in found.items() if measure in (Measure.WARM_PICKUP, Measure.COLD_PICKUP)]
    assert pickups and max(each.longest for each in pickups) < 10
    assert sum(each.times for each in pickups) == 2  # the first, and the one after


def test_every_start_is_measured_for_itself(make: Make) -> None:
    ground = make(video(slots=2, instances=4))
    for _ in range(20):
        ground.submit()
    ground.pass_time(40)
    took = [(each.ready_at - each.created_at).total_seconds() for each in ground.store.instances() if each.ready_at]
    found = scaling.measured(ground.store)[Service.VIDEO][Measure.START]
    assert (found.times, found.longest) == (4, pytest.approx(max(took), abs=0.1))


def test_a_burst_between_two_samples_is_in_the_history(make: Make) -> None:
    ground = make(video(slots=1, instances=1))
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(25)
    jobs = [ground.submit() for _ in range(9)]
    ground.pass_time(1)
    for job in jobs[1:]:
        ground.store.cancel(job, why="", now=ground.clock.now())
    ground.let_succeed(jobs[0])
    ground.pass_time(25)
    now = ground.clock.now()
    samples = ground.store.pool_samples(since=now - timedelta(seconds=60))
    assert max(each.waiting for each in samples) < 8  # nobody looked just then
    assert max(each.waiting for each in stretches(samples, since=samples[0].at, until=now, count=6)) == 8


def test_what_was_observed_last_is_kept_when_the_daemon_stops(make: Make) -> None:
    ground = make(video())
    ground.pass_time(3)
    ground.let_succeed(ground.submit_and_start())
    ground.drain()
    assert scaling.measured(ground.store)[Service.VIDEO][Measure.START].times == 1
    assert max(each.most_instances for each in ground.store.pool_samples(since=ground.clock.now() - timedelta(1))) == 1


def test_what_idling_costs_is_the_price_that_is_billed(make: Make) -> None:
    """At a tenth of the price an instance is worth being kept ready for ten times as long."""
    dear = make(video(waiting_price=8640.0))
    dear.let_succeed(dear.submit_and_start())
    dear.pass_time(270)
    assert states(dear) == ["paused"]
    dear.kill_daemon()
    dear.chosen["prices"] = PriceList(regions={"local": 0.1})
    dear.start_daemon()
    dear.pass_time(900)
    dear.let_succeed(dear.submit_and_start())
    dear.pass_time(270)
    assert states(dear) == ["ready"]


def test_every_sample_and_decision_of_a_pool_is_kept_until_it_rests(make: Make) -> None:
    ground = make(video())
    job = ground.submit_and_start()
    ground.pass_time(30)
    ground.let_succeed(job)
    ground.pass_time(1000)
    samples = ground.store.pool_samples(since=ground.clock.now() - timedelta(days=1))
    count = len(samples)
    assert max(each.running for each in samples) == 1
    assert (samples[-1].ready, samples[-1].running, samples[-1].waiting) == (0, 0, 0)
    ground.pass_time(1000)
    assert len(ground.store.pool_samples(since=ground.clock.now() - timedelta(days=1))) == count


def test_two_that_have_nothing_to_do_do_not_chase_each_other_from_the_host(make: Make) -> None:
    ground = make(video(slots=1, instances=1), code(), capacity=CapacityPolicy(memory_bytes=3 * GIB))
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(2)
    program = ground.submit(Service.CODE)
    ground.pass_time(5)
    ground.let_succeed(program)
    ground.pass_time(600)
    assert len(ground.store.instances(active_only=False)) == 2
    assert len(changes(ground, Change.GIVE_WAY)) == 1


def test_a_pool_that_is_used_now_and_then_does_not_lose_its_instance_to_one_that_has_some(make: Make) -> None:
    ground = make(video(slots=1, instances=4), code(), capacity=CapacityPolicy(memory_bytes=7 * GIB))
    ground.let_succeed(ground.submit_and_start(Service.CODE))
    films = [ground.submit() for _ in range(6)]
    for _ in range(20):
        program = ground.submit(Service.CODE)
        ground.pass_time(2)
        assert ground.store.job(program).state is JobState.RUNNING
        ground.let_succeed(program)
        ground.pass_time(1)
    assert running(ground, films) >= 1


def test_an_instance_that_is_to_go_is_not_replaced_while_its_last_work_runs(make: Make) -> None:
    ground = make(video(slots=1, instances=1), code(), capacity=CapacityPolicy(memory_bytes=3 * GIB))
    film = ground.submit_and_start()
    ground.pass_time(65)
    ground.store.cancel(ground.submit(Service.CODE), why="", now=ground.clock.now())
    program = ground.submit(Service.CODE)
    ground.pass_time(60)
    assert changes(ground, Change.GIVE_WAY)
    ground.store.cancel(program, why="", now=ground.clock.now())
    ground.pass_time(600)
    assert ground.store.job(film).state is JobState.RUNNING
    assert [each.service for each in ground.store.instances()] == [Service.VIDEO]


def test_an_instance_for_one_that_ran_out_of_memory_is_not_kept_for_the_minimum(make: Make) -> None:
    ground = make(video(min_instances=1))
    job = NewJob(JobId("large"), Service.VIDEO, {"attempts": ["oom", "succeed"]})
    ground.store.enqueue([job], now=ground.clock.now())
    ground.do(ground.daemon.loop.changed.set)
    ground.pass_time(3600)
    assert ground.store.job(JobId("large")).state is JobState.SUCCEEDED
    assert [each.size for each in ground.store.instances()] == [""]


def test_nothing_is_started_above_a_budget_that_is_used_up_not_even_to_be_warm(make: Make) -> None:
    ground = make(video())
    ground.store.set_budget(Budget(Scope("", Service.VIDEO), Period.DAY, 1000), now=ground.clock.now())
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(900)
    ground.store.keep_warm(WarmRequest(PoolKey(Service.VIDEO), 3, ground.clock.now() + timedelta(hours=2)))
    ground.pass_time(600)
    assert states(ground) == []


def test_a_pause_that_a_restart_of_the_machine_ended_is_not_billed_on(make: Make) -> None:
    ground = make(video(waiting_price=8640.0))
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(270)
    assert states(ground) == ["paused"]
    ground.kill_daemon()
    ground.restart_machine()
    ground.pass_time(5 * 86400)
    ground.start_daemon()
    ground.pass_time(30)
    instance = ground.instance()
    assert instance.stopped_tick is not None
    assert instance.stopped_tick - instance.created_tick < 300 * TICKS_PER_SECOND


def test_an_instance_that_cannot_be_thawed_does_not_keep_the_daemon_from_starting(make: Make) -> None:
    ground = make(video(waiting_price=8640.0))
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(270)
    ground.kill_daemon()
    ground.machine.is_frozen_solid = True
    ground.start_daemon()
    ground.pass_time(30)
    assert states(ground) == []
    ground.submit_and_start()


def test_work_that_a_restored_database_knows_nothing_of_is_ended_before_it_is_done_again(make: Make) -> None:
    ground = make(video(slots=2, instances=2))
    kept, lost = ground.submit_and_start(), ground.submit_and_start()
    ground.kill_daemon()
    # As a backup from before its claim has it.
    with ground.store.transaction():
        ground.store._db.run(
            "DELETE FROM job_attempts WHERE job_seq = (SELECT seq FROM container_jobs WHERE id = ?)", (lost,)
        )
        ground.store._db.run(
            "UPDATE container_jobs SET state = 'queued', token = NULL, lease_until = NULL, attempt = 0,"
            " started_at = NULL WHERE id = ?",
            (lost,),
        )
        ground.store._db.run("UPDATE job_flows SET queued = queued + 1")
        ground.store._db.run("UPDATE job_counts SET jobs = jobs - 1 WHERE state = 'running'")
    ground.start_daemon()
    ground.pass_time(5)
    lives = [token for worker in ground.machine.workers.values() for token in worker.live]
    assert sorted(lives) == sorted([f"{kept}.1", f"{lost}.1"])
    assert ground.attempt(lost).instance_id != ground.attempt(kept).instance_id
    assert ground.store.job(lost).crashes == 0
