"""The pools of a node, by their keys: which there are, and what is done to all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from pitchey_cli.daemon.instance import PooledInstance, on_host
from pitchey_cli.daemon.node import Node
from pitchey_cli.daemon.pool import Pool
from pitchey_cli.domain.limits import INSTANCE_TYPES
from pitchey_cli.domain.pools import PoolKey


class Pools(dict[PoolKey, Pool]):
    """The first of every service, and those that are needed."""

    def __init__(self, node: Node, state_id: str, changed: asyncio.Event) -> None:
        """Make the first of every service."""
        super().__init__()
        self._node, self._state_id, self._changed = node, state_id, changed
        self._make_first()

    def _make_first(self) -> None:
        for service in self._node.config.services:
            self.of(PoolKey.of(service))

    def of(self, key: PoolKey) -> Pool:
        """A pool; made when it is first needed."""
        if key not in self:
            config = on_host(self._node, self._node.config.services[key.service].of_pool(key))
            self[key] = Pool(self._node, config, self._state_id, self._changed)
        return self[key]

    def knows(self, key: PoolKey) -> bool:
        """Whether this version can run instances of a pool."""
        is_sized = not key.size or key.size in INSTANCE_TYPES
        return key.service in self._node.config.services and is_sized and key.is_possible

    def instance_ids(self) -> set[str]:
        """The instances that are in the books."""
        return {instance_id for pool in self.values() for instance_id in pool.instances}

    def find(self, instance_id: str) -> PooledInstance | None:
        """An instance; None where no pool has it."""
        return next((pool.instances[instance_id] for pool in self.values() if instance_id in pool.instances), None)

    async def check(self) -> None:
        """Speak to every instance."""
        for pool in list(self.values()):
            await pool.check()

    async def note_seen(self) -> None:
        """Until then at least they are paid for, should the machine go down with them."""
        books = [instance for pool in self.values() for instance in pool.instances.values()]
        if books:
            gone = [instance.id for instance in books if instance.ended_tick is not None]
            node = self._node
            boot, tick = node.clock.boot(), node.tick()
            await node.call(node.store.note_seen, boot=boot, tick=tick, gone=gone, node=node.identity.id)

    def reap(self) -> None:
        """Clear away the instances that went."""
        for pool in list(self.values()):
            pool.reap()

    def unused(self, needed: Collection[PoolKey]) -> list[PoolKey]:
        """Those of organisations that have nothing any more, and for which nothing waits."""
        return [
            key
            for key, pool in self.items()
            if key.organisation and not key.is_first and key not in needed and pool.is_unused
        ]

    async def abandon(self) -> list[PoolKey]:
        """Let go of all instances, and begin anew; whose they were."""
        left = dict(self)
        self.clear()
        for pool in left.values():
            await pool.abandon()
        self._make_first()
        return list(left)

    async def stop_idle(self, *, why: str) -> None:
        """Stop every instance that has no attempt."""
        for pool in list(self.values()):
            await pool.settle()
            idle = [each for each in pool.instances.values() if each.attempts == 0 and not each.is_stopping]
            await asyncio.gather(*(pool.stop(instance, why=why) for instance in idle))
