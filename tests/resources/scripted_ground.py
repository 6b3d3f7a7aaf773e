"""A state directory, a machine, and one daemon after the other, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pitchey_cli.daemon.node import ServiceConfig
from pitchey_cli.domain import layout
from pitchey_cli.domain.job import Attempt, Instance, JobId, JobState, NewJob
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.domain.turns import QueuePolicy
from processors.protocol import Service
from tests.resources.scripted_engine import Machine
from tests.resources.scripted_node import Daemon, open_store
from tests.resources.scripted_time import ScriptedClock, ScriptedLoop

T = TypeVar("T")


class Ground:
    """One state directory, one machine, and one daemon after the other."""

    def __init__(self, state_dir: Path, services: Mapping[Service, ServiceConfig], **chosen: Any) -> None:
        """Begin without a daemon; what is chosen goes to the configuration of each that comes."""
        self.state_dir = state_dir
        self.services = services
        self.chosen = chosen
        self.log: list[str] = []
        self.world = ScriptedLoop(ScriptedClock())
        self.clock = self.world.clock
        self.store = open_store(layout.database(state_dir))
        self.machine = self.do(Machine)
        self.submitted = 0
        self.daemon: Daemon | None = None

    def do(self, act: Callable[[], T]) -> T:
        async def there() -> T:
            return act()

        return self.world.run_until_complete(there())

    def start_daemon(self) -> None:
        self.daemon = Daemon(
            self.world, self.machine, self.state_dir, self.services, QueuePolicy(), self.log.append, **self.chosen
        )

    def kill_daemon(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon = None

    def drain(self) -> None:
        assert self.daemon is not None
        self.daemon.drain()
        self.daemon = None

    def want_memory(self, percent: float) -> None:
        """Have the kernel say that work stood still for want of memory for so much of the time."""
        assert self.daemon is not None
        told = self.state_dir / "pressure"
        told.write_text(f"some avg10={percent:.2f} avg60=0.00 avg300=0.00 total=0\n")
        self.daemon.loop.scaler._probe.pressure_file = told

    def restart_machine(self) -> None:
        """All that runs is gone, and the monotonic clock begins anew."""
        for worker in self.machine.workers.values():
            self.do(worker.kill)
        self.clock.boot_anew()

    def submit(
        self,
        service: Service = Service.VIDEO,
        *,
        slots: int = 1,
        kind: str = "",
        organisation: str = DEFAULT_ORGANISATION,
    ) -> JobId:
        self.submitted += 1
        what = (JobId(f"j{self.submitted}"), service, {"attempts": ["hold"]})
        job = NewJob(*what, slots=slots, kind=kind, organisation=organisation)
        self.store.enqueue([job], now=self.clock.now())
        if self.daemon is not None:
            self.do(self.daemon.loop.changed.set)
        return job.id

    def submit_and_start(self, service: Service = Service.VIDEO, *, slots: int = 1) -> JobId:
        job_id = self.submit(service, slots=slots)
        self.pass_time(2)
        assert self.store.job(job_id).state is JobState.RUNNING
        return job_id

    def let_succeed(self, job_id: JobId) -> None:
        attempt = self.machine.attempts[f"{job_id}.1"]
        self.do(attempt.succeed)
        self.do(attempt.released.set)

    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    def instance(self) -> Instance:
        (instance,) = self.store.instances(active_only=False)
        return instance

    def attempt(self, job_id: JobId) -> Attempt:
        return self.store.attempts(job_id)[0]

    def end(self) -> None:
        if self.daemon is not None:
            self.daemon.kill()
        self.store.close()
        for worker in self.machine.workers.values():
            self.do(worker.kill)
        self.world.pass_time(1.0)
        self.world.close()
