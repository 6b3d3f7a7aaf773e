"""Which lines of waiting jobs might not go whatever room there were, and why. Asks domain/turns.py; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from pitchey_cli.domain.job import Job
from pitchey_cli.domain.nodes import asked
from pitchey_cli.domain.turns import Flow, Queue, QueuePolicy, Turns


class Line(NamedTuple):
    """What tells the lines of one pool apart."""

    organisation: str
    batch: str
    priority: int
    key: str
    is_off_peak: bool
    is_spot_ok: bool
    on_node: str


def line_of(job: Job | Flow) -> Line:
    """The line of a job."""
    wishes = (job.is_off_peak, job.is_spot_ok, job.on_node)
    return Line(job.organisation, job.batch, job.priority, job.key, *wishes)


def held_lines(queue: Queue, turns: Turns) -> Mapping[Line, bool]:
    """The lines in which anybody waits, and whether somebody in it may not go now."""
    return {line_of(flow): turns.free_in(flow) < flow.queued for flow in queue.flows}


def held_because(queue: Queue, policy: QueuePolicy, *, now: datetime) -> Mapping[str, int]:
    """How many jobs may not go now, by what holds them; those that a budget holds are not among them."""
    turns = Turns(queue, policy, now=now)
    found = Counter[str]()
    for flow in turns.flows:
        if left := flow.queued - turns.free_in(flow):
            found[_reason(flow, policy, queue.room, now)] += left
    return found


def _reason(flow: Flow, policy: QueuePolicy, room: Mapping[str, int], now: datetime) -> str:
    if flow.is_off_peak and not policy.off_peak.contains(now):
        return "off-peak hours"
    if policy.is_spot and not flow.is_spot_ok:
        return "a node that no cloud may take away"
    if not policy.serves(flow.on_node):
        wishes = asked(flow.on_node)
        return f"a node with {wishes}" if wishes else "a node that is set up for them"
    if room.get(flow.organisation, 1) <= 0:
        return f"the quota of {flow.organisation}"
    return f"the limit of the key {flow.key!r}" if flow.key else f"the quota of {flow.organisation}"
