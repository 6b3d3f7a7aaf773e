"""What daemons of one queue agree on before they are nodes of it: artifacts, names and ids, and keys of a bucket."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from pitchey_cli.domain import layout
from tests.conftest import Pitchey
from tests.resources.clusters import Cluster
from tests.resources.waiting import DEADLINE_SECONDS
from tests.servers.s3 import Bucket


def apart(node: Pitchey) -> Pitchey:
    """The same node with artifacts on a disk that no other one sees."""
    layout.artifacts(node.state_dir).unlink()
    return node


def refused(node: Pitchey) -> str:
    """What a daemon says that does not start, and ends with the code of wrong usage."""
    answer = node("daemon", "run")
    assert answer.code == 2, answer.err
    return answer.err


def stop(daemon: subprocess.Popen[str]) -> None:
    daemon.terminate()
    daemon.wait(DEADLINE_SECONDS)


def test_a_node_whose_artifacts_are_elsewhere_is_refused_while_another_is_up(cluster: Cluster, clip: Path) -> None:
    first, other = cluster.node("a"), apart(cluster.node("b"))
    daemon = first.start_daemon()
    said = refused(other)
    for each in (first, other):
        assert f"{layout.artifacts(each.state_dir)} on the disk of" in said
    assert "node b, " in said and "queue postgresql://" in said  # the log says first where it is
    assert "artifacts.url" in said and "node a is up" in said
    answer = other("submit", "video", clip)
    assert answer.code == 2 and "no node would find them" in answer.err
    assert "no node would find them" in other("doctor").out
    first.ok("submit", "video", clip, "--on", "gpu=true")  # where they are, all is well
    stop(daemon)
    again = other.start_daemon()  # nobody is up: they may be elsewhere from now on
    assert other("submit", "video", clip, "--on", "gpu=true").code == 0
    assert first("submit", "video", clip).code == 2
    stop(again)


def test_a_name_that_is_taken_is_refused_with_the_way_out(cluster: Cluster) -> None:
    first, other = cluster.node("a"), cluster.node("b", PITCHEY_NODE_NAME="a")
    daemon = first.start_daemon()
    said = refused(other)
    assert "There is a node 'a' already" in said and "node.name" in said
    daemon.kill()
    daemon.wait()
    other.start_daemon()  # it is only up in the database: after a while without a beat nobody objects


def test_a_copy_of_a_state_directory_is_refused_and_the_original_goes_on(cluster: Cluster) -> None:
    first = cluster.node("a")
    daemon = first.start_daemon()
    copy = cluster.node("b", PITCHEY_NODE_NAME="a")
    for name in ("node.id", "node.file"):
        shutil.copy(first.state_dir / name, copy.state_dir / name)
    said = refused(copy)
    assert "This is a copy" in said and str(copy.state_dir / "node.id") in said
    assert daemon.poll() is None
    assert cluster.seen("a")["state"] == "up"


def test_a_node_that_may_not_use_the_bucket_does_not_start_and_one_starts_without_its_bucket(
    pitchey: Pitchey, bucket: Bucket
) -> None:
    pitchey.environment |= {"PITCHEY_ARTIFACTS_URL": f"{bucket.url}/kept/", **bucket.environment}
    wrong = pitchey("daemon", "run", PITCHEY_S3_SECRET_KEY="bad")
    assert wrong.code == 4 and "the keys are wrong" in wrong.err
    mistyped = pitchey("daemon", "run", PITCHEY_ARTIFACTS_URL="s3://nothere/kept/")
    assert mistyped.code == 4 and "there is no bucket nothere" in mistyped.err
    assert "nothere" not in [each["Name"] for each in bucket.client.list_buckets()["Buckets"]]
    daemon = pitchey.start_daemon(PITCHEY_S3_ENDPOINT_URL="http://127.0.0.1:9")  # nobody is there
    stop(daemon)
