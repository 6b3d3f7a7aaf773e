"""What a daemon finds when it starts, and makes its own: instances that run, attempts that ran on or ended meanwhile.

Three sources are compared: the instances in the store, the instances on the engine, and the spools on disk. Nothing is
run twice: an attempt is given up only when neither its worker nor its spool knows an ending.
"""

from __future__ import annotations

import asyncio

from pitchey_cli.daemon import strays
from pitchey_cli.daemon.loop import Loop
from pitchey_cli.domain.errors import EngineError, EngineUnavailable
from pitchey_cli.engines.port import LABEL_STATE, InstanceStatus


async def take_over(loop: Loop) -> None:
    """Bring store, engine and disk together. Called once, before the first tick; `loop.take_up` does the rest.

    Raises:
        EngineUnavailable: without the engine nobody can say what still runs.
    """
    node = loop.node
    found = {info.instance_id: info for info in await asyncio.to_thread(node.engine.find, {LABEL_STATE: loop.state_id})}
    records = {record.id: record for record in await node.call(node.store.instances)}
    for instance_id in found.keys() - records.keys():
        node.report(f"{instance_id} is in no record, removed")
        await asyncio.to_thread(node.engine.remove, instance_id)
    for record in records.values():
        if not loop.knows(record.pool):
            node.report(f"{record.id} is of a pool that this version does not know; it is left alone")
            continue
        info = found.get(record.id)
        trouble = ""
        if info is not None and info.status is InstanceStatus.PAUSED:
            try:
                await asyncio.to_thread(node.engine.unpause, record.id)
            except EngineUnavailable:
                raise
            except EngineError as error:  # one that is stuck must not keep the daemon from starting
                trouble = f"it could not be thawed: {error}"
        instance = await loop.pool(record.pool).adopt(record)
        if trouble:
            instance.retire(trouble, has_died=True)
        node.report(f"{record.id} adopted" + (f", to be discarded: {why}" if (why := instance.retired_because) else ""))
    await strays.remove_directories(node, loop.instance_ids, older_than_seconds=0)  # nothing is being started yet
