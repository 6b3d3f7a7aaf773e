"""How several nodes share the work that waits for all of them. Pure.

Every node computes all shares from the same rows, and takes its own: they add up to what there is, so for one job one
instance is started and not one on each node. The rows may be a beat old, and a node may be unable to do what it should:
whoever waits for longer than `PATIENCE_SECONDS` is counted by everybody, rounded up, so nobody starves. What was
started for nothing then sleeps: the claim decides who works.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

PATIENCE_SECONDS = 5.0  #: several ticks of a daemon; more than a claim and less than most starts take


def portion(whole: int, mine: str, weights: Mapping[str, float]) -> int:
    """My part of a whole number of things: in proportion to the weights, by the largest remainders.

    The parts of all add up to the whole (the method of A. Hamilton, 1792). Where nobody has any weight, all have the
    same.

    Args:
        weights: by the ids of the nodes, mine among them; ties go to the lower id.
    """
    if whole <= 0 or mine not in weights:
        return 0
    if sum(weights.values()) <= 0:
        weights = dict.fromkeys(weights, 1.0)
    total = sum(weights.values())
    quotas = {node: whole * max(0.0, weight) / total for node, weight in weights.items()}
    parts = {node: math.floor(quota) for node, quota in quotas.items()}
    left = whole - sum(parts.values())
    by_remainder = sorted(quotas, key=lambda node: (parts[node] - quotas[node], node))
    return parts[mine] + (mine in by_remainder[:left])


def share(waiting: int, mine: str, weights: Mapping[str, float], *, free_elsewhere: int, waited_seconds: float) -> int:
    """How many of the jobs that wait for a pool this node should have room for.

    Args:
        weights: the free room of the nodes that may take them.
        free_elsewhere: slots that are free on other nodes' instances: those will be quicker.
        waited_seconds: how long the jobs have waited, on average.
    """
    if len(weights) <= 1:
        return waiting
    if waited_seconds <= PATIENCE_SECONDS:
        return portion(max(0, waiting - free_elsewhere), mine, weights)
    total = sum(weights.values())
    fraction = weights.get(mine, 0.0) / total if total > 0 else 1 / len(weights)
    return min(waiting, math.ceil(waiting * fraction - 1e-9)) or min(1, waiting)


def share_of_all(
    waiting: Iterable[tuple[int, Mapping[str, float]]], mine: str, *, free_elsewhere: int, waited_seconds: float
) -> int:
    """How many jobs this node should have room for, of those that ask different things of their node.

    A slot that is free elsewhere is reckoned with for one of them, and not for each kind anew.

    Args:
        waiting: how many jobs ask the same, and the weights of the nodes that may take them.
    """
    jobs, free = 0, free_elsewhere
    for each, weights in waiting:
        jobs += share(each, mine, weights, free_elsewhere=free, waited_seconds=waited_seconds)
        if len(weights) > 1:
            free = max(0, free - each)
    return jobs
