"""The webhooks of a daemon: what is in the outbox is sent, beside the loop.

Each endpoint that has something has a task of its own, so that one that is slow keeps no other waiting, and the loop
none of them. A message is pending until the answer to it is on disk: a daemon that is killed in between leaves it
to the next one, which sends it again under the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.errors import logged
from pitchey_cli.domain.webhooks import Delivery, Reply, Webhook, headers_of, judge

_AT_ONCE = 16  # messages to one endpoint: they share the waits for the disk
_IDLE_SECONDS = 1.0  # between looks while nobody listens
_BROKEN_SECONDS = 10.0


class Webhooks:
    """The deliveries of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._look_at = 0.0
        self._has_listeners = False  #: at the last look; then there is another one at each tick
        self._looking: asyncio.Task[None] | None = None
        self._lanes: dict[str, asyncio.Task[None]] = {}

    def begin_if_due(self) -> None:
        """Look what there is to send, without waiting for it. A `pitchey run` leaves it to the daemon."""
        node, now = self._node, self._node.clock.monotonic()
        if node.post is None or node.config.is_foreground or (self._looking is not None and not self._looking.done()):
            return
        if self._has_listeners or now >= self._look_at:
            self._look_at = now + max(_IDLE_SECONDS, node.config.poll_seconds)
            self._looking = asyncio.create_task(self._noting_failure())

    async def _noting_failure(self) -> None:
        try:
            await self._look()
        except Exception as error:  # the next look tries again
            self._node.report(f"webhooks could not be looked at: {logged(error)}")

    async def _look(self) -> None:
        node = self._node
        self._lanes = {name: lane for name, lane in self._lanes.items() if not lane.done()}
        for webhook_id in await node.call(self._due):
            if webhook_id not in self._lanes:
                self._lanes[webhook_id] = asyncio.create_task(self._serve(webhook_id))

    def _due(self) -> Sequence[str]:
        """The endpoints for which there is something: on the writer's thread, in one visit."""
        store = self._node.store
        self._has_listeners = store.is_anybody_told()
        return store.due_webhooks(now=self._node.clock.now()) if self._has_listeners else ()

    async def _serve(self, webhook_id: str) -> None:
        """Send what is due to one endpoint, until nothing is."""
        node = self._node
        try:
            while found := await node.call(node.store.due_deliveries, webhook_id, now=node.clock.now(), most=_AT_ONCE):
                webhook, deliveries = found
                async with asyncio.TaskGroup() as group:
                    for each in deliveries:
                        group.create_task(self._deliver(webhook, each))
        except Exception as error:  # a later look begins anew
            node.report(f"the webhook {webhook_id} could not be served: {logged(error)}")
            # What came of a message cannot be noted: whoever got it must not get it again at every tick.
            await asyncio.sleep(_BROKEN_SECONDS)

    async def _deliver(self, webhook: Webhook, delivery: Delivery) -> None:
        node = self._node
        reply = await self._ask(webhook, delivery)
        now = node.clock.now()
        verdict = judge(delivery, reply, failures=webhook.failures, now=now, dice=node.dice())
        await node.call(node.store.note_try, delivery, verdict, now=now)
        if verdict.disabled_because is not None:
            node.report(f"the webhook {webhook.name} ({webhook.id}) is disabled: {verdict.disabled_because}")

    async def _ask(self, webhook: Webhook, delivery: Delivery) -> Reply:
        assert self._node.post is not None  # else nobody would have looked
        now = self._node.clock.now()
        headers = headers_of(delivery, webhook.secrets(now), now=now)
        try:
            reply = await self._node.post(webhook.url, headers, delivery.body)
        except Exception as error:  # whatever it is: it must not be asked for ever, and others come behind it
            return Reply(None, problem=f"It could not be asked: {error!r}")
        if not reply.reason:
            return reply
        if not webhook.failures:  # once, and not at each try
            self._node.report(f"the webhook {webhook.name} ({webhook.id}) is told nothing: {reply.reason}")
        return reply if webhook.organisation else replace(reply, problem=reply.reason)

    def _tasks(self) -> list[asyncio.Task[None]]:
        found = (self._looking, *self._lanes.values())
        return [each for each in found if each is not None and not each.done()]

    async def end(self) -> None:
        """Let go of what is being sent. It stays pending."""
        for task in (tasks := self._tasks()):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until all has been sent that was due."""
        while tasks := self._tasks():
            await asyncio.wait(tasks)
