"""Two and three real daemons on one queue: one is killed, one is stopped and comes back, one is drained."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pitchey_cli.domain.job import Instance
from pitchey_cli.store.port import Store
from tests.conftest import Pitchey
from tests.resources.books import wrong_books
from tests.resources.clusters import LEASE_SECONDS, Cluster
from tests.resources.waiting import DEADLINE_SECONDS, stand_still, until, until_said
from tests.resources.wires import wire_to
from tests.servers.postgres import PostgresServer

#: where no lease is to run out, however busy the machine is
without_a_loss = pytest.mark.parametrize("pair", [60], indirect=True, ids=["long lease"])
THUMBNAIL = ("--output-format", "thumbnail", "--no-cache")


@pytest.fixture
def store(cluster: Cluster) -> Iterator[Store]:
    found = cluster.store()
    yield found
    found.close()


def submit(node: Pitchey, *arguments: str | Path) -> list[str]:
    return node.ok("submit", "video", *arguments).lines


def name_of(store: Store, instance: Instance) -> str:
    """The name of the node that an instance is on."""
    return next(each.facts.name for each in store.nodes() if each.id == instance.node)


def node_of(store: Store, job_id: str) -> str:
    """The name of the node that a job's last attempt was made on."""
    instance_id = store.attempts(store.job_ids(job_id)[0])[-1].instance_id
    return name_of(store, next(each for each in store.instances(active_only=False) if each.id == instance_id))


def stop(daemon: subprocess.Popen[str]) -> None:
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(DEADLINE_SECONDS) == 0


def reasons(node: Pitchey, job_id: str) -> list[str]:
    return [each["reason"] for each in node.job(job_id)["attempts"]]


def ended_elsewhere(node: Pitchey, job_id: str) -> bool:
    """Whether a job was interrupted, ended once, and has used up one attempt.

    It may have been interrupted again: on a machine that is too busy, the node that is left misses its lease as well.
    """
    *before, last = reasons(node, job_id)
    return set(before) == {"interrupted"} and last == "completed" and node.job(job_id)["attemptsUsed"] == 1


@dataclass
class Pair:
    """Two nodes that are up, and a job that one of them works at."""

    job_id: str
    busy: Pitchey
    busy_daemon: subprocess.Popen[str]
    other: Pitchey
    other_daemon: subprocess.Popen[str]


@pytest.fixture
def pair(
    request: pytest.FixtureRequest, cluster: Cluster, store: Store, clip: Path, lasting_options: list[str]
) -> Pair:
    lease = {"PITCHEY_DAEMON_LEASE_SECONDS": str(getattr(request, "param", LEASE_SECONDS))}
    daemons = {name: cluster.node(name, **lease).start_daemon() for name in "ab"}
    (job_id,) = submit(cluster.nodes["a"], clip, *lasting_options)
    cluster.nodes["a"].until_working(job_id)
    busy = node_of(store, job_id)
    other = "b" if busy == "a" else "a"
    return Pair(job_id, cluster.nodes[busy], daemons[busy], cluster.nodes[other], daemons[other])


def left_behind(node: Pitchey) -> list[Path]:
    return list((node.state_dir / "instances").glob("*"))


def test_the_job_of_a_killed_daemon_ends_elsewhere_once_and_the_ledger_is_right(
    cluster: Cluster, store: Store, pair: Pair
) -> None:
    # The other may have one as well: what was started for nothing sleeps there.
    busy = node_of(store, pair.job_id)
    before = {each.id for each in store.instances() if name_of(store, each) == busy}
    assert before
    pair.busy_daemon.kill()
    pair.busy_daemon.wait()
    pair.other.ok("wait", pair.job_id)
    assert ended_elsewhere(pair.other, pair.job_id)
    # On a machine that is too busy the one that is left may have missed its lease, and be about to come back.
    until(lambda: Counter(each.state for each in store.nodes()) == {"down": 1, "up": 1}, "one is down, and one is up")
    assert not before & {each.id for each in store.instances()}
    # It comes back, removes what it has left behind, and is a node as before.
    again = pair.busy.start_daemon()
    assert left_behind(pair.busy) == []
    until(lambda: [each.state for each in store.nodes()] == ["up", "up"], "both are up again")
    for daemon in (again, pair.other_daemon):
        stop(daemon)
    assert wrong_books(store) == [] and [each.state for each in store.nodes()] == ["down", "down"]


def test_a_daemon_that_was_stopped_for_longer_than_its_lease_is_fenced_and_begins_anew(
    cluster: Cluster, store: Store, clip: Path, pair: Pair
) -> None:
    stand_still(pair.busy_daemon.pid)
    before = pair.other.job(pair.job_id)["attempt"]
    pair.other.until(pair.job_id, lambda job: bool(job["attempt"] > before))
    os.kill(pair.busy_daemon.pid, signal.SIGCONT)
    until_said("it begins anew", pair.busy_daemon.stderr)
    until(lambda: [each.state for each in store.nodes()] == ["up", "up"], "both are up again")
    until(lambda: left_behind(pair.busy) == [], "what it had is gone")
    pair.other.ok("wait", pair.job_id)
    assert ended_elsewhere(pair.other, pair.job_id)
    stop(pair.other_daemon)
    (later,) = submit(pair.busy, clip, *THUMBNAIL)
    pair.busy.ok("wait", later)
    stop(pair.busy_daemon)
    assert wrong_books(store) == []


