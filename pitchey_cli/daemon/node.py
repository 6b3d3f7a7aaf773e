"""What every part of a daemon shares: its ports and the plain values it was given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from pitchey_cli.artifacts.port import Artifacts, Deliver, Fetch, Presigner
from pitchey_cli.daemon.keeping import Keeping
from pitchey_cli.domain.alerts import Rule
from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.capacity import CapacityPolicy
from pitchey_cli.domain.clock import Clock
from pitchey_cli.domain.cost import tick_of
from pitchey_cli.domain.decision import PoolSettings
from pitchey_cli.domain.limits import INSTANCE_TYPES, Limits
from pitchey_cli.domain.nodes import Epoch, NodeFacts
from pitchey_cli.domain.notice import Notifier
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.pricelist import PriceList
from pitchey_cli.domain.retention import RetentionPolicy
from pitchey_cli.domain.retry import RetryPolicy
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.domain.warmth import WarmHours
from pitchey_cli.domain.webhooks import Reply
from pitchey_cli.domain.whereabouts import Whereabouts
from pitchey_cli.engines.port import Engine, EngineInfo
from pitchey_cli.store.port import Store
from pitchey_cli.store.writer import Writer
from processors.vocabulary import Service

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """One service, as this daemon runs it."""

    service: Service
    image: str
    instance_type: str
    limits: Limits
    slots: int
    price_per_hour: float
    pool: PoolSettings
    retry: RetryPolicy
    waiting_price_per_hour: float = 0.0  #: see domain/ladder.py
    is_forecast_heeded: bool = True
    warm_hours: WarmHours | None = None
    size: str = ""  #: the instance type, where that is not the service's own
    runtime: str = ""  #: of its containers; empty for the engine's own
    has_gpu: bool = False  #: its instances are given the graphics cards
    organisation: str = ""  #: for which alone its instances work; empty: for all
    shares_files: bool = True  #: its instances see directories of this host; else inputs and outputs go by links

    @property
    def key(self) -> PoolKey:
        """The pool whose instances are like this."""
        return PoolKey(self.service, self.size, self.organisation)

    def of_pool(self, key: PoolKey) -> ServiceConfig:
        """The same service as one of its pools has it.

        All but the first are there for those that need them, and for no longer.
        """
        chosen = replace(self, organisation=key.organisation)
        if not key.is_first:
            chosen = replace(chosen, pool=replace(self.pool, min_instances=0), warm_hours=None)
        return chosen._of_size(key.size) if key.size else chosen

    def _of_size(self, size: str) -> ServiceConfig:
        """On another instance type; its price goes with its CPUs, as those of the types do."""
        limits = INSTANCE_TYPES[size]
        price = self.price_per_hour * limits.cpus / self.limits.cpus
        return replace(self, instance_type=size, limits=limits, price_per_hour=price, size=size)


_NOBODY = NodeFacts("here", "", 0, "", tuple(Service))  # a node that nobody has named


@dataclass(slots=True)
class Identity:
    """Who this node is."""

    id: str = "here"
    is_copy: bool = False  #: its id came with a copy of a state directory
    epoch: Epoch | None = None  #: under which it acts; None before it has begun


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The values a daemon works with."""

    state_dir: Path
    services: Mapping[Service, ServiceConfig]
    queue: QueuePolicy
    capacity: CapacityPolicy
    retention: RetentionPolicy
    poll_seconds: float
    lease_seconds: float
    drain_seconds: float
    grace_seconds: float
    output_limit_bytes: int
    instance_user: tuple[int, int]  #: uid and gid of what runs in instances
    prices: PriceList = field(default_factory=PriceList)
    region: str = "local"
    is_spot: bool = False  #: its cloud may take it away
    spot_notice: Notifier | None = None  #: who is asked whether it is about to
    zone: tzinfo = UTC  #: in which the days of budgets begin
    alerts: tuple[Rule, ...] = ()
    deliveries_kept: timedelta = timedelta(days=7)  #: of webhooks, from when they have ended
    ca_file: Path | None = None  #: certificate authorities for porters, which have none of their own
    porter_network: str = "bridge"  #: the engine's, by which they reach the object store
    is_foreground: bool = False  #: a `pitchey run` without a daemon: only jobs that somebody waits for
    most_apart_seconds: float = math.inf  #: that the clock here may be from that of the database's server
    facts: NodeFacts = _NOBODY  #: what it says of itself to the other nodes


class Fire(Protocol):
    """Submits what recurring schedules have due."""

    def __call__(self, *, awake_since: datetime, is_ending: Callable[[], bool]) -> Iterable[str]:
        """Lines for the log. Blocks, until all is done or `is_ending` says so.

        Args:
            awake_since: since when the daemon has been there without a break.
        """


class Post(Protocol):
    """Sends a message to a webhook."""

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """What came of it, in a time that is kept; that it could not be sent is a reply as well."""


@dataclass(frozen=True, slots=True)
class Node:
    """The ports, the clock and the dice."""

    config: NodeConfig
    store: Store  #: never called directly: `await node.call(node.store.claim, ...)` runs it on the writer's thread
    writer: Writer
    engine: Engine
    host: EngineInfo
    artifacts: Artifacts
    fetch: Fetch
    fire: Fire
    clock: Clock
    dice: Callable[[], float]  #: uniform in [0, 1)
    report: Callable[[str], None]  #: one line for the operator's log
    deliver: Deliver | None = None  #: brings outputs to buckets; None: there are none
    post: Post | None = None  #: None: nobody is told anything
    presigner: Presigner | None = None  #: makes the links for instances that share no files
    identity: Identity = field(default_factory=Identity)
    whereabouts: Whereabouts | None = None  #: of its artifacts; None: no other node needs them, or nobody can say now
    keeping: Keeping = field(init=False)  #: through which short results go into the artifacts

    def __post_init__(self) -> None:
        """Make what goes with the artifacts."""
        object.__setattr__(self, "keeping", Keeping(self.artifacts))

    def tick(self) -> int:
        """The time on the scale that costs are counted on."""
        return tick_of(self.clock.monotonic())

    def as_of(self) -> AsOf:
        """The moment, on every clock that money is counted by."""
        return AsOf(self.clock.now(), self.clock.boot(), self.tick(), self.config.zone)

    async def call(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a method of the store on the writer's thread; it is durable when this returns."""
        return await self.writer.call(method, *args, **kwargs)

    async def join(self, method: Callable[[Sequence[A]], Sequence[T | Exception]], item: A) -> T:
        """The same for what is done together with others of its kind that come in at the same time."""
        return await self.writer.join(method, item)

    async def note(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what would only be done again, if a power cut undid it."""
        return await self.writer.note(method, *args, **kwargs)
