"""Databases that are damaged, foreign, too new, read-only or out of room: said plainly, and never made worse."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.domain.errors import PitcheyError, StoreError
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.store.inspect import describe
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "pitchey.db"
    store = SqliteStore.open(path)
    submit(store, "job1")
    store.close()
    return path


def submit(store: SqliteStore, job_id: str, *, kilobytes: int = 0) -> None:
    job = NewJob(id=JobId(job_id), service=Service.CODE, spec={"code": "x" * kilobytes * 1024})
    store.enqueue([job], now=NOW)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- not ours, not readable


@pytest.mark.parametrize("content", [b"hello, I am a text file\n" * 100, b"x", b"\0" * 4096])
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "pitchey.db"
    path.write_bytes(content)
    before = path.stat().st_mtime_ns
    with pytest.raises(StoreError, match="not a Pitchey database") as raised:
        SqliteStore.open(path)
    assert "left as it is" in raised.value.hint
    assert contents(tmp_path) == {"pitchey.db": content}
    assert path.stat().st_mtime_ns == before


def test_the_database_of_another_program_is_left_as_it_is(tmp_path):
    path = tmp_path / "pitchey.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE recipes (name TEXT)")
    theirs.close()
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="not a Pitchey database"):
        SqliteStore.open(path)
    assert contents(tmp_path) == before


def test_the_database_of_a_newer_pitchey_is_left_as_it_is(database):
    raw = sqlite3.connect(database)
    raw.execute("PRAGMA user_version = 99")
    raw.execute("UPDATE meta SET value = '99' WHERE name = 'readable_by'")
    raw.commit()
    raw.close()
    before = contents(database.parent)
    with pytest.raises(StoreError, match=r"version 99.*up to 1\b") as raised:
        SqliteStore.open(database)
    assert "upgrade" in raised.value.hint
    assert contents(database.parent) == before


def test_a_damaged_database_says_so(database):
    whole = database.read_bytes()
    database.write_bytes(whole[:2048] + os.urandom(len(whole) - 2048))
    with pytest.raises(StoreError, match="damaged") as raised:
        SqliteStore.open(database).job(JobId("job1"))
    assert "copy" in raised.value.hint


def test_the_integrity_check_finds_what_reading_does_not(database):
    store = SqliteStore.open(database)
    assert store.integrity() == []
    store._db.run("UPDATE job_counts SET jobs = 7")
    store._db.run("PRAGMA foreign_keys = OFF")
    store._db.run("DELETE FROM container_jobs")
    found = store.integrity()
    assert any("job_events" in line for line in found)
    assert any("job_counts" in line for line in found)


def test_a_missing_database_is_not_made_unless_told(tmp_path):
    with pytest.raises(StoreError, match="no database"):
        SqliteStore.open(tmp_path / "pitchey.db", create=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="no database"):
        describe(tmp_path / "pitchey.db")


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        SqliteStore.open(tmp_path / "file" / "pitchey.db")


# --- not writable


def test_only_the_owner_may_read_the_database(database):
    store = SqliteStore.open(database)
    submit(store, "job2")
    for path in (*database.parent.iterdir(), database.parent):
        assert path.stat().st_mode & 0o077 == 0, path


AS_NOBODY = """
import os, sys
from pathlib import Path
from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.store.sqlite import SqliteStore
if os.geteuid() == 0:
    os.setegid(65534), os.seteuid(65534)
try:
    SqliteStore.open(Path(sys.argv[1]))
except PitcheyError as error:
    print(type(error).__name__, error)
