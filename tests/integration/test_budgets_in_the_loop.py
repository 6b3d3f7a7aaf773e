"""Budgets in a daemon: at the cap nothing more is started, nothing is killed, and what is let go goes at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.domain.budget import Budget
from pitchey_cli.domain.job import JobId, JobState, NewJob
from pitchey_cli.domain.observation import Change
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service
from tests.resources.scripted_engine import Machine
from tests.resources.scripted_node import Daemon, open_store, service
from tests.resources.scripted_time import ScriptedClock, ScriptedLoop

SERVICES = {
    Service.VIDEO: service(Service.VIDEO, slots=1, instances=3),
    Service.CODE: service(Service.CODE, slots=1),
}
SECOND_OF_INSTANCE = 144_000_000 // 3600  # nanodollars
LOOK_SECONDS = 6.0  # the daemon looks at its budgets every five
AT_ONCE_SECONDS = 0.5
SECONDS_TO_MIDNIGHT = 600.0  # from the beginning of a test that is about it
at_night = pytest.mark.parametrize("node", [12 * 3600 - SECONDS_TO_MIDNIGHT], indirect=True, ids=["at night"])
ACME, VIDEO = Scope("acme"), Scope("", Service.VIDEO)


@dataclass
class Node:
    """A daemon, and the one who sets its budgets in another process."""

    world: ScriptedLoop
    folder: Path
    machine: Machine
    store: SqliteStore
    said: list[str] = field(default_factory=list)
    submitted: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.daemon = Daemon(self.world, self.machine, self.folder, SERVICES, QueuePolicy(), self.said.append)

    def submit(self, step: str, organisation: str = "acme", service: Service = Service.VIDEO) -> JobId:
        self.submitted += 1
        job_id = JobId(f"j{self.submitted}")
        job = NewJob(job_id, service, {"attempts": [step]}, organisation=organisation, timeout_seconds=10**6)
        self.store.enqueue([job], now=self.world.clock.now())
        self.poke()
        return job_id

    def set_budget(self, scope: Scope, seconds: float, period: Period = Period.DAY) -> None:
        """As much as an instance costs in so many seconds."""
        amount = round(seconds * SECOND_OF_INSTANCE)
        self.store.set_budget(Budget(scope, period, amount), now=self.world.clock.now())
        self.poke()

    def poke(self) -> None:
        self.daemon.loop.changed.set()
        self.world.pass_time(AT_ONCE_SECONDS)

    def states(self, *job_ids: JobId) -> list[str]:
        return [self.store.job(job_id).state for job_id in job_ids]

    def told(self) -> list[int]:
        return [each.data["percent"] for each in self.store.events(after=0) if each.type == "budget_reached"]


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    world = ScriptedLoop(ScriptedClock(wall_seconds=getattr(request, "param", 0.0)))  # else it is noon

    async def machine() -> Machine:
        return Machine()

    store = open_store(layout.database(tmp_path))
    node = Node(world, tmp_path, world.run_until_complete(machine()), store)
    yield node
    node.daemon.drain()
    store.close()
    world.pass_time(1.0)
    world.close()


def test_at_the_cap_nothing_is_started_and_nothing_is_killed(node: Node) -> None:
    node.set_budget(ACME, 60)
    running = node.submit("hold")
    node.world.pass_time(70)
    before = node.store.instances(active_only=False)
    held = [node.submit("succeed") for _ in range(5)]
    node.world.pass_time(600)
    assert node.states(running, *held) == ["running", *["queued"] * 5]
    started = {each.id for each in node.store.instances(active_only=False)}
    assert started == {each.id for each in before}  # none for those that wait
    assert "the budget of acme is used up: its jobs wait" in node.said


def test_others_go_on(node: Node) -> None:
    node.set_budget(ACME, 10)
    node.submit("hold")
    node.world.pass_time(30)
    held = node.submit("succeed")
    other = node.submit("succeed", organisation="others")
    node.world.pass_time(10)
    assert node.states(held, other) == ["queued", "succeeded"]


@pytest.mark.parametrize("way", ["raised", "removed"])
def test_a_cap_that_is_raised_or_removed_lets_jobs_go_at_once(node: Node, way: str) -> None:
    node.set_budget(ACME, 10)
    node.submit("hold")
    node.world.pass_time(30)
    held = node.submit("succeed")
    node.world.pass_time(60)
    assert node.states(held) == ["queued"]
    if way == "raised":
        node.set_budget(ACME, 1000)
    else:
        node.store.remove_budget(ACME, Period.DAY)
        node.poke()
    assert node.states(held) == ["succeeded"]


def test_a_cap_that_is_lowered_holds_at_once(node: Node) -> None:
    node.set_budget(ACME, 10_000)
    node.submit("hold")
    node.world.pass_time(30)
    node.set_budget(ACME, 10)
    held = node.submit("succeed")
    node.world.pass_time(60)
    assert node.states(held) == ["queued"]


@at_night
def test_the_jobs_go_on_when_the_period_turns(node: Node) -> None:
    node.set_budget(ACME, 10)
    first = node.submit("hold")
    node.world.pass_time(30)
    held = node.submit("succeed")
    node.store.cancel(first, why="", now=node.world.clock.now())
    node.world.pass_time(SECONDS_TO_MIDNIGHT - 60 - node.world.clock.seconds)
    assert node.states(held) == ["queued"]
    node.world.pass_time(60 + LOOK_SECONDS)
    assert node.states(held) == ["succeeded"]


def test_an_idle_instance_uses_up_the_budget_of_its_service_and_not_that_of_an_organisation(node: Node) -> None:
    node.set_budget(ACME, 30)
    node.set_budget(VIDEO, 30)
    node.submit("succeed")
    node.world.pass_time(50)
    held, other = node.submit("succeed"), node.submit("succeed", service=Service.CODE)
    node.world.pass_time(10)
    assert node.states(held, other) == ["queued", "succeeded"]
    node.store.remove_budget(VIDEO, Period.DAY)
    node.poke()
    assert node.states(held) == ["succeeded"]


def test_what_is_idle_goes_when_its_budget_is_used_up_and_costs_no_more(node: Node) -> None:
    node.set_budget(VIDEO, 30)
    node.submit("succeed")
    node.world.pass_time(20)
    assert len(node.store.instances()) == 1
    node.world.pass_time(600)
    assert node.store.instances() == []
    spent = node.store.spent(organisation=None, service=Service.VIDEO, since=node.store.job(JobId("j1")).created_at)
    assert 30 <= spent / SECOND_OF_INSTANCE < 30 + 2 * LOOK_SECONDS
    (stopped,) = [each for each in node.store.scaling_events() if each.change is Change.STOP]
    assert stopped.why == "the budget of video is used up"


def test_a_job_that_is_to_be_tried_again_waits_for_the_budget_like_any_other(node: Node) -> None:
    node.submit("hold")
    node.world.pass_time(20)
    retried = node.submit("fail")
    node.set_budget(ACME, 5)
    node.world.pass_time(600)
    job = node.store.job(retried)
    assert (job.state, job.attempt) == (JobState.QUEUED, 1)


def test_every_threshold_is_told_once_also_when_the_daemon_is_killed_and_comes_back(node: Node) -> None:
    node.set_budget(ACME, 100)
    node.submit("hold")
    node.world.pass_time(60)
    assert node.told() == [50]
    node.daemon.kill()
    node.start()
    node.world.pass_time(25)
    assert node.told() == [50, 80]
    node.world.pass_time(300)
    assert node.told() == [50, 80, 100]


def test_a_daemon_that_comes_back_starts_nothing_that_is_held(node: Node) -> None:
    node.set_budget(ACME, 10)
    running = node.submit("hold")
    node.world.pass_time(30)
    held = node.submit("succeed")
    node.daemon.kill()
    node.start()
    node.world.pass_time(100)
    assert node.states(running, held) == ["running", "queued"]
