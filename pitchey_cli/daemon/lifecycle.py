"""The life of one instance: asked of the engine, ready, paused, woken, adopted, and removed with all its traces.

Owns every call by which an instance changes. Which of them is due is for pool.py to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pitchey_cli.daemon.instance import PooledInstance, prepare
from pitchey_cli.daemon.node import Node, ServiceConfig
from pitchey_cli.daemon.porter import line_to, shares_files
from pitchey_cli.daemon.worker_client import WorkerClient
from pitchey_cli.domain import layout
from pitchey_cli.domain.capacity import Size
from pitchey_cli.domain.errors import EngineError, InputNotFound, InstanceGone, PitcheyError, StoreError
from pitchey_cli.domain.job import Instance, InstanceState, LoadedModel, Token
from pitchey_cli.engines.port import LABEL_ORGANISATION, LABEL_STATE, InstanceStatus
from processors import protocol

_READY_SECONDS = 60.0  # the slowest start-up budget of the system that Pitchey replaces (DESIGN section 2)
_READY_POLL_SECONDS = 0.005
_STOP_GRACE_SECONDS = 5.0
_REMOVE_AGAIN_SECONDS = 5.0
_END_SECONDS = 10.0
_END_POLL_SECONDS = 0.05


@dataclass(slots=True)
class Lifecycle:
    """Changes the instances of a pool."""

    node: Node
    config: ServiceConfig
    state_id: str
    instances: dict[str, PooledInstance]  #: of the pool: one is in there until it is really gone
    at_most: int | None = None  #: of the pool on all nodes together; None: this one is alone, and counts its own

    # --- begin

    async def start(self) -> float:
        """Start an instance, and add it to the pool when it is ready; how many seconds that took."""
        node = self.node
        instance_id = f"{self.config.service}-{uuid.uuid4().hex[:8]}"
        spec, record = await asyncio.to_thread(prepare, node, self.config, instance_id, self.state_id)
        try:
            await node.call(node.store.add_instance, record, under=node.identity.epoch, at_most=self.at_most)
        except StoreError as error:
            # It may be in the store all the same, if the connection was lost in the commit. One of which nobody knew
            # would count against the bound of the pool, and be paid for, for as long as this daemon lives.
            await self._end_unborn(self._instance(record, started_at=node.clock.monotonic()), str(error))
            raise
        except PitcheyError:  # nothing is asked of the engine
            await asyncio.to_thread(shutil.rmtree, self._directory(instance_id), True)
            raise
        began = node.clock.monotonic()
        instance = self._instance(record, started_at=began)
        try:
            await asyncio.to_thread(node.engine.start, spec)
            await self._until_ready(instance)
        except (Exception, asyncio.CancelledError) as error:
            way_out = error.hint if isinstance(error, PitcheyError) else ""
            await self._end_unborn(instance, f"{error} {way_out}".strip() or "interrupted")
            raise
        instance.ready_since = instance.idle_since = node.clock.monotonic()
        instance.available_since = node.clock.now()
        try:
            await self._record(instance_id, InstanceState.READY, note=record.note)
        except StoreError as error:  # it is ready all the same
            node.report(f"{instance_id} is ready, which cannot be recorded: {error}")
        instance.is_ready = True
        self.instances[instance_id] = instance
        seconds = instance.ready_since - began
        node.report(f"{instance_id} is ready after {seconds:.2f} s")
        return seconds

    async def _end_unborn(self, instance: PooledInstance, why: str) -> None:
        """End one that has never been ready. It is in the books until it is really gone."""
        instance.is_stopping = True
        instance.retire(why, has_died=True)
        self.instances[instance.id] = instance
        await self.discard(instance, why)

    async def adopt(self, record: Instance) -> PooledInstance:
        """Take over an instance that another daemon had started.

        One whose worker does not answer is taken over as well, but retired: its attempts look into its spool for what
        they left, and then it is discarded like any other.
        """
        is_elsewhere = record.engine != self.node.host.kind
        labels = None if is_elsewhere else await asyncio.to_thread(self._labels, record.id)
        is_of_another = labels is not None and labels.get(LABEL_STATE) != self.state_id
        await asyncio.to_thread((self._directory(record.id) / "run").mkdir, parents=True, exist_ok=True)
        instance = self._instance(record, started_at=self.node.clock.monotonic())
        instance.is_ready = not is_of_another
        instance.ready_since = instance.idle_since = instance.started_at
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
        if is_of_this_boot and record.state in (InstanceState.DRAINING, InstanceState.PAUSED):
            # Left by a daemon with another engine, or paused by one that has died, and thawed by the recovery.
            await self._record(record.id, InstanceState.READY, note=None)
        try:
            health = await instance.client.health()
        except PitcheyError:
            instance.retire("it went away while no daemon was there")
            instance.was_found_gone = True
            if instance.ended_tick is None and await asyncio.to_thread(self._is_gone, record.id):
                instance.ended_tick = record.seen_tick
        else:
            await self.note_models(instance, health)
            if not is_of_this_boot:
                instance.retire("the machine has been started anew since")
            elif health.protocol != protocol.PROTOCOL_VERSION or health.draining:
                instance.retire(f"it drains, or speaks protocol {health.protocol}")
            elif labels is not None and labels.get(LABEL_ORGANISATION, "") != record.organisation:
                instance.retire("it was started for another organisation than is recorded")
            elif record.image != self.config.image or record.slots != self.config.slots:
                instance.retire("it is of another image or has other slots than are set now")
            elif instance.shares_files != self.config.shares_files:
                instance.retire("whether it shares files with this host is set otherwise now")
            await self._end_unknown(instance, health.attempts)
        return instance

    async def _end_unknown(self, instance: PooledInstance, at_work: Sequence[str]) -> None:
        """End what it works at and the database knows nothing of, because it is a backup from before.

        Those jobs wait again, and would be worked at twice. Before anything is claimed; and as the worker remembers
        their tokens, it is given nothing new.
        """
        live = {str(job.token) for job in await self.node.call(self.node.store.running, node=self.node.identity.id)}
        unknown = [token for token in at_work if token not in live]
        if not unknown:
            return
        instance.retire("it had work of which the database knows nothing")
        self.node.report(f"{instance.id} works at {', '.join(unknown)}, of which the database knows nothing: ended")
        deadline = self.node.clock.monotonic() + _END_SECONDS
        try:
            for token in unknown:
                await instance.client.end(Token(token), grace_seconds=0)
            while not live.issuperset((await instance.client.health()).attempts):
                if self.node.clock.monotonic() > deadline:
                    raise EngineError("it does not end them")
                await asyncio.sleep(_END_POLL_SECONDS)
        except PitcheyError as error:
            instance.retire(str(error), has_died=True)
            with contextlib.suppress(EngineError):
                await asyncio.to_thread(self.node.engine.kill, instance.id)

    def _instance(self, record: Instance, *, started_at: float) -> PooledInstance:
        directory = self._directory(record.id)
        client = WorkerClient(line_to(self.node, record.id, directory))
        size = Size(record.granted_cpus, record.granted_memory_bytes)
        shared = shares_files(directory)
        return PooledInstance(
            *(record.id, self.config, client, size), shares_files=shared, started_at=started_at, models=record.models
        )

    def _is_gone(self, instance_id: str) -> bool:
        try:
            return self.node.engine.inspect(instance_id).exit_code is not None
        except InstanceGone:
            return True
        except EngineError:
            return False  # nobody can say

    def _labels(self, instance_id: str) -> Mapping[str, str] | None:
        """Of an instance that is there."""
        try:
            return self.node.engine.inspect(instance_id).labels
        except InstanceGone:
            return None

    async def _until_ready(self, instance: PooledInstance) -> None:
        socket = self._directory(instance.id) / "run" / protocol.SOCKET_NAME
        now = self.node.clock.monotonic
        deadline = now() + _READY_SECONDS
        look_at = now() + 0.5
        while True:
            if not instance.shares_files or socket.exists():
                with contextlib.suppress(InstanceGone):
                    await instance.client.health()
                    return
            if now() > look_at:
                look_at += 0.5
                info = await asyncio.to_thread(self.node.engine.inspect, instance.id)
                if info.status is InstanceStatus.EXITED:
                    logs = await asyncio.to_thread(self.node.engine.logs, instance.id, lines=5)
                    raise EngineError(f"{instance.id} exited with {info.exit_code} while it started: {logs.strip()}")
                if not instance.shares_files:  # raises where the porter has exited
                    await asyncio.to_thread(self.node.engine.address, instance.id)
            if now() > deadline:
                raise EngineError(f"{instance.id} was not ready within {_READY_SECONDS:.0f} s.")
            await asyncio.sleep(_READY_POLL_SECONDS)

    # --- rest

    async def pause(self, instance: PooledInstance) -> None:
        """Freeze one that is idle."""
        async with instance.changing:
            try:
                await asyncio.to_thread(self.node.engine.pause, instance.id)
            except PitcheyError as error:
                self.node.report(f"{instance.id} could not be paused: {error}")
                instance.is_paused = False
                instance.idle_since = self.node.clock.monotonic()  # or it would be tried again at once
                return
            await self._note_state(instance, InstanceState.PAUSED)

    async def wake(self, instance: PooledInstance) -> float | None:
        """Thaw one that is paused; how many seconds it took until it answered, or None if it did not."""
        began = self.node.clock.monotonic()
        async with instance.changing:
            try:
                await asyncio.to_thread(self.node.engine.unpause, instance.id)
                await instance.client.health()
            except PitcheyError as error:
                instance.retire(f"it did not wake: {error}", has_died=True)
                return None
            await self._note_state(instance, InstanceState.READY)
        instance.available_since = self.node.clock.now()
        return self.node.clock.monotonic() - began

    # --- end

    async def stop(self, instance: PooledInstance, *, why: str) -> None:
        """Stop an instance and remove all traces of it."""
        instance.is_stopping = True
        async with instance.changing:
            await self._end(instance, InstanceState.STOPPED, why=why, grace_seconds=_STOP_GRACE_SECONDS)

    async def discard(self, instance: PooledInstance, why: str) -> None:
        """The same for one that has no work and no future: nothing is waited for."""
        instance.is_stopping = True
        is_lost = instance.has_died or instance.was_found_gone
        async with instance.changing:
            await self._end(
                instance, InstanceState.LOST if is_lost else InstanceState.STOPPED, why=why, grace_seconds=0
            )

    async def _end(self, instance: PooledInstance, state: InstanceState, *, why: str, grace_seconds: float) -> None:
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
            instance.ended_tick = self.node.tick() if instance.ended_tick is None else instance.ended_tick
            with contextlib.suppress(InputNotFound):  # it never came into the store
                await self._record(instance.id, state, note=why, ended_tick=instance.ended_tick)
        except Exception as error:
            # It may still run, or be thought to: it stays in the books, and is tried again.
            self.node.report(f"{instance.id} could not be removed: {error}")
            instance.retire(why)
            await asyncio.sleep(_REMOVE_AGAIN_SECONDS)
            instance.is_stopping = False
            return
        self.instances.pop(instance.id, None)
        await asyncio.to_thread(shutil.rmtree, self._directory(instance.id), True)
        self.node.report(f"{instance.id} {state}: {why}")

    async def note_models(self, instance: PooledInstance, health: protocol.Health) -> None:
        """Learn which models an instance has loaded, and put it on record where that has changed."""
        instance.note_models(health.loaded_models)
        models = tuple(LoadedModel(name, size) for name, size in (health.model_bytes or {}).items())
        if models == instance.models:
            return
        try:
            await self.node.call(self.node.store.set_models, instance.id, models)
        except StoreError as error:  # the next look at it tries again
            self.node.report(f"which models {instance.id} has loaded cannot be recorded: {error}")
        else:
            instance.models = models

    async def _note_state(self, instance: PooledInstance, state: InstanceState) -> None:
        try:
            await self._record(instance.id, state, note=None)
        except StoreError as error:  # it is so all the same
            self.node.report(f"{instance.id} is {state}, which cannot be recorded: {error}")

    async def _record(
        self, instance_id: str, state: InstanceState, *, note: str | None, ended_tick: int | None = None
    ) -> None:
        store, now = self.node.store, self.node.clock.now()
        tick = self.node.tick() if ended_tick is None else ended_tick

        def record() -> None:
            with store.transaction():
                store.set_instance(instance_id, state, now=now, tick=tick, note=note)
                if state is InstanceState.PAUSED:
                    store.pause_instance(instance_id, tick=tick)
                elif state is InstanceState.READY:
                    store.unpause_instance(instance_id, tick=tick)

        await self.node.call(record)

    def _directory(self, instance_id: str) -> Path:
        return layout.instance(self.node.config.state_dir, instance_id)
