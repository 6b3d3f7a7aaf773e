"""The instances of one service: started on the first job, filled, watched, and stopped when idle.

Owns the life of instances. Whether to start or stop one is decided by domain/scaling.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pitchey_cli.daemon.instance import PooledInstance, prepare
from pitchey_cli.daemon.node import Node, ServiceConfig
from pitchey_cli.daemon.worker_client import WorkerClient
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import EngineError, InstanceGone, PitcheyError, StoreError
from pitchey_cli.domain.job import Instance, InstanceState, Job
from pitchey_cli.domain.placement import Places, slots_needed
from pitchey_cli.domain.scaling import PoolView, Step, decide, restart_delay
from pitchey_cli.engines.port import LABEL_STATE, InstanceStatus
from processors import protocol
from processors.vocabulary import Reason

_READY_SECONDS = 60.0  # the slowest start-up budget of the system that Pitchey replaces (DESIGN section 2)
_READY_POLL_SECONDS = 0.005
_SETTLED_SECONDS = 60.0  # an instance that lives so long was well when it was started
_STOP_GRACE_SECONDS = 5.0
_FAILURES = {Reason.FAILED, Reason.TIMEOUT, Reason.OOM, Reason.INSTANCE_LOST}
_UNANSWERED_CHECKS = 3
_REMOVE_AGAIN_SECONDS = 5.0


@dataclass(slots=True)
class Pool:
    """All instances of one service on this node."""

    node: Node
    config: ServiceConfig
    state_id: str
    changed: asyncio.Event  #: set when a start or a stop is done
    instances: dict[str, PooledInstance] = field(default_factory=dict)
    is_head_waiting: bool = False  #: the job whose turn it is needs more slots than any instance has free
    start_error: PitcheyError | None = None  #: why the last start failed; None since one succeeded
    _failures: int = 0
    _not_before: float = 0.0  #: monotonic; no start before
    _starting: set[asyncio.Task[None]] = field(default_factory=set)
    _stopping: set[asyncio.Task[None]] = field(default_factory=set)

    # --- what the loop asks

    def places(self) -> Places:
        """The free slots."""
        return Places.of(instance.as_candidate() for instance in self.instances.values())

    def scale(self, *, is_work_waiting: bool) -> None:
        """Start or stop at most one instance."""
        now = self.node.clock.monotonic()
        idle = [i for i in self.instances.values() if i.free_slots == self.config.slots]
        view = PoolView(
            is_work_waiting=is_work_waiting,
            instances=len(self.instances) + len(self._starting),
            # Slots that are too few for the job whose turn it is are of no use.
            free_slots=(0 if self.is_head_waiting else sum(i.free_slots for i in self.instances.values()))
            + len(self._starting) * self.config.slots,
            longest_idle_seconds=max((now - i.idle_since for i in idle), default=None),
        )
        decision = decide(view, self.config.pool)
        if decision.step is Step.START and now >= self._not_before:
            self._spawn(self._starting, self._start_noting_failure())
        elif decision.step is Step.STOP:
            instance = min(idle, key=lambda i: i.idle_since)
            instance.is_stopping = True
            self._spawn(self._stopping, self.stop(instance, why=decision.why))

    def take_slots(self, instance: PooledInstance, job: Job) -> None:
        """Count an attempt that starts."""
        instance.busy += slots_needed(job, self.config.slots)
        instance.attempts += 1
        instance.organisations.add(job.organisation)

    def give_slots(self, instance: PooledInstance, job: Job, *, ended_as: Reason | None) -> None:
        """Count an attempt that ended; `job` is as it was when it started.

        Args:
            ended_as: None when that is not known: nobody followed it to its end.
        """
        instance.busy -= slots_needed(job, self.config.slots)
        instance.attempts -= 1
        instance.idle_since = self.node.clock.monotonic()
        if ended_as in _FAILURES:
            instance.failed_kinds.add(job.kind)
        elif ended_as is Reason.COMPLETED:
            instance.kinds.add(job.kind)
            instance.failed_kinds.discard(job.kind)
            self._failures = 0

    def reap(self) -> None:
        """Discard retired instances whose attempts have all been accounted for."""
        for instance in [i for i in self.instances.values() if i.retired_because and i.attempts == 0]:
            if not instance.is_stopping:
                instance.is_stopping = True
                why = instance.retired_because or ""
                if instance.has_died:
                    self._note_death(instance)
                self._spawn(self._stopping, self._discard(instance, InstanceState.LOST, why=why, grace_seconds=0))

    async def check(self) -> None:
        """Speak to every instance: it learns that it is no orphan, and one that does not answer is retired."""
        for instance in list(self.instances.values()):
            if not instance.is_ready or instance.is_stopping:
                continue
            try:
                health = await instance.client.health()
            except PitcheyError as error:
                if not instance.is_stopping:
                    await self._unanswered(instance, error)
                continue
            instance.unanswered = 0
            if health.draining:
                instance.retire("it drains")

    async def _unanswered(self, instance: PooledInstance, error: PitcheyError) -> None:
        """One that hangs would hold its attempts, and its place in the pool, for as long as they may take."""
        instance.retire(str(error), has_died=True)
        instance.unanswered += 1
        if instance.unanswered >= _UNANSWERED_CHECKS:
            with contextlib.suppress(PitcheyError):
                await asyncio.to_thread(self.node.engine.kill, instance.id)

    # --- life of an instance

    async def stop(self, instance: PooledInstance, *, why: str) -> None:
        """Stop an instance and remove all traces of it."""
        instance.is_stopping = True
        await self._discard(instance, InstanceState.STOPPED, why=why, grace_seconds=_STOP_GRACE_SECONDS)

    async def adopt(self, record: Instance) -> PooledInstance:
        """Take over an instance that another daemon had started.

        One whose worker does not answer is taken over as well, but retired: its attempts look into its spool for what
        they left, and then it is discarded like any other.
        """
        directory = self._directory(record.id)
        is_elsewhere = record.engine != self.node.host.kind
        is_of_another = not is_elsewhere and await asyncio.to_thread(self._is_of_another, record.id)
        await asyncio.to_thread((directory / "run").mkdir, parents=True, exist_ok=True)
        instance = PooledInstance(record.id, self.config, WorkerClient(directory / "run"), is_ready=not is_of_another)
        instance.ready_since = instance.idle_since = self.node.clock.monotonic()
        self.instances[record.id] = instance
        is_of_this_boot = record.boot == self.node.clock.boot()
        instance.seen_tick = record.seen_tick if is_of_this_boot else None
        instance.ended_tick = record.stopped_tick or (None if is_of_this_boot else record.seen_tick)
        if is_of_another:
            instance.is_of_another = True
            instance.retire("it belongs to another state directory, of which this one is a copy")
            return instance
        if is_elsewhere:
            instance.is_elsewhere = True
            instance.retire(f"it runs on {record.engine}, which this daemon does not speak to")
            return instance
        if record.state is InstanceState.DRAINING:  # left by a daemon with another engine
            await self._record(record.id, InstanceState.READY, note=None)
        try:
            health = await instance.client.health()
        except PitcheyError:
            instance.retire("it went away while no daemon was there")
            if instance.ended_tick is None and await asyncio.to_thread(self._is_gone, record.id):
                instance.ended_tick = record.seen_tick
        else:
            if not is_of_this_boot:
                instance.retire("the machine has been started anew since")
            elif health.protocol != protocol.PROTOCOL_VERSION or health.draining:
                instance.retire(f"it drains, or speaks protocol {health.protocol}")
            elif record.image != self.config.image or record.slots != self.config.slots:
                instance.retire("it is of another image or has other slots than are set now")
        return instance

    def _is_gone(self, instance_id: str) -> bool:
        try:
            return self.node.engine.inspect(instance_id).exit_code is not None
        except InstanceGone:
            return True
        except EngineError:
            return False  # nobody can say

    def _is_of_another(self, instance_id: str) -> bool:
        try:
            labels = self.node.engine.inspect(instance_id).labels
        except InstanceGone:
            return False
        return labels.get(LABEL_STATE) != self.state_id

    async def settle(self) -> None:
        """Wait for starts and stops under way."""
        await asyncio.gather(*self._starting, *self._stopping, return_exceptions=True)

    async def _start_noting_failure(self) -> None:
        try:
            await self._start()
        except Exception as error:
            self._failures += 1
            delay = restart_delay(self._failures)
            self._not_before = self.node.clock.monotonic() + delay
            unforeseen = EngineError(f"No instance could be started: {error!r}.")
            self.start_error = error if isinstance(error, PitcheyError) else unforeseen
            self.node.report(f"no {self.config.service} instance: {self.start_error} Next try in {delay:.0f} s.")
        else:
            self.start_error = None

    def _note_death(self, instance: PooledInstance) -> None:
        """Replace the first that dies at once, and wait longer for each that follows before one has done any work."""
        now = self.node.clock.monotonic()
        if now - instance.ready_since >= _SETTLED_SECONDS:
            self._failures = 0
        delay = restart_delay(self._failures)
        self._failures += 1
        self._not_before = max(self._not_before, now + delay)
        if delay:
            self.node.report(f"{self.config.service} instances die one after the other: next try in {delay:.0f} s")

    async def _start(self) -> None:
        instance_id = f"{self.config.service}-{uuid.uuid4().hex[:8]}"
        spec, record = await asyncio.to_thread(prepare, self.node, self.config, instance_id, self.state_id)
        await self.node.call(self.node.store.add_instance, record)
        began = self.node.clock.monotonic()
        instance = PooledInstance(instance_id, self.config, WorkerClient(self._directory(instance_id) / "run"))
        try:
            await asyncio.to_thread(self.node.engine.start, spec)
            await self._until_ready(instance)
        except (Exception, asyncio.CancelledError) as error:
            instance.is_stopping = True  # in the books until it is really gone
            instance.retire(str(error) or "interrupted")
            self.instances[instance_id] = instance
            await self._discard(instance, InstanceState.LOST, why=str(error) or "interrupted", grace_seconds=0)
            raise
        instance.is_ready = True
        instance.ready_since = instance.idle_since = self.node.clock.monotonic()
        self.instances[instance_id] = instance
        try:
            await self._record(instance_id, InstanceState.READY, note=record.note)
        except StoreError as error:  # it is ready all the same
            self.node.report(f"{instance_id} is ready, which cannot be recorded: {error}")
        self.node.report(f"{instance_id} is ready after {self.node.clock.monotonic() - began:.2f} s")

    async def _until_ready(self, instance: PooledInstance) -> None:
        socket = self._directory(instance.id) / "run" / protocol.SOCKET_NAME
        now = self.node.clock.monotonic
        deadline = now() + _READY_SECONDS
        look_at = now() + 0.5
        while True:
            if socket.exists():
                with contextlib.suppress(InstanceGone):
                    await instance.client.health()
                    return
            if now() > look_at:
                look_at += 0.5
                info = await asyncio.to_thread(self.node.engine.inspect, instance.id)
                if info.status is InstanceStatus.EXITED:
                    logs = await asyncio.to_thread(self.node.engine.logs, instance.id, lines=5)
                    raise EngineError(f"{instance.id} exited with {info.exit_code} while it started: {logs.strip()}")
            if now() > deadline:
                raise EngineError(f"{instance.id} was not ready within {_READY_SECONDS:.0f} s.")
            await asyncio.sleep(_READY_POLL_SECONDS)

    async def _discard(self, instance: PooledInstance, state: InstanceState, *, why: str, grace_seconds: float) -> None:
        instance.client.close()
        engine = self.node.engine
        if instance.is_elsewhere:
            # Our engine would find nothing, and call it removed: that is for a daemon of the other engine.
            self.instances.pop(instance.id, None)
            await self._record(instance.id, InstanceState.DRAINING, note=instance.retired_because)
            self.node.report(f"{instance.id} is left in the books: {instance.retired_because}")
            return
        try:
            if grace_seconds and not instance.is_of_another:
                with contextlib.suppress(InstanceGone):
                    await asyncio.to_thread(engine.stop, instance.id, grace_seconds=grace_seconds)
            if not instance.is_of_another:
                await asyncio.to_thread(engine.remove, instance.id)
        except Exception as error:
            # It may still run: it stays in the books, and is tried again.
            self.node.report(f"{instance.id} could not be removed: {error}")
            instance.retire(why)
            await asyncio.sleep(_REMOVE_AGAIN_SECONDS)
            instance.is_stopping = False
            return
        self.instances.pop(instance.id, None)
        await self._record(instance.id, state, note=why, ended_tick=instance.ended_tick)
        await asyncio.to_thread(shutil.rmtree, self._directory(instance.id), True)
        self.node.report(f"{instance.id} {state}: {why}")

    async def _record(
        self, instance_id: str, state: InstanceState, *, note: str | None, ended_tick: int | None = None
    ) -> None:
        node = self.node
        tick = node.tick() if ended_tick is None else ended_tick
        await node.call(node.store.set_instance, instance_id, state, now=node.clock.now(), tick=tick, note=note)

    def _directory(self, instance_id: str) -> Path:
        return layout.instance(self.node.config.state_dir, instance_id)

    def _spawn(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        tasks.add(task)

        def done(_: asyncio.Task[None]) -> None:
            tasks.discard(task)
            self.changed.set()
            if not task.cancelled() and (error := task.exception()) is not None:
                self.node.report(f"{self.config.service} pool: {error!r}")

        task.add_done_callback(done)
