"""Where a chaos test has its queue and its artifacts: in files, or on servers that several machines could share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Pitchey
from tests.resources.clusters import cluster  # noqa: F401
from tests.servers.s3 import bucket, s3_server  # noqa: F401

FILES, POSTGRES, SERVERS = "files", "PostgreSQL", "PostgreSQL and S3"

#: for tests of what is promised wherever queue and artifacts are
everywhere = pytest.mark.parametrize("pitchey", [FILES, SERVERS], indirect=True)
with_either_store = pytest.mark.parametrize("pitchey", [FILES, POSTGRES], indirect=True)


@pytest.fixture
def pitchey(request: pytest.FixtureRequest, pitchey: Pitchey) -> Iterator[Pitchey]:
    """The command line with an empty state directory, and its queue and artifacts where the test wants them."""
    where = getattr(request, "param", FILES)
    if where != FILES:
        pitchey.environment["PITCHEY_STORE_URL"] = request.getfixturevalue("postgres_store_url")
    if where == SERVERS:
        found = request.getfixturevalue("bucket")
        pitchey.environment |= {"PITCHEY_ARTIFACTS_URL": f"{found.url}/kept/", **found.environment}
    yield pitchey
    pitchey.end()  # before the servers do
