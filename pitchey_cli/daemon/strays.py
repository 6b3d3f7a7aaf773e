"""What instances have left behind: containers that are in no record, directories that belong to no instance, outputs
that were stored and that nobody took.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from pitchey_cli.artifacts.port import Presigner
from pitchey_cli.daemon.carried import attempt_of
from pitchey_cli.daemon.node import Node
from pitchey_cli.domain import layout
from pitchey_cli.engines.port import LABEL_STATE

_FORGOTTEN = timedelta(days=1)  # far longer than the daemon of an attempt takes to discard what it left
_YOUNG_SECONDS = 600.0  # far longer than it takes from an instance's directory to its record

InTheBooks = Callable[[], set[str]]  #: the ids of the instances that the pools have now


async def remove_containers(node: Node, state_id: str, in_the_books: InTheBooks) -> None:
    """Remove the instances of this state directory that are in no record: their end was recorded, and failed after.

    The engine is asked before the store: an instance is recorded before it is asked of the engine, so one that was
    found and is being started has its record by then.
    """
    found = await asyncio.to_thread(node.engine.find, {LABEL_STATE: state_id})
    recorded = {record.id for record in await node.call(node.store.instances)}
    for instance_id in {info.instance_id for info in found} - recorded - in_the_books():
        node.report(f"{instance_id} is in no record, removed")
        await asyncio.to_thread(node.engine.remove, instance_id)


async def remove_directories(
    node: Node, in_the_books: InTheBooks, *, older_than_seconds: float = _YOUNG_SECONDS
) -> None:
    """Remove the directories of instances that are no more: their jobs have ended, the removal was cut short.

    An instance that is being started has its directory before its record, so a young one is left alone.
    """
    root = layout.instances(node.config.state_dir)
    found = await asyncio.to_thread(_directories, root, time.time() - older_than_seconds)
    recorded = {record.id for record in await node.call(node.store.instances)}
    for name in found - recorded - in_the_books():
        await asyncio.to_thread(shutil.rmtree, root / name, True)


async def discard_outputs(node: Node) -> None:
    """Discard what was stored for attempts that run no longer, and that no daemon has discarded since.

    Whoever shares the bucket does it: the daemon whose attempt it was may never come back. A link that was given away
    is good for minutes, so nothing comes for an attempt that has ended so long ago.

    Raises:
        StoreError: the artifacts are of another database as well.
    """
    presigner = node.artifacts
    if not isinstance(presigner, Presigner):
        return
    found = await asyncio.to_thread(lambda: list(presigner.left(older_than=_FORGOTTEN)))
    if not found:
        return
    await asyncio.to_thread(node.artifacts.check_owner, await node.call(node.store.state_id))
    running = {job.token for job in await node.call(node.store.running)}
    for key in found:
        if attempt_of(key) not in running:
            await asyncio.to_thread(presigner.discard, key)
            node.report(f"{key} was stored for an attempt that has ended, discarded")


def _directories(root: Path, before: float) -> set[str]:
    if not root.is_dir():
        return set()
    found: set[str] = set()
    for each in root.iterdir():
        with contextlib.suppress(FileNotFoundError):  # it is just being removed
            if each.stat().st_mtime <= before:
                found.add(each.name)
    return found
