"""What the other nodes mean for this one: which of the jobs that wait it should have room for.

Both functions run on the writer's thread. The arithmetic is that of domain/sharing.py.
"""

from __future__ import annotations

from pitchey_cli.daemon.membership import Membership
from pitchey_cli.daemon.node import Node
from pitchey_cli.daemon.scaler import ALONE, Others
from pitchey_cli.domain.nodes import may_take
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.sharing import share_of_all
from pitchey_cli.domain.turns import Turns


def others(node: Node, membership: Membership) -> Others:
    """What other nodes have. Who is alone only asks whether it is drained."""
    epoch = node.identity.epoch
    if epoch is not None and not node.store.may_take(epoch):
        return Others(is_draining=True)
    takers = membership.takers
    if not takers or node.config.is_foreground:
        return ALONE
    mine = float(membership.told.free_memory_bytes)
    weights = {node.identity.id: mine, **{each.id: float(each.room.free_memory_bytes) for each in takers}}
    return Others(node.identity.id, weights, node.store.pools_elsewhere(node.identity.id))


def share_of(key: PoolKey, turns: Turns, others: Others, membership: Membership) -> int:
    """How many of the jobs that wait for a pool this node should have room for."""
    found = others.elsewhere.get(key)
    free, waited = 0 if found is None else found.free_slots, turns.wait_seconds() or 0.0
    wanted: list[tuple[int, dict[str, float]]] = []
    for wishes in sorted(turns.wishes):  # each node in the same order
        takers = {each.id for each in membership.takers if may_take(*wishes, key.service, each)} | {others.mine}
        weights = {node_id: weight for node_id, weight in others.weights.items() if node_id in takers}
        wanted.append((turns.demand(wishes), weights))
    return min(turns.demand(), share_of_all(wanted, others.mine, free_elsewhere=free, waited_seconds=waited))
