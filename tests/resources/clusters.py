"""Several daemons on one queue: a state directory for each, and what they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.store.port import Store
from tests.conftest import Pitchey

LEASE_SECONDS = 5  # the least that can be set


@dataclass
class Cluster:
    """Nodes by their names; the first one's state directory has the artifacts, as a shared store of them would."""

    root: Path
    url: str  #: of the database
    nodes: dict[str, Pitchey] = field(default_factory=dict)

    def node(self, name: str, **environment: str) -> Pitchey:
        """A node, whose daemon is not started yet."""
        state_dir, work = self.root / name, self.root / f"{name}-work"
        work.mkdir()
        state_dir.mkdir(mode=0o700)
        artifacts = self.root / "artifacts"
        artifacts.mkdir(exist_ok=True)
        layout.artifacts(state_dir).symlink_to(artifacts)
        own = {
            "PITCHEY_ENGINE_KIND": "process",
            "PITCHEY_STORE_URL": self.url,
            "PITCHEY_NODE_NAME": name,
            "PITCHEY_DAEMON_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        self.nodes[name] = Pitchey(state_dir, work, {**own, **environment})
        return self.nodes[name]

    def seen(self, name: str) -> dict[str, Any]:
        """A node as another one's command line shows it."""
        there = next(iter(self.nodes.values()))
        found: dict[str, Any] = there.ok("nodes", "show", name, "--json").json
        return found

    def store(self) -> Store:
        """One more connection to the database."""
        from pitchey_cli.store.postgres import PostgresStore  # late: most tests that could have a cluster have none

        return PostgresStore.open(self.url, create=True)

    def end(self) -> None:
        for each in self.nodes.values():
            each.end()


@pytest.fixture
def cluster(tmp_path: Path, postgres_url: str) -> Iterator[Cluster]:
    """One of no nodes yet, on a database in which there is nothing."""
    found = Cluster(tmp_path, postgres_url)
    yield found
    found.end()
