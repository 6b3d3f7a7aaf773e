"""`pitchey db copy`: from a file to a server and back, as a person does it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pitchey_cli.store.sqlite import SqliteStore
from tests.conftest import LOOK_SECONDS, Pitchey
from tests.resources.waiting import DEADLINE_SECONDS
from tests.resources.whole_store import fill
from tests.servers.postgres import PostgresServer

THUMBNAIL = ("--output-format", "thumbnail")
MORE_EVENTS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO job_events (at, type, data) SELECT i, 'node_up', '{"note": "' || hex(randomblob(100)) || '"}' FROM n
"""


@pytest.fixture
def filled(pitchey: Pitchey) -> Path:
    """The state directory's own database, with something of everything."""
    with closing(SqliteStore.open(path := pitchey.state_dir / "pitchey.db")) as store:
        fill(store)
    return path


def add_events(path: Path, count: int) -> None:
    """Enough rows that they take a while."""
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(MORE_EVENTS, (count,))


def test_a_queue_moves_to_a_server_and_back_and_works_on(pitchey: Pitchey, clip: Path, postgres_url: str) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    waits = pitchey.ok("submit", "video", clip, "--quality", "low", *THUMBNAIL).lines[-1]
    answer = pitchey.ok("db", "copy", postgres_url)
    assert "has all " in answer.out and "rows of" in answer.out
    assert f"`pitchey config set store.url {postgres_url}` makes it the store" in answer.err

    pitchey.ok("config", "set", "store.url", postgres_url)
    done = pitchey.ok("jobs", "--ids").lines[-1]
    pitchey.start_daemon()
    pitchey.ok("wait", waits)
    pitchey.ok("result", done, "-o", "again")
    pitchey.ok("result", waits, "-o", "new")
    refused = pitchey("db", "copy", "back.db")
    assert refused.code == 9 and "works on postgresql://" in refused.err and "pitchey daemon stop" in refused.err
    pitchey.ok("daemon", "stop")
    cost = pitchey.ok("cost", "--json").json

    for path in pitchey.state_dir.glob("pitchey.db*"):
        path.rename(pitchey.cwd / path.name)
    answer = pitchey.ok("db", "copy", pitchey.state_dir / "pitchey.db", "--json")
    assert answer.err == "" and ("container_jobs", 2) in [
        (each["name"], each["rows"]) for each in answer.json["tables"]
    ]
    pitchey.ok("config", "unset", "store.url")
    assert set(pitchey.ok("jobs", "--ids").lines) == {done, waits}
    again = pitchey.ok("cost", "--json").json
    assert (again["by"], again["spentNanodollars"]) == (cost["by"], cost["spentNanodollars"]) and cost["by"]["service"]
    assert "is whole" in pitchey.ok("db", "check", "--deep").out


def test_a_daemon_at_work_keeps_a_copy_away(pitchey: Pitchey, postgres_url: str) -> None:
    daemon = pitchey.start_daemon()
    refused = pitchey("db", "copy", postgres_url)
    assert refused.code == 8 and f"process {daemon.pid}" in refused.err and "pitchey daemon stop" in refused.err


def test_a_daemon_that_was_killed_is_at_work_until_somebody_says_that_it_is_gone(pitchey: Pitchey) -> None:
    daemon = pitchey.start_daemon(PITCHEY_NODE_NAME="worker-1")
    daemon.kill()
    daemon.wait(DEADLINE_SECONDS)
    refused = pitchey("db", "copy", "new.db")
    assert refused.code == 9 and "The node worker-1 works on " in refused.err and "nodes remove" in refused.err
    pitchey.ok("nodes", "remove", "worker-1", "--force")
    pitchey.ok("db", "copy", "new.db")


def test_somebody_at_a_terminal_sees_how_far_it_is(pitchey: Pitchey, filled: Path) -> None:
    add_events(filled, 20_000)
    ours, theirs = pty.openpty()
    copying = pitchey.start("db", "copy", "new.db", stderr=theirs, TERM="xterm")
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # what reading a terminal ends with that nobody writes to
        while said := os.read(ours, 65536):
            shown += said
    os.close(ours)
    out, _ = copying.communicate(timeout=DEADLINE_SECONDS)
    assert out.startswith("new.db has all 20,") and copying.returncode == 0
    assert b"job_events" in shown and b"checking job_events" in shown and b"/20" in shown


