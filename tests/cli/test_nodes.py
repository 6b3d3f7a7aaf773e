"""`pitchey nodes`, labels and `pitchey db status`, as a person uses them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Pitchey
from tests.resources.waiting import DEADLINE_SECONDS

THUMBNAIL = ("--output-format", "thumbnail")


def test_a_machine_without_a_daemon_is_no_node(pitchey: Pitchey) -> None:
    assert "`pitchey daemon start` makes this machine one" in pitchey.ok("nodes", "list").out
    answer = pitchey("nodes", "show", "nobody")
    assert (answer.code, "`pitchey nodes list` names them" in answer.err) == (3, True)


def test_a_daemon_is_a_node_with_what_is_set_of_it_and_keeps_its_id(pitchey: Pitchey, clip: Path) -> None:
    own = {"PITCHEY_NODE_NAME": "worker-1", "PITCHEY_NODE_REGION": "eu", "PITCHEY_NODE_LABELS": "disk=ssd"}
    daemon = pitchey.start_daemon(**own, PITCHEY_NODE_SERVICES="video,document")
    said = pitchey.ok("nodes", "show", "worker-1", "--json").json
    assert (said["state"], said["region"], said["labels"], said["services"]) == (
        "up", "eu", ["disk=ssd"], ["video", "document"],
    )  # fmt: skip
    assert said["id"] == (pitchey.state_dir / "node.id").read_text().strip() and said["cpus"] > 0
    table = pitchey.ok("nodes", "list").out
    assert "worker-1" in table and "region=eu, disk=ssd" in table
    assert said["version"] in pitchey.ok("db", "status").out
    assert pitchey.ok("db", "status", "--json").json["nodes"][0]["databaseSchema"] >= 1
    (job_id,) = pitchey.ok("submit", "video", clip, *THUMBNAIL, "--on", "region=eu,disk=ssd").lines
    pitchey.ok("wait", job_id)
    assert pitchey.job(job_id)["onNode"] == "disk=ssd,region=eu"
    daemon.terminate()
    daemon.wait(DEADLINE_SECONDS)
    assert json.loads(pitchey.ok("nodes", "list", "--json").out)["state"] == "down"
    pitchey.ok("nodes", "remove", "worker-1")
    assert json.loads(pitchey.ok("audit", "--json").lines[-1])["action"] == "node.remove"
    pitchey.start_daemon(PITCHEY_NODE_NAME="worker-2")
    again = pitchey.ok("nodes", "show", "worker-2", "--json").json
    assert (again["id"], again["state"]) == (said["id"], "up") and again["epoch"] > said["epoch"]


def test_what_is_no_label_no_name_and_no_service_is_said(pitchey: Pitchey, clip: Path) -> None:
    answer = pitchey("submit", "video", clip, *THUMBNAIL, "--on", "europe")
    assert answer.code == 2 and "--on: 'europe' is no label" in answer.err and "region=eu" in answer.err
    for variable, value, said in (
        ("PITCHEY_NODE_NAME", "a b", "node.name: 'a b' is no name"),
        ("PITCHEY_NODE_LABELS", "region=eu", "node.labels: every node has the label region already"),
        ("PITCHEY_NODE_SERVICES", "vidoe", "node.services: there is no service 'vidoe'"),
    ):
        answer = pitchey("daemon", "run", **{variable: value})
        assert answer.code == 2 and said in answer.err


def test_why_names_the_nodes_that_are_up_and_what_each_lacks(pitchey: Pitchey, clip: Path) -> None:
    pitchey.start_daemon(PITCHEY_NODE_NAME="worker-1", PITCHEY_NODE_SERVICES="document")
    (job_id,) = pitchey.ok("submit", "video", clip, *THUMBNAIL).lines
    assert "none that is up may take it (worker-1: it does not serve video)" in pitchey.ok("why", job_id).out
    pitchey.ok("nodes", "drain", "worker-1")
    assert pitchey.ok("nodes", "show", "worker-1", "--json").json["state"] == "draining"
