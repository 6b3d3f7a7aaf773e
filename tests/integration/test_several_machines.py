"""A queue that several machines share, seen from one of them that runs nothing itself."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pitchey_cli.domain.decision import Headroom, Metrics, PoolSettings, PoolView, ScalerState
from pitchey_cli.domain.nodes import NodeFacts, Room
from pitchey_cli.domain.observation import Change, LastDecision, ScalingEvent
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.scaling import decide, explain
from processors.vocabulary import Service
from tests.conftest import Pitchey
from tests.resources.clusters import Cluster
from tests.resources.waiting import DEADLINE_SECONDS, stand_still, until
from tests.servers.s3 import Bucket

THUMBNAIL = ("--output-format", "thumbnail", "--no-cache")


def test_a_machine_without_a_daemon_knows_of_the_nodes_that_work(cluster: Cluster, clip: Path) -> None:
    a, c = cluster.node("a"), cluster.node("c")
    assert "daemon: not running\n" in c.ok("status").out
    daemon = a.start_daemon()
    assert "daemon: not running here; up on this queue: a" in c.ok("status").out
    assert c.ok("status", "--json").json["nodes"] == ["a"]
    assert c.ok("top", "--once").out.startswith("No daemon runs here; up on this queue: a\n")
    (job_id,) = c.ok("submit", "video", clip, *THUMBNAIL).lines
    c.ok("wait", job_id)
    (stuck,) = c.ok("submit", "video", clip, *THUMBNAIL, "--on", "gpu").lines
    said = c.ok("why", stuck).lines
    assert said == ["It waits for a node with gpu=true, and none that is up may take it (a: it has no gpu=true)."]
    c.ok("webhooks", "add", "chat", "https://192.0.2.1/", PITCHEY_WEBHOOKS_ALLOW_PRIVATE="true")
    assert "No daemon runs" not in c("webhooks", "test", "chat").err
    (called,) = c.ok("submit", "video", clip, *THUMBNAIL, "--on", "node=a").lines
    c.ok("wait", called)
    (program,) = c.ok("submit", "code", "--language", "python", "--code", "print(1)").lines
    assert "a: its process engine runs no code" in c.ok("why", program).out
    assert "code" not in a.ok("nodes", "show", "a", "--json").json["services"]
    assert a.ok("daemon", "stop").err == "The daemon has stopped. 2 jobs wait for the next one.\n"
    daemon.wait(DEADLINE_SECONDS)
    assert (
        "No known node has node=zzz. The job waits" in c.ok("submit", "video", clip, *THUMBNAIL, "--on", "node=zzz").err
    )
    (c.cwd / "lines.csv").write_text(f"input,on\n{clip},\n{clip},node=zzz\n")
    said = c.ok("submit", "video", *THUMBNAIL, "--manifest", "lines.csv").err
    assert "No known node has node=zzz. 1 of 2 jobs wait for one" in said
    (late,) = c.ok("submit", "video", clip, *THUMBNAIL, "--on", "node=a").lines
    other = cluster.node("b")
    other.start_daemon()
    assert "The node a is down; it was last heard of at" in c.ok("why", late).out
    assert json.loads(c.ok("status", "--json").out)["nodes"] == ["b"]
    assert c.job(job_id)["attempts"][0]["node"] == "a"
    elsewhere = c.ok("logs", job_id)
    assert (
        "The log of attempt 1 is on the node a: `pitchey logs" in elsewhere.err and "no log lines" not in elsewhere.err
    )
    assert "is on the node" not in a.ok("logs", job_id).err
    listed = {each["id"]: each["node"] for each in map(json.loads, c.ok("jobs", "--json").lines)}
    assert (listed[job_id], listed[late]) == ("a", None)
    assert " a " in next(line for line in c.ok("jobs").lines if job_id in line)
    assert 'node="a"' in next(line for line in c.ok("events", job_id).lines if " claimed " in line)


def test_a_parameter_of_the_url_that_there_is_not_is_named(cluster: Cluster, postgres_url: str) -> None:
    sign = "&" if "?" in postgres_url else "?"
    refused = cluster.node("c")("jobs", PITCHEY_STORE_URL=f"{postgres_url}{sign}ssl_mode=require")
    assert refused.code == 2 and "there is no parameter 'ssl_mode'" in refused.err and "sslmode" in refused.err


def test_what_is_said_of_pools_names_the_nodes_that_have_decided(cluster: Cluster) -> None:
    c = cluster.node("c")
    pool, now = PoolKey(Service.VIDEO), datetime.now(UTC)
    view, settings = PoolView(waiting=1, ready=0, slots=3), PoolSettings(300.0, 0, 4)
    explanation = explain(view, Metrics(), Headroom(), decide(view, Metrics(), settings, ScalerState(), now=100.0))
    with closing(cluster.store()) as store:
        for name in "ab":
            store.enter(f"id-{name}", NodeFacts(name, "1.0", 1, "docker", (Service.VIDEO,)), Room(), now=now)
        events = [ScalingEvent(now, pool, Change.WANTED, "because", node=f"id-{each}") for each in "ab"]
        store.observe([], [], events, [LastDecision(now, pool, explanation, f"id-{each}") for each in "ab"])
        explained = [line for line in c.ok("scaling", "explain").lines if line.startswith("video on ")]
        assert [line.partition(":")[0] for line in explained] == ["video on a", "video on b"]
        assert [each["node"] for each in map(json.loads, c.ok("scaling", "explain", "--json").lines)] == ["a", "b"]
        header, _, *changes = c.ok("scaling", "history").lines
        assert "node" in header.split() and [line.split()[2] for line in changes] == ["a", "b"]
        store.remove_node("id-a", now=now)
        assert "video on" not in c.ok("scaling", "explain").out  # of one node nobody asks which
    assert c("nodes", "show", "b").out.count("not known") == 2


def has_profile(node: Pitchey, bucket: Bucket) -> None:
    """Let a machine know the S3 profile `far`."""
    known = bucket.environment
    file = node.state_dir / "config" / "pitchey" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    words = {name.removeprefix("PITCHEY_S3_").lower(): value for name, value in known.items()}
    lines = [f"{name} = {value if value == 'true' else json.dumps(value)}" for name, value in words.items()]
    file.write_text("\n".join(["[s3.profiles.far]", *lines, ""]))


def test_a_job_that_one_node_is_not_set_up_for_is_another_s_and_costs_no_attempt(
    cluster: Cluster, bucket: Bucket, clip: Path
) -> None:
    a, b = cluster.node("a"), cluster.node("b", PITCHEY_DAEMON_LEASE_SECONDS="30")
    has_profile(b, bucket)
    url = bucket.put("in/clip.mp4", clip.read_bytes()).replace("s3://", "s3://far@")
    first = a.start_daemon()
    fit = b.start_daemon()
    stand_still(fit.pid)  # so that the one that is not set up for it takes it
    (job_id,) = b.ok("submit", "video", url, *THUMBNAIL, "--max-attempts", "1").lines
    b.until(job_id, lambda job: bool(job["attempts"] and job["attempts"][0]["finishedAt"]))
    os.kill(fit.pid, signal.SIGCONT)
    b.ok("wait", job_id)
    job = b.job(job_id)
    assert [(each["node"], each["reason"]) for each in job["attempts"]] == [("a", "interrupted"), ("b", "completed")]
    assert job["attemptsUsed"] == 1 and job["onNode"] is None
    assert job["attempts"][0]["error"]["code"] == "unfit_node"
    assert "Its node cannot do it: There is no S3 profile 'far' here" in job["attempts"][0]["error"]["message"]
    # Where nobody is set up for it that is the end of it, until somebody is.
    b.ok("daemon", "stop")
    fit.wait(DEADLINE_SECONDS)
    (stuck,) = b.ok("submit", "video", url, *THUMBNAIL, "--max-attempts", "1", "--no-cache").lines
    assert b("wait", stuck).code == 1
    dead = b.job(stuck)
    assert dead["state"] == "dead" and dead["error"]["code"] == "unfit_node", dead
    a.ok("daemon", "stop")
    first.wait(DEADLINE_SECONDS)
    has_profile(a, bucket)
    a.start_daemon()
    a.ok("dlq", "retry", stuck)
    a.ok("wait", stuck)


def test_two_daemons_of_one_machine_that_promise_its_memory_twice_are_told(cluster: Cluster, tmp_path: Path) -> None:
    a, b = cluster.node("a"), cluster.node("b")
    a.start_daemon()
    log, said = tmp_path / "log", "The nodes a, b are on one machine"
    with log.open("w") as stderr:
        b.start("daemon", "run", stderr=stderr)
    until(lambda: said in log.read_text(), "the second daemon says so")
    assert log.read_text().count(said) == 1 and "host.memory_bytes" in log.read_text()
    assert said in b("doctor").out
