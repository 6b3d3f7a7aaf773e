"""What organisations may have: no more jobs wait or run than that, and the bytes of their files are counted exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pitchey_cli.domain.access import Quota
from pitchey_cli.domain.errors import QuotaReached
from pitchey_cli.domain.job import (
    Instance,
    InstanceState,
    Job,
    JobError,
    JobId,
    JobInput,
    JobState,
    NewJob,
    Outcome,
    Output,
)
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy, Turns
from pitchey_cli.operations import quotas
from pitchey_cli.store.port import JobFilter, Store
from processors.vocabulary import Reason, Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POOL = PoolKey(Service.VIDEO)
ACME = "acme"


def job(name: str, organisation: str = ACME, size: int = 0, **changes: object) -> NewJob:
    inputs = (JobInput("input_url", "a.mp4", sha256="a" * 64, size=size),) if size else ()
    return NewJob(JobId(name), Service.VIDEO, {}, inputs, organisation=organisation, **changes)  # type: ignore[arg-type]


def bound(store: Store, **quota: int) -> None:
    store.add_organisation(ACME, now=NOON)
    store.set_quota(ACME, Quota(**quota))


def submit(store: Store, *jobs: NewJob) -> None:
    """As operations/submit.py does it."""
    with store.transaction():
        ids = store.enqueue(jobs, now=NOON)
        quotas.check(store, [each for each, job_id in zip(jobs, ids, strict=True) if each.id == job_id])


def claim(store: Store, count: int) -> list[Job]:
    if not store.instances():
        store.add_instance(
            Instance(
                "v-1", Service.VIDEO, "docker", "video:1", 100, InstanceState.READY, 1.0, 1, 1.0, 1, NOON, boot="b"
            )
        )
    places = Places([Candidate("v-1", count, count)])
    found = store.claim(
        POOL, places=places, policy=QueuePolicy(), now=NOON, lease_until=NOON + timedelta(hours=1), tick=0
    )
    return [each.job for each in found]


def end(store: Store, found: Job, outcome: Outcome) -> None:
    assert found.token is not None
    store.finish(found.id, found.token, outcome, after_attempt(found, outcome, now=NOON, dice=0.5), now=NOON, tick=1)


def counted_anew(store: Store) -> int | None:
    quota = store.organisation(ACME).quota
    store.set_quota(ACME, Quota())
    store.set_quota(ACME, quota)
    return store.use_of(ACME, quota).bytes


def test_jobs_that_wait_are_bounded_wherever_they_wait(store: Store) -> None:
    bound(store, queued=3)
    later = NOON + timedelta(hours=1)
    store.enqueue([job("one"), job("two", run_at=later), job("other", "rival")], now=NOON)
    submit(store, job("three", idempotency_key="k"))
    with pytest.raises(QuotaReached, match="may have 3 jobs that wait, and with these there would be more"):
        submit(store, job("four"))
    assert store.job_ids("four") == [], "and nothing has been queued"
    submit(store, job("again", idempotency_key="k"))  # it is there already, and is no more than it was
    submit(store, *(job(f"r{number}", "rival") for number in range(10)))


def test_no_more_jobs_of_an_organisation_run_than_it_may_and_those_of_others_do(store: Store) -> None:
    bound(store, running=2)
    store.enqueue(
        [job(f"a{number}") for number in range(5)] + [job(f"b{number}", "rival") for number in range(3)], now=NOON
    )
    assert sorted(each.organisation for each in claim(store, 10)) == [ACME] * 2 + ["rival"] * 3
    assert claim(store, 10) == []
    queue = store.queue(POOL)
    assert Turns(queue, QueuePolicy(), now=NOON).demand() == 0, "no instance is started for those who may not go"
    running = store.jobs(JobFilter(states=(JobState.RUNNING,), organisation=ACME))
    end(store, running[0], Outcome(Reason.COMPLETED))
    assert [each.organisation for each in claim(store, 10)] == [ACME]


def test_the_bytes_of_an_organisation_are_those_of_its_jobs_files_whatever_becomes_of_them(store: Store) -> None:
    store.add_organisation(ACME, now=NOON)
    store.enqueue([job("before", size=100)], now=NOON)
    bound(store, bytes=10_000)
    store.enqueue([job("with", size=1000, max_attempts=1), job("other", "rival", size=5000)], now=NOON)
    quota = store.organisation(ACME).quota
    assert store.use_of(ACME, quota).bytes == 1100 == counted_anew(store)
    running = {each.id: each for each in claim(store, 10)}
    first, second = running[JobId("before")], running[JobId("with")]
    outputs = (Output("a", "file", "a/b", "b" * 64, 30), Output("b", "file", "a/b", "c" * 64, 4))
    end(store, first, Outcome(Reason.COMPLETED, outputs=outputs))
    assert store.use_of(ACME, quota).bytes == 1134 == counted_anew(store)
    end(store, second, Outcome(Reason.FAILED, JobError("bad", "It is bad.")))
    assert store.purge(second.id)
    assert store.use_of(ACME, quota).bytes == 134 == counted_anew(store)
    submit(store, job("fits", size=9_866))
    with pytest.raises(QuotaReached, match="10,000 bytes of files, and with these there would be 10,001"):
        submit(store, job("too large", size=1))
    assert store.use_of(ACME, quota).bytes == 10_000 == counted_anew(store)