def test_a_report_says_what_was_copied(pitchey: Pitchey, filled: Path) -> None:
    report = pitchey.ok("db", "copy", "sqlite:new.db", "--json").json
    assert (report["schema"], report["from"], report["to"]) == (1, str(filled), "new.db")
    tables = {each["name"]: each for each in report["tables"]}
    assert tables["audit_log"]["rows"] == 1 and len(tables["audit_log"]["digest"]) == 64
    assert report["rows"] == sum(each["rows"] for each in tables.values())
    again = pitchey.ok("db", "copy", "third.db", "--from", "new.db", "--json").json
    assert again["tables"] == report["tables"]


def test_ctrl_c_leaves_nothing_behind(pitchey: Pitchey, filled: Path, postgres_server: PostgresServer) -> None:
    add_events(filled, 300_000)
    database = postgres_server.create()
    copying = pitchey.start("db", "copy", postgres_server.url(database))
    at_work = "SELECT tuples_processed FROM pg_stat_progress_copy WHERE tuples_processed > 1000"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not postgres_server.run(at_work, database=database):
        assert copying.poll() is None and time.monotonic() < deadline
        time.sleep(LOOK_SECONDS / 10)
    copying.send_signal(signal.SIGINT)
    out, err = copying.communicate(timeout=DEADLINE_SECONDS)
    assert (copying.returncode, out) == (130, "") and "Traceback" not in err
    assert postgres_server.run("SELECT 1 FROM pg_namespace WHERE nspname = 'pitchey'", database=database) == []
    postgres_server.drop(database)


def test_a_copy_that_is_killed_leaves_nothing_that_counts_and_is_made_again(
    pitchey: Pitchey, filled: Path, postgres_server: PostgresServer
) -> None:
    add_events(filled, 100_000)
    database = postgres_server.create()
    at_work = "SELECT tuples_processed FROM pg_stat_progress_copy WHERE tuples_processed > 1000"
    ours = "SELECT 1 FROM pg_namespace WHERE nspname = 'pitchey'"

    def begun_file() -> list[Path]:
        return [each for each in pitchey.cwd.glob(".new.db.*.part-wal") if each.stat().st_size > 1_000_000]

    def begun_server() -> list[tuple[object, ...]]:
        return postgres_server.run(at_work, database=database)

    begun: dict[str, Callable[[], Sequence[object]]] = {
        "new.db": begun_file,
        postgres_server.url(database): begun_server,
    }
    for target, has_begun in begun.items():
        copying = pitchey.start("db", "copy", target)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not has_begun():
            assert copying.poll() is None and time.monotonic() < deadline
            time.sleep(LOOK_SECONDS / 10)
        copying.kill()
        copying.communicate()
        assert not (pitchey.cwd / "new.db").exists() or target != "new.db"
        assert postgres_server.run(ours, database=database) == []
        assert "has all 100," in pitchey.ok("db", "copy", target).out
    assert [path.name for path in pitchey.cwd.iterdir() if path.name.endswith(("part", "-wal", "-shm"))] == []
    postgres_server.drop(database)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([""], 2, ["No database is named"]),
        (["mysql://ada@db/q"], 2, ["is no URL of a PostgreSQL database"]),
        (["postgresql://ada:secret@127.0.0.1:1/q"], 9, ["Nobody answers at postgresql://ada:***@127.0.0.1:1/q"]),
        (["nowhere/new.db"], 3, ["There is no folder nowhere"]),
        (["."], 2, [". is a folder"]),
        (["there.db"], 9, ["there.db is not a Pitchey database"]),
        (["new.db", "--from", "there.db"], 9, ["there.db is not a Pitchey database"]),
        (["new.db", "--from", "missing.db"], 9, ["There is no database at missing.db"]),
        (["{state}/pitchey.db"], 2, ["itself, or a copy of it"]),
    ],
)
def test_a_wrong_copy_gets_one_error_and_changes_nothing(
    pitchey: Pitchey, filled: Path, arguments: list[str], code: int, says: list[str]
) -> None:
    (pitchey.cwd / "there.db").write_text("mine")
    answer = pitchey("db", "copy", *(each.format(state=pitchey.state_dir) for each in arguments))
    assert answer.code == code, answer.err
    assert answer.err.count("error:") == 1 and "Traceback" not in answer.err and answer.out == ""
    for text in says:
        assert text in answer.err, answer.err
    assert [path.name for path in pitchey.cwd.iterdir()] == ["there.db"]
    assert (pitchey.cwd / "there.db").read_text() == "mine"
