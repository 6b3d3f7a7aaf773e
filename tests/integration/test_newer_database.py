"""A daemon at work while somebody brings its database up to a version that is not for it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

from pitchey_cli.domain import layout
from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.store.sqlite import SqliteStore
from tests.conftest import Pitchey
from tests.resources.clusters import LEASE_SECONDS, Cluster
from tests.resources.waiting import DEADLINE_SECONDS, until

SAID = "has schema version 99, for programs that know version 99"


def test_a_daemon_finishes_what_runs_and_ends_when_its_database_is_for_newer_programs(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    daemon = pitchey.start_daemon(PITCHEY_DAEMON_LEASE_SECONDS=str(LEASE_SECONDS))
    (running,) = pitchey.ok("submit", "video", clip, *lasting_options, "--no-cache").lines
    pitchey.until_working(running)
    (late,) = pitchey.ok("submit", "video", clip, *lasting_options, "--no-cache", "--run-at", "in 1h").lines
    database = layout.database(pitchey.state_dir)
    with closing(SqliteStore.open(database)) as other:
        with closing(sqlite3.connect(database)) as raw:
            raw.execute("UPDATE meta SET value = '99' WHERE name = 'readable_by'")
            raw.execute("PRAGMA user_version = 99")
            raw.commit()
        _, said = daemon.communicate(timeout=DEADLINE_SECONDS)
        assert daemon.returncode == 9
        assert said.count(SAID) == 1 and "upgrade this one" in said, said
        assert "This daemon has ended: its database is for newer programs." in said
        assert other.job(JobId(running)).state is JobState.SUCCEEDED
        assert other.job(JobId(late)).state is JobState.SCHEDULED
    assert "upgrade this one" in pitchey("status").err


def test_a_node_ends_when_another_has_made_the_database_one_for_newer_programs(cluster: Cluster) -> None:
    daemon = cluster.node("a").start_daemon()
    with closing(cluster.store()) as other:
        with psycopg.connect(cluster.url, autocommit=True) as raw:
            raw.execute("UPDATE pitchey.meta SET value = '99' WHERE name IN ('schema_version', 'readable_by')")
        _, said = daemon.communicate(timeout=DEADLINE_SECONDS)
        assert said.count(SAID) == 1, said
        (node,) = other.nodes()
        assert not node.is_up


def test_a_run_that_does_the_work_itself_says_why_it_ends(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    pitchey.environment["PITCHEY_DAEMON_LEASE_SECONDS"] = str(LEASE_SECONDS)
    pitchey.ok("jobs")
    run = pitchey.start("run", "video", clip, *slow_options)
    database = layout.database(pitchey.state_dir)
    with closing(SqliteStore.open(database)) as other:
        until(lambda: bool(other.running()), "it is at work")
        with closing(sqlite3.connect(database)) as raw:
            raw.execute("UPDATE meta SET value = '99' WHERE name = 'readable_by'")
            raw.execute("PRAGMA user_version = 99")
            raw.commit()
        _, said = run.communicate(timeout=DEADLINE_SECONDS)
        assert run.returncode == 9 and SAID in said, said
        assert other.running() == []


def test_a_step_that_older_programs_may_go_on_after_ends_nobody(cluster: Cluster, clip: Path) -> None:
    a = cluster.node("a")
    daemon = a.start_daemon()
    with closing(cluster.store()) as other:
        with psycopg.connect(cluster.url, autocommit=True) as raw:
            raw.execute("UPDATE pitchey.meta SET value = '99' WHERE name = 'schema_version'")
        (before,) = other.nodes()
        (job_id,) = a.ok("submit", "video", clip, "--output-format", "thumbnail", "--no-cache").lines
        a.ok("wait", job_id)
        while other.nodes()[0].beat < before.beat + 2:
            a.ok("nodes", "list")
        assert daemon.poll() is None
