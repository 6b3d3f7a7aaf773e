"""The database as an operator handles it: backed up, restored, checked, shrunk, exported, pruned."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Answer, Pitchey
from tests.resources.waiting import DEADLINE_SECONDS

THUMBNAIL = ("--output-format", "thumbnail")
AT_ONCE = {"PITCHEY_RETENTION_JOBS_DAYS": "0.0000001"}  # a hundredth of a second


def _one(answer: Answer) -> str:
    (line,) = answer.lines
    return line


def _files(pitchey: Pitchey) -> set[str]:
    return {path.name for path in (pitchey.state_dir / "artifacts" / "sha256").rglob("*") if path.is_file()}


def _make_old(pitchey: Pitchey) -> None:
    for path in (pitchey.state_dir / "artifacts" / "sha256").rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))


def _end_long_ago(pitchey: Pitchey) -> None:
    database = sqlite3.connect(pitchey.state_dir / "pitchey.db")
    database.execute("UPDATE container_jobs SET finished_at = finished_at - 86400000000")
    database.commit()
    database.close()


def _rows(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.lines]


# --- backup and restore


def test_a_backup_made_while_the_daemon_runs_brings_everything_back(pitchey: Pitchey, clip: Path) -> None:
    daemon = pitchey.start_daemon()
    job_id = _one(pitchey.ok("submit", "video", clip, *THUMBNAIL))
    pitchey.ok("wait", job_id)
    made = pitchey.ok("db", "backup", "b.db", "--json").json
    assert made == {"schema": 1, "path": "b.db", "bytes": (pitchey.cwd / "b.db").stat().st_size}
    later = _one(pitchey.ok("submit", "video", clip, "--quality", "low"))
    refused = pitchey("db", "restore", "b.db")
    assert refused.code == 8 and f"process {daemon.pid}" in refused.err and "pitchey daemon stop" in refused.err
    pitchey.ok("daemon", "stop")
    pitchey.ok("db", "restore", "b.db")
    assert pitchey.ok("jobs", "--ids").lines == [job_id]
    (before,) = pitchey.state_dir.glob("pitchey.db.before-restore-*")
    pitchey.ok("result", job_id, "-o", "out")
    pitchey.ok("db", "restore", before)  # it was the wrong one: back again
    assert set(pitchey.ok("jobs", "--ids").lines) == {later, job_id}
    assert "is whole" in pitchey.ok("db", "check").out


def test_a_run_at_work_keeps_a_restore_away(pitchey: Pitchey, clip: Path, slow_options: list[str]) -> None:
    pitchey.ok("status")
    pitchey.ok("db", "backup", "b.db")
    run = pitchey.start("run", "video", clip, *slow_options)
    while not pitchey.ok("jobs", "--ids").lines:
        assert run.poll() is None
    pitchey.until_working(_one(pitchey.ok("jobs", "--ids")))
    refused = pitchey("db", "restore", "b.db")
    assert refused.code == 8 and "A `pitchey run` does the work" in refused.err


def test_what_ran_when_a_restored_backup_was_made_is_run_again(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    pitchey.start_daemon()
    ran = _one(pitchey.ok("submit", "video", clip, *slow_options))
    waited = _one(pitchey.ok("submit", "video", clip, *THUMBNAIL, "--after", ran, "--if-failed", "run"))
    pitchey.until_working(ran)
    pitchey.ok("db", "backup", "b.db")
    pitchey.ok("cancel", ran, waited)
    pitchey("wait", ran, waited)
    pitchey.ok("daemon", "stop")
    pitchey.ok("db", "restore", "b.db")
    assert (pitchey.job(ran)["state"], pitchey.job(waited)["state"]) == ("running", "held")
    pitchey.start_daemon()
    pitchey.until(ran, lambda job: job["attempt"] == 2 and bool(job["progress"]))
    assert pitchey.job(ran)["attempts"][0]["reason"] == "instance_lost"
    pitchey.ok("cancel", ran)
    pitchey("wait", ran, waited)
    assert (pitchey.job(ran)["state"], pitchey.job(waited)["state"]) == ("cancelled", "succeeded")
    assert "is whole" in pitchey.ok("db", "check", "--deep").out


# --- check


def test_missing_and_altered_artifacts_are_named(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    job = pitchey.job("@last")
    assert _one(pitchey.ok("db", "check")).endswith("is whole; 2 artifacts, none missing")
    place = {path.name: path for path in (pitchey.state_dir / "artifacts").rglob("*")}
    altered, missing = place[job["outputs"][0]["sha256"]], place[job["inputs"][0]["sha256"]]
    altered.chmod(0o644)
    altered.write_bytes(altered.read_bytes()[::-1])
    assert pitchey("db", "check").code == 0  # it has its size: only reading it tells
    deep = pitchey("db", "check", "--deep")
    assert deep.code == 9 and _one(deep) == f"artifact {altered.name}: its content is another"
    missing.unlink()
    altered.write_bytes(b"short")
    found = pitchey("db", "check", "--json")
    assert found.code == 9
    assert sorted(found.json["problems"]) == sorted(
        [
            f"artifact {missing.name}: missing, job {job['id']} refers to it",
            f"artifact {altered.name}: has 5 bytes, not {job['outputs'][0]['size']:,}",
        ]
    )


# --- prune


def test_what_would_go_goes_and_is_counted_the_same(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    job_id = _one(pitchey.ok("jobs", "--ids"))
    assert pitchey.ok("db", "prune").out == "0 jobs, 0 logs, 0 artifacts (0 B) removed\n"
    _make_old(pitchey)
    would = pitchey.ok("db", "prune", "--dry-run", "--json", **AT_ONCE).json
    assert (would["jobs"], would["logs"], would["artifacts"]) == (1, 1, 2)
    assert pitchey.job(job_id)["state"] == "succeeded" and len(_files(pitchey)) == 2
    did = pitchey.ok("db", "prune", "--json", **AT_ONCE).json
    assert did == would | {"dryRun": False}
    assert pitchey("status", job_id).code == 3
    assert _files(pitchey) == set() and list((pitchey.state_dir / "logs").iterdir()) == []
    assert "is whole" in pitchey.ok("db", "check").out


def test_a_young_artifact_stays_and_so_does_one_that_a_job_refers_to(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "again")  # the same result, by the cache
    second, _first = pitchey.ok("jobs", "--ids").lines
    assert pitchey.job(second)["attempts"] == []
    (pitchey.state_dir / "artifacts" / "sha256" / "00").mkdir(exist_ok=True)
    stray = pitchey.state_dir / "artifacts" / "sha256" / "00" / ("0" * 64)
    stray.write_bytes(b"staged, and not yet submitted")
    few = {"PITCHEY_RETENTION_JOBS_COUNT": "1"}
    assert pitchey.ok("db", "prune", "--json", **few).json["jobs"] == 0  # they have just ended
    _end_long_ago(pitchey)
    pruned = pitchey.ok("db", "prune", "--json", **few).json
    assert (pruned["jobs"], pruned["artifacts"]) == (1, 0)
    assert pitchey.ok("jobs", "--ids").lines == [second]
    assert stray.exists()
    _make_old(pitchey)
    assert pitchey.ok("db", "prune", "--json").json["artifacts"] == 1
    assert not stray.exists()
    pitchey.ok("result", second, "-o", "third")  # that of the first, which it shares
    assert "is whole" in pitchey.ok("db", "check", "--deep").out


def test_for_room_the_oldest_results_go(pitchey: Pitchey, clip: Path) -> None:
    bikes = clip.parent / "bikes.mp4"
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    pitchey.ok("run", "video", bikes, *THUMBNAIL, "-o", "out")
    newer = pitchey.ok("jobs", "--ids").lines[0]
    _make_old(pitchey)
    _end_long_ago(pitchey)
    size = sum(path.stat().st_size for path in (pitchey.state_dir / "artifacts").rglob("*") if path.is_file())
    limit = {"PITCHEY_RETENTION_ARTIFACTS_BYTES": str(size - 1)}
    would = pitchey.ok("db", "prune", "--dry-run", "--json", **limit).json
    did = pitchey.ok("db", "prune", "--json", **limit).json
    assert did == would | {"dryRun": False} and (did["jobs"], did["artifacts"]) == (1, 2)
    assert pitchey.ok("jobs", "--ids").lines == [newer]
    assert pitchey.ok("db", "prune", "--json", **limit).json["jobs"] == 0
    assert "is whole" in pitchey.ok("db", "check").out


def test_while_a_database_is_put_aside_nothing_that_it_may_refer_to_goes(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("status")
    pitchey.ok("db", "backup", "b.db")
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    pitchey.ok("db", "restore", "b.db")
    _make_old(pitchey)
    answer = pitchey.ok("db", "prune")
    assert answer.out == "0 jobs, 0 logs, 0 artifacts (0 B) removed\n" and "before-restore" in answer.err
    (before,) = pitchey.state_dir.glob("pitchey.db.before-restore-*")
    wal = before.with_name(f"{before.name}-wal")  # what SQLite may have had beside it is no database
    wal.touch()
    assert str(before) in pitchey.ok("db", "prune").err and wal.exists()
    before.unlink()
    assert pitchey.ok("db", "prune", "--dry-run").out.startswith("0 jobs, 1 logs, 2 artifacts") and wal.exists()
    assert pitchey.ok("db", "prune").out.startswith("0 jobs, 1 logs, 2 artifacts") and not wal.exists()


def test_old_logs_go_and_their_jobs_stay(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    (folder,) = (pitchey.state_dir / "logs").iterdir()
    os.utime(folder, (0, 0))
    assert pitchey.ok("db", "prune", PITCHEY_RETENTION_LOGS_DAYS="0").out.startswith("0 jobs, 0 logs")
    assert pitchey.ok("db", "prune").out.startswith("0 jobs, 1 logs")
    assert pitchey.ok("logs", "@last").out == ""
    assert pitchey.job("@last")["state"] == "succeeded"


def test_what_a_daemon_still_works_at_stays(pitchey: Pitchey, clip: Path, lasting_options: list[str]) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    old = _one(pitchey.ok("jobs", "--ids"))
    _make_old(pitchey)
    waiting = _one(pitchey.ok("submit", "video", clip, *lasting_options))  # the same input: it is not old any more
    pitchey.start_daemon()
    pitchey.until_working(waiting)
    pruned = pitchey.ok("db", "prune", "--json", **AT_ONCE).json
    assert (pruned["jobs"], pruned["logs"], pruned["artifacts"]) == (1, 1, 1)
    assert pitchey("status", old).code == 3
    pitchey.ok("wait", waiting)
    assert "is whole" in pitchey.ok("db", "check").out


def test_a_run_without_a_daemon_removes_nothing(pitchey: Pitchey, clip: Path) -> None:
    for folder in ("one", "two"):
        pitchey.ok("run", "video", clip, *THUMBNAIL, "--no-cache", "-o", folder, **AT_ONCE)
    assert len(pitchey.ok("jobs", "--ids").lines) == 2


def test_submissions_and_prunes_at_the_same_time_lose_no_input(pitchey: Pitchey, clip: Path) -> None:
    for _ in range(4):
        before = _one(pitchey.ok("submit", "video", clip))
        pitchey.ok("cancel", before)
        _make_old(pitchey)  # the only job that refers to it goes now
        prune = pitchey.start("db", "prune", **AT_ONCE)
        job_id = _one(pitchey.ok("submit", "video", clip))
        assert prune.wait(DEADLINE_SECONDS) == 0
        assert "is whole; 1 artifacts" in pitchey.ok("db", "check").out
        pitchey.ok("cancel", job_id)
        pitchey.ok("db", "prune", **AT_ONCE)


# --- vacuum


def test_the_space_of_what_was_removed_is_given_back(pitchey: Pitchey, clip: Path) -> None:
    specs = "".join(f'{{"inputUrl": "https://example.org/{"x" * 900}/{n}.mp4"}}\n' for n in range(2000))
    pitchey.ok("submit", "video", "-", "--batch", "b", stdin=specs)
    pitchey.ok("batch", "cancel", "b")
    assert pitchey.ok("db", "prune", "--json", **AT_ONCE).json["jobs"] == 2000
    pitchey.start_daemon()
    answer = pitchey.ok("db", "vacuum", "--json")
    assert "runs jobs" in answer.err
    assert answer.json["beforeBytes"] > 2_000_000 > 500_000 > answer.json["afterBytes"]
    assert "is whole" in pitchey.ok("db", "check").out
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")  # by the daemon, on the file that was written anew


# --- export


def test_rows_leave_as_lines_with_iso_times_and_whole_nanodollars(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    job = pitchey.job("@last")
    rows = _rows(pitchey.ok("db", "export"))
    assert {"container_jobs", "job_attempts", "job_events", "artifacts", "meta"} <= {row["table"] for row in rows}
    (row,) = (row for row in rows if row["table"] == "container_jobs")
    assert (row["id"], row["created_at"], row["deadline"]) == (job["id"], job["createdAt"], None)
    (attempt,) = _rows(pitchey.ok("db", "export", "job_attempts"))
    assert attempt["cost_nanodollars"] == round(job["attempts"][0]["costUsd"] * 1e9)
    assert isinstance(attempt["cost_nanodollars"], int)
    assert pitchey.ok("db", "export", "job_events", "container_jobs").lines[0].startswith('{"table":"job_events"')


def test_tables_leave_as_files(pitchey: Pitchey, clip: Path) -> None:
    job_id = _one(pitchey.ok("submit", "video", clip, "--batch", 'a, "b"'))
    pitchey.ok("db", "export", "-o", "out", "--format", "csv")
    with (pitchey.cwd / "out" / "container_jobs.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["id"], row["batch"], row["created_at"]) == (job_id, 'a, "b"', pitchey.job(job_id)["createdAt"])
    assert (pitchey.cwd / "out" / "artifacts.csv").read_text() == "sha256,size,created_at\n"
    assert pitchey("db", "export", "-o", "out", "--format", "csv").code == 2
    pitchey.ok("db", "export", "container_jobs", "-o", "out", "--format", "json")
    (line,) = (pitchey.cwd / "out" / "container_jobs.ndjson").read_text().splitlines()
    assert json.loads(line)["id"] == job_id
    one = pitchey.ok("db", "export", "container_jobs", "--format", "csv").out
    assert one == (pitchey.cwd / "out" / "container_jobs.csv").read_text()


# --- what makes no sense


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["backup", "nowhere/b.db"], 3, ["There is no folder nowhere"]),
        (["backup", "there.db"], 2, ["there.db exists", "--overwrite"]),
        (["backup", "{state}/pitchey.db", "--overwrite"], 2, ["is the database itself"]),
        (["restore", "missing.db"], 3, ["There is no file at missing.db"]),
        (["restore", "there.db"], 9, ["there.db is not a Pitchey database"]),
        (["restore", "{state}/pitchey.db"], 2, ["is the database itself"]),
        (["export", "job_atempts"], 3, ["no table 'job_atempts'", "'job_attempts'"]),
        (["export", "jobs"], 3, ["no table 'jobs'", "'container_jobs'"]),
        (["export", "--format", "xml"], 2, ["no format 'xml'", "json, csv"]),
        (["export", "--format", "csv"], 2, ["one table", "--output"]),
        (["export", "-o", "there.db"], 2, ["there.db is a file"]),
    ],
)
def test_a_wrong_command_gets_one_error_and_changes_nothing(
    pitchey: Pitchey, clip: Path, arguments: list[str], code: int, says: list[str]
) -> None:
    job_id = _one(pitchey.ok("submit", "video", clip))
    (pitchey.cwd / "there.db").write_text("mine")
    answer = pitchey("db", *(each.format(state=pitchey.state_dir) for each in arguments))
    assert answer.code == code, answer.err
    assert answer.err.count("error:") == 1 and "Traceback" not in answer.err and answer.out == ""
    for text in says:
        assert text in answer.err, answer.err
    assert [path.name for path in pitchey.cwd.iterdir()] == ["there.db"]
    assert (pitchey.cwd / "there.db").read_text() == "mine"
    assert pitchey.ok("jobs", "--ids").lines == [job_id]
    assert list(pitchey.state_dir.glob("pitchey.db.before*")) == []


@pytest.mark.parametrize("verb", [("check",), ("vacuum",), ("backup", "b.db"), ("export",)])
def test_a_database_that_is_none_is_said_to_be_none(pitchey: Pitchey, verb: tuple[str, ...]) -> None:
    pitchey.state_dir.mkdir()
    (pitchey.state_dir / "pitchey.db").write_bytes(b"this was a database once" * 500)
    answer = pitchey("db", *verb)
    assert answer.code == 9 and answer.err.count("error:") == 1
    assert "pitchey.db is not a Pitchey database" in answer.err
    assert list(pitchey.cwd.iterdir()) == []


def test_a_damaged_database_is_found_by_a_check_and_replaced_by_a_restore(pitchey: Pitchey, clip: Path) -> None:
    job_id = _one(pitchey.ok("submit", "video", clip))
    pitchey.ok("db", "backup", "b.db")
    database = pitchey.state_dir / "pitchey.db"
    whole = database.read_bytes()
    database.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    assert pitchey("db", "check").code == 9
    pitchey.ok("db", "restore", "b.db")
    assert pitchey.ok("jobs", "--ids").lines == [job_id]
    assert "is whole" in pitchey.ok("db", "check").out


def test_a_database_whose_schema_is_no_text_any_more_is_called_damaged_and_can_be_restored(
    pitchey: Pitchey, clip: Path
) -> None:
    (job_id,) = pitchey.ok("submit", "video", clip).lines
    pitchey.ok("db", "backup", "b.db")
    pitchey.ok("db", "vacuum")
    database = pitchey.state_dir / "pitchey.db"
    database.write_bytes(database.read_bytes().replace(b"CREATE TABLE meta", b"CREATE \x9f\x9f\x9f\x9f\x9f meta"))
    damaged = pitchey("jobs")
    assert damaged.code == 9 and "is damaged" in damaged.err
    pitchey.ok("db", "restore", "b.db")
    assert pitchey.ok("jobs", "--ids").lines == [job_id]
