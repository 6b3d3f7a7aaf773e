"""Workers that hang for a while and wake, or die alone: what they were at is no other attempt's meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.domain.job import JobState
from processors.protocol import Reason, Service
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import service
from tests.resources.scripted_worker import ScriptedWorker

GIVEN_UP_SECONDS = 40.0  # the worker's answer to a request is waited for, and to the next one


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path, {Service.VIDEO: service(Service.VIDEO, slots=3)})
    ground.start_daemon()
    yield ground
    ground.end()


def only_worker(ground: Ground) -> ScriptedWorker:
    (worker,) = ground.machine.workers.values()
    return worker


def test_an_attempt_that_was_given_up_does_not_run_on_when_its_instance_wakes(ground: Ground) -> None:
    first = ground.submit_and_start()  # keeps the instance from being discarded
    worker = only_worker(ground)
    worker.freeze()
    begin = ground.clock.seconds
    second = ground.submit()
    ground.pass_time(0.1)
    assert ground.store.job(second).state is JobState.RUNNING
    while ground.store.job(second).token == f"{second}.1":
        assert ground.clock.seconds - begin < GIVEN_UP_SECONDS
        ground.pass_time(0.1)
    ground.do(worker.thaw)
    ground.pass_time(1.0)
    assert f"{first}.1" in ground.machine.attempts
    assert f"{second}.1" not in ground.machine.attempts


def test_a_job_waits_again_only_when_the_programs_of_its_dead_worker_have_ended(ground: Ground) -> None:
    job = ground.submit_and_start()
    ground.do(only_worker(ground).die)
    assert ground.machine.left_behind == {f"{job}.1"}
    while ground.store.job(job).state is JobState.RUNNING:
        ground.pass_time(0.001)
    assert not ground.machine.left_behind


@pytest.mark.parametrize("certificate", [None, "", "-----BEGIN CERTIFICATE-----\nAAAA\n", "\xe9"])
def test_an_instance_whose_porter_cannot_be_known_keeps_no_daemon_from_starting(
    ground: Ground, certificate: str | None
) -> None:
    ground.let_succeed(ground.submit_and_start())
    ground.pass_time(1)
    before = ground.instance()
    ground.kill_daemon()
    directory = layout.instance(ground.state_dir, before.id)
    (directory / "secret").write_text("secret")
    if certificate is not None:
        (directory / "porter.pem").write_text(certificate)
    ground.start_daemon()
    assert any(f"{before.id} adopted, to be discarded: " in line for line in ground.log)
    ground.pass_time(GIVEN_UP_SECONDS)
    assert before.id not in {each.id for each in ground.store.instances()}
    assert ground.submit_and_start()


def test_an_attempt_whose_events_break_off_costs_its_neighbours_nothing(ground: Ground) -> None:
    bad, *good = [ground.submit_and_start() for _ in range(3)]
    attempt = only_worker(ground).live[f"{bad}.1"]
    with (attempt.spool.out.parent / "events.ndjson").open("a") as events:
        events.write("this is no event\n")
    ground.do(lambda: attempt.progress(0.5))
    while ground.store.job(bad).state is JobState.RUNNING:
        assert {f"{each}.1" for each in good} <= set(ground.machine.attempts)  # the bad one ends before that is written
        ground.pass_time(0.1)
    assert ground.store.job(bad).crashes == 1
    assert set(ground.machine.attempts) == {f"{each}.1" for each in good}
    assert [ground.store.job(each).state for each in good] == [JobState.RUNNING] * 2


def test_what_a_hung_worker_does_not_end_is_handed_back_in_time_and_does_not_go_on(ground: Ground) -> None:
    jobs = [ground.submit_and_start() for _ in range(2)]
    only_worker(ground).freeze()
    begin = ground.clock.seconds
    assert ground.daemon is not None
    ground.daemon.hand_back()
    while any(ground.store.job(each).state is JobState.RUNNING for each in jobs):
        assert ground.clock.seconds - begin < ground.daemon.loop.node.config.grace_seconds + 5
        ground.pass_time(0.1)
    for each in jobs:
        job = ground.store.job(each)
        assert (job.state, job.reason, job.attempts_used) == (JobState.QUEUED, Reason.INTERRUPTED, 0)
    assert not ground.machine.attempts and not ground.machine.left_behind
