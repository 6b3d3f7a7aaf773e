"""An upgrade that rolls over the nodes of a queue: two versions at once, the way back, and a version too far apart."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from pitchey_cli import __version__
from pitchey_cli.store.steps import newest
from tests.conftest import ROOT, Pitchey
from tests.resources.books import wrong_books
from tests.resources.clusters import Cluster
from tests.resources.releases import release
from tests.resources.waiting import DEADLINE_SECONDS, until

THUMBNAIL = ("--output-format", "thumbnail", "--no-cache")
NEXT, FAR = "0.2.0", "0.3.0"


def submit(node: Pitchey, clip: Path, on: str, *options: str) -> str:
    (job_id,) = node.ok("submit", "video", clip, *(options or THUMBNAIL), "--on", f"node={on}").lines
    return job_id


def work_everywhere(cluster: Cluster, clip: Path) -> None:
    """From each node a job to the other, which whoever asked for it sees through."""
    made = {name: submit(cluster.nodes[name], clip, other) for name, other in (("a", "b"), ("b", "a"))}
    for name, job_id in made.items():
        asking = cluster.nodes[name]
        asking.ok("wait", job_id)
        assert [each["reason"] for each in asking.job(job_id)["attempts"]] == ["completed"]
        asking.ok("result", job_id, "-o", f"out/{job_id}")


def change(cluster: Cluster, name: str, daemon: subprocess.Popen[str], root: Path) -> subprocess.Popen[str]:
    """Bring a node to another version, as the page on several machines says."""
    node = cluster.nodes[name]
    node.ok("nodes", "drain", name)
    until(lambda: cluster.seen(name)["running"] == 0, "it is idle")
    node.ok("daemon", "stop")
    assert daemon.wait(DEADLINE_SECONDS) == 0
    node.root = root
    begun = node.start_daemon()
    node.ok("nodes", "undrain", name)
    return begun


def stop(daemon: subprocess.Popen[str]) -> None:
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(DEADLINE_SECONDS) == 0


def versions(node: Pitchey) -> tuple[int, dict[str, str]]:
    """The schema, and the versions of the nodes."""
    found = node.ok("db", "status", "--json").json
    return found["schemaVersion"], {each["name"]: each["version"] for each in found["nodes"]}


def test_an_upgrade_rolls_over_two_nodes_and_back_while_jobs_run(
    cluster: Cluster, clip: Path, lasting_options: list[str], tmp_path: Path
) -> None:
    known = newest()
    later = release(tmp_path, NEXT, known)
    unhurried = {"PITCHEY_DAEMON_LEASE_SECONDS": "60"}  # nobody is to miss it, however busy the machine is
    a, b = (cluster.node(name, **unhurried) for name in "ab")
    daemons = {"a": a.start_daemon(), "b": b.start_daemon()}
    lasting = submit(a, clip, "a", *lasting_options)
    a.until_working(lasting)
    daemons["b"] = change(cluster, "b", daemons["b"], later)
    for each in (a, b):
        assert versions(each) == (known + 1, {"a": __version__, "b": NEXT})
    assert f"schema version {known + 1}; this Pitchey knows {known}, and may go on" in a.ok("db", "status").out
    assert NEXT in a.ok("nodes", "list").out
    work_everywhere(cluster, clip)
    a.ok("wait", lasting)
    assert [each["reason"] for each in a.job(lasting)["attempts"]] == ["completed"]
    daemons["b"] = change(cluster, "b", daemons["b"], ROOT)  # the way back, on the schema that has the step
    daemons["a"] = change(cluster, "a", daemons["a"], later)  # and the other one first
    assert versions(b) == (known + 1, {"a": NEXT, "b": __version__})
    work_everywhere(cluster, clip)
    for each in (a, b):
        assert "is whole" in each.ok("db", "check", "--deep").out
    for daemon in daemons.values():
        stop(daemon)
        assert daemon.stderr is not None and "failed" not in (said := daemon.stderr.read()), said
    store = cluster.store()
    assert wrong_books(store) == []
    store.close()


def test_a_version_too_far_behind_is_refused_with_the_way_out(cluster: Cluster, clip: Path, tmp_path: Path) -> None:
    known = newest()
    old, new, far = cluster.node("old"), cluster.node("new"), cluster.node("far")
    new.root = release(tmp_path, NEXT, known)
    far.root = release(tmp_path, FAR, known, known + 1)
    left = old.start_daemon()
    new.start_daemon()
    far.start_daemon()
    assert left.wait(DEADLINE_SECONDS) == 9 and left.stderr is not None
    assert "This daemon has ended: its database is for newer programs." in left.stderr.read()
    for arguments in (("status",), ("submit", "video", clip), ("daemon", "run"), ("daemon", "start"), ("db", "status")):
        refused = old(*arguments)
        assert refused.code == 9 and refused.err.count("error: ") == 1, refused
        assert f"has schema version {known + 2}, for programs that know version {known + 1}" in refused.err
        assert "upgrade this one" in refused.err and "Traceback" not in refused.err
    assert versions(new) == (known + 2, {"old": __version__, "new": NEXT, "far": FAR})  # its neighbour goes on
    job_id = submit(new, clip, "new")
    far.ok("wait", job_id)
