"""Learns how many jobs come when, and says what is to be kept ready for those that will.

What came is counted per service and interval, and kept in the store: it outlives the jobs. A model is fitted once a
day, and learns one more interval every five minutes in between. Whether it has a say is decided in domain/forecast.py.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.decision import Wish
from pitchey_cli.domain.errors import StoreError, logged
from pitchey_cli.domain.forecast import WEEK, ForecastSettings, Model, floor, learn
from pitchey_cli.domain.observation import INTERVAL_SECONDS, Came, Forecast
from processors.vocabulary import Service

_LEARN_SECONDS = 86_400.0
_HISTORY = 8 * WEEK  # intervals that are learnt from at most
_LAG = 2  # intervals: what waits in the queue is counted where it belongs once it is taken


@dataclass(slots=True)
class _Learnt:
    model: Model
    mean_seconds: float  #: that a job holds its slots


class Forecasting:
    """The forecasts of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._came: defaultdict[tuple[Service, int], list[float]] = defaultdict(lambda: [0, 0, 0.0])
        self._learnt: dict[Service, _Learnt] = {}
        self._interval = _interval_of(node.clock.now())
        self._learn_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def note_came(self, service: Service, due: datetime) -> None:
        """A job that was due then is being taken for the first time."""
        self._came[service, _interval_of(due)][0] += 1

    def note_ended(self, service: Service, seconds: float) -> None:
        """An attempt has held its slots for so long."""
        counted = self._came[service, _interval_of(self._node.clock.now())]
        counted[1] += 1
        counted[2] += seconds

    def floors(self, service: Service, slots: int, target: float) -> tuple[Wish, ...]:
        """What is to be kept ready; nothing while the forecast runs in shadow."""
        learnt = self._learnt.get(service)
        if learnt is None:
            return ()
        wish, is_in_force = self._floor(learnt, slots, target)
        return (wish,) if is_in_force and wish.instances else ()

    def begin_if_due(self) -> None:
        """Once an interval: keep what was counted, and learn from it. A `pitchey run` learns nothing."""
        interval = _interval_of(self._node.clock.now())
        if self._node.config.is_foreground or interval == self._interval:
            return
        if self._task is None or self._task.done():
            self._interval = interval
            self._task = asyncio.create_task(self._noting_failure(interval))

    async def _noting_failure(self, interval: int) -> None:
        try:
            await self._learn(interval)
        except Exception as error:  # the next interval tries again
            self._node.report(f"the forecast failed: {logged(error)}")

    async def keep_counted(self) -> None:
        """Hand down what was counted since the last time."""
        node = self._node
        counted, self._came = self._came, defaultdict(lambda: [0, 0, 0.0])
        came = [Came(*key, int(jobs), int(ended), seconds) for key, (jobs, ended, seconds) in counted.items()]
        try:
            if came:
                await node.call(node.store.add_came, came)
        except StoreError:
            for key, numbers in counted.items():
                self._came[key] = [sum(pair) for pair in zip(self._came[key], numbers, strict=True)]
            raise

    async def _learn(self, interval: int) -> None:
        node, now = self._node, self._node.clock.monotonic()
        await self.keep_counted()
        last = interval - _LAG
        is_to_fit = now >= self._learn_at or any(
            last - each.model.next_interval > WEEK for each in self._learnt.values()
        )
        forecasts: list[Forecast] = []
        for service, config in node.config.services.items():
            await (self._fit(service, last) if is_to_fit else self._observe(service, last))
            if (learnt := self._learnt.get(service)) is not None:
                wish, is_in_force = self._floor(learnt, config.slots, config.pool.target)
                errors = learnt.model.errors
                forecasts.append(
                    Forecast(
                        at=node.clock.now(),
                        service=service,
                        instances=wish.instances,
                        is_in_force=is_in_force,
                        history_days=learnt.model.history_days,
                        error=None if errors is None else errors.mae,
                        naive_error=None if errors is None else errors.naive_mae,
                        flat_error=None if errors is None else errors.flat_mae,
                        why=wish.why,
                    )
                )
        if is_to_fit:
            self._learn_at = now + _LEARN_SECONDS
        if forecasts:
            await node.call(node.store.set_forecasts, forecasts)

    async def _fit(self, service: Service, interval: int) -> None:
        node = self._node
        found = await node.call(node.store.came, service, since=interval - _HISTORY)
        if found:
            first, history = _gapless(found, interval)
            model = await asyncio.to_thread(learn, history, first_interval=first)
            if model is not None:
                self._learnt[service] = _Learnt(model, _mean(found))

    async def _observe(self, service: Service, interval: int) -> None:
        learnt = self._learnt.get(service)
        if learnt is None:
            return
        node = self._node
        found = {
            each.interval: each.jobs
            for each in await node.call(node.store.came, service, since=learnt.model.next_interval)
        }
        while learnt.model.next_interval < interval:
            learnt.model = learnt.model.observe(found.get(learnt.model.next_interval, 0))

    def _floor(self, learnt: _Learnt, slots: int, target: float) -> tuple[Wish, bool]:
        return floor(
            learnt.model,
            now=self._node.clock.now().timestamp(),
            mean_seconds=learnt.mean_seconds,
            slots=slots,
            settings=ForecastSettings(target=target),
        )


def _interval_of(moment: datetime) -> int:
    return math.floor(moment.timestamp() / INTERVAL_SECONDS)


def _gapless(found: Sequence[Came], end: int) -> tuple[int, list[float]]:
    """The number of the first interval, and the jobs of each from there to the last whole one."""
    first = found[0].interval
    jobs = [0.0] * max(0, end - first)
    for each in found:
        if each.interval < end:
            jobs[each.interval - first] = each.jobs
    return first, jobs


def _mean(found: Sequence[Came]) -> float:
    ended = sum(each.ended for each in found)
    return sum(each.seconds for each in found) / ended if ended else 0.0