"""


def test_a_folder_that_may_not_be_written_is_denied():
    """In a process of its own that is not root: root may write anywhere."""
    folder = Path(tempfile.mkdtemp())  # not tmp_path: nobody else may pass through that
    try:
        folder.chmod(0o555)
        command = [sys.executable, "-c", AS_NOBODY, folder / "pitchey.db"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert said.startswith("Denied")
        assert str(folder) in said
        assert list(folder.iterdir()) == []
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_write_to_a_read_only_connection_says_so(database):
    store = SqliteStore.open(database)
    store._db.run("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="may not be written"):
        submit(store, "job2")
    assert store.job(JobId("job1")).id == "job1"


def test_a_lock_that_is_held_too_long_says_so(database):
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    store = SqliteStore.open(database, busy_seconds=0.05)
    with pytest.raises(StoreError, match="locked"):
        submit(store, "job2")
    assert store.job(JobId("job1")).id == "job1"  # reading goes on
    holder.execute("ROLLBACK")
    submit(store, "job2")


# --- out of room


def test_a_full_database_loses_nothing_and_recovers(database):
    """The page limit raises the same SQLITE_FULL as a disk without room; it needs neither root nor a disk."""
    store = SqliteStore.open(database)
    pages = store._db.value("PRAGMA page_count")
    store._db.run(f"PRAGMA max_page_count = {pages + 20}")
    done = _submit_until_full(store)
    assert store.job_ids("f", limit=10**6) == done
    assert store.last_event_id() == 1 + len(done)
    store._db.run("PRAGMA max_page_count = 1000000")
    submit(store, "after")
    assert store.integrity() == []


def _submit_until_full(store: SqliteStore) -> list[str]:
    done: list[str] = []
    with pytest.raises(StoreError, match="full") as raised:
        for n in range(100_000):
            submit(store, f"f{n:05}", kilobytes=4)
            done.append(f"f{n:05}")
    assert "Make room" in raised.value.hint
    return done


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of two megabytes where the tests may mount one; elsewhere a folder, and a limit on file sizes."""
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True)
    try:
        yield folder
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_full_disk_under_the_database_loses_nothing(small_disk):
    if not os.path.ismount(small_disk):  # an ordinary user: a limit on the size of files stands in for the disk
        _limit_file_sizes(2 * 1024 * 1024)
    try:
        store = SqliteStore.open(small_disk / "pitchey.db")
        done: list[str] = []
        with pytest.raises(PitcheyError, match=r"full|reports an error"):
            for n in range(100_000):
                submit(store, f"f{n:05}", kilobytes=16)
                done.append(f"f{n:05}")
        assert store.job_ids("f", limit=10**6) == done != []
    finally:
        _limit_file_sizes(None)
    store.close()
    again = SqliteStore.open(small_disk / "pitchey.db")
    assert again.integrity() == []
    again.close()


def test_a_full_disk_under_the_artifacts_leaves_no_partial_file(small_disk, tmp_path):
    source = tmp_path / "large.mp4"
    source.write_bytes(os.urandom(5 * 1024 * 1024))
    artifacts = LocalArtifacts(small_disk / "artifacts")
    if not os.path.ismount(small_disk):
        _limit_file_sizes(2 * 1024 * 1024)
    try:
        with pytest.raises(StoreError, match=r"large\.mp4"):
            artifacts.add(source, limit_bytes=10**9)
    finally:
        _limit_file_sizes(None)
    assert [path for path in (small_disk / "artifacts").rglob("*") if path.is_file()] == []


def test_what_a_killed_process_was_taking_in_goes_at_once_and_what_a_living_one_takes_in_stays(tmp_path):
    root = tmp_path / "artifacts"
    artifacts = LocalArtifacts(root)
    left = root / "incoming" / "of-a-killed-process"
    left.write_bytes(b"half of a video")
    source = tmp_path / "clip.mp4"
    source.write_bytes(os.urandom(3 * 1024 * 1024))
    artifact = artifacts.add(source, limit_bytes=10**9, progress=lambda *_: LocalArtifacts(root) and None)
    assert not left.exists()
    assert artifacts.path(artifact.sha256).read_bytes() == source.read_bytes()


def _limit_file_sizes(limit: int | None) -> None:
    """The kernel refuses writes beyond it; Python ignores the signal that comes along."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if limit is None else limit, hard))


# --- a look from outside


def test_a_summary_names_tables_indexes_and_health(database):
    summary = describe(database)
    tables = {table.name: table for table in summary.tables}
    assert summary.schema_version == 1
    assert summary.journal_mode == "wal"
    assert summary.problems == ()
    assert summary.size_bytes == database.stat().st_size
    assert tables["container_jobs"].rows == 1
    assert "container_jobs_waiting" in tables["container_jobs"].indexes
    assert "run_at" in tables["container_jobs"].columns


def test_a_summary_of_something_else_says_so(tmp_path):
    (tmp_path / "text.db").write_text("hello\n" * 100)
    with pytest.raises(StoreError, match="not a Pitchey database"):
        describe(tmp_path / "text.db")


def test_two_processes_may_make_the_same_database_at_once(tmp_path):
    command = [sys.executable, "-c", OPENING, tmp_path / "pitchey.db"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [child.communicate(timeout=120)[0].strip() for child in children]
    assert len(set(said)) == 1
    assert len(said[0]) == 16


OPENING = """
import sys
from pathlib import Path
from pitchey_cli.store.sqlite import SqliteStore
print(SqliteStore.open(Path(sys.argv[1])).state_id())
"""
