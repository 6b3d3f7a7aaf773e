"""Let a load pass through pools that do not exist, with the settings as they are, or with others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pitchey_cli.domain import moments
from pitchey_cli.domain.arrivals import Arrival, durations
from pitchey_cli.domain.capacity import CapacityPolicy, Size, budget
from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.domain.frontier import Trial, frontier
from pitchey_cli.domain.loads import Durations, Load, RecordedLoad, Shape, Spread, Stream, SyntheticLoad
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.simulated_pool import PoolModel
from pitchey_cli.domain.simulation import Result, Scenario, run
from pitchey_cli.operations import traces
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

RECORDED = "recorded"
HISTORY = timedelta(days=7)  #: as far as the recorded load reaches back, if nothing is said
_SYNTHETIC_SPAN = timedelta(days=1)
MOST_JOBS = 50_000_000  #: two minutes' work or so, and less than a gigabyte if all of them wait
MOST_SPAN = timedelta(days=366)  #: a decision a second takes a third of an hour
_LEAST_MEASURED = 20  # jobs of a service whose times stand for those to come
_HOW_TO_SAY = "Say what comes: --load poisson --service video --rate 100/h --seconds 30, or a file: --load trace.csv."

OnProgress = Callable[[float], None]


@dataclass(frozen=True)
class LoadRequest:
    """What is to come, as a person asks for it."""

    load: str = ""  #: a shape, `recorded`, or a file; empty: recorded
    services: tuple[str, ...] = ()
    rate: str = ""
    span: str = ""
    seconds: float | None = None
    spread: Spread | None = None

    @property
    def is_synthetic(self) -> bool:
        """Whether it is made up."""
        return self.load in set(Shape)

    @property
    def is_trace(self) -> bool:
        """Whether it is in a file."""
        return not self.is_synthetic and self.name != RECORDED

    @property
    def name(self) -> str:
        """What it is called."""
        return self.load or RECORDED


@dataclass(frozen=True)
class Setup:
    """The settings of one run, as the simulation takes them."""

    model: Callable[[PoolKey], PoolModel]  #: of a pool, on one node
    host: Size
    policy: CapacityPolicy


def choose_load(asked: LoadRequest, store: Callable[[], Store], *, now: datetime) -> Load:
    """Find or make the load that was asked for.

    Raises:
        UsageError, InputNotFound: it is not said well enough, is too much, or there is none.
    """
    for service in asked.services:
        if service not in set(Service):
            raise UsageError(f"There is no service {service!r}.", hint=f"There is {', '.join(Service)}.")
    span = moments.span(asked.span, what="--for") if asked.span else None
    if span is not None and not span:
        raise UsageError("--for: nothing can come in no time.", hint="30m, 24h, 7d.")
    load = _chosen(asked, span, store, now)
    if load.expected_jobs > MOST_JOBS:
        raise UsageError(
            f"That is {load.expected_jobs:,.0f} jobs; a simulation takes at most {MOST_JOBS:,}.",
            hint="A lower --rate or a shorter --for." if asked.is_synthetic else "A part of it will do.",
        )
    if load.seconds > MOST_SPAN.total_seconds():
        days = load.seconds / timedelta(days=1).total_seconds()
        raise UsageError(
            f"That is {days:,.0f} days; a simulation takes at most {MOST_SPAN.days}.",
            hint="A shorter part of the trace will do." if asked.is_trace else f"--for {MOST_SPAN.days}d, or less.",
        )
    return load


def _chosen(asked: LoadRequest, span: timedelta | None, store: Callable[[], Store], now: datetime) -> Load:
    if asked.is_synthetic:
        return _synthetic(asked, span or _SYNTHETIC_SPAN, store, now)
    for option, value in (("--rate", asked.rate), ("--seconds", asked.seconds), ("--spread", asked.spread)):
        if value:
            raise UsageError(f"{option} is for a load that is made up, and {asked.name} is none.")
    if not asked.is_trace:
        found = _of(asked.services, store().arrivals(since=now - (span or HISTORY)))
        if not found:
            of = f" of {', '.join(asked.services)}" if asked.services else ""
            raise InputNotFound(f"There is no history of jobs{of} that a simulation could replay.", hint=_HOW_TO_SAY)
        return RecordedLoad.of(found, end=max(now.timestamp(), found[-1].at))
    if span is not None:
        raise UsageError(f"--for is for other loads: {asked.load} lasts as long as its jobs do.", hint="Leave it out.")
    found = _of(asked.services, traces.read(Path(asked.load)))
    if not found:
        raise InputNotFound(f"{asked.load}: there is no job of {', '.join(asked.services)} in it.")
    return RecordedLoad.of(found)


def _of(services: Sequence[str], arrivals: list[Arrival]) -> list[Arrival]:
    return [each for each in arrivals if not services or each.service in services]


def _synthetic(asked: LoadRequest, span: timedelta, store: Callable[[], Store], now: datetime) -> Load:
    if not asked.services:
        raise UsageError(f"--load {asked.load}: --service says whose jobs come.", hint=_HOW_TO_SAY)
    if not asked.rate:
        raise UsageError(f"--load {asked.load}: --rate says how many come.", hint="100/h, 5/s, 2000/min, 1e6/d.")
    if asked.seconds is not None and not 0 < asked.seconds < float("inf"):
        raise UsageError(f"--seconds: jobs take more than no time, not {asked.seconds:g} s.")
    per_second = moments.rate(asked.rate, what="--rate")
    known: dict[str, list[float]] = {}
    if asked.seconds is None:
        known = durations(store().arrivals(since=now - HISTORY))
    streams = []
    for service in dict.fromkeys(asked.services):
        times = _times(asked, service, known.get(service, []))
        streams.append(Stream(PoolKey.of(Service(service)), per_second, times, Shape(asked.load)))
    return SyntheticLoad(tuple(streams), span.total_seconds())


def _times(asked: LoadRequest, service: str, known: list[float]) -> Durations:
    if asked.seconds is not None:
        return Durations(asked.seconds, asked.spread or Spread.EXPONENTIAL)
    if not known:
        raise UsageError(
            f"Nothing is known of how long {service} jobs take: --seconds says it.",
            hint="Once some have run, their times are used.",
        )
    mean = max(1e-3, sum(known) / len(known))
    if asked.spread is not None or len(known) < _LEAST_MEASURED:
        return Durations(mean, asked.spread or Spread.EXPONENTIAL)
    return Durations(mean, measured=tuple(known))


def simulate(setup: Setup, load: Load, *, nodes: int, seed: int, on_progress: OnProgress | None = None) -> Result:
    """Let a load pass once.

    Args:
        nodes: equal ones; what is set for a node counts for each.
    """
    pools = {key: setup.model(key).on_nodes(nodes) for key in load.pools}
    scenario = Scenario(pools, budget(setup.host, setup.policy), nodes, setup.policy)
    return run(scenario, load, seed=seed, on_progress=on_progress)


def sweep(
    setups: Sequence[tuple[str, Setup]], load: Load, *, nodes: int, seed: int, on_progress: OnProgress | None = None
) -> list[Trial]:
    """Let the same load pass once with each of some settings: the same jobs, for the same seed."""
    report = on_progress or (lambda share: None)
    results: list[Result] = []
    for done, (_, setup) in enumerate(setups):

        def progress(share: float, done: int = done) -> None:
            report((done + share) / len(setups))

        results.append(simulate(setup, load, nodes=nodes, seed=seed, on_progress=progress))
    best = frontier([(each.total.cost_nanodollars, each.total.waits.p95) for each in results])
    return [
        Trial(value, result, index in best)
        for index, ((value, _), result) in enumerate(zip(setups, results, strict=True))
    ]


def median_start_seconds(store: Store) -> dict[str, float]:
    """How long the instances of each service took to start, of those that are known."""
    found: dict[str, list[float]] = {}
    for instance in store.instances(active_only=False):
        if instance.ready_at is not None:
            found.setdefault(instance.service, []).append((instance.ready_at - instance.created_at).total_seconds())
    return {service: max(0.0, sorted(each)[len(each) // 2]) for service, each in found.items()}