def test_a_node_that_cannot_reach_the_database_is_taken_over_and_comes_back_by_itself(
    cluster: Cluster,
    store: Store,
    clip: Path,
    slow_options: list[str],
    postgres_server: PostgresServer,
) -> None:
    database = urlsplit(cluster.url).path.removeprefix("/")
    with wire_to(postgres_server.port) as wire:
        direct = urlsplit(postgres_server.tcp_url(database))
        port = int(wire.url.rpartition(":")[2])
        through = direct._replace(netloc=f"{direct.netloc.rpartition(':')[0]}:{port}").geturl()
        a = cluster.node("a", PITCHEY_STORE_URL=through)
        b = cluster.node("b")
        cut_off = a.start_daemon()
        (job_id,) = submit(b, clip, *slow_options)
        b.until_working(job_id)
        other = b.start_daemon()
        wire.is_down = True
        wire.cut_after_sent = wire.sent  # whatever it says next
        before = b.job(job_id)["attempt"]
        b.until(job_id, lambda job: bool(job["attempt"] > before))
        wire.is_down = False
        until_said("it begins anew", cut_off.stderr)
        b.until_working(job_id)
        until(lambda: left_behind(a) == [], "what it had is gone")
        until(lambda: [each.state for each in store.nodes()] == ["up", "up"], "both are up again")
        b.ok("cancel", job_id)
        b("wait", job_id)
        *before, last = reasons(b, job_id)
        assert set(before) == {"interrupted"} and last == "cancelled"
        for daemon in (cut_off, other):
            stop(daemon)
    assert wrong_books(store) == []


@without_a_loss
def test_a_drained_node_ends_what_it_has_and_the_others_take_the_rest(
    cluster: Cluster, store: Store, clip: Path, pair: Pair
) -> None:
    name = node_of(store, pair.job_id)
    assert "takes nothing new" in pair.other.ok("nodes", "drain", name).err
    later = [submit(pair.busy, clip, *THUMBNAIL)[0] for _ in range(3)]
    pair.other.ok("wait", pair.job_id, *later)
    assert reasons(pair.other, pair.job_id) == ["completed"] and node_of(store, pair.job_id) == name
    assert name not in {node_of(store, each) for each in later}
    until(lambda: cluster.seen(name)["running"] == 0, "it runs nothing")
    assert cluster.seen(name)["state"] == "draining"
    pair.other.ok("nodes", "undrain", name)
    assert cluster.seen(name)["state"] == "up"


def test_a_job_that_asks_for_a_region_waits_for_a_node_there_and_why_says_so(
    cluster: Cluster, store: Store, clip: Path
) -> None:
    a, b = cluster.node("a"), cluster.node("b", PITCHEY_NODE_REGION="eu")
    a.start_daemon()
    (job_id,) = submit(a, clip, *THUMBNAIL, "--on", "region=eu")
    (other,) = submit(a, clip, *THUMBNAIL)
    a.ok("wait", other)
    said = a.ok("why", job_id).out
    assert "region=eu" in said and "a: it has no region=eu" in said
    b.start_daemon()
    a.ok("wait", job_id)
    assert node_of(store, job_id) == "b" and node_of(store, other) == "a"


def test_three_daemons_share_the_work_and_start_no_more_instances_than_there_may_be(
    cluster: Cluster, store: Store, clip: Path
) -> None:
    bounds = {"PITCHEY_SERVICES_VIDEO_MAX_INSTANCES": "2", "PITCHEY_SERVICES_VIDEO_SLOTS": "1"}
    nodes = [cluster.node(name, **bounds) for name in "abc"]
    for each in nodes:
        each.start_daemon()
    job_ids = [submit(nodes[0], clip, *THUMBNAIL)[0] for _ in range(8)]
    most = 0

    def have_ended() -> bool:
        nonlocal most
        most = max(most, len(store.instances()))
        return all(store.job(each).state == "succeeded" for each in store.job_ids("", limit=100))

    until(have_ended, "all jobs have ended")
    assert 1 <= most <= 2
    assert [reasons(nodes[0], each) for each in job_ids] == [["completed"]] * 8


@without_a_loss
def test_a_node_that_is_removed_ends_and_what_it_ran_goes_on_elsewhere(store: Store, pair: Pair) -> None:
    name = node_of(store, pair.job_id)
    assert "1 job waits again" in pair.other.ok("nodes", "remove", name, "--force").err
    refused = pair.other("nodes", "remove", "b" if name == "a" else "a")
    assert refused.code == 2 and "--force" in refused.err
    pair.other.ok("wait", pair.job_id)
    assert ended_elsewhere(pair.other, pair.job_id)
    assert pair.busy_daemon.wait(DEADLINE_SECONDS) == 0 and left_behind(pair.busy) == []
    assert [each["name"] for each in map(json.loads, pair.other.ok("nodes", "list", "--json").lines)] != [name]
    assert name in pair.other.ok("nodes", "list", "--all").out
