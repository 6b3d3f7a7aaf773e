"""Pools of organisations: whose instances take whose jobs, who gives way, and what is forgotten. Scripted engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pitchey_cli.daemon.node import ServiceConfig
from pitchey_cli.domain.budget import Budget
from pitchey_cli.domain.capacity import CapacityPolicy
from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.observation import Change, WarmRequest
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.engines.port import LABEL_ORGANISATION
from pitchey_cli.operations.overview import pools_now
from pitchey_cli.operations.why import reasons
from pitchey_cli.reports import scaling
from pitchey_cli.store.port import JobFilter
from processors.protocol import Service
from tests.resources.scripted_engine import ScriptedEngine
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import service

Make = Callable[..., Ground]
CODE = Service.CODE
ROOM_FOR_ONE = CapacityPolicy(memory_bytes=3 * GIB)  # an instance takes 2 GiB


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Ground] = []

    def make(config: ServiceConfig, **chosen: object) -> Ground:
        ground = Ground(tmp_path, {config.service: config}, **chosen)
        made.append(ground)
        ground.start_daemon()
        return ground

    yield make
    for ground in made:
        ground.end()


def code(slots: int = 2, instances: int = 8, *, sleep_after_seconds: float = 300.0, **pool: float) -> ServiceConfig:
    config = service(CODE, slots=slots, instances=instances, sleep_after_seconds=sleep_after_seconds)
    return replace(config, pool=replace(config.pool, **pool))


def submit(ground: Ground, organisation: str, jobs: int = 1) -> list[JobId]:
    return [ground.submit(CODE, organisation=organisation) for _ in range(jobs)]


def running(ground: Ground, jobs: list[JobId]) -> list[JobId]:
    return [each for each in jobs if ground.store.job(each).state is JobState.RUNNING]


def owners(ground: Ground) -> list[str]:
    return sorted(each.organisation for each in ground.store.instances())


def labels(ground: Ground) -> list[str]:
    found = ScriptedEngine(ground.machine).find({})
    return sorted(each.labels.get(LABEL_ORGANISATION, "") for each in found)


def assert_everybody_at_home(ground: Ground, jobs: list[JobId]) -> None:
    """Each job is where it may be, and nowhere else."""
    owner = {each.id: each.organisation for each in ground.store.instances(active_only=False)}
    for job in running(ground, jobs):
        assert owner[ground.attempt(job).instance_id] == ground.store.job(job).organisation


def test_an_instance_of_code_works_for_one_organisation_although_it_has_slots_free(make: Make) -> None:
    ground = make(code(slots=4))
    jobs = submit(ground, "acme") + submit(ground, "globex") + submit(ground, "acme")
    ground.pass_time(5)
    assert running(ground, jobs) == jobs
    assert owners(ground) == labels(ground) == ["acme", "globex"]
    assert_everybody_at_home(ground, jobs)


def test_an_instance_of_a_shared_service_works_for_everybody(make: Make) -> None:
    ground = make(service(Service.VIDEO, slots=4))
    jobs = [ground.submit(organisation=each) for each in ("acme", "globex")]
    ground.pass_time(5)
    assert running(ground, jobs) == jobs
    assert owners(ground) == labels(ground) == [""]


def test_an_instance_stays_with_its_organisation_when_a_daemon_comes_back(make: Make) -> None:
    ground = make(code(slots=4))
    first = submit(ground, "acme")
    ground.pass_time(5)
    ground.kill_daemon()
    ground.start_daemon()
    second = submit(ground, "globex") + submit(ground, "acme")
    ground.pass_time(5)
    assert len(running(ground, first + second)) == 3
    assert owners(ground) == ["acme", "globex"]
    assert_everybody_at_home(ground, first + second)
    ground.let_succeed(first[0])
    ground.pass_time(2)
    assert ground.store.job(first[0]).state is JobState.SUCCEEDED


def test_an_instance_whose_label_names_another_than_its_record_gets_no_job(make: Make) -> None:
    ground = make(code())
    (first,) = submit(ground, "acme")
    ground.pass_time(5)
    ground.let_succeed(first)
    ground.pass_time(2)
    (instance,) = ground.store.instances()
    ground.kill_daemon()
    ground.store._db.run("UPDATE container_instances SET organisation = 'globex'")
    ground.start_daemon()
    (second,) = submit(ground, "globex")
    ground.pass_time(10)
    assert ground.store.job(second).state is JobState.RUNNING
    assert ground.attempt(second).instance_id != instance.id


@pytest.mark.parametrize("kind", [Service.VIDEO, CODE])
def test_jobs_wait_for_an_image_that_is_missing_and_run_soon_after_it_is_built(make: Make, kind: Service) -> None:
    ground = make(service(kind, slots=2))
    ground.machine.has_images = False
    job = ground.submit(kind)
    ground.pass_time(300)
    assert ground.store.job(job).state is JobState.QUEUED
    (lost,) = ground.store.instances(active_only=False)  # and not one for each look
    assert "images build" in (lost.note or "")
    ground.machine.has_images = True
    ground.pass_time(10)
    assert running(ground, [job]) == [job]


def test_a_thousand_jobs_of_one_do_not_keep_the_only_job_of_another_waiting(make: Make) -> None:
    ground = make(code(slots=10), capacity=CapacityPolicy(memory_bytes=5 * GIB))  # room for two
    many = submit(ground, "acme", 1000)
    (one,) = submit(ground, "globex")
    ground.pass_time(3)
    assert ground.store.job(one).state is JobState.RUNNING
    assert len(running(ground, many)) == 10


def test_where_there_is_room_for_one_two_organisations_take_turns(make: Make) -> None:
    ground = make(code(slots=1), capacity=ROOM_FOR_ONE)
    acme, globex = submit(ground, "acme", 30), submit(ground, "globex", 30)
    turns: list[str] = []
    for _ in range(90):
        ground.pass_time(10)
        for job in running(ground, acme + globex):
            if not turns or turns[-1] != ground.store.job(job).organisation:
                turns.append(ground.store.job(job).organisation)
            ground.let_succeed(job)
    assert len(turns) >= 4  # each has had the room twice, and nobody for longer than a tenure and a job or so
    assert all(ground.store.job(each).attempts_used <= 1 for each in acme + globex)  # nothing that ran was ended
    assert_everybody_at_home(ground, acme + globex)


def test_an_idle_instance_of_one_organisation_gives_way_at_once_to_the_waiting_of_another(make: Make) -> None:
    ground = make(code(), capacity=ROOM_FOR_ONE)
    (first,) = submit(ground, "acme")
    ground.pass_time(5)
    ground.let_succeed(first)
    ground.pass_time(5)
    assert owners(ground) == ["acme"]
    (second,) = submit(ground, "globex")
    ground.pass_time(3)
    assert ground.store.job(second).state is JobState.RUNNING
    assert owners(ground) == ["globex"]
    gone = [each for each in ground.store.scaling_events() if each.change is Change.GIVE_WAY]
    assert [(each.pool.organisation, "code of globex has no room" in each.why) for each in gone] == [("acme", True)]


def test_who_came_first_and_took_all_the_room_has_half_of_it_in_the_end(make: Make) -> None:
    ground = make(code(slots=1), capacity=CapacityPolicy(memory_bytes=13 * GIB))  # room for six
    acme = submit(ground, "acme", 200)
    ground.pass_time(30)
    assert owners(ground) == ["acme"] * 6
    globex = submit(ground, "globex", 200)
    for _ in range(25):
        ground.pass_time(10)
        for job in running(ground, acme + globex):
            ground.let_succeed(job)
    for _ in range(10):
        ground.pass_time(10)
        assert owners(ground) == ["acme"] * 3 + ["globex"] * 3  # and it stays so
        for job in running(ground, acme + globex):
            ground.let_succeed(job)


def test_what_is_kept_ready_without_being_asked_is_of_the_default_organisation(make: Make) -> None:
    ground = make(code(min_instances=1))
    ground.let_succeed(submit_and_start(ground, "acme"))
    ground.pass_time(900)
    assert owners(ground) == ["default"]


def test_instances_are_kept_warm_for_the_organisation_that_is_named(make: Make) -> None:
    ground = make(code())
    until = ground.clock.now() + timedelta(seconds=600)
    ground.store.keep_warm(WarmRequest(PoolKey.of(CODE, organisation="acme"), 2, until))
    ground.pass_time(590)
    assert owners(ground) == ["acme", "acme"]
    ground.pass_time(900)
    assert owners(ground) == []


def test_nothing_is_kept_warm_for_an_organisation_whose_budget_is_used_up(make: Make) -> None:
    ground = make(code())
    ground.store.set_budget(Budget(Scope("acme"), Period.DAY, 1000), now=ground.clock.now())
    ground.let_succeed(submit_and_start(ground, "acme"))
    ground.pass_time(900)
    until = ground.clock.now() + timedelta(hours=2)
    for organisation in ("acme", "globex"):
        ground.store.keep_warm(WarmRequest(PoolKey.of(CODE, organisation=organisation), 1, until))
    ground.pass_time(300)
    assert owners(ground) == ["globex"]


def test_what_an_organisation_pays_and_what_nobody_used_is_what_the_instances_cost(make: Make) -> None:
    ground = make(code())
    for organisation, seconds in (("acme", 100), ("globex", 40)):
        job = submit_and_start(ground, organisation)
        ground.pass_time(seconds)
        ground.let_succeed(job)
    ground.pass_time(900)
    begin = ground.clock.now() - timedelta(days=2)
    paid = {each: ground.store.spent(organisation=each, service=None, since=begin) for each in ("acme", "globex")}
    assert 2 < paid["acme"] / paid["globex"] < 3  # 102 s to 42 s
    bills = [each.cost_nanodollars or 0 for each in ground.store.instances(active_only=False)]
    assert sum(bills) == ground.store.spent(organisation=None, service=None, since=begin) > sum(paid.values())


def test_pools_of_organisations_that_have_nothing_any_more_are_forgotten(make: Make) -> None:
    ground = make(code(sleep_after_seconds=5.0))
    for number in range(120):
        ground.let_succeed(submit_and_start(ground, f"organisation-{number}"))
    assert ground.daemon is not None
    loop = ground.daemon.loop
    assert len(loop.pools) < 60  # the first ones have gone already
    ground.pass_time(120)
    first = PoolKey.of(CODE)
    assert list(loop.pools) == list(loop.scaler._books) == [first]
    observer = loop.scaler._observer
    kept = (observer._decisions, observer._samples, observer._most, observer._took, observer._forgotten)
    assert not any(kept) and observer._at_rest | observer._empty <= {first}
    assert [each.pool for each in ground.store.last_decisions()] == [first]
    changed = {each.pool.organisation for each in ground.store.scaling_events(limit=10_000)}
    assert len(changed) == 120  # what happened is history, and kept as such
    ground.let_succeed(submit_and_start(ground, "organisation-7"))


def test_a_pool_is_not_forgotten_while_its_jobs_are_held(make: Make) -> None:
    ground = make(code(sleep_after_seconds=5.0))
    ground.store.set_budget(Budget(Scope("acme"), Period.DAY, 1), now=ground.clock.now())
    ground.let_succeed(submit_and_start(ground, "acme"))
    ground.pass_time(10)
    (held,) = submit(ground, "acme")
    ground.pass_time(300)
    assert ground.daemon is not None and PoolKey.of(CODE, organisation="acme") in ground.daemon.loop.pools
    assert ground.store.job(held).state is JobState.QUEUED
    ground.store.remove_budget(Scope("acme"), Period.DAY)
    ground.pass_time(20)
    assert ground.store.job(held).state is JobState.RUNNING


def submit_and_start(ground: Ground, organisation: str) -> JobId:
    (job,) = submit(ground, organisation)
    ground.pass_time(2)
    assert ground.store.job(job).state is JobState.RUNNING
    return job


def test_each_organisation_has_its_own_line_among_the_pools_that_people_are_shown(make: Make) -> None:
    ground = make(code())
    submit_and_start(ground, "acme")
    ground.pass_time(12)
    submit(ground, "globex", 3)
    shown = pools_now(ground.store, [CODE], is_run=True, now=ground.clock.now())
    lines = [(str(each.pool), each.ready, each.waiting, each.running) for each in shown]
    assert lines == [("code of acme", 1, 0, 1), ("code", 0, 0, 0), ("code of globex", 0, 3, 0)]
    told = [scaling.pool_as_json(each, None)["organisation"] for each in shown]
    assert told == ["acme", "default", "globex"]
    (waits,) = ground.store.jobs(JobFilter(organisation="globex", limit=1))
    now = ground.clock.now()
    said = reasons(ground.store, waits, now=now, is_daemon_running=True, has_image=lambda: True, policy=QueuePolicy())
    assert any("No code instance runs" in each for each in said)  # that of acme is no help
