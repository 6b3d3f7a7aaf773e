"""What a daemon has to agree on with those that are up, before it is one: its id, its name, where artifacts are.

A node that is up in the database may be dead all the same, and nobody has taken over from it yet. So where there is a
clash the beats are looked at for a while: only one that moves is an objection (domain/nodes.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import NamedTuple

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.nodes import BEATS_PER_LEASE, NodeRecord
from pitchey_cli.domain.whereabouts import clash

_LOOK_SECONDS = 1.0


class Still(NamedTuple):
    """A node that is up in the database, and did not move while it was looked at."""

    id: str
    seen: tuple[int, int]


async def reach(node: Node) -> Collection[Still] | None:
    """Make sure that nobody objects; those that did not answer. None where nobody else can be.

    Raises:
        UsageError: somebody does.
    """
    if await node.call(node.store.time_there) is None:
        return None  # no server
    up = await node.call(_up, node)
    before = {each.id: Still(each.id, each.seen) for each in up}
    leases: list[float] = []
    for each in up:  # should it be the only one that lives
        problem = await node.call(objection, node, [still for name, still in before.items() if name != each.id])
        if problem is not None:
            node.report(f"{problem} Is it at work?")
            leases.append(each.facts.lease_seconds)
    if not leases:
        return ()
    until = node.clock.monotonic() + max(leases) * 2 / BEATS_PER_LEASE
    while node.clock.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        if (problem := await node.call(objection, node, before.values())) is not None:
            raise problem
    return before.values()


def objection(node: Node, still: Collection[Still]) -> UsageError | None:
    """What those that are up, but for some, have against this node."""
    moved = [each for each in _up(node) if Still(each.id, each.seen) not in still]
    others = [each for each in moved if each.id != node.identity.id]
    if len(others) < len(moved) and (problem := _copied(node)) is not None:
        return problem
    facts = node.config.facts
    name = "" if facts.is_foreground else facts.name  # a `pitchey run` is called as the daemon beside it
    return clash(name, node.whereabouts, node.store.artifacts_at(), others)


def _copied(node: Node) -> UsageError | None:
    """What is said where somebody seems to work under the id of this node, as its state directory was copied.

    That is so where the id came with a copied file, and where instances are of another boot: those of a machine that
    has been started anew since, or of another one. To look for them here would end what they work at.
    """
    path = layout.node_id(node.config.state_dir)
    if node.identity.is_copy:
        hint = f"This is a copy: remove {path}, and a new one is made."
    elif any(each.boot != node.clock.boot() for each in node.store.instances(node=node.identity.id)):
        hint = f"Two state directories have it. Whichever is the copy: remove its node.id (here {path})."
    else:
        return None
    return UsageError("Another daemon is up under the id of this node.", hint=hint)


def settle(node: Node) -> str:
    """Say to all where artifacts are from now on, where nobody has said so or nobody is up; what to tell people."""
    here, there = node.whereabouts, node.store.artifacts_at()
    if here is None or node.config.is_foreground or (there is not None and there.id == here.id):
        return ""
    node.store.note_artifacts_at(here)
    if there is None:
        return ""
    return (
        f"the artifacts of this queue are in {here.said} from now on; what is in {there.said} does not move by itself"
    )


def _up(node: Node) -> list[NodeRecord]:
    return [each for each in node.store.nodes() if each.is_up]
