"""Recurring schedules on a real store: whatever befalls one, the others are served, and none is silent for good."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon import lock, process
from pitchey_cli.daemon.firing import Firing
from pitchey_cli.domain.recurrence import Schedule
from pitchey_cli.engines.process import ProcessEngine
from pitchey_cli.operations import schedules
from pitchey_cli.operations.requests import Defaults, Request, Submitting
from pitchey_cli.operations.submit import JobSettings
from pitchey_cli.store.port import JobFilter
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.wiring import Wiring, node
from processors.vocabulary import Service

START = datetime(2026, 5, 1, 11, 30, tzinfo=UTC)
MIB = 2**20


@pytest.fixture
def submitting(tmp_path: Path) -> Iterator[Submitting]:
    store = SqliteStore.open(tmp_path / "pitchey.db")
    defaults = Defaults(JobSettings(3, 60.0), 0, 3, "standard-2", 2**30)
    yield Submitting(store, LocalArtifacts(tmp_path / "artifacts"), lambda _: defaults, lambda _: "image")
    store.close()


def clip(tmp_path: Path, name: str, content: bytes = b"content") -> Path:
    path = tmp_path / "in" / f"{name}.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def add(submitting: Submitting, name: str, path: Path, cron: str, *, misfire: str = "latest") -> None:
    request = Request(Service.VIDEO, (str(path),), {"outputFormat": "mp4"})
    schedules.add(submitting, request, name=name, cron=cron, timezone="UTC", misfire=misfire, now=START)


def fire(submitting: Submitting, minutes: float, *, awake_since: datetime | None = None) -> list[str]:
    return list(schedules.fire(submitting, now=START + timedelta(minutes=minutes), awake_since=awake_since))


def schedule(submitting: Submitting, name: str) -> Schedule:
    return submitting.store.schedule(name)


def batches(submitting: Submitting) -> list[str]:
    return sorted(job.batch for job in submitting.store.jobs(JobFilter()))


def test_files_that_fields_name_are_found_from_another_folder(
    submitting: Submitting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(tmp_path, "a"), clip(tmp_path, "logo", b"\xff\xd8\xff")
    monkeypatch.chdir(tmp_path / "in")
    request = Request(Service.VIDEO, ("a.mp4",), {"watermark": {"imageUrl": "logo.mp4"}})
    schedules.add(submitting, request, name="daily", cron="@daily", timezone="UTC", misfire="latest", now=START)
    monkeypatch.chdir("/")
    schedules.run_now(submitting, "daily", now=START)
    (job,) = submitting.store.jobs(JobFilter())
    assert [(each.field, each.name) for each in job.inputs] == [
        ("input_url", "a.mp4"),
        ("watermark.image_url", "logo.mp4"),
    ]


def test_a_clock_that_was_years_ahead_once_silences_no_schedule(submitting: Submitting, tmp_path: Path) -> None:
    add(submitting, "hourly", clip(tmp_path, "a"), "0 * * * *")
    fire(submitting, minutes=9 * 365 * 1440)
    assert schedule(submitting, "hourly").next_at.year == 2035
    (line,) = fire(submitting, minutes=1)
    assert "it comes at 2026-05-01 12:00 UTC" in line
    assert fire(submitting, minutes=30) == ["schedule hourly: 1 jobs for 2026-05-01 12:00 UTC"]


def test_a_clock_that_was_set_back_submits_no_job_twice(submitting: Submitting, tmp_path: Path) -> None:
    add(submitting, "hourly", clip(tmp_path, "a"), "0 * * * *")
    for minutes in (30, 5, 30):
        fire(submitting, minutes)
    assert batches(submitting) == ["hourly"]


def test_a_time_zone_that_is_gone_stops_its_own_schedule_alone_and_is_told_once(
    submitting: Submitting, tmp_path: Path
) -> None:
    add(submitting, "a", clip(tmp_path, "a"), "0 * * * *")
    add(submitting, "b", clip(tmp_path, "b"), "5 * * * *")
    submitting.store._db.run("UPDATE job_schedules SET timezone = 'Mars/Olympus' WHERE name = 'a'")
    first, second = fire(submitting, 40)
    assert "a: There is no time zone 'Mars/Olympus'." in first and "b: 1 jobs" in second
    assert fire(submitting, 41) == []
    assert (schedule(submitting, "a").last_error, batches(submitting)) == (
        "There is no time zone 'Mars/Olympus'.",
        ["b"],
    )


@contextmanager
def no_file_above(limit_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("misfire", ["latest", "skip", "all"])
def test_a_disk_in_trouble_keeps_a_time_due_and_no_other_schedule_waiting(
    submitting: Submitting, tmp_path: Path, misfire: str
) -> None:
    large = clip(tmp_path, "large", os.urandom(MIB) * 8)
    add(submitting, "a", large, "0 * * * *", misfire=misfire)
    add(submitting, "b", clip(tmp_path, "b"), "5 * * * *")
    with no_file_above(6 * MIB):
        first, second = fire(submitting, 36, awake_since=START)
        assert first.startswith("schedule a: ") and first.endswith("It is tried again.") and "b: 1 jobs" in second
        assert fire(submitting, 37, awake_since=START) == []
    found = schedule(submitting, "a")
    assert found.last_error is not None and found.next_at == START + timedelta(minutes=30)
    assert fire(submitting, 38, awake_since=START) == ["schedule a: 1 jobs for 2026-05-01 12:00 UTC"]
    assert schedule(submitting, "a").last_error is None
    assert batches(submitting) == ["a", "b"]


def test_an_idempotency_key_that_belongs_to_another_job_loses_one_time_and_starves_nobody(
    submitting: Submitting, tmp_path: Path
) -> None:
    add(submitting, "a", clip(tmp_path, "a"), "0 * * * *")
    fire(submitting, 30)
    submitting.store.remove_schedule("a")
    add(submitting, "a", clip(tmp_path, "a", b"another content"), "0 * * * *")
    add(submitting, "b", clip(tmp_path, "b"), "5 * * * *")
    first, second = fire(submitting, 36)
    assert "belongs to job" in first and "b: 1 jobs" in second
    found = schedule(submitting, "a")
    assert "belongs to job" in (found.last_error or "")
    assert found.next_at == START + timedelta(minutes=90)


def test_what_came_while_the_daemon_was_busy_is_not_skipped(submitting: Submitting, tmp_path: Path) -> None:
    add(submitting, "a", clip(tmp_path, "a"), "0 * * * *", misfire="skip")
    add(submitting, "b", clip(tmp_path, "b"), "5 * * * *", misfire="skip")
    served = fire(submitting, 45, awake_since=START + timedelta(minutes=31))
    assert served == [
        "schedule a: missed while no daemon ran, and left out",
        "schedule b: 1 jobs for 2026-05-01 12:05 UTC",
    ]


def test_a_daemon_that_ends_drops_what_it_stages_and_the_time_stays_due(submitting: Submitting, tmp_path: Path) -> None:
    add(submitting, "a", clip(tmp_path, "large", b"." * 8 * MIB), "0 * * * *")
    answers = iter([False, False, False])
    now = START + timedelta(minutes=30)
    assert list(schedules.fire(submitting, now=now, is_ending=lambda: next(answers, True))) == []
    assert next(answers, None) is None  # it was asked while the file was read
    assert schedule(submitting, "a").next_at == now
    assert (batches(submitting), list(submitting.artifacts.kept())) == ([], [])
    assert fire(submitting, 31) == ["schedule a: 1 jobs for 2026-05-01 12:00 UTC"]


# --- in the daemon


@pytest.fixture
def wiring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wiring:
    monkeypatch.setenv("PITCHEY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PITCHEY_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").touch()
    return Wiring.from_environment()


def _make_due(wiring: Wiring, tmp_path: Path) -> None:
    store = wiring.store()
    add(wiring.submitting(store), "a", clip(tmp_path, "a"), "0 * * * *")
    store.close()


def test_a_daemon_holds_its_place_until_nothing_is_staged_any_more(wiring: Wiring, tmp_path: Path) -> None:
    _make_due(wiring, tmp_path)
    seen: list[bool] = []

    def stage(*, awake_since: datetime, is_ending: Callable[[], bool]) -> list[str]:
        os.kill(os.getpid(), signal.SIGTERM)
        while not is_ending():
            time.sleep(0.001)
        for _ in range(100):  # the rest of a piece; the drain has nothing to wait for
            time.sleep(0.001)
        seen.append(lock.holder(wiring.state_dir) is not None)
        return []

    async def serve() -> None:
        engine = ProcessEngine(tmp_path / "processes")
        with (
            lock.lock(wiring.state_dir, is_daemon=True, engine="process"),
            node.loop(wiring, engine, report=print) as loop,
        ):
            loop.node = replace(loop.node, fire=stage)
            loop.firing = Firing(loop.node, loop.changed)
            await process.serve(loop, on_ready=lambda: None)
            assert seen == [True]

    asyncio.run(serve())
    assert seen == [True]


class Hands:
    """A clock whose hands the test turns, and those of the machine with it."""

    def __init__(self) -> None:
        self.at, self.seconds = datetime.now(UTC), 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def boot(self) -> str:
        return "boot"


def looks(wiring: Wiring, tmp_path: Path, clock: Hands, waits: list[int], *, last: int) -> list[datetime]:
    """What is told of the daemon's presence at looks so many minutes apart; it ends before the one numbered `last`."""
    told: list[datetime] = []

    def note(*, awake_since: datetime, is_ending: Callable[[], bool]) -> list[str]:
        told.append(awake_since)
        return []

    async def look() -> None:
        with node.loop(wiring, ProcessEngine(tmp_path / "processes"), report=print) as loop:
            firing = Firing(replace(loop.node, fire=note, clock=clock), loop.changed)
            for number, minutes in enumerate(waits):
                clock.at += timedelta(minutes=minutes)
                clock.seconds += 60
                if number == last:
                    firing.stop()
                await firing.begin_if_due()
                await firing.ended()

    asyncio.run(look())
    return told


def test_a_daemon_that_slept_says_so_and_one_that_is_busy_does_not(wiring: Wiring, tmp_path: Path) -> None:
    _make_due(wiring, tmp_path)
    clock = Hands()
    began = clock.at
    told = looks(wiring, tmp_path, clock, [0, 1, 1, 480, 1], last=5)
    assert told == [began] * 3 + [began + timedelta(minutes=482)] * 2


def test_a_daemon_that_ends_begins_nothing(wiring: Wiring, tmp_path: Path) -> None:
    _make_due(wiring, tmp_path)
    assert len(looks(wiring, tmp_path, Hands(), [0, 1, 1, 1], last=2)) == 2
