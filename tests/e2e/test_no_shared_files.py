"""Docker, where instances see no file of the host: everything goes by links to a real S3 server."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from pitchey_cli.domain import layout
from pitchey_cli.engines.port import LABEL_PORTER, LABEL_STATE
from pitchey_cli.store.sqlite import SqliteStore
from tests.conftest import RESOURCES, Pitchey
from tests.resources.sounds import ffprobe
from tests.resources.waiting import DEADLINE_SECONDS
from tests.servers.s3 import Bucket, S3Server

MUSIC = RESOURCES / "audio" / "sample_10s.ogg"
PREFIX = "pitchey"


@pytest.fixture(scope="module")
def docker_client() -> Iterator[docker.DockerClient]:
    url = os.environ.get("PITCHEY_TEST_DOCKER")
    if not url:
        pytest.fail("There is no docker for the tests: `make test` starts one.")
    client = docker.DockerClient(url)
    yield client
    client.close()


@pytest.fixture(scope="module")
def within_reach(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server at the host's end of Docker's bridge, where porters and the daemon both reach it."""
    (subnet,) = docker_client.networks.get("bridge").attrs["IPAM"]["Config"]
    server = S3Server(tmp_path_factory.mktemp("s3"), address=subnet["Gateway"])
    server.start()
    yield server
    server.stop()


@dataclass
class Apart:
    """A Pitchey whose instances share no files with it."""

    pitchey: Pitchey
    bucket: Bucket
    docker: docker.DockerClient

    @property
    def labels(self) -> list[str]:
        """What all carry that this Pitchey has on the engine beside its workers."""
        state_dir = self.pitchey.state_dir.resolve()
        with closing(SqliteStore.open(layout.database(state_dir))) as store:
            return [LABEL_PORTER, f"{LABEL_STATE}={layout.label(store.state_id(), state_dir)}"]

    def porters(self) -> list[Container]:
        """Those of this Pitchey."""
        return self.docker.containers.list(all=True, filters={"label": self.labels})

    def worker(self) -> Container:
        """The container in which the programs of the only instance run."""
        (porter,) = self.porters()
        return self.docker.containers.get(str(porter.name).removesuffix("-porter"))

    def until_there_is(self, stage: str, job_id: str) -> None:
        """Wait until a job is at a stage."""
        self.pitchey.until(job_id, lambda job: str(job["stage"]).startswith(stage))


@pytest.fixture
def apart(
    tmp_path: Path, docker_client: docker.DockerClient, within_reach: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Apart]:
    work = tmp_path / "work"
    work.mkdir()
    bucket = within_reach.new_bucket()
    settings = {
        "PITCHEY_ENGINE_KIND": "docker",
        "PITCHEY_ENGINE_URL": os.environ["PITCHEY_TEST_DOCKER"],
        "PITCHEY_ENGINE_SHARES_FILES": "false",
        "PITCHEY_ARTIFACTS_URL": f"{bucket.url}/{PREFIX}",
        **bucket.environment,
    }
    pitchey = Pitchey(tmp_path / "state", work, settings)
    for service in ("video", "media"):
        pitchey.ok("images", "build", service)
    yield Apart(pitchey, bucket, docker_client)
    pitchey.end()


def test_sound_and_pictures_come_back_and_nothing_stays_on_the_engine(apart: Apart) -> None:
    apart.pitchey.ok("run", "media", MUSIC, "-p", "mp3", "--generate-thumbnails", "-o", "out")
    out = apart.pitchey.cwd / "out"
    assert ffprobe(out / "sample_10s-mp3.mp3")["audio"]["codec_name"] == "mp3"
    assert ffprobe(out / "sample_10s-waveform.png")["video"]["codec_name"] == "png"
    assert apart.porters() == []
    assert apart.docker.volumes.list(filters={"label": apart.labels}) == []
    assert list((apart.pitchey.state_dir / "instances").iterdir()) == []


def test_a_ladder_of_many_files_comes_back_whole(apart: Apart, clip: Path) -> None:
    long = apart.pitchey.cwd / "long.mp4"
    command = ["ffmpeg", "-v", "error", "-stream_loop", "3", "-i", clip, "-c", "copy", long]
    subprocess.run(command, check=True)
    options = ("--output-format", "hls", "--resolution", "160x90", "--segment-seconds", "2", "--ladder-max-rungs", "1")
    apart.pitchey.ok("run", "video", long, *options, "-o", "out")
    folder = apart.pitchey.cwd / "out" / long.stem
    assert len([path for path in folder.rglob("*") if path.is_file()]) > 40  # more than links are asked for at once
    assert float(ffprobe(folder / "master.m3u8")["format"]["duration"]) == pytest.approx(40, abs=0.5)


def test_a_picture_out_of_a_video_comes_back(apart: Apart, clip: Path) -> None:
    apart.pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "--thumbnail-times", "1,2", "-o", "out")
    assert sorted(path.name for path in (apart.pitchey.cwd / "out").iterdir()) == [
        "sample_10s-thumbnail-001.jpg",
        "sample_10s-thumbnail-002.jpg",
    ]


