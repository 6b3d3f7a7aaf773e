"""`pitchey db copy`: from a file to a server and back, as a person does it."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from pitchey_cli.store.sqlite import SqliteStore
from tests.conftest import DEADLINE_SECONDS, LOOK_SECONDS, Pitchey
from tests.resources.whole_store import fill
from tests.servers.postgres import PostgresServer

THUMBNAIL = ("--output-format", "thumbnail")
ALL_ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"


@pytest.fixture
def filled(pitchey: Pitchey) -> Path:
    """The state directory's own database, with something of everything."""
    with closing(SqliteStore.open(path := pitchey.state_dir / "pitchey.db")) as store:
        fill(store)
    return path


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

    (pitchey.state_dir / "pitchey.db").rename(pitchey.cwd / "old.db")
    answer = pitchey.ok("db", "copy", pitchey.state_dir / "pitchey.db", "--json")
    assert answer.err == "" and ("container_jobs", 2) in [
        (each["name"], each["rows"]) for each in answer.json["tables"]
    ]
    pitchey.ok("config", "unset", "store.url")
    assert set(pitchey.ok("jobs", "--ids").lines) == {done, waits}
    assert pitchey.ok("cost", "--since", "today", "--json").json["rows"] == cost["rows"] != []
    assert "is whole" in pitchey.ok("db", "check", "--deep").out


def test_a_daemon_at_work_keeps_a_copy_away(pitchey: Pitchey, postgres_url: str) -> None:
    daemon = pitchey.start_daemon()
    refused = pitchey("db", "copy", postgres_url)
    assert refused.code == 8 and f"process {daemon.pid}" in refused.err and "pitchey daemon stop" in refused.err


def test_a_report_says_what_was_copied(pitchey: Pitchey, filled: Path) -> None:
    report = pitchey.ok("db", "copy", "sqlite:new.db", "--json").json
    assert (report["schema"], report["from"], report["to"]) == (1, str(filled), "new.db")
    tables = {each["name"]: each for each in report["tables"]}
    assert tables["audit_log"]["rows"] == 1 and len(tables["audit_log"]["digest"]) == 64
    assert report["rows"] == sum(each["rows"] for each in tables.values())
    again = pitchey.ok("db", "copy", "third.db", "--from", "new.db", "--json").json
    assert again["tables"] == report["tables"]


def test_ctrl_c_leaves_nothing_behind(pitchey: Pitchey, filled: Path, postgres_server: PostgresServer) -> None:
    with closing(sqlite3.connect(filled)) as raw, raw:
        raw.execute(
            ALL_ROWS.format(rows=300_000) + " INSERT INTO job_events (job_seq, at, type, data)"
            " SELECT NULL, i, 'node_up', '{\"note\":\"' || hex(randomblob(100)) || '\"}' FROM n"
        )
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
