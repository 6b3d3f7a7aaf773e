"""The instances of one pool: which of them work, which rest, which are to go.

How many there are to be is decided by domain/scaling.py and asked for by scaler.py; what happens to a single one is
done by lifecycle.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from pitchey_cli.daemon.instance import PooledInstance, taken_of_host
from pitchey_cli.daemon.lifecycle import Lifecycle
from pitchey_cli.daemon.node import Node, ServiceConfig
from pitchey_cli.daemon.pickups import Pickups
from pitchey_cli.domain.capacity import Holder
from pitchey_cli.domain.decision import PoolView
from pitchey_cli.domain.errors import EngineError, ImageMissing, PitcheyError, RuntimeMissing
from pitchey_cli.domain.job import Instance, Job
from pitchey_cli.domain.ladder import Dwell, Rest, rest
from pitchey_cli.domain.observation import Measure
from pitchey_cli.domain.placement import Places, slots_needed
from pitchey_cli.domain.scaling import restart_delay
from processors.vocabulary import Reason, Service

_SETTLED_SECONDS = 60.0  # an instance that lives so long was well when it was started
_FAILURES = {Reason.FAILED, Reason.TIMEOUT, Reason.OOM, Reason.INSTANCE_LOST}
_UNANSWERED_CHECKS = 3
_UNTIL_SOMEBODY_ACTS_SECONDS = 300.0  # what is missing is a setting's or the host's: trying brings it no nearer
_UNTIL_BUILT_SECONDS = 5.0  # between two looks for an image that was missing; a look starts nothing


class Pool:
    """All instances of one service and size on this node; of one organisation, where they are not shared."""

    def __init__(self, node: Node, config: ServiceConfig, state_id: str, changed: asyncio.Event) -> None:
        """Begin with none.

        Args:
            state_id: by which the engine knows that instances are of this state directory.
            changed: set when a start, a pause or a stop is done.
        """
        self.node = node
        self.config = config
        self.changed = changed
        self.size = taken_of_host(node, config)  #: what one instance takes of the host
        self.instances: dict[str, PooledInstance] = {}
        self.is_head_waiting = False  #: the job whose turn it is needs more slots than any instance has free
        self.start_error: PitcheyError | None = None  #: why the last start failed; None since one succeeded
        self.pickups = Pickups(node.clock)
        self.measured: dict[Measure, list[float]] = {}  #: seconds; the scaler takes them away
        self._life = Lifecycle(node, config, state_id, self.instances)
        self._slots_of_last = 1.0
        self._failures = 0
        self._not_before = 0.0  # monotonic; no start before
        self.starts = 0  #: that are under way
        self._under_way: set[asyncio.Task[None]] = set()  # starts, pauses, wakes and stops

    # --- what the loop asks

    def places(self) -> Places:
        """The free slots."""
        return Places.of(instance.as_candidate() for instance in self.instances.values())

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
            if job.service is Service.INFERENCE and job.kind not in instance.kinds:
                self._spawn(self._look_at_models(instance))
            instance.kinds.add(job.kind)
            instance.failed_kinds.discard(job.kind)
            self._failures = 0

    def reap(self) -> None:
        """Remove the instances that are to go and whose attempts have all been accounted for."""
        for instance in [each for each in self.instances.values() if each.is_leaving and each.attempts == 0]:
            if instance.is_stopping:
                continue
            if instance.retired_because is None:
                self._let_go(instance, instance.leaving_because or "")
                continue
            instance.is_stopping = True
            if instance.has_died:
                self._note_death(instance)
            self._spawn(self._life.discard(instance, instance.retired_because))

    async def check(self) -> None:
        """Speak to every instance: it learns that it is no orphan, and one that does not answer is retired."""
        for instance in list(self.instances.values()):
            if not instance.is_ready or instance.is_stopping or instance.is_paused:
                continue
            try:
                health = await instance.client.health()
            except PitcheyError as error:
                if not (instance.is_stopping or instance.is_paused):
                    await self._unanswered(instance, error)
                continue
            instance.unanswered = 0
            await self._life.note_models(instance, health)
            if health.draining:
                instance.retire("it drains")
            elif instance.attempts:
                await self._look_at_usage(instance)

    async def _look_at_models(self, instance: PooledInstance) -> None:
        """Ask at once what it has loaded for a job, and not with the next check."""
        with contextlib.suppress(PitcheyError):
            await self._life.note_models(instance, await instance.client.health())

    async def _look_at_usage(self, instance: PooledInstance) -> None:
        try:
            usage = await asyncio.to_thread(self.node.engine.usage, instance.id)
        except PitcheyError:
            instance.forget_usage()
        else:
            instance.note_usage(usage, self.node.clock.monotonic())

    async def _unanswered(self, instance: PooledInstance, error: PitcheyError) -> None:
        """One that hangs would hold its attempts, and its place in the pool, for as long as they may take."""
        instance.retire(str(error), has_died=True)
        instance.unanswered += 1
        if instance.unanswered >= _UNANSWERED_CHECKS:
            with contextlib.suppress(PitcheyError):
                await asyncio.to_thread(self.node.engine.kill, instance.id)

    async def adopt(self, record: Instance) -> PooledInstance:
        """Take over an instance that another daemon had started."""
        return await self._life.adopt(record)

    async def stop(self, instance: PooledInstance, *, why: str) -> None:
        """Stop an instance and remove all traces of it."""
        await self._life.stop(instance, why=why)

    async def abandon(self) -> None:
        """Stop all that is under way, and forget the instances: they are not this node's any more."""
        for task in self._under_way:
            task.cancel()
        await self.settle()
        for instance in self.instances.values():
            instance.client.close()
        self.instances.clear()

    def bound(self, at_most: int | None) -> None:
        """Start none when all nodes together have so many; None: this node is alone."""
        self._life.at_most = at_most

    async def settle(self) -> None:
        """Wait for starts, pauses and stops under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    # --- what the scaler asks

    def view(self, waiting: int) -> PoolView:
        """What the pool looks like now, with so many jobs waiting."""
        instances = self.instances.values()
        return PoolView(
            waiting=waiting,
            # What runs on one that is to go asks for no other in its place.
            running=sum(each.attempts for each in instances if not each.is_leaving),
            leaving=sum(each.is_leaving for each in instances),
            starting=self.starts + sum(each.is_waking for each in instances),
            ready=sum(each.takes_work for each in instances),
            paused=sum(each.is_resting for each in instances),
            slots=self.config.slots,
            is_head_refused=self.is_head_waiting,
            slots_of_job=self._slots_of_job(),
        )

    def _slots_of_job(self) -> float:
        busy = [each for each in self.instances.values() if each.attempts]
        if busy:
            self._slots_of_last = sum(each.busy for each in busy) / sum(each.attempts for each in busy)
        return self._slots_of_last

    def holders(self, *, kept: int, wanted: int, has_waiting: bool, weight: float) -> list[Holder]:
        """Its instances, as takers of the host's room. The busiest come first: `kept` of them are to stay.

        Args:
            weight: of its organisation.
        """
        now = self.node.clock.monotonic()
        staying = self._by_use(each for each in self.instances.values() if not each.is_leaving)
        places = {each.id: place for place, each in enumerate(staying)}
        return [
            Holder(
                instance_id=each.id,
                pool=self.name,
                organisation=self.config.organisation,
                weight=weight,
                size=each.takes,
                idle_seconds=None if each.attempts or each.is_waking else now - each.idle_since,
                held_seconds=now - each.started_at,
                attempts=each.attempts,
                is_paused=each.is_paused,
                is_leaving=each.is_leaving,
                is_kept=places.get(each.id, kept) < kept,
                is_wanted=places.get(each.id, wanted) < wanted,
                has_waiting=has_waiting,
            )
            for each in self.instances.values()
        ]

    @property
    def name(self) -> str:
        """As people call it."""
        return str(self.config.key)

    @property
    def is_unused(self) -> bool:
        """Whether there is nothing in it, and nothing under way."""
        return not (self.instances or self.starts or self._under_way or self.no_start_for_seconds)

    @property
    def no_start_for_seconds(self) -> float:
        """How long no instance may be started, because the last starts have failed."""
        return max(0.0, self._not_before - self.node.clock.monotonic())

    def start(self, count: int) -> None:
        """Start so many instances."""
        for _ in range(count):
            self.starts += 1
            self._spawn(self._start_noting_failure())

    def wake(self, count: int) -> int:
        """Wake so many of those that are paused, the one that worked last first; how many there were."""
        paused = [each for each in self.instances.values() if each.is_resting]
        paused.sort(key=lambda each: -each.idle_since)
        for instance in paused[:count]:
            instance.is_paused, instance.is_waking = False, True
            self._spawn(self._wake(instance))
        return min(count, len(paused))

    def rest(self, wanted: int, dwell: Dwell, on_change: Callable[[PooledInstance, Rest, str], None]) -> None:
        """Keep as many as are wanted; let the idle ones among the others pause, and stop."""
        now = self.node.clock.monotonic()
        there = [each for each in self.instances.values() if each.takes_work or each.is_resting]
        for place, instance in enumerate(self._by_use(there)):
            instance.is_surplus = place >= max(1, wanted)
            if instance.attempts:
                continue
            idle = now - instance.idle_since
            step, why = rest(idle, is_paused=instance.is_paused, is_kept=place < wanted, dwell=dwell)
            if step is Rest.PAUSE:
                instance.is_paused = True
                self._spawn(self._life.pause(instance))
            elif step is Rest.STOP:
                self._let_go(instance, why)
            if step is not Rest.STAY:
                on_change(instance, step, why)

    def give_way(self, instance_id: str, why: str) -> None:
        """Have an instance make room: at once if it is idle, else when its attempts have ended."""
        instance = self.instances[instance_id]
        instance.leaving_because = instance.leaving_because or why
        self.reap()

    def measure(self, name: Measure, seconds: float) -> None:
        """Note how long something took."""
        self.measured.setdefault(name, []).append(seconds)

    @staticmethod
    def _by_use(instances: Iterable[PooledInstance]) -> list[PooledInstance]:
        """The busiest first, then those that worked last; those that rest come last."""
        return sorted(instances, key=lambda each: (each.is_paused, -each.busy, -each.idle_since))

    # --- what takes time

    def _let_go(self, instance: PooledInstance, why: str) -> None:
        instance.is_stopping = True
        self._spawn(self._life.stop(instance, why=why))

    async def _wake(self, instance: PooledInstance) -> None:
        try:
            seconds = await self._life.wake(instance)
            if seconds is not None:
                self.measure(Measure.UNPAUSE, seconds)
        finally:
            instance.is_waking = False

    async def _start_noting_failure(self) -> None:
        try:
            await self._check_image()
            seconds = await self._life.start()
        except Exception as error:
            self._failures += 1
            delay = self._delay_after(error)
            self._not_before = self.node.clock.monotonic() + delay
            unforeseen = EngineError(f"No instance could be started: {error!r}.")
            is_told = isinstance(error, RuntimeMissing | ImageMissing) and str(error) == str(self.start_error)
            self.start_error = error if isinstance(error, PitcheyError) else unforeseen
            if not is_told:
                why = f"{self.start_error} {self.start_error.hint}".strip()
                self.node.report(f"no {self.config.service} instance: {why} Next try in {delay:.0f} s.")
        else:
            self.start_error = None
            self.measure(Measure.START, seconds)
        finally:
            self.starts -= 1  # in the same step in which it is in the books

    async def _check_image(self) -> None:
        """Begin nothing as long as an image is not there that was missing the last time."""
        missing = self.start_error
        if isinstance(missing, ImageMissing) and not await asyncio.to_thread(
            self.node.engine.has_image, self.config.image
        ):
            raise missing

    def _delay_after(self, error: Exception) -> float:
        """How long to wait after a start that has failed."""
        if isinstance(error, ImageMissing):
            return _UNTIL_BUILT_SECONDS
        return _UNTIL_SOMEBODY_ACTS_SECONDS if isinstance(error, RuntimeMissing) else restart_delay(self._failures)

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

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._under_way.add(task)

        def done(_: asyncio.Task[None]) -> None:
            self._under_way.discard(task)
            self.changed.set()
            if not task.cancelled() and (error := task.exception()) is not None:
                self.node.report(f"{self.config.service} pool: {error!r}")

        task.add_done_callback(done)
