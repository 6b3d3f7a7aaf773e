"""How many attempts a job has used, which is not how often it ran."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from pitchey_cli.domain.job import Job, JobId, JobState, NewJob
from pitchey_cli.reports import tables
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Service

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def waiting(tmp_path: Path) -> Job:
    store = SqliteStore.open(tmp_path / "pitchey.db")
    store.enqueue([NewJob(JobId("j1"), Service.VIDEO, {}, name="clip")], now=NOON)
    job = store.job(JobId("j1"))
    store.close()
    return job


@pytest.mark.parametrize(
    ("state", "runs", "used", "says"),
    [
        (JobState.QUEUED, 0, 0, "0/3"),
        (JobState.RUNNING, 1, 0, "1/3"),
        (JobState.RUNNING, 5, 0, "1/3, 5 runs"),  # it was interrupted four times, which uses nothing up
        (JobState.QUEUED, 1, 0, "0/3, 1 run"),
        (JobState.SUCCEEDED, 4, 2, "2/3, 4 runs"),
        (JobState.DEAD, 3, 3, "3/3"),
    ],
)
def test_what_was_interrupted_uses_up_no_attempt(
    waiting: Job, state: JobState, runs: int, used: int, says: str
) -> None:
    job = replace(waiting, state=state, attempt=runs, attempts_used=used)
    console = Console(file=StringIO(), width=160, record=True)
    console.print(tables.jobs([job], now=NOON))
    assert f" {says}  " in console.export_text()
