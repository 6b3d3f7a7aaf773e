"""What a daemon has to agree on with those that are up, before it is one of them: its name, and where artifacts are.

A node that is up in the database may be dead all the same, and nobody has taken over from it yet. So where there is a
clash the others' beats are looked at for a while: only one that moves is an objection (domain/nodes.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import NamedTuple

from pitchey_cli.daemon.node import Node
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
    problem = await node.call(objection, node, ())
    if problem is None:
        return ()
    node.report(f"{problem} Is it at work?")
    before = [Still(each.id, each.seen) for each in await node.call(_others, node)]
    leases = [each.facts.lease_seconds for each in await node.call(_others, node)]
    until = node.clock.monotonic() + max(leases, default=0.0) * 2 / BEATS_PER_LEASE
    while node.clock.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        if (problem := await node.call(objection, node, before)) is not None:
            raise problem
    return before


def objection(node: Node, still: Collection[Still]) -> UsageError | None:
    """What those that are up, but for some, have against this node."""
    others = [each for each in _others(node) if Still(each.id, each.seen) not in still]
    facts = node.config.facts
    name = "" if facts.is_foreground else facts.name  # a `pitchey run` is called as the daemon beside it
    return clash(name, node.whereabouts, node.store.artifacts_at(), others)


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


def _others(node: Node) -> list[NodeRecord]:
    return [each for each in node.store.nodes() if each.is_up and each.id != node.identity.id]
