"""The nodes of a server, seen and drained from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli.domain.access import ALL_ORGANISATIONS, Role
from pitchey_cli.domain.errors import Denied
from pitchey_cli.domain.nodes import NodeFacts, NodeState, Room
from pitchey_cli.operations import nodes
from pitchey_cli.remote.address import server_at
from pitchey_cli.remote.client import Client
from pitchey_cli.remote.store import remote_store
from processors.vocabulary import Service
from tests.resources.served import served


def test_the_nodes_of_a_server_are_seen_drained_and_removed_from_elsewhere(tmp_path: Path) -> None:
    with served(tmp_path) as there:
        facts = NodeFacts("worker-1", "1.0", 1, "docker", (Service.VIDEO,), labels=("disk=ssd",))
        under = there.store.enter("id-1", facts, Room(free_cpus=1.5), now=there.now)
        client = Client(server_at(str(there.address), what="the server"), there.token(Role.ADMIN))
        store = remote_store(client, lambda *_: None)
        (found,) = nodes.nodes(store)
        assert (found.node.facts, found.node.room.free_cpus, found.running) == (facts, 1.5, 0)
        node = nodes.find(store, "worker-1")
        assert store.drain_node(node.id, is_drained=True, now=there.now)
        assert not store.drain_node(node.id, is_drained=True, now=there.now)
        assert not there.store.may_take(under) and nodes.find(store, "id-1").state is NodeState.DRAINING
        assert store.drain_node(node.id, is_drained=False, now=there.now) and there.store.may_take(under)
        taken = store.remove_node(node.id, now=there.now)
        assert taken is not None and taken.jobs == ()
        assert nodes.nodes(store) == [] and not there.store.beat(under, Room(), now=there.now)
        viewer = remote_store(
            Client(server_at(str(there.address), what="the server"), there.token(Role.OPERATOR)), lambda *_: None
        )
        with pytest.raises(Denied):
            viewer.drain_node(node.id, is_drained=True, now=there.now)


def test_a_server_without_a_daemon_says_who_else_runs_its_queue(tmp_path: Path, postgres_url: str) -> None:
    with served(tmp_path, PITCHEY_STORE_URL=postgres_url) as there:
        client, stranger = (there.client(there.token(organisation=each)) for each in (ALL_ORGANISATIONS, "acme"))
        assert client.get("/v1/status").json()["nodes"] == []
        there.store.enter("id-1", NodeFacts("worker-1", "1.0", 1, "docker", (Service.VIDEO,)), Room(), now=there.now)
        said = client.get("/v1/status").json()
        assert (said["daemon"], said["nodes"]) == (False, ["worker-1"])
        assert stranger.get("/v1/status").json()["nodes"] == ["another machine"]
        seen = client.post("/v1/views/overview").json()
        assert (seen["runner"], seen["others"]) == (None, ["worker-1"])
        submitted = client.post("/v1/code", json={"spec": {"language": "python", "code": "print(1)"}}).json()
        assert "No daemon runs." not in client.get(f"/v1/jobs/{submitted['id']}/why").json()["reasons"]
