"""What a daemon remembers of its pools: a row for every change, a sample of every pool that is not at rest, the last
decision about each, and how long things took.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.decision import Decision, Headroom, Metrics, PoolView
from pitchey_cli.domain.errors import StoreError
from pitchey_cli.domain.observation import Change, LastDecision, Measure, Measurement, PoolSample, ScalingEvent
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.scaling import explain
from pitchey_cli.domain.timings import grouped

_SAMPLE_SECONDS = 10.0
_KEPT_EVENTS = 1000  # that could not be written


class Observer:
    """Collects what happens to the pools of one node, and hands it down to the store."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._write_at = 0.0
        self._events: list[ScalingEvent] = []
        self._decisions: dict[PoolKey, Callable[[], LastDecision]] = {}  # not written yet, nor put into words
        self._samples: dict[PoolKey, PoolSample] = {}  # of the last tick
        self._most: dict[PoolKey, tuple[int, int]] = {}  # waiting jobs, and instances, since the last written sample
        self._took: defaultdict[tuple[PoolKey, Measure], list[float]] = defaultdict(list)
        self._empty: set[PoolKey] = set()  # pools in which nothing was at the last tick
        self._at_rest: set[PoolKey] = set()  # pools whose last written sample says so
        self._forgotten: set[PoolKey] = set()  # of which the store is still to be told

    def measured(self, key: PoolKey, name: Measure, seconds: Sequence[float]) -> None:
        """Something took so long, once or several times."""
        self._took[key, name].extend(seconds)

    def changed(
        self,
        key: PoolKey,
        change: Change,
        why: str,
        wanted: int,
        instance_id: str = "",
        *,
        was: int | None = None,
        rule: str = "",
    ) -> None:
        """Something has changed about a pool."""
        before = wanted if was is None else was
        now = self._node.clock.now()
        self._events.append(
            ScalingEvent(now, key, change, why, before, wanted, rule, instance_id, node=self._node.identity.id)
        )

    def decided(self, key: PoolKey, view: PoolView, metrics: Metrics, headroom: Headroom, decision: Decision) -> None:
        """It has been decided about a pool."""
        has_changed = decision.wanted != decision.was
        if has_changed:
            rule = decision.rule.value
            self.changed(key, Change.WANTED, decision.why, decision.wanted, was=decision.was, rule=rule)
        (self._empty.add if view.is_empty else self._empty.discard)(key)
        if view.is_empty and key in self._at_rest and not has_changed:
            self._samples.pop(key, None)
            return
        waiting, instances = self._most.get(key, (0, 0))
        instances = max(instances, view.starting + view.ready + view.paused)
        self._most[key] = most = max(waiting, view.waiting), instances
        now = self._node.clock.now()
        self._decisions[key] = partial(_explained, now, self._node.identity.id, key, view, metrics, headroom, decision)
        self._samples[key] = PoolSample(
            now,
            key,
            waiting=view.waiting,
            running=view.running,
            starting=view.starting,
            ready=view.ready,
            paused=view.paused,
            wanted=decision.wanted,
            wait_seconds=metrics.wait_seconds,
            demand=metrics.stable_demand,
            cpu=metrics.cpu,
            memory=metrics.memory,
            most_waiting=most[0],
            most_instances=most[1],
            node=self._node.identity.id,
        )

    def is_at_rest(self, key: PoolKey) -> bool:
        """Whether there is nothing in a pool, and all that was is written."""
        return key in self._empty and key in self._at_rest and key not in self._decisions and key not in self._samples

    def forget(self, key: PoolKey) -> None:
        """A pool is no more."""
        self._empty.discard(key)
        self._at_rest.discard(key)
        self._forgotten.add(key)

    async def hand_down(self, now: float, *, is_end: bool = False) -> None:
        """Write what there is: the changes at once, the rest every few seconds, or at the end. `now` is monotonic."""
        is_time = is_end or now >= self._write_at
        if not (is_time or self._events):
            return
        samples: list[PoolSample] = []
        measurements: list[Measurement] = []
        if is_time:
            self._write_at = now + _SAMPLE_SECONDS
            samples = list(self._samples.values())
            wall = self._node.clock.now()
            measurements = [
                Measurement(wall, key, name, seconds, count)
                for (key, name), taken in self._took.items()
                for seconds, count in grouped(taken)
            ]
            self._took.clear()
            self._most.clear()
            self._at_rest = self._samples.keys() & self._empty | self._at_rest - self._samples.keys()
        events, self._events = self._events, []
        due = list(self._decisions) if is_time else {each.pool for each in events} & self._decisions.keys()
        decisions = [self._decisions.pop(key)() for key in due]
        forgotten, self._forgotten = self._forgotten, set()
        if not (samples or measurements or events or decisions or forgotten):
            return
        try:
            if forgotten:  # first: one that is there again has been decided about since
                node = self._node.identity.id
                await self._node.call(self._node.store.forget_pools, sorted(forgotten), node=node)
            await self._node.call(self._node.store.observe, samples, measurements, events, decisions)
        except StoreError as error:
            # Every change is to have its row; how it stood in between may be missing.
            self._events = [*events, *self._events][:_KEPT_EVENTS]
            self._forgotten |= forgotten
            self._node.report(f"what has changed about the pools cannot be noted: {error}")


def _explained(
    at: datetime, node: str, key: PoolKey, view: PoolView, metrics: Metrics, headroom: Headroom, decision: Decision
) -> LastDecision:
    return LastDecision(at, key, explain(view, metrics, headroom, decision), node)
