"""A daemon that is killed: the next one takes results from the spool, follows what still runs, runs nothing twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil

from tests.chaos.conftest import everywhere
from tests.conftest import RESOURCES, Pitchey
from tests.resources.waiting import DEADLINE_SECONDS


def _submit(pitchey: Pitchey, *arguments: str | Path) -> str:
    (job_id,) = pitchey.ok("submit", "video", *arguments).lines
    return job_id


def _ffmpegs(pitchey: Pitchey) -> list[psutil.Process]:
    """The programs that work for this state directory."""
    mine = str(pitchey.state_dir)
    return [
        p
        for p in psutil.process_iter(["name", "cmdline"])
        if p.info["name"] == "ffmpeg" and mine in str(p.info["cmdline"])
    ]


@everywhere
def test_an_attempt_that_outlives_the_daemon_is_followed_and_not_run_again(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    first = pitchey.start_daemon()
    job_id = _submit(pitchey, clip, *lasting_options)
    before = pitchey.until_working(job_id)
    first.kill()
    first.wait()
    pitchey.start_daemon()
    pitchey.ok("wait", job_id)
    after = pitchey.job(job_id)
    assert (after["state"], after["attempt"], len(after["attempts"])) == ("succeeded", 1, 1)
    assert after["attempts"][0]["startedAt"] == before["attempts"][0]["startedAt"]


@everywhere
def test_an_attempt_that_ends_while_no_daemon_is_there_is_taken_from_the_spool(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    first = pitchey.start_daemon()
    job_id = _submit(pitchey, clip, *lasting_options)
    job = pitchey.until_working(job_id)
    first.kill()
    first.wait()
    ending = pitchey.state_dir / "instances" / job["attempts"][0]["instance"] / "spool" / f"{job_id}.1" / "result.json"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not ending.exists():
        assert time.monotonic() < deadline
    pitchey.start_daemon()
    pitchey.ok("wait", job_id)
    assert len(pitchey.job(job_id)["attempts"]) == 1


@everywhere
def test_an_instance_that_went_with_the_daemon_costs_a_retry_and_not_the_job(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    first = pitchey.start_daemon()
    job_id = _submit(pitchey, clip, *lasting_options)
    pitchey.until_working(job_id)
    first.kill()
    first.wait()
    for program in _ffmpegs(pitchey):
        worker = program.parent().parent()  # type: ignore[union-attr]  # the attempt's leader, and the worker above it
        os.killpg(worker.pid, signal.SIGKILL)
    pitchey.start_daemon()
    pitchey.ok("wait", job_id)
    job = pitchey.job(job_id)
    assert [attempt["reason"] for attempt in job["attempts"]] == ["instance_lost", "completed"]
    assert (job["state"], job["crashes"]) == ("succeeded", 1)


def test_an_instance_of_another_engine_ends_its_attempt_and_takes_no_more(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    first = pitchey.start_daemon()
    job_id = _submit(pitchey, clip, *lasting_options)
    pitchey.until_working(job_id)
    first.kill()
    first.wait()
    _pretend_engine(pitchey, "podman")
    daemon = pitchey.start_daemon()
    second = _submit(pitchey, clip, "--output-format", "thumbnail")
    pitchey.ok("wait", job_id, second)
    old, new = (pitchey.job(each)["attempts"] for each in (job_id, second))
    assert (len(old), len(new)) == (1, 1)
    assert old[0]["instance"] != new[0]["instance"]
    _stop(daemon)
    _pretend_engine(pitchey, "process")
    _stop(pitchey.start_daemon())  # which removes the old one


def test_an_instance_of_another_engine_stays_in_the_books_until_a_daemon_of_that_engine_removes_it(
    pitchey: Pitchey, clip: Path
) -> None:
    first = pitchey.start_daemon()
    job_id = _submit(pitchey, clip, "--output-format", "thumbnail")
    pitchey.ok("wait", job_id)
    instance = pitchey.job(job_id)["attempts"][0]["instance"]
    first.kill()
    first.wait()
    _pretend_engine(pitchey, "podman")
    second = pitchey.start_daemon()
    assert second.stderr is not None
    for line in second.stderr:
        if f"{instance} is left in the books" in line:
            break
    assert f"{instance}: it runs on podman, which this daemon does not speak to" in pitchey.ok("status").out
    _stop(second)
    assert [each["id"] for each in pitchey.ok("status", "--json").json["instances"]] == [instance]
    _pretend_engine(pitchey, "process")
    _stop(pitchey.start_daemon())
    assert pitchey.ok("status", "--json").json["instances"] == []
    assert list((pitchey.state_dir / "instances").iterdir()) == []


def _stop(daemon: subprocess.Popen[str]) -> None:
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(DEADLINE_SECONDS) == 0


def _pretend_engine(pitchey: Pitchey, kind: str) -> None:
    with sqlite3.connect(pitchey.state_dir / "pitchey.db") as database:
        database.execute("UPDATE container_instances SET engine = ?", (kind,))
    database.close()


@everywhere
def test_a_job_under_which_instances_die_goes_to_the_dead_letters_after_the_second(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    daemon = pitchey.start_daemon()
    job_id = _submit(pitchey, clip, *slow_options)
    for number in (1, 2):
        pitchey.until(job_id, lambda job, number=number: job["attempt"] == number and bool(job["progress"]))  # type: ignore[misc]
        (program,) = _ffmpegs(pitchey)
        os.killpg(program.parent().parent().pid, signal.SIGKILL)  # type: ignore[union-attr]
    assert pitchey("wait", job_id).code == 1
    job = pitchey.job(job_id)
    assert (job["state"], job["crashes"], job["reason"]) == ("dead", 2, "instance_lost")
    # The first was replaced at once; the pool is careful with the next, and gets over it.
    assert daemon.stderr is not None
    for line in daemon.stderr:
        if "instances die one after the other: next try in 1 s" in line:
            break
    pitchey.ok("wait", _submit(pitchey, clip, "--output-format", "thumbnail"))


@everywhere
def test_two_runs_without_a_daemon_share_one_state_directory(pitchey: Pitchey, clip: Path) -> None:
    runs = [
        pitchey.start("run", "video", clip, "-o", f"out{number}", "--quality", quality, "--json")
        for number, quality in enumerate(("low", "ultra"))
    ]
    for run in runs:
        _, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
    assert all((pitchey.cwd / f"out{number}" / "sample_10s.mp4").exists() for number in range(2))
    assert {len(pitchey.job(job_id)["attempts"]) for job_id in pitchey.ok("jobs", "--ids").lines} == {1}


@everywhere
def test_run_that_is_interrupted_leaves_no_program_and_a_cancelled_job(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    run = pitchey.start("run", "video", clip, *slow_options)
    while not pitchey.ok("jobs", "--ids").lines:
        assert run.poll() is None
    (job_id,) = pitchey.ok("jobs", "--ids").lines
    pitchey.until_working(job_id)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=DEADLINE_SECONDS)
    assert run.returncode == 130, err
    assert pitchey.job(job_id)["state"] == "cancelled"
    assert _ffmpegs(pitchey) == []


def test_eight_runs_at_once_without_a_daemon_all_succeed(pitchey: Pitchey, clip: Path) -> None:
    options = ["--output-format", "thumbnail", "--quiet", "--no-cache"]
    runs = [pitchey.start("run", "video", clip, "-o", f"out{number}", *options) for number in range(8)]
    for run in runs:
        _, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
    assert {len(pitchey.job(job_id)["attempts"]) for job_id in pitchey.ok("jobs", "--ids").lines} == {1}


def test_an_attempt_that_a_restored_backup_does_not_know_is_followed_and_not_refused(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    first = pitchey.start_daemon()
    pitchey.ok("wait", _submit(pitchey, clip, "--output-format", "thumbnail"))  # an instance that the backup knows
    first.kill()
    first.wait()
    job_id = _submit(pitchey, clip, *lasting_options)
    backup = pitchey.cwd / "backup.db"
    with sqlite3.connect(pitchey.state_dir / "pitchey.db") as database, sqlite3.connect(backup) as target:
        database.backup(target)
    database.close()
    second = pitchey.start_daemon()
    pitchey.until_working(job_id)
    second.kill()
    second.wait()
    for suffix in ("-wal", "-shm"):
        (pitchey.state_dir / f"pitchey.db{suffix}").unlink(missing_ok=True)
    (pitchey.state_dir / "pitchey.db").write_bytes(backup.read_bytes())
    pitchey.start_daemon()
    pitchey.ok("wait", job_id)
    job = pitchey.job(job_id)
    assert (job["state"], [attempt["reason"] for attempt in job["attempts"]]) == ("succeeded", ["completed"])


def test_a_database_that_is_locked_for_long_costs_no_attempt_that_runs(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    daemon = pitchey.start_daemon(PITCHEY_SERVICES_VIDEO_SLOTS="1", PITCHEY_SERVICES_VIDEO_MAX_INSTANCES="1")
    working = _submit(pitchey, RESOURCES / "video" / "bikes.mp4", *slow_options)
    pitchey.until_working(working)
    waiting = _submit(pitchey, clip, "--output-format", "thumbnail")
    database = sqlite3.connect(pitchey.state_dir / "pitchey.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    assert daemon.stderr is not None
    next(line for line in daemon.stderr if f"{working}.1" in line)  # what it says of its progress cannot be noted
    database.execute("ROLLBACK")
    database.close()
    before = pitchey.job(working)["progress"]
    pitchey.until(working, lambda job: job["progress"] != before)
    assert (pitchey.job(working)["attempt"], pitchey.job(waiting)["attempt"]) == (1, 0)
    pitchey.ok("cancel", working)
    pitchey.ok("wait", waiting)
    assert [[attempt["reason"] for attempt in pitchey.job(each)["attempts"]] for each in (working, waiting)] == [
        ["cancelled"],
        ["completed"],
    ]
