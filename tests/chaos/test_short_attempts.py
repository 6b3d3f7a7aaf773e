"""Short attempts leave no files: a daemon or an instance that is killed under them costs some of them, and no job."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

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
from tests.conftest import DEADLINE_SECONDS, Pitchey
from tests.resources.models import default_models
from tests.resources.programs import working
from tests.resources.waiting import stand_still, until

JOBS = 150


@pytest.fixture
def store(pitchey: Pitchey) -> Iterator[Store]:
    for name in ("embeddings", "sentiment"):
        shutil.copytree(default_models() / name, pitchey.state_dir / "models" / name)
    url = pitchey.environment.get("PITCHEY_STORE_URL")
    opened = PostgresStore.open(url) if url else SqliteStore.open(layout.database(pitchey.state_dir))
    yield opened
    opened.close()


def submitted(pitchey: Pitchey, store: Store) -> list[JobId]:
    """Jobs with a text each, once some of them have been answered."""
    artifacts = LocalArtifacts(layout.artifacts(pitchey.state_dir))
    texts = [f"The pasta was wonderful, and I have had it {number} times." for number in range(JOBS)]
    drafts = [drafted(Service.INFERENCE, {"model": "sentiment", "inputData": text}, None) for text in texts]
    settings = submit.JobSettings(max_attempts=3, timeout_seconds=600)
    jobs = submit.stage(drafts, artifacts, lambda _: settings, limit_bytes=2**30)
    ids = submit.submit(store, jobs, now=datetime.now(UTC), artifacts=artifacts)
    lock.poke(pitchey.state_dir)
    until(lambda: sum(store.job(each).state is JobState.SUCCEEDED for each in ids) > 10, "some have been answered")
    return ids


def is_met_at_work(daemon: subprocess.Popen[str], store: Store, ids: list[JobId]) -> bool:
    """Whether some of the jobs run: then the daemon has been stopped under them, however quick it is."""
    stand_still(daemon.pid)
    if any(store.job(each).state is JobState.RUNNING for each in ids):
        return True
    daemon.send_signal(signal.SIGCONT)
    return False


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
    ids = submitted(pitchey, store)
    until(lambda: is_met_at_work(first, store, ids), "it is met at work")
    first.kill()
    first.wait()
    pitchey.start_daemon()
    all_answered_once(pitchey, store, ids)
    reasons = {attempt.reason for each in ids for attempt in store.attempts(each)}
    assert reasons <= {Reason.COMPLETED, Reason.INTERRUPTED}


@with_either_store
def test_an_instance_that_is_killed_costs_no_job(pitchey: Pitchey, store: Store) -> None:
    daemon = pitchey.start_daemon()
    ids = submitted(pitchey, store)
    working(daemon.pid, "processors.worker")[0].kill()
    all_answered_once(pitchey, store, ids)