PROBE = """
import json, os, pathlib, socket, sys
def reaches(address, port):
    try:
        socket.create_connection((address, port), timeout=3).close()
    except OSError:
        return False
    return True
def writes(path):
    try:
        pathlib.Path(path, "x").write_text("x")
    except OSError:
        return False
    return True
print(json.dumps({
    "interfaces": sorted(os.listdir("/sys/class/net")),
    "reaches": reaches(sys.argv[1], int(sys.argv[2])),
    "sees_kept": os.path.exists("/kept"),
    "writes_given": writes("/given/inputs"),
    "environment": " ".join([*os.environ, *os.environ.values()]),
    "others": [pid for pid in os.listdir("/proc") if pid.isdigit()
               and b"\\0processors.porter\\0" in pathlib.Path("/proc", pid, "cmdline").read_bytes()],
}))
"""


def test_a_program_in_the_instance_reaches_nothing_and_learns_no_secret(apart: Apart) -> None:
    apart.pitchey.start_daemon()
    (job_id,) = apart.pitchey.ok("submit", "media", MUSIC, "-p", "mp3").lines
    apart.pitchey.ok("wait", job_id)
    worker = apart.worker()
    host, _, port = apart.bucket.server.endpoint.removeprefix("http://").partition(":")
    status, said = worker.exec_run(["python3", "-c", PROBE, host, port])
    assert status == 0, said
    assert isinstance(said, bytes)
    seen = json.loads(said)
    (secret,) = [path.read_text() for path in apart.pitchey.state_dir.glob("instances/*/secret")]
    assert secret not in seen.pop("environment")
    assert seen == {
        "interfaces": ["lo"], "reaches": False, "sees_kept": False, "writes_given": False, "others": [],
    }  # fmt: skip
    (porter,) = apart.porters()
    shown = json.dumps([porter.attrs, worker.attrs]) + porter.logs().decode() + worker.logs().decode()
    assert secret not in shown
    assert "Signature" not in shown and "PRIVATE KEY" not in shown
    assert {mount["Type"] for mount in worker.attrs["Mounts"]} == {"volume"}
    kept = b"".join(path.read_bytes() for path in (apart.pitchey.state_dir / "logs").rglob("*.ndjson"))
    assert b"Signature" not in kept


def test_a_daemon_that_is_killed_takes_up_what_still_runs(apart: Apart, clip: Path, lasting_options: list[str]) -> None:
    first = apart.pitchey.start_daemon()
    (job_id,) = apart.pitchey.ok("submit", "video", clip, *lasting_options).lines
    before = apart.pitchey.until_working(job_id)
    first.kill()
    first.wait()
    apart.pitchey.start_daemon()
    apart.pitchey.ok("wait", job_id)
    after = apart.pitchey.job(job_id)
    assert (after["state"], after["attempt"], len(after["attempts"])) == ("succeeded", 1, 1)
    assert after["attempts"][0]["instance"] == before["attempts"][0]["instance"]


def test_a_store_that_is_away_in_the_middle_costs_time_and_no_attempt(
    apart: Apart, clip: Path, lasting_options: list[str]
) -> None:
    apart.pitchey.start_daemon()
    (job_id,) = apart.pitchey.ok("submit", "video", clip, *lasting_options).lines
    apart.pitchey.until_working(job_id)
    apart.worker().pause()  # so that it is not done before the store is away
    apart.bucket.server.stop()
    apart.worker().unpause()
    try:
        apart.until_there_is("storing", job_id)
    finally:
        apart.bucket.server.start()
    apart.pitchey.ok("wait", job_id)
    job = apart.pitchey.job(job_id)
    assert (job["state"], job["attempt"]) == ("succeeded", 1)


def test_a_porter_that_dies_costs_its_instance_and_no_job(apart: Apart, clip: Path, lasting_options: list[str]) -> None:
    apart.pitchey.start_daemon()
    (job_id,) = apart.pitchey.ok("submit", "video", clip, *lasting_options).lines
    apart.pitchey.until_working(job_id)
    (porter,) = apart.porters()
    porter.kill()
    apart.pitchey.ok("wait", job_id)
    first, second = apart.pitchey.job(job_id)["attempts"]
    assert (first["reason"], second["reason"]) == ("instance_lost", "completed")
    assert first["instance"] != second["instance"]
    assert str(porter.name) not in {str(each.name) for each in apart.porters()}


def test_a_cancelled_job_leaves_nothing_in_the_instance(apart: Apart, clip: Path, slow_options: list[str]) -> None:
    apart.pitchey.start_daemon()
    (job_id,) = apart.pitchey.ok("submit", "video", clip, *slow_options).lines
    apart.pitchey.until_working(job_id)
    apart.pitchey.ok("cancel", job_id)
    apart.pitchey.until(job_id, lambda job: job["state"] == "cancelled")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while apart.worker().exec_run(["find", "/given", "/taken/spool", "-name", f"{job_id}*"]).output:
        assert time.monotonic() < deadline
