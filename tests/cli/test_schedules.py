"""Recurring schedules, as a person adds them and a daemon serves them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Pitchey
from tests.resources.waiting import DEADLINE_SECONDS

THUMBNAIL = ("--output-format", "thumbnail")


@pytest.fixture
def folder(pitchey: Pitchey, clip: Path) -> Path:
    folder = pitchey.cwd / "incoming"
    folder.mkdir()
    shutil.copy(clip, folder / "one.mp4")
    return folder


def _schedule(pitchey: Pitchey, name: str) -> dict[str, Any]:
    return next(
        each for each in map(json.loads, pitchey.ok("schedule", "list", "--json").lines) if each["name"] == name
    )


def _make_due(pitchey: Pitchey, name: str, ago: timedelta) -> None:
    """As if its time had come so long ago: nobody wants to wait for a minute to pass."""
    due = datetime.now(UTC).replace(second=0, microsecond=0) - ago
    with closing(sqlite3.connect(pitchey.state_dir / "pitchey.db")) as database, database:
        micros = round(due.timestamp() * 1e6)
        database.execute("UPDATE job_schedules SET next_at = ? WHERE name = ?", (micros, name))


def _until_served(pitchey: Pitchey, name: str, before: str | None = None) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (found := _schedule(pitchey, name))["lastAt"] == before:
        assert time.monotonic() < deadline, found
    return found


def test_a_daemon_submits_what_is_there_when_the_time_comes_and_only_once(pitchey: Pitchey, folder: Path) -> None:
    said = pitchey.ok("schedule", "add", "video", "incoming", *THUMBNAIL, "--name", "night", "--cron", "0 2 * * *").err
    assert said.startswith("night comes at ") and said.count(" 02:00 ") == 3
    assert "No daemon runs" in said
    shutil.copy(folder / "one.mp4", folder / "two.mp4")
    _make_due(pitchey, "night", timedelta(days=3))
    pitchey.start_daemon()
    served = _until_served(pitchey, "night")
    assert served["lastError"] is None and served["nextAt"] > datetime.now(UTC).isoformat()
    pitchey.ok("batch", "wait", "night")
    assert pitchey.ok("batch", "status", "night", "--json").json["states"] == {"succeeded": 2}  # once for three days


def test_a_schedule_whose_files_are_gone_says_so_and_goes_on(pitchey: Pitchey, folder: Path) -> None:
    pitchey.ok("schedule", "add", "video", "incoming", *THUMBNAIL, "--name", "night", "--cron", "@daily")
    (folder / "one.mp4").unlink()
    _make_due(pitchey, "night", timedelta(0))
    pitchey.start_daemon()
    served = _until_served(pitchey, "night")
    assert "holds nothing for the video service" in served["lastError"]
    assert "night" in pitchey.ok("schedule", "list").out
    assert pitchey.ok("jobs", "--ids").out == ""
    (folder / "one.mp4").write_bytes(b"no video")
    _make_due(pitchey, "night", timedelta(0))
    while not pitchey.ok("jobs", "--ids").lines:
        pass
    assert _schedule(pitchey, "night")["lastError"] is None


def test_a_paused_schedule_is_not_served_and_what_it_missed_is_left_out(pitchey: Pitchey, folder: Path) -> None:
    pitchey.ok("schedule", "add", "video", "incoming", *THUMBNAIL, "--name", "night", "--cron", "@daily")
    pitchey.ok("schedule", "pause", "night")
    _make_due(pitchey, "night", timedelta(hours=1))
    assert _schedule(pitchey, "night")["isPaused"]
    pitchey.start_daemon()
    pitchey.ok("schedule", "resume", "night")
    found = _schedule(pitchey, "night")
    assert found["nextAt"] > datetime.now(UTC).isoformat() and found["lastAt"] is None
    (job_id,) = pitchey.ok("schedule", "run", "night").lines
    pitchey.ok("wait", job_id)
    pitchey.ok("schedule", "remove", "night")
    assert pitchey.ok("schedule", "list", "--json").out == ""
    assert pitchey.job(job_id)["state"] == "succeeded"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("video", "incoming", "--name", "x", "--cron", "every day"), 2, "wrong number of fields"),
        (("video", "incoming", "--name", "x", "--cron", "@daily", "--timezone", "Mars"), 2, "no time zone 'Mars'"),
        (("video", "incoming", "--name", "x", "--cron", "@daily", "--misfire", "maybe"), 2, "latest, skip, all"),
        (("video", "-", "--name", "x", "--cron", "@daily"), 2, "cannot keep what comes from standard input"),
        (("video", "nowhere.mp4", "--name", "x", "--cron", "@daily"), 3, "no file at"),
        (("video", "incoming", "--name", "x", "--cron", "@daily", "--quality", "best"), 2, "not one of"),
        (("video", "incoming", "--name", "x", "--cron", "@daily", "--run-at", "2h"), 2, "No such option"),
        (("video", "incoming", "--name", "x", "--cron", "@daily", "--priority", "hig"), 2, "no priority 'hig'"),
        (("video", "incoming", "--name", "x", "--cron", "@daily", "--deadline", "nonsense"), 2, "--deadline"),
        (("video", "incoming", "--name", "x", "--cron", "@daily", "--slots", "64"), 2, "--slots 64"),
        (("video", "incoming", "--name", "night", "--cron", "@daily"), 2, "a schedule 'night' already"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(
    pitchey: Pitchey, folder: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    pitchey.ok("schedule", "add", "video", "incoming", "--name", "night", "--cron", "@daily")
    answer = pitchey("schedule", "add", *arguments)
    assert (answer.code, len(pitchey.ok("schedule", "list", "--json").lines)) == (code, 1)
    assert says in answer.err


def test_resuming_what_is_not_paused_changes_nothing(pitchey: Pitchey, folder: Path) -> None:
    pitchey.ok("schedule", "add", "video", "incoming", "--name", "night", "--cron", "@daily")
    _make_due(pitchey, "night", timedelta(hours=1))
    before = _schedule(pitchey, "night")
    assert pitchey.ok("schedule", "resume", "night").err.startswith("night is not paused: it comes at ")
    assert _schedule(pitchey, "night") == before
    pitchey.ok("schedule", "pause", "night")
    assert pitchey.ok("schedule", "pause", "night").err == "night is paused already.\n"


@pytest.mark.parametrize("verb", ["pause", "resume", "run", "remove"])
def test_a_schedule_that_is_not_there_is_named(pitchey: Pitchey, verb: str) -> None:
    answer = pitchey("schedule", verb, "night")
    assert answer.code == 3 and "no schedule 'night'" in answer.err
