"""A person's video through the queue and a real, limited container, on Docker and on Podman."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.engines.discovery import connect
from pitchey_cli.engines.port import LABEL_STATE, Engine
from pitchey_cli.store.sqlite import SqliteStore
from tests.conftest import RESOURCES, Pitchey


def _probe(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    document: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return document


def _engine(pitchey: Pitchey) -> Engine:
    kind, url = pitchey.environment["PITCHEY_ENGINE_KIND"], pitchey.environment["PITCHEY_ENGINE_URL"]
    return connect(kind, url, state_dir=pitchey.state_dir)


def _instances(pitchey: Pitchey) -> list[str]:
    """What the engine itself holds for this state directory."""
    state_id = SqliteStore.open(pitchey.state_dir / "pitchey.db").state_id()
    label = layout.label(state_id, pitchey.state_dir.resolve())
    return [info.instance_id for info in _engine(pitchey).find({LABEL_STATE: label})]


def test_one_command_gives_an_mp4_and_thumbnails_and_leaves_nothing_running(contained: Pitchey, clip: Path) -> None:
    answer = contained.ok("run", "video", clip, "--thumbnail-times", "1,2.5,8", "--resolution", "320x240", "-o", "out")
    names = sorted(path.name for path in (contained.cwd / "out").iterdir())
    assert names == [
        "sample_10s-thumbnail-001.jpg",
        "sample_10s-thumbnail-002.jpg",
        "sample_10s-thumbnail-003.jpg",
        "sample_10s.mp4",
    ]
    video = _probe(contained.cwd / "out" / "sample_10s.mp4")
    assert {stream["codec_name"] for stream in video["streams"]} == {"h264", "aac"}
    assert abs(float(video["format"]["duration"]) - 10.0) < 0.3
    assert "cost $0.0" in answer.out
    assert _instances(contained) == []
    assert list((contained.state_dir / "instances").iterdir()) == []


@pytest.mark.by_turns
def test_the_image_has_what_streams_texts_and_a_wanted_quality_need(contained: Pitchey, clip: Path) -> None:
    small = ("--resolution", "160x90", "--end", "2", "-o", "out")
    stream = (
        "--output-format",
        "cmaf",
        "--watermark-text",
        "\u05e9\u05dc\u05d5\u05dd \u4e2d\u6587",
        "--ladder-max-rungs",
        "1",
    )
    contained.ok("run", "video", clip, *stream, *small)
    folder = contained.cwd / "out" / clip.stem
    assert {stream["codec_name"] for stream in _probe(folder / "master.m3u8")["streams"]} == {"h264", "aac"}
    assert (folder / "manifest.mpd").exists()
    contained.ok("run", "video", clip, "--target-quality", "90", *small)
    (output,) = contained.ok("result", "@last", "--json").json["outputs"]
    assert output["details"]["quality"]["vmaf"] > 85


@pytest.mark.by_turns
def test_the_time_of_an_old_avi_is_right(contained: Pitchey, tmp_path: Path, clip: Path) -> None:
    old = tmp_path / "old.avi"
    made = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        clip,
        "-t",
        "3",
        "-s",
        "64x36",
        "-ac",
        "2",
        "-c:v",
        "mjpeg",
        "-c:a",
        "pcm_s16le",
    ]
    subprocess.run([*made, "-r", "24", old], check=True)
    contained.ok("run", "video", old, "--output-format", "webm", "-o", "out")
    found = _probe(contained.cwd / "out" / "old.webm")
    assert float(found["format"]["duration"]) == pytest.approx(3, abs=0.1)
    assert [stream["codec_name"] for stream in found["streams"]] == ["vp9", "opus"]


def test_a_picture_of_hdr_has_ordinary_colours(contained: Pitchey) -> None:
    clip = RESOURCES / "video" / "hdr10.mp4"
    contained.ok("run", "video", clip, "--output-format", "thumbnail", "--thumbnail-times", "1", "-o", "out")
    picture = contained.cwd / "out" / "hdr10-thumbnail-001.jpg"
    (stream,) = _probe(picture)["streams"]
    assert (stream["width"], stream["height"], stream["pix_fmt"]) == (640, 360, "yuvj420p")
    command = ["ffmpeg", "-v", "error", "-i", picture, "-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    (brightness,) = subprocess.run(command, check=True, capture_output=True).stdout
    assert 20 < brightness < 235


def test_a_name_may_hold_anything_that_a_file_system_takes(contained: Pitchey, clip: Path) -> None:
    odd = contained.cwd / 'it\'s "odd"\n ümlaut 映画 ; rm -rf $HOME.mp4'
    shutil.copy(clip, odd)
    contained.ok("run", "video", odd, "--output-format", "thumbnail", "-o", "out")
    (made,) = (contained.cwd / "out").iterdir()
    assert made.name == f"{odd.stem}-thumbnail-001.jpg"


def test_what_was_asked_for_and_what_the_host_granted_are_recorded(contained: Pitchey, clip: Path) -> None:
    contained.start_daemon(PITCHEY_SERVICES_VIDEO_INSTANCE_TYPE="standard-4")
    contained.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out")
    (instance,) = contained.ok("status", "--json").json["instances"]
    host = _engine(contained).info()
    assert instance["requestedCpus"] == 4
    assert instance["grantedCpus"] == min(4, host.cpus)
    assert instance["grantedMemoryBytes"] == min(8 * 1024**3, host.memory_bytes)


def test_a_container_outlives_a_killed_daemon_and_its_job_is_not_run_again(
    contained: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    daemon = contained.start_daemon()
    (job_id,) = contained.ok("submit", "video", clip, *lasting_options).lines
    before = contained.until_working(job_id)
    daemon.kill()
    daemon.wait()
    held = _instances(contained)
    contained.start_daemon()
    contained.ok("wait", job_id)
    after = contained.job(job_id)
    assert len(after["attempts"]) == 1
    assert after["attempts"][0]["startedAt"] == before["attempts"][0]["startedAt"]
    assert _instances(contained) == held


def test_a_container_that_is_killed_costs_a_retry(contained: Pitchey, clip: Path, slow_options: list[str]) -> None:
    contained.start_daemon()
    (job_id,) = contained.ok("submit", "video", clip, *slow_options).lines
    contained.until_working(job_id)
    (first,) = _instances(contained)
    _engine(contained).kill(first)
    job = contained.until(job_id, lambda job: job["attempt"] == 2)
    assert (job["attempts"][0]["reason"], job["crashes"], job["attemptsUsed"]) == ("instance_lost", 1, 1)
    assert job["attempts"][1]["instance"] != first


@pytest.mark.by_turns
def test_a_file_that_is_no_video_is_a_dead_letter_at_once_with_one_clear_error(contained: Pitchey) -> None:
    (contained.cwd / "letter.mp4").write_text("Dear all, this is no video.\n" * 50)
    answer = contained("run", "video", "letter.mp4", "-o", "out")
    assert answer.code == 1
    assert answer.err.count("error:") == 1 and "letter.mp4" in answer.err
    (job_id,) = contained.ok("jobs", "--ids").lines
    job = contained.job(job_id)
    assert (job["state"], job["reason"], job["attempt"]) == ("dead", "rejected", 1)


def test_the_work_is_done_without_network_and_as_nobody(contained: Pitchey, clip: Path) -> None:
    contained.start_daemon()
    contained.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out")
    (instance_id,) = _instances(contained)
    kind = contained.environment["PITCHEY_ENGINE_KIND"]
    if kind == "docker":
        import docker

        client = docker.DockerClient(base_url=contained.environment["PITCHEY_ENGINE_URL"])
        facts = client.containers.get(f"pitchey-{instance_id}").attrs
    else:
        import podman

        with podman.PodmanClient(base_url=contained.environment["PITCHEY_ENGINE_URL"]) as service:
            facts = service.containers.get(f"pitchey-{instance_id}").attrs
    assert facts["HostConfig"]["NetworkMode"] == "none"
    assert facts["HostConfig"]["ReadonlyRootfs"] is True
    assert facts["HostConfig"]["Memory"] == 2 * 1024**3
    assert facts["Config"]["User"].startswith("10001")


def test_images_are_built_once_and_listed(contained: Pitchey) -> None:
    again = contained.ok("images", "build", "video")
    assert "Step" not in again.err and again.err == ""
    listed = contained.ok("images", "list", "--json").json
    assert {item["tag"].partition(":")[0] for item in listed if item["isCurrent"]} >= {"pitchey/base", "pitchey/video"}
    assert again.out.strip() in {item["tag"] for item in listed}


def test_doctor_is_content_with_an_engine_that_has_the_image(contained: Pitchey) -> None:
    checks = {check["subject"]: check["verdict"] for check in contained.ok("doctor", "--json").json["checks"]}
    assert checks["engine"] == checks["store"] == checks["video image"] == "ok"
