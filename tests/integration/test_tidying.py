"""What a daemon removes by itself, and what it does not when its clock is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.daemon.loop import Loop
from pitchey_cli.daemon.tidying import Tidying
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.engines.process import ProcessEngine
from pitchey_cli.store.port import JobFilter
from pitchey_cli.wiring import Wiring, node
from processors.protocol import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AHEAD = timedelta(days=200)


@dataclass
class Hands:
    """A clock whose hands the test turns, the two of them apart."""

    hours: float = 0.0
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return NOON + timedelta(hours=self.hours) + self.ahead

    def monotonic(self) -> float:
        return self.hours * 3600

    def boot(self) -> str:
        return "boot"


class Tidied:
    """A state directory that daemons keep in order, one after the other."""

    def __init__(self, loop: Loop) -> None:
        self.clock = Hands()
        self.said: list[str] = []
        self._loop = loop
        self.store = loop.node.store
        self.start_daemon()

    def start_daemon(self) -> None:
        node = replace(self._loop.node, clock=self.clock, report=self.said.append)
        self._tidying = Tidying(node, self._loop.state_id, set)

    def pass_time(self, hours: float, *, step: float = 0.5) -> None:
        """Let a daemon run for a while."""
        end = self.clock.hours + hours
        while self.clock.hours < end:
            self.clock.hours = min(self.clock.hours + step, end)
            asyncio.run(self._round())

    async def _round(self) -> None:
        self._tidying.begin_if_due()
        assert self._tidying._task is not None
        await self._tidying._task

    def end_job(self, name: str) -> None:
        self.store.enqueue([NewJob(id=JobId(name), service=Service.CODE, spec={})], now=self.clock.now())
        self.store.cancel(JobId(name), why="", now=self.clock.now())

    def jobs(self) -> set[str]:
        return {job.id for job in self.store.jobs(JobFilter())}


@pytest.fixture
def tidied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tidied]:
    monkeypatch.setenv("PITCHEY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PITCHEY_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").touch()
    with node.loop(Wiring.from_environment(), ProcessEngine(tmp_path / "processes"), report=print) as loop:
        yield Tidied(loop)


def test_a_job_goes_when_its_time_has_come(tidied):
    tidied.end_job("old")
    tidied.pass_time(29 * 24, step=24)
    assert tidied.jobs() == {"old"}
    tidied.pass_time(2 * 24, step=24)
    assert tidied.jobs() == set() and tidied.said == ["pruned: 1 jobs, 0 logs, 0 artifacts (0 bytes)"]


def test_a_daemon_that_starts_with_its_clock_months_ahead_removes_nothing(tidied):
    tidied.end_job("young")
    tidied.pass_time(1)
    tidied.clock.ahead = AHEAD
    tidied.end_job("recorded with the wrong time")
    tidied.start_daemon()
    tidied.pass_time(12)
    tidied.start_daemon()
    tidied.pass_time(20)
    assert "young" in tidied.jobs()
    first, _of_the_second = tidied.said  # each says it once
    assert "the clock says 2026-09-17 13:30 UTC, and the last time known is" in first and "db prune" in first
    tidied.clock.ahead = timedelta()
    tidied.pass_time(20 * 24, step=24)
    assert "young" in tidied.jobs()
    tidied.pass_time(15 * 24, step=24)
    assert "young" not in tidied.jobs()


def test_a_clock_that_jumps_under_a_busy_daemon_costs_nothing(tidied):
    tidied.end_job("young")
    tidied.pass_time(1)
    tidied.clock.ahead = AHEAD
    for number in range(10):
        tidied.end_job(f"job{number}")
        tidied.pass_time(1)
    assert len(tidied.jobs()) == 11
    tidied.clock.ahead = timedelta()
    tidied.pass_time(2 * 24)
    assert len(tidied.jobs()) == 11


def test_what_is_too_old_goes_a_day_after_a_long_time_without_a_daemon(tidied):
    tidied.end_job("old")
    tidied.pass_time(1)
    tidied.clock.hours += 60 * 24
    tidied.start_daemon()
    tidied.pass_time(23)
    assert tidied.jobs() == {"old"}
    tidied.pass_time(3)
    assert tidied.jobs() == set()


def test_nothing_goes_in_the_first_minutes_of_a_daemon(tidied):
    tidied.end_job("old")
    tidied.clock.hours += 31 * 24
    tidied.store.note_time(now=tidied.clock.now())
    tidied.start_daemon()
    tidied.pass_time(0.1, step=0.1)
    assert tidied.jobs() == {"old"}
    tidied.pass_time(0.1, step=0.1)
    assert tidied.jobs() == set()


def test_a_daemon_says_once_for_which_database_it_spares_artifacts(tidied):
    state_dir = tidied._loop.node.config.state_dir
    (state_dir / "pitchey.db.before-restore-20260101T000000000000Z").touch()
    tidied.pass_time(5)
    (line,) = tidied.said
    assert line.startswith("no artifact is removed while") and "before-restore-2026" in line
