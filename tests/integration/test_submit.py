"""A submission whose staging takes long, while housekeeping goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon.housekeeping import Housekeeping
from pitchey_cli.domain.errors import InputNotFound
from pitchey_cli.domain.job import NewJob
from pitchey_cli.domain.retention import RetentionPolicy
from pitchey_cli.operations import submit
from pitchey_cli.operations.sources import Source
from pitchey_cli.store.port import JobFilter
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.store.writer import Writer
from processors.protocol import Service
from tests.resources.scripted_time import NOON, ScriptedClock

SETTINGS = submit.JobSettings(3, 60.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore.open(tmp_path / "pitchey.db")) as store:
        yield store


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


@pytest.fixture
def staged(tmp_path: Path, artifacts: LocalArtifacts) -> list[NewJob]:
    drafts: list[submit.Draft] = []
    for name in ("first", "second"):
        path = tmp_path / f"{name}.mp4"
        path.write_text(name)
        drafts.append(submit.draft(Service.VIDEO, {}, Source(str(path), name)))
    return submit.stage(drafts, artifacts, lambda _: SETTINGS, limit_bytes=100)


def prune(tmp_path: Path, artifacts: LocalArtifacts) -> int:
    """Remove what nobody refers to, as of now by the wall clock of the artifacts' files."""
    writer = Writer(SqliteStore.open(tmp_path / "pitchey.db"))
    clock = ScriptedClock((datetime.now(UTC) - NOON).total_seconds())
    with closing(writer):
        keeper = Housekeeping(writer.store, writer, artifacts, tmp_path, RetentionPolicy(), clock)
        return asyncio.run(keeper.prune()).artifacts


def stage_for_hours(artifacts: LocalArtifacts, *jobs: NewJob) -> None:
    for job in jobs:
        at = datetime.now(UTC).timestamp() - timedelta(hours=3).total_seconds()
        os.utime(artifacts.path(job.inputs[0].sha256 or ""), (at, at))


def test_inputs_that_were_removed_while_the_others_were_staged_fail_the_submission(store, artifacts, staged, tmp_path):
    stage_for_hours(artifacts, staged[0])
    assert prune(tmp_path, artifacts) == 1
    with pytest.raises(InputNotFound, match=r"first\.mp4 was staged, and has been removed"):
        submit.submit(store, staged, now=NOON, artifacts=artifacts)
    assert store.jobs(JobFilter()) == []


def test_old_inputs_that_are_still_there_stay_until_their_jobs_are_queued(store, artifacts, staged, tmp_path):
    stage_for_hours(artifacts, *staged)
    with store.transaction():  # not seen by others before it ends
        submit.submit(store, staged, now=NOON, artifacts=artifacts)
        assert (
            artifacts.remove(staged[0].inputs[0].sha256, unless_used_since=datetime.now(UTC) - timedelta(hours=2))
            is False
        )
    assert prune(tmp_path, artifacts) == 0
    assert len(store.jobs(JobFilter())) == 2
