"""Buckets that cannot be reached for a while, with all artifacts or of one job: it waits, and no attempt is used up."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pitchey_cli.domain import layout
from tests.conftest import Pitchey
from tests.resources.programs import held
from tests.resources.waiting import stand_still, until, until_said
from tests.resources.wires import Wire, wire_to
from tests.servers.s3 import Bucket


@contextmanager
def leading_to(bucket: Bucket, pitchey: Pitchey, **more: str) -> Iterator[Wire]:
    """What leads to a bucket, for as long as there is anything of Pitchey."""
    port = urlsplit(bucket.server.endpoint).port
    assert port is not None
    with wire_to(port) as found:
        pitchey.environment |= bucket.environment | {"PITCHEY_S3_ENDPOINT_URL": found.url} | more
        yield found
        pitchey.end()


@pytest.fixture
def wire(pitchey: Pitchey, bucket: Bucket) -> Iterator[Wire]:
    """What leads to the bucket in which the artifacts are."""
    with leading_to(bucket, pitchey, PITCHEY_ARTIFACTS_URL=f"{bucket.url}/kept/") as found:
        yield found


@pytest.fixture
def path(pitchey: Pitchey, bucket: Bucket) -> Iterator[Wire]:
    """What leads to a bucket that jobs name; the artifacts are on the disk."""
    with leading_to(bucket, pitchey) as found:
        yield found


def reasons(pitchey: Pitchey, job_id: str) -> list[str]:
    return [each["reason"] for each in pitchey.job(job_id)["attempts"]]


def test_what_was_made_while_the_bucket_is_away_is_stored_when_it_is_back(
    pitchey: Pitchey, wire: Wire, clip: Path, lasting_options: list[str]
) -> None:
    daemon = pitchey.start_daemon()
    (job_id,) = pitchey.ok("submit", "video", clip, *lasting_options, "--max-attempts", "1").lines
    with held(daemon.pid, job_id):
        wire.is_down = True
    until_said(f"{job_id}.1 waits for the artifacts", daemon.stderr)
    wire.is_down = False
    pitchey.ok("wait", job_id)
    assert reasons(pitchey, job_id) == ["completed"]


def test_an_attempt_waits_for_an_input_that_lies_in_a_bucket_that_is_away(
    pitchey: Pitchey, wire: Wire, clip: Path
) -> None:
    daemon = pitchey.start_daemon()
    stand_still(daemon.pid)  # so that it does not begin before the bucket is away
    (job_id,) = pitchey.ok("submit", "video", clip, "--output-format", "thumbnail", "--max-attempts", "1").lines
    wire.is_down = True
    for kept in (layout.cache(pitchey.state_dir) / "sha256").glob("*/*"):  # another node has not had it
        kept.unlink()
    daemon.send_signal(signal.SIGCONT)
    until_said(f"{job_id}.1 waits for the artifacts", daemon.stderr)
    wire.is_down = False
    pitchey.ok("wait", job_id)
    assert reasons(pitchey, job_id) == ["completed"]


def test_a_job_that_waits_for_a_bucket_can_be_cancelled(
    pitchey: Pitchey, wire: Wire, clip: Path, lasting_options: list[str]
) -> None:
    daemon = pitchey.start_daemon()
    (job_id,) = pitchey.ok("submit", "video", clip, *lasting_options).lines
    with held(daemon.pid, job_id):
        wire.is_down = True
    until_said(f"{job_id}.1 waits for the artifacts", daemon.stderr)
    pitchey.ok("cancel", job_id)
    assert pitchey("wait", job_id).code == 6
    assert reasons(pitchey, job_id) == ["cancelled"]
    wire.is_down = False


def test_a_node_whose_keys_turn_out_to_be_wrong_is_named_and_the_job_is_not_to_blame(
    pitchey: Pitchey, wire: Wire, clip: Path
) -> None:
    (job_id,) = pitchey.ok("submit", "video", clip, "--output-format", "thumbnail", "--max-attempts", "9").lines
    wire.is_down = True
    pitchey.start_daemon(PITCHEY_S3_SECRET_KEY="bad", PITCHEY_NODE_NAME="d")  # nobody can say so yet
    wire.is_down = False
    job = pitchey.until(job_id, lambda job: bool(job["attempts"] and job["attempts"][0]["finishedAt"]))
    first = job["attempts"][0]
    assert first["reason"] == "failed" and job["state"] in ("scheduled", "queued", "running")
    assert (first["node"], first["error"]["code"]) == ("d", "unfit_node")
    assert "the keys are wrong" in first["error"]["message"]


def test_a_command_says_by_its_exit_code_that_the_bucket_is_away(pitchey: Pitchey, wire: Wire, clip: Path) -> None:
    wire.is_down = True
    assert pitchey("submit", "video", clip).code == 9


@pytest.mark.parametrize("end", ["input", "output"])
def test_a_job_whose_own_bucket_is_away_waits_without_a_slot_and_says_so(
    pitchey: Pitchey, path: Wire, bucket: Bucket, clip: Path, end: str
) -> None:
    there = bucket.put("clip.mp4", clip.read_bytes()) if end == "input" else clip
    more = ["--output", f"{bucket.url}/out/{{job}}/"] if end == "output" else []
    path.is_down = True
    pitchey.start_daemon()
    asked = ("--output-format", "thumbnail", "--max-attempts", "1")
    (job_id,) = pitchey.ok("submit", "video", there, *asked, *more).lines
    waiting = pitchey.until(job_id, lambda job: job["state"] == "scheduled")
    assert waiting["error"]["code"] == "bucket_away" and waiting["attemptsUsed"] == 0
    assert f"s3://{bucket.name}/" in waiting["error"]["message"]
    until(
        lambda: "waits for a bucket, which is asked again in" in pitchey.ok("why", job_id).out, "why names the bucket"
    )
    assert "interrupted" in [each["type"] for each in map(json.loads, pitchey.ok("events", job_id, "--json").lines)]
    path.is_down = False
    pitchey.ok("wait", job_id)
    *before, last = reasons(pitchey, job_id)
    assert set(before) == {"interrupted"} and last == "completed"


def test_a_command_with_somebody_before_it_does_not_wait_for_a_bucket_for_ever(
    pitchey: Pitchey, path: Wire, bucket: Bucket, clip: Path
) -> None:
    url = bucket.put("clip.mp4", clip.read_bytes())
    path.is_down = True
    answer = pitchey("run", "video", url, "--output-format", "thumbnail", "--max-attempts", "1")
    assert answer.code == 1 and url in answer.err
