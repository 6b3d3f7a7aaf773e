"""Jobs in a daemon that wait for off-peak hours: in them, or at their last call; and a node that may be taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.domain.job import JobId, JobState, NewJob
from pitchey_cli.domain.off_peak import OffPeak, latest_start, plan
from pitchey_cli.domain.prices import NANODOLLARS, PriceWindow, Tariff
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.domain.windows import Window
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service
from tests.resources.scripted_engine import Machine
from tests.resources.scripted_node import Daemon, open_store, service
from tests.resources.scripted_time import NOON, ScriptedClock, ScriptedLoop

SERVICES = {Service.VIDEO: service(Service.VIDEO, slots=1)}
HOUR = 360.0  # seconds: an hour of these tests is a tenth of one, as the daemon looks through all of it
AN_HOUR = timedelta(seconds=HOUR)
SOON_SECONDS = 10.0  # the daemon looks every five


def hours(first: int, last: int) -> Window:
    """A window between two hours after noon."""
    begin, end = ((NOON + number * AN_HOUR).time() for number in (first, last))
    return Window(begin, end)


EVENING = hours(10, 11)
PRICES = Tariff(NANODOLLARS, (PriceWindow(hours(2, 3), 0.7), PriceWindow(EVENING, 0.5)))
OFF_PEAK = OffPeak((EVENING,), UTC, PRICES)


@dataclass
class Node:
    """A daemon whose hands the test turns; they begin at noon."""

    world: ScriptedLoop
    folder: Path
    machine: Machine
    store: SqliteStore
    daemons: list[Daemon] = field(default_factory=list)

    def start(self, **policy: Any) -> None:
        queue = QueuePolicy(off_peak=OFF_PEAK, **policy)
        self.daemons.append(Daemon(self.world, self.machine, self.folder, SERVICES, queue, lambda _: None))

    def kill(self) -> None:
        self.daemons.pop().kill()

    def submit(self, name: str, *, deadline: datetime, expected_seconds: float, step: str = "succeed") -> JobId:
        """As the submission does, with what it expects from jobs before."""
        now = self.world.clock.now()
        latest = latest_start(
            earliest=now,
            deadline=deadline,
            expires_at=deadline,
            expected_seconds=expected_seconds,
            timeout_seconds=HOUR,
        )
        start = plan(OFF_PEAK, earliest=now, latest=latest)
        job = NewJob(
            JobId(name),
            Service.VIDEO,
            {"attempts": [step]},
            timeout_seconds=10**6,
            run_at=start.run_at,
            is_off_peak=start.is_off_peak,
            last_call_at=start.last_call_at,
            deadline=deadline,
            expires_at=deadline,
        )
        self.store.enqueue([job], now=now)
        return job.id

    def started_at(self, job_id: JobId) -> datetime:
        return self.store.attempts(job_id)[0].started_at

    def told(self, job_id: JobId) -> list[str]:
        return [event.type for event in self.store.events(after=0, job_ids=[job_id])]

    def until(self, hour: float) -> None:
        self.world.pass_time(hour * HOUR - self.world.clock.seconds)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    world = ScriptedLoop(ScriptedClock())

    async def machine() -> Machine:
        return Machine()

    node = Node(world, tmp_path, world.run_until_complete(machine()), open_store(layout.database(tmp_path)))
    yield node
    for daemon in node.daemons:
        daemon.drain()
    node.store.close()
    world.pass_time(1.0)
    world.close()


def test_a_job_whose_hours_come_before_its_latest_start_runs_in_them(node: Node) -> None:
    node.start()
    job = node.submit("job", deadline=NOON + 20 * AN_HOUR, expected_seconds=HOUR)
    node.until(9.9)
    assert node.store.job(job).state is JobState.QUEUED
    assert not node.machine.workers  # nothing is kept ready for it meanwhile
    node.until(10.1)
    assert node.store.job(job).state is JobState.SUCCEEDED
    assert timedelta(0) <= node.started_at(job) - NOON - 10 * AN_HOUR < timedelta(seconds=SOON_SECONDS)
    assert "last_call" not in node.told(job)


def test_a_job_that_its_hours_were_too_short_for_runs_at_its_last_call(node: Node) -> None:
    node.start()
    deadline = NOON + 20 * AN_HOUR
    first = node.submit("first", deadline=deadline, expected_seconds=HOUR, step="hold")
    second = node.submit("second", deadline=deadline, expected_seconds=2 * HOUR)
    node.until(12)  # the first one took all of the hours
    (attempt,) = node.machine.attempts.values()
    node.world.call_soon(attempt.succeed)
    node.world.call_soon(attempt.released.set)
    node.until(17.7)
    assert [node.store.job(each).state for each in (first, second)] == [JobState.SUCCEEDED, JobState.QUEUED]
    node.until(17.9)
    latest = deadline - 2 * AN_HOUR - timedelta(minutes=1)
    assert timedelta(0) <= node.started_at(second) - latest < timedelta(seconds=SOON_SECONDS)
    assert node.told(second)[:2] == ["submitted", "last_call"]
    assert node.store.job(second).state is JobState.SUCCEEDED


def test_a_daemon_that_was_away_in_the_hours_starts_the_job_as_soon_as_it_is_back(node: Node) -> None:
    node.start()
    deadline = NOON + 20 * AN_HOUR
    job = node.submit("job", deadline=deadline, expected_seconds=5 * HOUR)
    node.until(9)
    node.kill()
    node.until(16)  # its hours and its latest start are over
    node.start()
    node.until(16.1)
    assert node.store.job(job).state is JobState.SUCCEEDED


def test_a_job_whose_hours_come_too_late_runs_when_it_is_cheapest_before(node: Node) -> None:
    node.start()
    job = node.submit("job", deadline=NOON + 5 * AN_HOUR, expected_seconds=HOUR)
    node.until(1.9)
    assert node.store.job(job).state is JobState.SCHEDULED
    node.until(2.1)
    assert timedelta(0) <= node.started_at(job) - NOON - 2 * AN_HOUR < timedelta(seconds=SOON_SECONDS)


def test_a_job_that_has_to_start_now_does(node: Node) -> None:
    node.start()
    job = node.submit("job", deadline=NOON + AN_HOUR, expected_seconds=2 * HOUR)
    node.world.pass_time(SOON_SECONDS)
    assert node.store.job(job).state is JobState.SUCCEEDED


def test_a_node_that_may_be_taken_away_runs_only_what_does_not_mind_and_starts_nothing_for_others(node: Node) -> None:
    node.start(is_spot=True)
    node.store.enqueue([NewJob(JobId("stays"), Service.VIDEO, {})], now=NOON)
    node.until(0.1)
    assert not node.machine.workers
    node.store.enqueue([NewJob(JobId("spot"), Service.VIDEO, {}, is_spot_ok=True)], now=node.world.clock.now())
    node.until(0.2)
    states = [node.store.job(JobId(each)).state for each in ("stays", "spot")]
    assert states == [JobState.QUEUED, JobState.SUCCEEDED]
