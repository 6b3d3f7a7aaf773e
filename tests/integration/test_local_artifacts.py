"""What is the disk's alone among the keepers of artifacts: times that can be set, and files that can be damaged."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pitchey_cli.artifacts.local import LocalArtifacts

CONTENT = os.urandom(3 * 1024 * 1024 + 17)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LIMIT = 10 * 1024 * 1024


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "holiday.mp4"
    path.write_bytes(CONTENT)
    return path


def test_no_content_that_is_brought_in_is_lost_to_one_who_removes_old_ones(artifacts, source):
    """Old content is brought in again and again while another thread removes it whenever it is old."""
    small = source.with_name("small.mp4")
    small.write_bytes(b"small")
    name = artifacts.add(small, limit_bytes=LIMIT).sha256
    is_over = threading.Event()
    removed = 0

    def sweep() -> None:
        nonlocal removed
        while not is_over.is_set():
            removed += artifacts.remove(name, unless_used_since=datetime(2021, 1, 1, tzinfo=UTC))

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for _ in range(300):
            artifacts.add(small, limit_bytes=LIMIT)
            place = artifacts.path(name)  # it was brought in just now: nobody may have removed it
            os.utime(place, (0, 0))
    finally:
        is_over.set()
        sweeper.join()
    assert removed


def test_a_content_that_is_not_what_its_name_says_is_found(artifacts, source):
    artifacts.add(source, limit_bytes=LIMIT)
    told: list[tuple[int, int | None]] = []
    assert artifacts.is_whole(SHA256, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    place = artifacts.path(SHA256)
    place.chmod(0o644)
    with place.open("r+b") as file:
        file.write(b"not the same")
    assert not artifacts.is_whole(SHA256)
    assert not artifacts.is_whole("0" * 64)
