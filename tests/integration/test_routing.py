"""Jobs go to the instance that has loaded the model that they need. Scripted engine: what is loaded is what it says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pitchey_cli.domain.job import JobId
from pitchey_cli.domain.observation import WarmRequest
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.operations import specs
from processors.protocol import Service
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import service

CHECKED_SECONDS = 11.0  # instances are asked every ten


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    config = service(Service.INFERENCE, slots=1, instances=2, sleep_after_seconds=3600.0)
    ground = Ground(tmp_path, {Service.INFERENCE: config})
    ground.start_daemon()
    yield ground
    ground.end()


def kind(model: str) -> str:
    """As a submission has it."""
    return specs.checked(Service.INFERENCE, {"model": model, "inputData": "x"}).kind()


def run(ground: Ground, *models: str) -> list[JobId]:
    """Run jobs at once."""
    jobs = [ground.submit(Service.INFERENCE, kind=kind(model)) for model in models]
    ground.pass_time(5)
    for job in jobs:
        ground.let_succeed(job)
    ground.pass_time(1)
    return jobs


def where(ground: Ground, job: JobId) -> str:
    return ground.attempt(job).instance_id


def two_instances(ground: Ground) -> list[str]:
    """Keep two, so that neither is to fall idle."""
    ground.store.keep_warm(WarmRequest(PoolKey(Service.INFERENCE), 2, ground.clock.now() + timedelta(hours=1)))
    ground.pass_time(30)
    found = sorted(each.id for each in ground.store.instances())
    assert len(found) == 2
    return found


def test_a_job_goes_to_the_instance_that_says_it_has_the_model(ground: Ground) -> None:
    for instance in two_instances(ground):
        for worker in ground.machine.workers.values():
            worker.models = {}
        ground.machine.workers[instance].models = {"embeddings@1": 96, "sentiment@3": 4}
        ground.pass_time(CHECKED_SECONDS)
        for model in ("sentiment", "sentiment@3", "embeddings"):
            assert where(ground, *run(ground, model)) == instance


def test_a_node_without_services_looks_on(tmp_path: Path) -> None:
    ground = Ground(tmp_path, {})
    ground.start_daemon()
    ground.pass_time(60)
    (node,) = ground.store.nodes()
    assert node.is_up and ground.clock.now() - node.beat_at < timedelta(seconds=30)
    ground.drain()
    ground.end()


def test_a_model_that_had_to_make_room_draws_no_jobs_any_more(ground: Ground) -> None:
    one, other = two_instances(ground)
    for instance, left in ((one, other), (other, one)):
        ground.machine.workers[instance].models = {"sentiment@1": 4}
        ground.machine.workers[left].models = {}
        ground.pass_time(CHECKED_SECONDS)
        assert where(ground, *run(ground, "sentiment")) == instance


def test_what_is_loaded_is_on_record_when_a_job_has_ended_and_when_it_had_to_make_room(ground: Ground) -> None:
    one, other = two_instances(ground)
    ground.machine.workers[one].models = {"sentiment@1": 4}
    ground.pass_time(CHECKED_SECONDS)
    ground.machine.workers[one].models |= {"classify@1": 64}
    ground.machine.workers[other].models = {"classify@1": 64}
    job, *_ = run(ground, "classify")
    there = where(ground, job)
    known = {each.id: {model.name: model.memory_bytes for model in each.models} for each in ground.store.instances()}
    assert known[there] == ground.machine.workers[there].models and "classify@1" in known[there]
    ground.machine.workers[there].models = {}
    ground.pass_time(CHECKED_SECONDS)
    assert {each.id: each.models for each in ground.store.instances()}[there] == ()


def test_a_daemon_that_comes_back_knows_what_is_loaded(ground: Ground) -> None:
    one, other = two_instances(ground)
    for instance in (one, other):
        for worker in ground.machine.workers.values():
            worker.models = {}
        ground.machine.workers[instance].models = {"classify@1": 64}
        ground.kill_daemon()
        ground.start_daemon()
        ground.pass_time(0.5)
        assert where(ground, *run(ground, "classify")) == instance
