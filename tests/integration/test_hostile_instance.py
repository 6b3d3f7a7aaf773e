"""What an instance leaves in its directories is read without following a link, and without waiting for a pipe."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pitchey_cli.artifacts.beneath import read_beneath
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon.line import SocketLine
from pitchey_cli.daemon.worker_client import WorkerClient
from pitchey_cli.domain.errors import InputRejected, InstanceGone
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations.logs import lines
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Service


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "result.json").write_text("{}")
    spool = tmp_path / "instance" / "spool"
    spool.mkdir(parents=True)
    return tmp_path / "instance"


def test_a_result_behind_a_link_is_none(instance: Path) -> None:
    (instance / "spool" / "whole.1").symlink_to(instance.parent / "secret")
    (instance / "spool" / "file.1").mkdir()
    (instance / "spool" / "file.1" / "result.json").symlink_to(instance.parent / "secret" / "result.json")
    for token in ("whole.1", "file.1"):
        assert read_beneath(instance, f"spool/{token}/result.json", limit_bytes=1000) is None


def test_a_pipe_in_place_of_the_result_does_not_hold_the_daemon_up(instance: Path) -> None:
    (instance / "spool" / "pipe.1").mkdir()
    os.mkfifo(instance / "spool" / "pipe.1" / "result.json")
    assert read_beneath(instance, "spool/pipe.1/result.json", limit_bytes=1000) is None


def test_a_folder_in_place_of_the_result_is_none(instance: Path) -> None:
    (instance / "spool" / "folder.1" / "result.json").mkdir(parents=True)
    assert read_beneath(instance, "spool/folder.1/result.json", limit_bytes=1000) is None


def test_the_log_of_an_attempt_is_not_read_through_a_link(instance: Path, tmp_path: Path) -> None:
    job_id, now = JobId("0123456789ab"), datetime(2026, 1, 1, tzinfo=UTC)
    store = SqliteStore.open(tmp_path / "pitchey.db")
    store.enqueue([NewJob(job_id, Service.VIDEO, {})], now=now)
    places = Places.of([Candidate("video-1", 1, 1)])
    store.claim(PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=now, lease_until=now, tick=0)
    spool = tmp_path / "instances" / "video-1" / "spool" / f"{job_id}.1"
    spool.mkdir(parents=True)
    line = '{"seq": 1, "at": 0, "type": "log", "stream": "stdout", "line": "a secret"}\n'
    (instance.parent / "secret" / "events.ndjson").write_text(line)
    (spool / "events.ndjson").symlink_to(instance.parent / "secret" / "events.ndjson")
    assert list(lines(store, tmp_path, job_id, attempt=None, follow=False)) == []
    (spool / "events.ndjson").unlink()
    (spool / "events.ndjson").write_text(line)
    assert [each.line for each in lines(store, tmp_path, job_id, attempt=None, follow=False)] == ["a secret"]
    store.close()


def test_an_output_of_a_spool_that_is_a_link_is_refused(instance: Path) -> None:
    (instance.parent / "other" / "out").mkdir(parents=True)
    (instance.parent / "other" / "out" / "video.mp4").write_text("another one's")
    (instance / "spool" / "mine.1").symlink_to(instance.parent / "other")
    artifacts = LocalArtifacts(instance.parent / "artifacts")
    with pytest.raises(InputRejected):
        artifacts.collect(instance, "spool/mine.1/out/video.mp4", limit_bytes=1000)


@pytest.mark.anyio
async def test_a_socket_that_is_a_link_is_not_followed(instance: Path) -> None:
    (instance / "run").mkdir()
    (instance / "run" / "worker.sock").symlink_to("/nowhere/engine.sock")
    client = WorkerClient(SocketLine(instance / "run"))
    with pytest.raises(InstanceGone, match="no socket"):
        await client.health()
    client.close()
    client.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
