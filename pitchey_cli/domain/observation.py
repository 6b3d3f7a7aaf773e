"""What is remembered of the pools: how they stood, what changed them, how long things took. Values, no behaviour."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.values import dataclass
from processors.vocabulary import Service


class Measure(StrEnum):
    """What takes time, and is measured."""

    START = "start"  #: from asking the engine to the first answer of the worker
    UNPAUSE = "unpause"  #: the same for one that was paused
    COLD_PICKUP = "cold_pickup"  #: from a submission to the acceptance, where an instance had to be started or woken
    WARM_PICKUP = "warm_pickup"  #: the same where a slot was free


@dataclass(frozen=True)
class Measurement:
    """How long something took: once, or several times about as long, and never longer."""

    at: datetime
    pool: PoolKey
    name: Measure
    seconds: float
    count: int = 1


@dataclass(frozen=True)
class PoolSample:
    """How a pool stood at a moment."""

    at: datetime
    pool: PoolKey
    waiting: int
    running: int
    starting: int
    ready: int
    paused: int
    wanted: int
    wait_seconds: float | None = None
    demand: float | None = None  #: jobs that waited or ran, on average over the stable window
    cpu: float | None = None  #: shares of what its instances were granted
    memory: float | None = None
    most_waiting: int = 0  #: at any look since the sample before
    most_instances: int = 0  #: started or starting, paused ones among them
    node: str = ""  #: whose part of the pool it is: those of several nodes add up

    @property
    def service(self) -> Service:
        """Of the pool."""
        return self.pool.service


class Change(StrEnum):
    """What may change about a pool."""

    WANTED = "wanted"  #: how many instances are to take work
    PAUSE = "pause"
    STOP = "stop"
    GIVE_WAY = "give_way"


@dataclass(frozen=True)
class ScalingEvent:
    """A decision that changed something."""

    at: datetime
    pool: PoolKey
    change: Change
    why: str
    was: int = 0  #: wanted before, and
    wanted: int = 0  #: after
    rule: str = ""
    instance_id: str = ""
    id: int = 0
    node: str = ""  #: that has decided

    @property
    def service(self) -> Service:
        """Of the pool."""
        return self.pool.service


@dataclass(frozen=True)
class LastDecision:
    """What a node has decided about a pool last, with all that led to it."""

    at: datetime
    pool: PoolKey
    explanation: dict[str, Any] = field(default_factory=dict)  #: see scaling.explain
    node: str = ""  #: that has decided

    @property
    def service(self) -> Service:
        """Of the pool."""
        return self.pool.service


@dataclass(frozen=True)
class WarmRequest:
    """Somebody wants so many instances of a service ready."""

    pool: PoolKey
    instances: int
    until: datetime

    @property
    def service(self) -> Service:
        """Of the pool."""
        return self.pool.service


INTERVAL_SECONDS = 300.0  #: in which jobs that come are counted together


@dataclass(frozen=True)
class Came:
    """The jobs of a service in an interval: how many came, and how long those that ended took."""

    service: Service
    interval: int  #: since 1970
    jobs: int
    ended: int = 0
    seconds: float = 0.0  #: of all that ended


@dataclass(frozen=True)
class Forecast:
    """What is expected of a service, and how well that has done before."""

    at: datetime
    service: Service
    instances: int  #: that hold what is to come
    is_in_force: bool  #: else it runs in shadow
    history_days: float
    error: float | None  #: mean absolute error of the back-test, in jobs per interval; None: not enough to test on
    naive_error: float | None  #: of the guess that it will be as one season before
    flat_error: float | None  #: of the guess that it will be as on average
    why: str
