"""What several integration tests start from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Pitchey
from tests.resources.away import Away, started
from tests.resources.clusters import cluster  # noqa: F401
from tests.resources.studio import Studio
from tests.resources.workers import Worker
from tests.servers.s3 import bucket, s3_server  # noqa: F401


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A worker of the video service, for all tests of a module."""
    with Worker(tmp_path_factory.mktemp("video"), service="video") as worker:
        yield Studio(worker)


@pytest.fixture
def far(pitchey: Pitchey, tmp_path: Path) -> Iterator[Away]:
    daemon, port = started(pitchey)
    environment = {**pitchey.environment, "PITCHEY_SERVER": f"http://127.0.0.1:{port}"}
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    away = replace(pitchey, state_dir=tmp_path / "nothing", cwd=folder, environment=environment, started=[])
    yield Away(pitchey, away, daemon, port)
    away.end()
