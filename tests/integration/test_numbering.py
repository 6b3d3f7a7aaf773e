"""Ids of events that others have seen, and what a power cut takes away of the database."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.store import connection
from pitchey_cli.store.copying import back_up
from pitchey_cli.store.numbering import LEFT_OUT
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def submit(store: SqliteStore, *names: str, is_lasting: bool = True) -> int:
    """Submit jobs; the id of the last event, as another process reads it."""
    jobs = [NewJob(id=JobId(name), service=Service.VIDEO, spec={"inputUrl": "/in.mp4"}, name="in") for name in names]
    with store.transaction(is_lasting=is_lasting):
        store.enqueue(jobs, now=NOW)
    return store.last_event_id()


def wal(database: Path) -> Path:
    return Path(f"{database}-wal")


def after_a_power_cut(database: Path, synced_bytes: int, folder: Path) -> Path:
    """What is on the disk: the file, and as much of its WAL as was synced."""
    folder.mkdir()
    shutil.copy(database, folder)
    left = folder / database.name
    wal(left).write_bytes(wal(database).read_bytes()[:synced_bytes])
    return left


def test_an_id_that_was_seen_and_lost_in_a_power_cut_is_not_given_again(tmp_path: Path) -> None:
    database = tmp_path / "pitchey.db"
    with closing(SqliteStore.open(database, boot="first")) as store:
        submit(store, "a")
        synced_bytes = wal(database).stat().st_size
        seen = submit(store, "b", is_lasting=False)
        left = after_a_power_cut(database, synced_bytes, tmp_path / "left")
    with closing(SqliteStore.open(left, boot="second")) as store:
        assert store.job_ids("") == ["a"], "the power cut has taken something away"
        assert submit(store, "c") > seen
        assert [event.job_id for event in store.events(after=seen)] == ["c"]
        assert submit(store, "d", is_lasting=False) == store.last_event_id() < 2 * LEFT_OUT, "once for each boot"


def test_the_ids_of_one_boot_follow_each_other_whoever_opens_the_database(tmp_path: Path) -> None:
    database = tmp_path / "pitchey.db"
    for number in range(1, 4):
        with closing(SqliteStore.open(database, boot="first")) as store:
            assert submit(store, f"job{number}") == number


def test_what_fails_at_first_is_done_again(tmp_path: Path) -> None:
    database = tmp_path / "pitchey.db"
    with closing(SqliteStore.open(database, boot="first")) as store:
        seen = submit(store, "a")
    with closing(SqliteStore.open(database, boot="second")) as store:
        with pytest.raises(sqlite3.ProgrammingError), store.transaction():
            raise sqlite3.ProgrammingError
        assert submit(store, "b") > seen + LEFT_OUT


def test_ids_that_were_seen_since_a_backup_are_not_given_again(tmp_path: Path) -> None:
    database, backup = tmp_path / "pitchey.db", tmp_path / "backup.db"
    with closing(SqliteStore.open(database, boot="first")) as store:
        submit(store, "a")
        back_up(database, backup)
        seen = submit(store, "b", "c")
    with closing(SqliteStore.open(backup, boot="first")) as store:
        assert submit(store, "d") > seen


def test_no_more_rows_than_are_left_out_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNSYNCED_ROWS", 20)
    with closing(SqliteStore.open(tmp_path / "pitchey.db", boot="first")) as store:
        submit(store, "first")
        levels = []
        for number in range(20):
            submit(store, f"job{number}", is_lasting=False)
            levels.append(int(store._db.value("PRAGMA synchronous")))  # sqlite.org/pragma.html#pragma_synchronous
    assert set(levels) == {1, 2}
