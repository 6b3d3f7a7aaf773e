"""Short attempts leave no files: a daemon or an instance that is killed under them costs some of them, and no job."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import pytest

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon import lock
from pitchey_cli.domain import layout
from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.operations import follow, submit
from pitchey_cli.operations.drafts import drafted
from pitchey_cli.store.port import Store
from pitchey_cli.store.postgres import PostgresStore
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Reason, Service
from tests.chaos.conftest import with_either_store
from tests.conftest import Pitchey
from tests.resources.models import default_models
from tests.resources.waiting import DEADLINE_SECONDS, until

ANSWERED, JOBS, SLOTS = 10, 60, 16


@pytest.fixture
def store(pitchey: Pitchey) -> Iterator[Store]:
    for name in ("embeddings", "sentiment"):
        shutil.copytree(default_models() / name, pitchey.state_dir / "models" / name)
    pitchey.environment |= {
        "PITCHEY_SERVICES_INFERENCE_MAX_INSTANCES": "1",  # on a quiet machine with room a second would come to help
        "PITCHEY_SERVICES_INFERENCE_SLOTS": str(SLOTS),
    }
    url = pitchey.environment.get("PITCHEY_STORE_URL")
    opened = PostgresStore.open(url) if url else SqliteStore.open(layout.database(pitchey.state_dir))
    yield opened
    opened.close()


def submitted(pitchey: Pitchey, store: Store, count: int) -> list[JobId]:
    """Jobs with a text each."""
    artifacts = LocalArtifacts(layout.artifacts(pitchey.state_dir))
    texts = [f"The pasta was wonderful, and I have had it {number} times." for number in range(count)]
    drafts = [drafted(Service.INFERENCE, {"model": "sentiment", "inputData": text}, None) for text in texts]
    settings = submit.JobSettings(max_attempts=3, timeout_seconds=600)
    jobs = submit.stage(drafts, artifacts, lambda _: settings, limit_bytes=2**30)
    ids = submit.submit(store, jobs, now=datetime.now(UTC), artifacts=artifacts)
    lock.poke(pitchey.state_dir)
    return ids


def instance_of(daemon: subprocess.Popen[str]) -> tuple[psutil.Process, psutil.Process]:
    """The worker and the companion of the one instance."""
    (worker,) = psutil.Process(daemon.pid).children()
    (companion,) = worker.children()
    return worker, companion


def in_the_middle(pitchey: Pitchey, store: Store, daemon: subprocess.Popen[str]) -> list[JobId]:
    """Jobs of which some have been answered, and the instance has as many as it takes: it stands still at them."""
    ids = submitted(pitchey, store, ANSWERED)
    all_answered_once(pitchey, store, ids)
    instance_of(daemon)[1].suspend()
    ids += submitted(pitchey, store, JOBS)
    until(lambda: has_taken(store, SLOTS), "all slots are taken")
    return ids


def has_taken(store: Store, count: int) -> bool:
    """Whether workers have so many attempts."""
    running = store.running()
    return len(running) == count and all(store.attempts(job.id)[-1].accepted_at for job in running)


def all_answered_once(pitchey: Pitchey, store: Store, ids: list[JobId]) -> None:
    ended = follow.until_finished(store, ids, on_change=lambda job: None, timeout_seconds=3 * DEADLINE_SECONDS)
    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    artifacts = LocalArtifacts(layout.artifacts(pitchey.state_dir))
    for job in ended:
        assert [each.reason for each in store.attempts(job.id)].count(Reason.COMPLETED) == 1
        (output,) = store.outputs(job.id)
        assert b"POSITIVE" in artifacts.path(output.sha256).read_bytes()


@with_either_store
def test_a_daemon_that_is_killed_costs_no_job_an_attempt(pitchey: Pitchey, store: Store) -> None:
    first = pitchey.start_daemon()
    ids = in_the_middle(pitchey, store, first)
    _, companion = instance_of(first)
    first.kill()
    first.wait()
    companion.resume()
    pitchey.start_daemon()
    all_answered_once(pitchey, store, ids)
    reasons = {attempt.reason for each in ids for attempt in store.attempts(each)}
    assert reasons <= {Reason.COMPLETED, Reason.INTERRUPTED}


@with_either_store
def test_an_instance_that_is_killed_costs_no_job(pitchey: Pitchey, store: Store) -> None:
    daemon = pitchey.start_daemon()
    ids = in_the_middle(pitchey, store, daemon)
    worker, _ = instance_of(daemon)
    worker.kill()
    all_answered_once(pitchey, store, ids)
    lost = sum(attempt.reason is Reason.INSTANCE_LOST for each in ids for attempt in store.attempts(each))
    assert lost == SLOTS
