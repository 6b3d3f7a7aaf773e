"""Backups that are made while others write, and that are put back whatever state the present database is in."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pitchey_cli.domain.errors import PitcheyError, StoreError, UsageError
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.store.connection import Connection
from pitchey_cli.store.copying import back_up, restore
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "pitchey.db"
    fill(path, "job1")
    return path


@pytest.fixture
def backup(database: Path, tmp_path: Path) -> Path:
    path = tmp_path / "backup.db"
    back_up(database, path)
    fill(database, "job2")
    return path


def submit(store: SqliteStore, *job_ids: str, kilobytes: int = 0) -> None:
    code = "x" * kilobytes * 1024
    store.enqueue([NewJob(id=JobId(each), service=Service.CODE, spec={"code": code}) for each in job_ids], now=NOW)


def fill(path: Path, *job_ids: str) -> None:
    store = SqliteStore.open(path)
    submit(store, *job_ids)
    store.close()


def jobs(path: Path) -> list[str]:
    store = SqliteStore.open(path, create=False)
    try:
        assert store.integrity() == []
        return list(store.job_ids("", limit=1000))
    finally:
        store.close()


def aside(database: Path) -> Path:
    return database.with_name("pitchey.db.before")


#: submits a job, says so, and waits to be killed with the database open
SUBMIT_AND_WAIT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.integration.test_store_copying import SqliteStore, submit
store = SqliteStore.open(Path(sys.argv[1]))
submit(store, "left")
print("done", flush=True)
time.sleep(600)
"""


def start_another(database: Path) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", SUBMIT_AND_WAIT, str(database), root]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


# --- backup


def test_a_backup_is_of_one_moment_while_others_write(database, tmp_path):
    store = SqliteStore.open(database)
    for number in range(40):
        submit(store, f"large{number}", kilobytes=256)
    told: list[tuple[int, int]] = []

    def write_meanwhile(done: int, total: int) -> None:
        told.append((done, total))
        submit(store, f"meanwhile{len(told)}")  # another connection than the copy's: it is not kept waiting

    size = back_up(database, tmp_path / "copy.db", progress=write_meanwhile)
    store.close()
    assert len(told) > 3 and told[-1][0] == told[-1][1]  # it was not begun again after each of those writes
    assert size == (tmp_path / "copy.db").stat().st_size
    assert sorted(jobs(tmp_path / "copy.db")) == sorted(["job1", *(f"large{n}" for n in range(40))])
    assert len(jobs(database)) == 41 + len(told)


def test_a_backup_is_one_file_for_its_owner_alone(database, tmp_path):
    store = SqliteStore.open(database)  # in use: what is new is in the WAL
    submit(store, "new")
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(database, folder / "b.db")
    store.close()
    assert [path.name for path in folder.iterdir()] == ["b.db"]
    assert stat.S_IMODE((folder / "b.db").stat().st_mode) == 0o600
    raw = sqlite3.connect(f"file:{folder / 'b.db'}?mode=ro&immutable=1", uri=True)
    assert raw.execute("SELECT count(*) FROM container_jobs").fetchone() == (2,)
    raw.close()


def test_a_backup_replaces_a_file_only_when_told_and_never_the_database(database, tmp_path):
    target = tmp_path / "b.db"
    target.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        back_up(database, target)
    assert target.read_text() == "mine"
    back_up(database, target, overwrite=True)
    assert jobs(target) == ["job1"]
    for name in (database, database.parent / ".." / "state" / "pitchey.db"):
        with pytest.raises(UsageError, match="the database itself"):
            back_up(database, name, overwrite=True)


def test_a_backup_of_a_damaged_database_is_refused_and_leaves_nothing(database, tmp_path):
    whole = database.read_bytes()
    database.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))
    with pytest.raises(StoreError, match="damaged"):
        back_up(database, tmp_path / "b.db")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


# --- restore


def test_a_restored_database_is_what_it_was_and_the_later_one_is_put_aside(database, backup):
    assert restore(backup, database, aside=aside(database)) == aside(database)
    assert jobs(database) == ["job1"]
    assert jobs(aside(database)) == ["job1", "job2"]
    assert jobs(backup) == ["job1"]
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


def test_a_backup_is_restored_where_there_is_no_database(database, backup):
    database.unlink()
    assert restore(backup, database, aside=aside(database)) is None
    assert jobs(database) == ["job1"]


@pytest.mark.parametrize("damage", [b"no database at all" * 1000, b"", b"x"], ids=["other", "empty", "cut"])
def test_a_damaged_database_is_replaced_and_kept(database, backup, damage):
    database.write_bytes(damage)
    Path(f"{database}-wal").write_bytes(b"what is left of a WAL")
    restore(backup, database, aside=aside(database))
    assert jobs(database) == ["job1"]
    assert aside(database).read_bytes() == damage


