"""What a daemon finds when it starts, and makes its own: instances that run, attempts that ran on or ended meanwhile.
And what it does when it finds that others took it for dead: it begins anew.

Three sources are compared: the instances in the store, the instances on the engine, and the spools on disk. Nothing is
run twice: an attempt is given up only when neither its worker nor its spool knows an ending.
"""

from __future__ import annotations

import asyncio
import contextlib

from pitchey_cli.daemon import agreement, identity, strays
from pitchey_cli.daemon.loop import Loop
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import EngineError, EngineUnavailable, PitcheyError
from pitchey_cli.domain.nodes import NodeState
from pitchey_cli.engines.port import LABEL_STATE, InstanceStatus


async def take_over(loop: Loop) -> None:
    """Bring store, engine and disk together. Called once, before the first tick; `loop.take_up` does the rest.

    Raises:
        EngineUnavailable: without the engine nobody can say what still runs.
        UsageError: another daemon works under the id of this node, or under its name, or has its artifacts elsewhere.
    """
    node = loop.node
    await loop.membership.enter(await agreement.reach(node))
    if node.identity.is_copy:
        await asyncio.to_thread(identity.note_original, node.config.state_dir)
        node.identity.is_copy = False
    async with loop.lease.beating():  # each instance that hangs is waited for
        await _adopt(loop)


async def _adopt(loop: Loop) -> None:
    """Take over the instances of this node, and remove what is nobody's."""
    node = loop.node
    found = {info.instance_id: info for info in await asyncio.to_thread(node.engine.find, {LABEL_STATE: loop.state_id})}
    records = {record.id: record for record in await node.call(node.store.instances, node=node.identity.id)}
    for instance_id in found.keys() - records.keys():
        node.report(f"{instance_id} is in no record, removed")
        await asyncio.to_thread(node.engine.remove, instance_id)
    for record in records.values():
        if not loop.pools.knows(record.pool):
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
        instance = await loop.pools.of(record.pool).adopt(record)
        if trouble:
            instance.retire(trouble, has_died=True)
        node.report(f"{record.id} adopted" + (f", to be discarded: {why}" if (why := instance.retired_because) else ""))
    await strays.remove_directories(node, loop.pools.instance_ids, older_than_seconds=0)  # nothing is being started yet


async def run(loop: Loop, until: asyncio.Event) -> None:
    """Run the loop until `until` is set, or another node has made the database one for newer programs.

    It begins anew, by itself, as often as others have taken over what it ran.
    """
    while not (until.is_set() or loop.membership.is_outdated):
        await loop.run(until)
        if loop.membership.is_over and not until.is_set():
            await _begin_anew(loop, until)


async def _begin_anew(loop: Loop, until: asyncio.Event) -> None:
    """Let go of all that ran here: it is others' now. What it left on the engine and on disk is removed.

    A node that was removed, and one whose id somebody else uses, does not come back: its daemon ends.
    """
    node = loop.node
    await loop.abandon()
    became = await loop.membership.what_became()
    if became is not None and became.state is NodeState.REMOVED:
        node.report("this node has been removed: its daemon ends; `pitchey daemon start` brings it back")
        await _clear(loop)
        until.set()
        return
    if became is not None and became.is_up:
        path = layout.node_id(node.config.state_dir)
        node.report(
            "another daemon works under the id of this node, as its state directory was copied: this one ends. Stop the"
            f" other one, remove the node.id of whichever directory is the copy (here it is {path}), and start both"
        )
        await _clear(loop)
        until.set()
        return
    node.report("this node was taken for dead, and others have its jobs: it begins anew")
    while not until.is_set():
        try:
            await take_over(loop)
            return
        except PitcheyError as error:  # the database or the engine may be away again
            node.report(f"it cannot begin: {error}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), node.config.poll_seconds)


async def _clear(loop: Loop) -> None:
    """Remove what runs on the engine."""
    found = await asyncio.to_thread(loop.node.engine.find, {LABEL_STATE: loop.state_id})
    for each in found:
        await asyncio.to_thread(loop.node.engine.remove, each.instance_id)
    await strays.remove_directories(loop.node, loop.pools.instance_ids, older_than_seconds=0)
