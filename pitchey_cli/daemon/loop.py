"""The daemon's loop: one tick of named steps, woken by a poke, an ending, an instance that is ready, or the clock.

    cli/submit -> operations/submit -> store.enqueue => daemon/loop.tick -> store.claim
      -> daemon/execution.run -> processors/worker -> processors/video/handler -> protocol.Result
      -> store.finish(token) => operations/result -> reports/job            (=> crosses processes through the database)

The loop never waits inside a step: whatever takes time is a task that sets `changed` when it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import partial
from itertools import chain

from pitchey_cli.daemon import sharing
from pitchey_cli.daemon.alerting import Alerting
from pitchey_cli.daemon.budgeting import Budgeting
from pitchey_cli.daemon.dates import Dates
from pitchey_cli.daemon.execution import Execution
from pitchey_cli.daemon.executions import Executions
from pitchey_cli.daemon.firing import Firing
from pitchey_cli.daemon.forecasting import Forecasting
from pitchey_cli.daemon.health import HealthWatch
from pitchey_cli.daemon.instance import PooledInstance
from pitchey_cli.daemon.lease import Lease
from pitchey_cli.daemon.membership import Membership
from pitchey_cli.daemon.node import Node
from pitchey_cli.daemon.pool import Pool
from pitchey_cli.daemon.pools import Pools
from pitchey_cli.daemon.scaler import Others, Scaler, Waiting
from pitchey_cli.daemon.tidying import Tidying
from pitchey_cli.daemon.webhooks import Webhooks
from pitchey_cli.domain.errors import StoreError, logged
from pitchey_cli.domain.held import held_lines
from pitchey_cli.domain.job import Job, due_at
from pitchey_cli.domain.observation import Measure, WarmRequest
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.turns import Turns
from processors.vocabulary import Reason

_CHECK_SECONDS = 10.0  # how often instances are spoken to
_RECOVER_SECONDS = 10.0


class Loop:
    """Runs jobs until it is told to stop."""

    def __init__(self, node: Node, state_id: str) -> None:
        self.node = node
        self.state_id = state_id  #: of the database in this place: instances carry it as a label
        self.changed = asyncio.Event()  #: something happened: tick now
        self.executions = Executions(node, self.changed)
        self.pools = Pools(node, state_id, self.changed)
        self.is_draining = False  #: finish what runs, take nothing new
        self._checking: asyncio.Task[None] | None = None
        self._renew_at = 0.0
        self._check_at = 0.0
        self._recover_at = 0.0
        self.forecasting = Forecasting(node)
        self.scaler = Scaler(node, self.forecasting)
        self._health = HealthWatch(node)
        self.membership = Membership(node, self.scaler.room, self._health.last)
        self.lease = Lease(node, self.membership, self.executions, self.changed)
        self._dates = Dates(node, self.membership, self.changed)
        self.budgeting = Budgeting(node)
        self.firing = Firing(node, self.changed)
        self._alerting = Alerting(node, self._health.last)
        self.webhooks = Webhooks(node)
        self._tidying = Tidying(node, state_id, self.pools.instance_ids)
        self._recovering: asyncio.Task[None] | None = None
        self._claiming = asyncio.Lock()  #: held from a claim until its executions are in the table

    # --- a tick

    async def tick(self) -> None:
        """One round over everything that may have changed."""
        # Dispatch is early: somebody may be waiting for a job that has just come.
        taking = () if self.is_draining else (self.hold_to_budgets, self.dispatch, self.scale)
        keeping = (self.cancel, self.renew, self.check, self.recover, self.reap, self.tidy, self.alert, self.tell)
        dates = self._dates
        by_date = (self.fire_schedules, dates.expire, self.tidy)
        waiting = (dates.release_due, dates.call_last, self.fire_schedules, dates.expire)
        for step in (self.lease.keep, *waiting, *taking, *keeping):
            if self.membership.is_over:
                return  # nothing here is this node's any more
            if self.membership.is_clock_wrong and step in by_date:
                continue
            if self.membership.is_outdated and step in taking:
                continue
            try:
                await step()
            except Exception as error:
                # A store or an engine in trouble must not end the daemon: the next tick tries again.
                self.node.report(f"{step.__name__} failed: {logged(error)}")

    async def fire_schedules(self) -> None:
        """Submit the jobs of recurring schedules whose time has come, without waiting for their files here."""
        await self.firing.begin_if_due()

    async def tidy(self) -> None:
        """Forget and remove what nobody needs any more, and learn from what came, without waiting for it here."""
        self._tidying.begin_if_due()
        self.forecasting.begin_if_due()

    async def alert(self) -> None:
        """Look how this node does, and where one is to do it judge the alert rules, without waiting for it here."""
        self._health.begin_if_due()
        if self.membership.is_first:
            self._alerting.begin_if_due()

    async def tell(self) -> None:
        """Send to webhooks what has happened, without waiting for anybody here."""
        if self.membership.is_first:
            self.webhooks.begin_if_due()

    async def renew(self) -> None:
        """Extend the leases of everything that runs here, with one statement."""
        now = self.node.clock.monotonic()
        if self.executions and now >= self._renew_at:
            self._renew_at = now + self.node.config.lease_seconds / 3
            lease_until = self.node.clock.now() + timedelta(seconds=self.node.config.lease_seconds)
            await self.node.call(self.node.store.renew, self.executions.tokens, lease_until=lease_until)

    async def cancel(self) -> None:
        """End the attempts of jobs that somebody has cancelled."""
        if self.executions:
            for token in await self.node.call(self.node.store.cancel_requested):
                self.executions.end(token, Reason.CANCELLED)

    async def check(self) -> None:
        """Speak to every instance now and then, without waiting for the answers here."""
        now = self.node.clock.monotonic()
        if now >= self._check_at and (self._checking is None or self._checking.done()):
            self._check_at = now + _CHECK_SECONDS
            self._checking = asyncio.create_task(self.pools.check())
            await self.pools.note_seen()

    async def recover(self) -> None:
        """Take up the running jobs that no execution follows, without waiting for the engine here."""
        now = self.node.clock.monotonic()
        if now >= self._recover_at and (self._recovering is None or self._recovering.done()):
            self._recover_at = now + _RECOVER_SECONDS
            self._recovering = asyncio.create_task(self._recover_noting_failure())

    async def _recover_noting_failure(self) -> None:
        try:
            await self.take_up()
        except Exception as error:
            self.node.report(f"recover failed: {logged(error)}")

    async def take_up(self) -> None:
        """Follow the running jobs that no execution follows: at the start, and if one ever broke."""
        async with self._claiming:  # what the tick has just claimed has no execution for a moment
            running = await self.node.call(self.node.store.running, node=self.node.identity.id)
            left = [job for job in running if job.token is not None and job.token not in self.executions]
            self.executions.forget_broken(but={job.token for job in running})  # somebody else has ended those
        async with self.lease.beating():
            await self._follow(left)

    async def _follow(self, left: Sequence[Job]) -> None:
        for job in left:
            if job.service not in self.node.config.services:
                self.node.report(f"{job.token} runs, and this version has no {job.service} service")
                continue
            instance_id = (await self.node.call(self.node.store.attempts, job.id))[-1].instance_id
            instance = self.pools.find(instance_id)
            if instance is None:
                records = await self.node.call(self.node.store.instances, active_only=False)
                record = next((record for record in records if record.id == instance_id), None)
                if record is None:
                    self.node.report(f"{job.token} runs on {instance_id}, of which there is no record")
                    continue
                instance = await self.pools.of(record.pool).adopt(record)
            if job.token is not None and job.token not in self.executions:
                self.node.report(f"{job.token} taken up again on {instance.id}")
                self.execute(self.pools.of(instance.config.key), instance, job, is_adopted=True)

    async def reap(self) -> None:
        """Clear away the instances that went."""
        self.pools.reap()

    async def hold_to_budgets(self) -> None:
        """Find out now and then whose budgets are used up."""
        if self.budgeting.is_due:
            await self.node.call(self.budgeting.look)

    async def dispatch(self) -> None:
        """Claim jobs in the order of their turns while there is room for them, and start their attempts."""
        node = self.node
        for key, pool in list(self.pools.items()):
            places = pool.places()
            if not places.free_slots:
                pool.is_head_waiting = False  # nobody was asked
                pool.pickups.note_room(has_room=False)
                continue
            async with self._claiming:
                # After a power cut the instances are gone, too: a claim that is undone is one that nobody works at. But
                # one that shares no files may be on another machine, and go on: its token is not to be given twice.
                claim = node.note if pool.config.shares_files else node.call
                # Budgets are worked out anew in the claim, where this node is alone as well: its own attempts have cost
                # something since the last look, and at the cap nothing is started. That is only where somebody waits.
                jobs = await claim(
                    node.store.claim,
                    key,
                    places=places,
                    policy=self.budgeting.policy,
                    now=node.clock.now(),
                    lease_until=node.clock.now() + timedelta(seconds=node.config.lease_seconds),
                    tick=node.tick(),
                    foreground_only=node.config.is_foreground,
                    under=node.identity.epoch,
                    as_of=node.as_of() if self.budgeting.has_any else None,
                )
                pool.is_head_waiting = places.has_refused
                for claimed in jobs:
                    instance = pool.instances[claimed.instance_id]
                    pickup = pool.pickups.measure_of(claimed.job, instance, pool.instances.values())
                    if claimed.job.attempt == 1:
                        self.forecasting.note_came(key.service, due_at(claimed.job))
                    self.execute(pool, instance, claimed.job, is_adopted=False, pickup=pickup)
                pool.pickups.note_room(has_room=places.free_slots > 0 and not places.has_refused)

    async def scale(self) -> None:
        """Have as many instances as the work needs, and the host has room for."""
        policy = self.budgeting.policy
        waiting, warm, others = await self.node.call(self._waiting)
        if self.budgeting.policy != policy:
            self.changed.set()  # somebody's jobs may go again
        needed = waiting.keys() | {each.pool for each in warm if self.pools.knows(each.pool)}
        for key in needed:
            self.pools.of(key)
        for key, pool in self.pools.items():
            pool.pickups.note_held(waiting[key].lines if key in waiting else {})
        used_up = {key for key in self.pools if self.budgeting.policy.is_capped(key.organisation, key.service)}
        await self.scaler.step(self.pools, waiting, warm, used_up, others)
        self._forget_pools(needed)

    def _forget_pools(self, needed: Collection[PoolKey]) -> None:
        """Forget the pools of organisations that have nothing any more: in time there may be thousands."""
        for key in self.pools.unused(needed):
            if self.scaler.is_at_rest(key):
                del self.pools[key]
                self.scaler.forget(key)

    def _waiting(self) -> tuple[dict[PoolKey, Waiting], Sequence[WarmRequest], Others]:
        """What waits for each pool for which anything does, what is to be warm, and what other nodes mean for that.

        On the writer's thread, in one visit: each costs a hand-over there and back.
        """
        store, config, now = self.node.store, self.node.config, self.node.clock.now()
        self.budgeting.look(at_changes_only=True)
        policy = self.budgeting.policy
        others = sharing.others(self.node, self.membership)
        if others.is_draining:
            return {}, (), others
        found = (store.waiting_pools(each, foreground_only=config.is_foreground) for each in config.services)
        waiting: dict[PoolKey, Waiting] = {}
        for key in filter(self.pools.knows, chain.from_iterable(found)):
            queue = store.queue(key, foreground_only=config.is_foreground)
            turns = Turns(queue, policy, now=now)
            jobs = sharing.share_of(key, turns, others, self.membership) if others.weights else turns.demand()
            waiting[key] = Waiting(jobs, turns.wait_seconds(), held_lines(queue, turns))
        return waiting, () if config.is_foreground else store.warm_requests(now=now), others

    # --- executions

    def execute(
        self,
        pool: Pool,
        instance: PooledInstance,
        job: Job,
        *,
        is_adopted: bool,
        pickup: Measure | None = None,
    ) -> None:
        """Carry out a claimed job, or follow one that runs already, in a task of its own.

        Args:
            pickup: what the time until its acceptance says, if it says anything.
        """
        on_pickup = None if pickup is None else partial(pool.measure, pickup)
        pool.take_slots(instance, job)
        began = self.node.clock.monotonic()

        def ended(execution: Execution, *, is_broken: bool) -> None:
            pool.give_slots(instance, job, ended_as=execution.ended_as)
            if not is_adopted and not is_broken:
                self.forecasting.note_ended(job.service, self.node.clock.monotonic() - began)

        self.executions.begin(job, instance, is_adopted=is_adopted, on_pickup=on_pickup, on_end=ended)

    # --- the whole run

    async def run(self, until: asyncio.Event) -> None:
        """Tick until `until` is set, nothing here is this node's any more, or the database is for newer programs."""
        while not (until.is_set() or self.membership.is_over or self.membership.is_outdated):
            self.changed.clear()
            await self.tick()
            await self._until_something(until)

    async def _until_something(self, until: asyncio.Event) -> None:
        waits = [asyncio.create_task(self.changed.wait()), asyncio.create_task(until.wait())]
        _, pending = await asyncio.wait(
            waits, timeout=self.node.config.poll_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()

    async def finish_running(self, *, at_once: asyncio.Event, grace_seconds: Callable[[], float]) -> None:
        """Drain: let running attempts end by themselves.

        Args:
            at_once: when set, what is left is handed back to the queue without further waiting.
            grace_seconds: asked then: what they get between TERM and KILL.
        """
        self.is_draining = True
        while self.executions and not (at_once.is_set() or self.membership.is_over):
            self.changed.clear()
            await self.tick()
            await self._until_something(at_once)
        async with self.lease.beating():
            await self.executions.hand_back(self.executions.running, grace_seconds=grace_seconds())
        try:
            await self.forecasting.keep_counted()
        except StoreError as error:  # the end of a daemon waits for no forecast
            self.node.report(f"what came lately is not known to the forecast: {error}")

    async def abandon(self) -> None:
        """Let go of everything that runs here, and record nothing of it."""
        if self._recovering is not None:
            self._recovering.cancel()
        await self.executions.abandon()
        for key in await self.pools.abandon():
            self.scaler.forget(key)

    async def leave(self) -> None:
        """Tell the other nodes that this one has ended."""
        try:
            await self.membership.leave()
        except StoreError as error:
            self.node.report(f"that this node has ended cannot be noted: {error}")

    async def stop_instances(self, *, why: str) -> None:
        """Stop every instance that has no attempt; after a drain that is all of them."""
        async with self.lease.beating():
            await self.scaler.end(self.pools)
            await self.pools.stop_idle(why=why)
