"""What several integration tests start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.resources.studio import Studio
from tests.resources.workers import Worker
from tests.servers.s3 import bucket, s3_server  # noqa: F401


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A worker of the video service, for all tests of a module."""
    with Worker(tmp_path_factory.mktemp("video"), service="video") as worker:
        yield Studio(worker)
