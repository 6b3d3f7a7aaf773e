"""Wherever jobs of `code` are made they get the slots, the instance type and the time that their specs ask for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon.instance import granted_to
from pitchey_cli.daemon.pool import Pool
from pitchey_cli.domain.capacity import CapacityPolicy, Size, budget, times_in
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import Job, JobId, JobState, NewJob, Outcome
from pitchey_cli.domain.limits import GIB, MIB, PORTER
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations import dead_letters, manifests, pipelines, requests, submit
from pitchey_cli.operations.drafts import drafted
from pitchey_cli.operations.requests import Defaults, Request, Submitting
from pitchey_cli.operations.submit import JobSettings
from pitchey_cli.store.port import JobFilter
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Reason, Service
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import service

NOW = datetime(2026, 5, 1, 11, 30, tzinfo=UTC)
CODE, VIDEO = Service.CODE, Service.VIDEO
LARGE = {"language": "python", "code": "1", "memoryLimit": 600, "timeout": 3600}


@pytest.fixture
def submitting(tmp_path: Path) -> Iterator[Submitting]:
    store = SqliteStore.open(tmp_path / "pitchey.db")
    defaults = Defaults(JobSettings(3, 60.0), 0, 10, "lite", 2**30)
    yield Submitting(store, LocalArtifacts(tmp_path / "artifacts"), lambda _: defaults, lambda _: "image")
    store.close()


def submitted(submitting: Submitting, words: dict[str, Any] | None = None, **fields: object) -> Job:
    draft = drafted(CODE, {"language": "python", "code": "1", **fields}, None)
    found = requests.stage(submitting, CODE, [draft], words or {}, now=NOW)
    (job_id,) = submit.submit(submitting.store, [each.job for each in found], now=NOW, artifacts=submitting.artifacts)
    return submitting.store.job(job_id)


def needs(job: Job) -> tuple[str, int, float]:
    return job.size, job.slots, job.timeout_seconds


def test_a_job_takes_the_slots_that_stand_for_its_memory_and_more_if_that_is_asked(submitting):
    assert needs(submitted(submitting)) == ("", 4, 130.0)  # 128 + 32 MiB of 51.2 each; 10 + 120 s
    assert submitted(submitting, {"slots": 2}).slots == 4
    assert submitted(submitting, {"slots": 7}).slots == 7
    assert submitted(submitting, memoryLimit=16).slots == 1
    assert needs(submitted(submitting, language="go", memoryLimit=16)) == ("", 6, 160.0)  # its compiler takes 256
    assert needs(submitted(submitting, language="rust", memoryLimit=16, compileTimeout=200)) == ("", 9, 330.0)


def test_one_that_its_own_type_does_not_hold_goes_to_the_smallest_that_does(submitting):
    assert needs(submitted(submitting, **LARGE)) == ("standard-1", 7, 3720.0)
    assert needs(submitted(submitting, memoryLimit=8160)) == ("standard-4", 10, 130.0)


def test_one_that_no_type_holds_is_refused_and_told_what_would_do(submitting):
    with pytest.raises(UsageError, match=r"memoryLimit 8161 is too large: 8160 is the most") as refused:
        submitted(submitting, memoryLimit=8161)
    assert "services.code.instance_type" in str(refused.value.hint) and "standard-4" in str(refused.value.hint)
    assert submitting.store.jobs(JobFilter()) == []


def test_a_timeout_that_somebody_asks_for_is_the_one_that_counts(submitting):
    assert submitted(submitting, {"timeout": "20s"}).timeout_seconds == 20
    assert submitted(submitting, timeout=0.5).timeout_seconds == 120.5
    patient = Submitting(
        submitting.store,
        submitting.artifacts,
        lambda _: Defaults(JobSettings(3, 3600.0), 0, 10, "lite", 2**30),
        lambda _: "image",
    )
    assert submitted(patient).timeout_seconds == 3600  # it may take as long as all others


def test_the_same_holds_for_a_line_of_a_manifest_and_a_step_of_a_pipeline(submitting, tmp_path):
    lines = manifests.from_json(json.dumps(LARGE) + "\n" + json.dumps({**LARGE, "slots": 9}), "jobs.jsonl")
    drafts = manifests.drafts(Request(CODE, ()), lines, where="jobs.jsonl")
    found = requests.stage(submitting, CODE, drafts, {}, now=NOW)
    assert [(each.job.size, each.job.slots) for each in found] == [("standard-1", 7), ("standard-1", 9)]

    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps({"steps": {"work": {"service": "code", **LARGE}}}))
    pipeline = pipelines.read(path)
    runs = pipelines.plan(pipeline, [], available=[CODE])
    batch = pipelines.start(submitting, pipeline, runs, {}, batch="", now=NOW)
    (job,) = submitting.store.batch_jobs(batch)
    assert needs(job) == ("standard-1", 7, 3720.0)


def test_a_line_of_a_manifest_that_no_type_holds_is_named(submitting):
    lines = manifests.from_json(json.dumps({**LARGE, "memoryLimit": 60000}), "jobs.jsonl")
    drafts = manifests.drafts(Request(CODE, ()), lines, where="jobs.jsonl")
    with pytest.raises(UsageError, match=r"jobs.jsonl, line 1: memoryLimit 60000"):
        requests.stage(submitting, CODE, drafts, {}, now=NOW)


def test_a_dead_letter_that_is_queued_again_needs_what_it_needed(submitting):
    job, store = submitted(submitting, **LARGE), submitting.store
    places = Places([Candidate("i-1", 10, 10)])
    (claimed,) = store.claim(job.pool, places=places, policy=QueuePolicy(), now=NOW, lease_until=NOW, tick=0)
    assert claimed.job.token is not None and places.free_slots == 3
    outcome = Outcome(Reason.FAILED)
    transition = after_attempt(claimed.job, outcome, now=NOW, dice=0.5)
    store.finish(job.id, claimed.job.token, outcome, transition, now=NOW, tick=0)
    assert dead_letters.redrive(store, [job.id], now=NOW) == 1
    assert needs(store.job(job.id)) == needs(job)
    assert store.waiting_pools(CODE) == [job.pool]


def test_what_is_known_of_its_kind_makes_an_instance_larger_and_never_smaller(submitting):
    def kind_of(job: Job) -> str:
        return f"{job.kind}:0"

    submitting.store.set_size_hint(CODE, kind_of(submitted(submitting)), "standard-1")
    assert submitted(submitting).size == "standard-1"
    assert submitted(submitting, memoryLimit=4000).size == "standard-4"


def test_a_host_that_grants_less_memory_has_fewer_slots_and_so_no_more_at_once(tmp_path):
    config = service(CODE, slots=10, instances=1)  # of 2 GiB
    ground = Ground(tmp_path, {CODE: config}, capacity=CapacityPolicy(memory_bytes=GIB))
    ground.start_daemon()
    try:
        for number in range(4):  # of 600 MiB each
            job = NewJob(JobId(f"j{number}"), CODE, {"attempts": ["hold"]}, slots=3)
            ground.store.enqueue([job], now=ground.clock.now())
        ground.pass_time(10)
        assert [(each.slots, each.granted_memory_bytes) for each in ground.store.instances()] == [(5, GIB)]
        states = [ground.store.job(JobId(f"j{number}")).state for number in range(4)]
        assert states.count(JobState.RUNNING) == GIB // (600 * MIB) == 1
        ground.kill_daemon()
        ground.start_daemon()
        ground.pass_time(timedelta(seconds=30).total_seconds())
        assert len(ground.store.instances(active_only=False)) == 1  # it fits as it is
    finally:
        ground.end()


@pytest.mark.parametrize(("memory_gib", "granted", "times"), [(4, 2 * GIB, {True: 2, False: 1}), (1, GIB, {True: 1})])
def test_what_stands_in_front_of_an_instance_that_shares_no_files_has_room_as_well(
    tmp_path: Path, memory_gib: int, granted: int, times: dict[bool, int]
) -> None:
    ground = Ground(tmp_path, {VIDEO: service(VIDEO, slots=1)}, capacity=CapacityPolicy(memory_bytes=memory_gib * GIB))
    ground.start_daemon()
    assert ground.daemon is not None
    node = ground.daemon.loop.node
    whole = budget(Size(node.host.cpus, node.host.memory_bytes), node.config.capacity)
    for shares_files in (True, False):
        config = replace(node.config.services[VIDEO], shares_files=shares_files)
        pool = Pool(node, config, "a label", asyncio.Event())
        assert times_in(whole, pool.size) == times.get(shares_files, 1)
        porter = 0 if shares_files else PORTER.memory_bytes
        given = granted_to(node, config).granted.memory_bytes
        assert given + porter == pool.size.memory_bytes and given == min(granted, whole.memory_bytes - porter)
    ground.end()
