"""Random histories of a whole daemon: jobs, instances and an engine that fail in every order, kills and recoveries.

The loop, the pools, the executions, the writer and the store are the real ones; the engine and the time are scripted
(tests/resources/scripted_engine.py, scripted_time.py). What must hold at every moment, and once everything has settled,
is written at the end.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import TERMINAL, Dependency, Job, JobId, JobState, NewJob, OnFailure
from pitchey_cli.domain.off_peak import OffPeak
from pitchey_cli.domain.placement import slots_needed
from pitchey_cli.domain.turns import KeyLimit, QueuePolicy
from pitchey_cli.domain.windows import Window
from pitchey_cli.engines.port import LABEL_STATE
from pitchey_cli.store.port import JobFilter
from processors.protocol import Service
from tests.resources.books import wrong_books
from tests.resources.scripted_engine import Machine, ScriptedEngine
from tests.resources.scripted_node import Daemon, open_store, service, store_on_server
from tests.resources.scripted_time import ScriptedClock, ScriptedLoop
from tests.resources.scripted_worker import STEPS, ScriptedAttempt, by_spec
from tests.servers.postgres import PostgresServer

T = TypeVar("T")

SERVICES = {
    Service.VIDEO: service(Service.VIDEO, slots=3, instances=2),
    Service.CODE: service(Service.CODE, slots=2),
}
PACE_SECONDS = 10.0
KEYS = {"one": KeyLimit(1), "two": KeyLimit(2), "paced": KeyLimit(2, per_minute=60 / PACE_SECONDS)}
OFF_PEAK = OffPeak((Window(time(12, 10), time(11, 50)),), UTC)  # histories begin at noon
POLICY = QueuePolicy(weights={"acme": 2.0}, keys=KEYS, ageing_seconds=120.0, off_peak=OFF_PEAK)
JOB_SECONDS = 20.0
SETTLED_SECONDS = 3600.0  # far beyond what any history here takes
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # nothing here has to outlive the test

ANY = st.integers(0, 99)  # of the jobs, attempts or instances there are
PAUSES = st.sampled_from([0.0, 0.01, 0.05, 1.0, 12.0])  # in the midst of things, and after them
DRAFTS = st.fixed_dictionaries(
    {
        "service": st.sampled_from(list(SERVICES)),
        "spec": st.lists(st.sampled_from([*STEPS, "hold", "slow", "succeed"]), min_size=1, max_size=3).map(
            lambda steps: {"attempts": steps}
        ),
        "priority": st.integers(1, 5),
        "organisation": st.sampled_from(["acme", "others"]),
        "key": st.sampled_from(["", "", "", *KEYS]),
        "slots": st.sampled_from([1, 1, 2, 4]),
        "delay": st.sampled_from([None, None, None, 15]),
        "ttl": st.sampled_from([None, None, None, 30]),
        "deadline": st.sampled_from([None, None, None, 5, 60]),
        "patience": st.sampled_from([None, None, None, 0, 40]),
        "after": st.one_of(st.just([]), st.lists(st.tuples(ANY, st.sampled_from(OnFailure)), max_size=2)),
    }
)
WORK = st.lists(DRAFTS, max_size=4)  # something to do when it happens


class DaemonHistory(RuleBasedStateMachine):
    """One state directory, one engine, and one daemon after the other."""

    @initialize(seed=st.integers(0, 999))
    def begin(self, seed: int) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.state_dir = Path(self.folder.name)
        self.choose_store()
        self.world = ScriptedLoop(ScriptedClock(), seed)
        self.store = open_store(layout.database(self.state_dir))
        self.machine = self.do(lambda: Machine(self.script))
        self.accepted: list[JobId] = []
        self.ended: dict[JobId, JobState] = {}
        self.started: Counter[str] = Counter()
        self.daemon: Daemon | None = None
        self.start_daemon()

    def choose_store(self) -> None:
        """A file of SQLite in the state directory."""

    def do(self, act: Callable[[], T]) -> T:
        """Do something in the loop, where the workers live."""

        async def there() -> T:
            return act()

        return self.world.run_until_complete(there())

    async def script(self, attempt: ScriptedAttempt) -> None:
        """Hold every start against the store, then do as the spec says."""
        token = attempt.request.token
        self.started[token] += 1
        assert self.started[token] == 1, f"{token} was started twice"
        job = self.store.job(JobId(token.partition(".")[0]))
        # One that hung finds what was asked of it when it wakes, and then that it is to end it.
        assert job.token == token or attempt.worker.has_hung, f"{token} was started when {job.token} was live"
        left = {each for each in self.machine.left_behind if each.startswith(f"{job.id}.")}
        assert not left, f"{token} was started while the program of {left} went on"
        await by_spec(attempt)

    @property
    def now(self) -> float:
        return self.world.clock.seconds

    def all_jobs(self) -> list[Job]:
        return self.store.jobs(JobFilter(limit=10_000))

    def chosen(self, which: int) -> JobId:
        return self.accepted[which % len(self.accepted)]

    # --- jobs

    @rule(work=WORK, is_poked=st.booleans(), pause=PAUSES)
    def submit(self, work: list[dict[str, Any]], is_poked: bool, pause: float) -> None:
        now = self.world.clock.now()
        for draft in work:
            try:
                job = self.new_job(**draft, now=now)
                self.store.enqueue([job], now=now)
            except UsageError:  # it would wait for one that has failed
                continue
            self.accepted.append(job.id)
        if is_poked and self.daemon is not None:
            self.do(self.daemon.loop.changed.set)
        self.world.pass_time(pause)

    def new_job(
        self, *, delay: int | None, ttl: int | None, deadline: int | None, patience: int | None,
        after: list[tuple[int, OnFailure]], now: datetime, **fields: Any,
    ) -> NewJob:  # fmt: skip
        moments = [None if each is None else now + timedelta(seconds=each) for each in (delay, ttl, deadline, patience)]
        run_at, expires_at, due, last_call_at = moments
        return NewJob(
            id=JobId(f"j{len(self.accepted):03}"), run_at=run_at, deadline=due, expires_at=expires_at or due,
            is_off_peak=last_call_at is not None, last_call_at=last_call_at,
            after=tuple(Dependency(self.chosen(which), how) for which, how in after if self.accepted),
            timeout_seconds=JOB_SECONDS, **fields,
        )  # fmt: skip

    @precondition(lambda self: self.accepted)
    @rule(which=ANY, pause=PAUSES)
    def cancel(self, which: int, pause: float) -> None:
        self.store.cancel(self.chosen(which), why="", now=self.world.clock.now())
        self.world.pass_time(pause)

    @precondition(lambda self: self.accepted)
    @rule(which=ANY, pause=PAUSES)
    def redrive(self, which: int, pause: float) -> None:
        job_id = self.chosen(which)
        try:
            if self.store.redrive(job_id, now=self.world.clock.now()):
                self.begin_again(job_id)
        except UsageError:
            return
        self.world.pass_time(pause)

    def begin_again(self, job_id: JobId) -> None:
        """It has not ended any more, and those need not have that it had taken down with it."""
        del self.ended[job_id]
        for other, state in list(self.ended.items()):
            needs = {need.job_id for need in self.store.dependencies(other)}
            if state is JobState.CANCELLED and job_id in needs and other in self.ended:
                self.begin_again(other)

    @rule(has_output=st.booleans(), which=ANY, pause=PAUSES)
    def an_attempt_that_waits_for_it_succeeds(self, has_output: bool, which: int, pause: float) -> None:
        waiting = [attempt for attempt in self.machine.attempts.values() if not attempt.released.is_set()]
        if waiting:
            attempt = waiting[which % len(waiting)]
            self.do(lambda: attempt.succeed({"out.txt": b"out"} if has_output else None))
            self.do(attempt.released.set)
        self.world.pass_time(pause)

    # --- time, instances, the engine, the daemon

    @rule(seconds=st.sampled_from([0.1, 3.0, 25.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(
        work=WORK,
        before=PAUSES,
        how=st.sampled_from(["kill", "die", "oom", "freeze", "thaw", "stop", "remove", "drain"]),
        which=ANY,
        pause=PAUSES,
    )
    def an_instance_is_hurt(
        self, work: list[dict[str, Any]], before: float, how: str, which: int, pause: float
    ) -> None:
        self.submit(work, True, before)
        if not (workers := self.machine.workers):
            return
        instance_id, worker = list(workers.items())[which % len(workers)]
        engine = ScriptedEngine(self.machine)
        ways: dict[str, Callable[[], None]] = {
            "kill": worker.kill,
            "die": worker.die if not self.machine.is_away else worker.kill,
            "oom": lambda: worker.kill(is_oom=True),
            "freeze": worker.freeze,
            "thaw": worker.thaw,
            "stop": lambda: worker.stop(1.0),
            "remove": lambda: engine.remove(instance_id) if not self.machine.is_away else worker.kill(),
            "drain": lambda: setattr(worker, "is_draining", True),
        }
        self.do(ways[how])
        self.world.pass_time(pause)

    @rule(work=WORK, before=PAUSES, pause=PAUSES)
    def the_engine_goes(self, work: list[dict[str, Any]], before: float, pause: float) -> None:
        self.submit(work, True, before)
        self.machine.is_away = not self.machine.left_behind  # without it nobody can end those
        self.world.pass_time(pause)

    @precondition(lambda self: self.machine.is_away)
    @rule(pause=PAUSES)
    def the_engine_comes_back(self, pause: float) -> None:
        self.machine.is_away = False
        self.world.pass_time(pause)

    @rule(instances=st.integers(1, 3))
    def instances_will_not_start(self, instances: int) -> None:
        self.machine.stillborn = instances

    @precondition(lambda self: self.daemon is not None)
    @rule(work=WORK, before=PAUSES, comes_back=st.booleans(), pause=PAUSES)
    def the_daemon_is_killed(self, work: list[dict[str, Any]], before: float, comes_back: bool, pause: float) -> None:
        self.submit(work, True, before)
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon = None
        self.world.pass_time(pause)
        if comes_back and not self.machine.is_away:
            self.start_daemon()

    @precondition(lambda self: self.daemon is not None and not self.machine.is_away)
    @rule(work=WORK, before=PAUSES)
    def the_daemon_drains(self, work: list[dict[str, Any]], before: float) -> None:
        self.submit(work, True, before)
        assert self.daemon is not None
        self.daemon.drain()
        self.daemon = None
        self.check_that_nothing_is_left_of_instances()

    @precondition(lambda self: self.daemon is None and not self.machine.is_away)
    @rule()
    def start_daemon(self) -> None:
        self.daemon = Daemon(self.world, self.machine, self.state_dir, SERVICES, POLICY, self.report)

    def report(self, line: str) -> None:
        note(f"{self.now:9.3f} {line}")

    @precondition(lambda self: self.daemon is not None and not self.machine.is_away)
    @rule(work=WORK, before=PAUSES, pause=PAUSES)
    def the_machine_goes_down(self, work: list[dict[str, Any]], before: float, pause: float) -> None:
        self.the_daemon_is_killed(work, before, False, pause)
        for worker in self.machine.workers.values():
            self.do(worker.kill)
        self.world.clock.boot_anew()
        self.world.pass_time(30.0)
        self.start_daemon()

    # --- what must hold

    def settle(self) -> None:
        """Bring the engine and the daemon back, and let time pass until nothing is left to do."""
        self.machine.is_away = False
        if self.daemon is None:
            self.start_daemon()
        self.until(lambda: all(self.is_over(job) for job in self.all_jobs()), "every job has ended")

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = self.now + SETTLED_SECONDS
        while not is_so():
            assert self.now < deadline, f"still not so: {what}\n{self.unfinished()}"
            self.world.pass_time(5.0)

    def unfinished(self) -> str:
        return "\n".join(str(job) for job in self.all_jobs() if not self.is_over(job))

    def is_over(self, job: Job) -> bool:
        """Ended, or held for the sake of one that is a dead letter, or of one that is held so."""
        if job.state is not JobState.HELD:
            return job.state in TERMINAL
        needs = self.store.dependencies(job.id)
        return any(
            need.state is not JobState.SUCCEEDED
            and need.on_failure is not OnFailure.RUN
            and self.is_over(self.store.job(need.job_id))
            for need in needs
        ) or any(need.state is JobState.HELD and self.is_over(self.store.job(need.job_id)) for need in needs)

    @precondition(lambda self: len(self.accepted) > 2)
    @rule()
    def everything_settles(self) -> None:
        self.settle()
        self.until(self.store_and_engine_agree, "the instances of the store are those of the engine")
        assert not self.machine.attempts, "something runs that belongs to no job"

    def store_and_engine_agree(self) -> bool:
        label = layout.label(self.store.state_id(), self.state_dir)
        found = ScriptedEngine(self.machine).find({LABEL_STATE: label})
        folders = layout.instances(self.state_dir)
        on_disk = {path.name for path in folders.iterdir()} if folders.is_dir() else set()
        recorded = {instance.id for instance in self.store.instances()}
        return recorded == {info.instance_id for info in found} == on_disk

    def check_that_nothing_is_left_of_instances(self) -> None:
        assert self.store.instances() == []
        assert not self.machine.ids()
        assert self.store_and_engine_agree()

    @invariant()
    def every_job_is_in_one_state_and_an_end_is_an_end(self) -> None:
        found = {job.id: job.state for job in self.all_jobs()}
        assert sorted(found) == sorted(self.accepted)
        assert found.items() >= self.ended.items()
        self.ended = {job_id: state for job_id, state in found.items() if state in TERMINAL}

    @invariant()
    def a_job_has_one_live_attempt_at_most_and_the_slots_suffice(self) -> None:
        slots = {instance.id: instance.slots for instance in self.store.instances(active_only=False)}
        taken: Counter[str] = Counter()
        for job in self.all_jobs():
            attempts = self.store.attempts(job.id)
            live = [attempt for attempt in attempts if attempt.finished_at is None]
            assert [attempt.token for attempt in live] == ([] if job.token is None else [job.token])
            for attempt in live:
                taken[attempt.instance_id] += slots_needed(job, slots[attempt.instance_id])
        assert all(used <= slots[instance_id] for instance_id, used in taken.items()), taken

    @invariant()
    def keys_keep_to_their_limits(self) -> None:
        jobs = self.all_jobs()
        running = Counter(job.key for job in jobs if job.state is JobState.RUNNING)
        assert all(running[key] <= limit.concurrency for key, limit in KEYS.items())
        starts = sorted(
            attempt.started_at for job in jobs if job.key == "paced" for attempt in self.store.attempts(job.id)
        )
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(starts)]
        assert all(gap >= PACE_SECONDS - 1e-6 for gap in gaps), gaps

    @invariant()
    def nobody_starts_before_off_peak_hours_without_a_last_call(self) -> None:
        for job in self.all_jobs():
            if job.last_call_at is not None:
                starts = [attempt.started_at for attempt in self.store.attempts(job.id)]
                assert all(each >= job.last_call_at or OFF_PEAK.contains(each) for each in starts), job

    @invariant()
    def the_books_are_right(self) -> None:
        assert wrong_books(self.store) == []

    @invariant()
    def no_script_has_complained(self) -> None:
        assert self.machine.complaints == []

    def teardown(self) -> None:
        if not hasattr(self, "daemon"):
            return
        try:
            self.settle()
            assert self.daemon is not None
            self.daemon.drain()
            self.check_that_nothing_is_left_of_instances()
            self.no_script_has_complained()
            self.the_books_are_right()
            assert self.store.integrity() == []
        finally:
            self.daemon.kill() if self.daemon is not None else None
            self.store.close()
            for worker in self.machine.workers.values():
                self.do(worker.kill)
            self.world.pass_time(1.0)
            self.world.close()
            self.folder.cleanup()


class HistoryOnPostgres(DaemonHistory):
    """The same with the queue on a server."""

    server: PostgresServer
    template: str

    def choose_store(self) -> None:
        self.database = self.server.create(self.template)
        store_on_server(self.state_dir, self.server.url(self.database))

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "database"):
            self.server.drop(self.database)


@pytest.fixture(scope="module", autouse=True)
def a_server(postgres_server: PostgresServer, postgres_template: str) -> None:
    """For the class, which takes no fixtures."""
    HistoryOnPostgres.server, HistoryOnPostgres.template = postgres_server, postgres_template


TestHistoryOnPostgres = HistoryOnPostgres.TestCase
TestHistoryOnPostgres.settings = settings(
    max_examples=5, stateful_step_count=15, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
TestDaemonHistory = DaemonHistory.TestCase
TestDaemonHistory.settings = settings(
    max_examples=60, stateful_step_count=15, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
