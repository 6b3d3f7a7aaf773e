"""Two and three real daemons on one queue: one is killed, one is stopped and comes back, one is drained."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitchey_cli.store.port import Store
from tests.conftest import Pitchey
from tests.resources.books import wrong_books
from tests.resources.clusters import Cluster, cluster_on_sqlite, until

THUMBNAIL = ("--output-format", "thumbnail", "--no-cache")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with cluster_on_sqlite(tmp_path) as found:
        yield found


@pytest.fixture
def store(cluster: Cluster) -> Iterator[Store]:
    found = cluster.open_store()
    yield found
    found.close()


def submit(node: Pitchey, *arguments: str | Path) -> list[str]:
    return node.ok("submit", "video", *arguments).lines


def node_of(store: Store, job_id: str) -> str:
    """The name of the node that a job's last attempt was made on."""
    instance_id = store.attempts(store.job_ids(job_id)[0])[-1].instance_id
    instance = next(each for each in store.instances(active_only=False) if each.id == instance_id)
    return next(each.facts.name for each in store.nodes() if each.id == instance.node)


def stop(daemon: subprocess.Popen[str]) -> None:
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0


def reasons(node: Pitchey, job_id: str) -> list[str]:
    return [each["reason"] for each in node.job(job_id)["attempts"]]


def test_the_jobs_of_a_killed_daemon_end_elsewhere_once_and_the_ledger_is_right(
    cluster: Cluster, store: Store, clip: Path, lasting_options: list[str]
) -> None:
    a, b = cluster.node("a"), cluster.node("b", PITCHEY_NODE_LABELS="disk=ssd")
    first = a.start_daemon()
    job_ids = [submit(a, clip, *lasting_options, "--no-cache")[0] for _ in range(2)]
    for job_id in job_ids:
        a.until_working(job_id)
    second = b.start_daemon()
    instances = [each.id for each in store.instances()]
    first.kill()
    first.wait()
    b.ok("wait", *job_ids)
    assert [reasons(b, each) for each in job_ids] == [["interrupted", "completed"]] * 2
    assert {node_of(store, each) for each in job_ids} == {"b"}
    assert b.job(job_ids[0])["attemptsUsed"] == 1
    assert [each.state for each in store.nodes()] == ["down", "up"]
    assert not {each.id for each in store.instances()} & set(instances)
    # It comes back, removes what it has left behind, and works as before.
    first = a.start_daemon()
    assert list((a.state_dir / "instances").glob("video-*")) == []
    assert cluster.seen("a")["state"] == "up" and cluster.seen("a")["epoch"] == 3
    for daemon in (first, second):
        stop(daemon)
    assert wrong_books(store) == [] and [each.state for each in store.nodes()] == ["down", "down"]


def test_a_daemon_that_was_stopped_for_longer_than_its_lease_is_fenced_and_begins_anew(
    cluster: Cluster, store: Store, clip: Path, lasting_options: list[str]
) -> None:
    a, b = cluster.node("a"), cluster.node("b")
    first = a.start_daemon()
    (job_id,) = submit(a, clip, *lasting_options, "--no-cache")
    a.until_working(job_id)
    second = b.start_daemon()
    os.kill(first.pid, signal.SIGSTOP)
    b.until(job_id, lambda job: bool(job["attempt"] == 2 and job["progress"]))
    os.kill(first.pid, signal.SIGCONT)
    assert first.stderr is not None
    assert any("it begins anew" in line for line in first.stderr)
    until(lambda: cluster.seen("a")["state"] == "up", "a is up again")
    b.ok("wait", job_id)
    assert reasons(b, job_id) == ["interrupted", "completed"] and node_of(store, job_id) == "b"
    until(lambda: not list((a.state_dir / "instances").glob("video-*")), "what a has left behind is gone")
    stop(second)
    (again,) = submit(a, clip, *THUMBNAIL)
    a.ok("wait", again)
    assert node_of(store, again) == "a"
    stop(first)
    assert wrong_books(store) == []


def test_a_drained_node_ends_what_it_has_and_the_others_take_the_rest(
    cluster: Cluster, store: Store, clip: Path, lasting_options: list[str]
) -> None:
    a, b = cluster.node("a"), cluster.node("b")
    a.start_daemon()
    (job_id,) = submit(a, clip, *lasting_options, "--no-cache")
    a.until_working(job_id)
    b.start_daemon()
    assert "takes nothing new" in b.ok("nodes", "drain", "a").err
    later = [submit(a, clip, *THUMBNAIL)[0] for _ in range(3)]
    b.ok("wait", job_id, *later)
    assert reasons(b, job_id) == ["completed"] and node_of(store, job_id) == "a"
    assert {node_of(store, each) for each in later} == {"b"}
    until(lambda: cluster.seen("a")["instances"] == 0, "a has nothing any more")
    assert cluster.seen("a")["state"] == "draining"
    b.ok("nodes", "undrain", "a")
    assert cluster.seen("a")["state"] == "up"


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


def test_a_node_that_is_removed_ends_and_what_it_ran_goes_on_elsewhere(
    cluster: Cluster, store: Store, clip: Path, lasting_options: list[str]
) -> None:
    a, b = cluster.node("a"), cluster.node("b")
    first = a.start_daemon()
    (job_id,) = submit(a, clip, *lasting_options, "--no-cache")
    a.until_working(job_id)
    b.start_daemon()
    refused = b("nodes", "remove", "a")
    assert refused.code == 2 and "--force" in refused.err
    b.ok("nodes", "remove", "a", "--force")
    b.ok("wait", job_id)
    assert reasons(b, job_id) == ["interrupted", "completed"]
    assert first.wait(30) == 0
    assert "a" not in b.ok("nodes", "list", "--json").out.split('"name":"')[-1][:1]
