"""A queue that several machines share, seen from one of them that runs nothing itself."""

from __future__ import annotations

import json
from pathlib import Path

from tests.resources.clusters import Cluster

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
    daemon.wait(30)
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