def test_what_a_killed_process_left_in_the_wal_does_not_meet_the_restored_file(database, backup):
    kill(start_another(database))
    assert Path(f"{database}-wal").stat().st_size > 0
    restore(backup, database, aside=aside(database))
    assert not Path(f"{database}-wal").exists()
    assert jobs(database) == ["job1"]
    assert jobs(aside(database)) == ["job1", "job2", "left"]


def test_a_copy_with_its_wal_beside_is_restored_with_what_is_in_it(database, backup, tmp_path):
    other = tmp_path / "other" / "pitchey.db"
    fill(other, "theirs")
    kill(start_another(other))
    Path(f"{other}-shm").unlink()  # a copy of the two files that matter
    restore(other, database, aside=aside(database))
    assert jobs(database) == ["left", "theirs"]


def test_a_database_that_another_process_has_open_is_not_replaced(database, backup):
    process = start_another(database)
    try:
        with pytest.raises(StoreError, match="Another process uses"):
            restore(backup, database, aside=aside(database))
    finally:
        kill(process)
    assert jobs(database) == ["job1", "job2", "left"]
    assert not aside(database).exists()


def once(act: Callable[[], object]) -> Callable[[int, int], None]:
    """Do something in the midst of a restore, at the first that it tells of its progress."""
    acts = [act]
    return lambda done, total: acts.pop()() if acts else None


def test_nobody_submits_into_a_database_that_is_about_to_be_put_aside(database, backup):
    def submit_meanwhile() -> None:
        with pytest.raises(StoreError, match="locked by another process"):
            SqliteStore.open(database, busy_seconds=0)

    restore(backup, database, aside=aside(database), progress=once(submit_meanwhile))
    fill(database, "after")
    assert jobs(database) == ["after", "job1"]
    assert jobs(aside(database)) == ["job1", "job2"]


def test_one_who_has_waited_for_a_restore_does_not_write_into_the_file_that_was_put_aside(database, backup):
    waiting: list[Connection] = []
    restore(
        backup,
        database,
        aside=aside(database),
        progress=once(lambda: waiting.append(Connection.open(database, create=False))),
    )
    with pytest.raises(StoreError, match="has been replaced by another file meanwhile"):
        waiting[0].tune()  # what every store does first
    waiting[0].close()
    assert not Path(f"{database}-wal").exists()  # it would stand beside the new file, and be the old one's
    assert jobs(database) == ["job1"]
    assert jobs(aside(database)) == ["job1", "job2"]


def test_a_database_that_somebody_makes_meanwhile_is_not_replaced(database, backup):
    database.unlink()
    with pytest.raises(StoreError, match=r"has made .* meanwhile"):
        restore(backup, database, aside=aside(database), progress=once(lambda: fill(database, "theirs")))
    assert jobs(database) == ["theirs"]


def test_what_was_put_aside_before_is_not_overwritten(database, backup):
    aside(database).write_text("an earlier one")
    with pytest.raises(StoreError, match="exists already"):
        restore(backup, database, aside=aside(database))
    assert aside(database).read_text() == "an earlier one"
    assert jobs(database) == ["job1", "job2"]


def unfit(folder: Path, backup: Path, what: str) -> Path:
    path = folder / "unfit.db"
    if what == "empty":
        path.touch()
    elif what == "text":
        path.write_text("hello" * 1000)
    elif what == "other":
        raw = sqlite3.connect(path)
        raw.execute("CREATE TABLE recipes (name TEXT)")
        raw.close()
    elif what == "cut":
        path.write_bytes(backup.read_bytes()[:-4096])
    elif what == "folder":
        path.mkdir()
    elif what == "newer":
        path.write_bytes(backup.read_bytes())
        raw = sqlite3.connect(path)
        raw.execute("PRAGMA user_version = 99")
        raw.execute("UPDATE meta SET value = '99' WHERE name = 'readable_by'")
        raw.commit()
        raw.close()
    elif what == "miscounted":
        path.write_bytes(backup.read_bytes())
        raw = sqlite3.connect(path)
        raw.execute("UPDATE job_flows SET queued = 7")
        raw.commit()
        raw.close()
    return path


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("missing", "There is no file"),
        ("folder", "is not a file"),
        ("empty", "not a Pitchey database"),
        ("text", "not a Pitchey database"),
        ("other", "not a Pitchey database"),
        ("cut", "damaged"),
        ("newer", "version 99"),
        ("miscounted", "damaged"),
    ],
)
def test_what_is_no_whole_backup_is_refused_and_nothing_is_changed(database, backup, tmp_path, what, says):
    path = unfit(tmp_path, backup, what)
    before = sorted(each.name for each in tmp_path.rglob("*"))
    with pytest.raises(PitcheyError, match=says):
        restore(path, database, aside=aside(database))
    assert sorted(each.name for each in tmp_path.rglob("*")) == before
    assert jobs(database) == ["job1", "job2"]
