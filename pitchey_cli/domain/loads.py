"""Loads for a simulation: when jobs come, and how long each holds a slot. Drawn by seed, or as they were recorded.

A load gives its jobs in blocks of arrays, in the order of their times: ten million of them pass without ten million
objects. Loads that are made up are Poisson processes whose rate may change over time; they are drawn by thinning
(P. Lewis, G. Shedler, "Simulation of nonhomogeneous Poisson processes by thinning", Naval Research Logistics 26, 1979).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pitchey_cli.domain.arrivals import Arrival
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

DAY_SECONDS = 86400.0
_BLOCK_JOBS = 65536


class Block(NamedTuple):
    """Jobs in the order of their times."""

    at: NDArray[np.float64]  #: seconds since the beginning
    pool: NDArray[np.int64]  #: which of the load's pools
    seconds: NDArray[np.float64]


class Load(Protocol):
    """What comes."""

    @property
    def pools(self) -> Sequence[PoolKey]:
        """Whose jobs come."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""

    @property
    def expected_jobs(self) -> float:
        """How many come, on average over all seeds."""

    def blocks(self, seed: int) -> Iterator[Block]:
        """The jobs. The same seed gives the same."""


class Spread(StrEnum):
    """How service times differ."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"
    LOGNORMAL = "lognormal"


@dataclass(frozen=True)
class Durations:
    """Service times of a mean, or drawn from some that were measured."""

    mean_seconds: float
    spread: Spread = Spread.EXPONENTIAL
    deviation: float = 1.0  #: of a lognormal one: standard deviation divided by the mean
    measured: tuple[float, ...] = ()

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """So many of them."""
        if self.measured:
            return rng.choice(np.asarray(self.measured, dtype=np.float64), count)
        match self.spread:
            case Spread.FIXED:
                return np.full(count, self.mean_seconds)
            case Spread.EXPONENTIAL:
                return rng.exponential(self.mean_seconds, count)
            case Spread.LOGNORMAL:
                variance = math.log1p(self.deviation**2)
                return rng.lognormal(math.log(self.mean_seconds) - variance / 2, math.sqrt(variance), count)


class Shape(StrEnum):
    """How the rate of a load changes over time."""

    POISSON = "poisson"  #: not at all
    DIURNAL = "diurnal"  #: a sine of a day: least at the beginning, most after half a day
    BURST = "burst"  #: many times as much for a while, again and again


_DIURNAL_SWING = 0.9  # of the mean: at night a tenth of it, at noon nearly twice as much
_BURST_EVERY_SECONDS = 3600.0
_BURST_SECONDS = 120.0
_BURST_FACTOR = 20.0  # of the rate between bursts


def rate_at(shape: Shape, mean: float, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jobs per second at some times; on average over whole days it is the mean."""
    match shape:
        case Shape.POISSON:
            return np.full(len(at), mean)
        case Shape.DIURNAL:
            return mean * (1 - _DIURNAL_SWING * np.cos(2 * math.pi * at / DAY_SECONDS))
        case Shape.BURST:
            share = _BURST_SECONDS / _BURST_EVERY_SECONDS
            quiet = mean / (1 - share + share * _BURST_FACTOR)
            # in the middle of each hour
            is_burst = np.abs(at % _BURST_EVERY_SECONDS - _BURST_EVERY_SECONDS / 2) < _BURST_SECONDS / 2
            return np.where(is_burst, quiet * _BURST_FACTOR, quiet)


def expected(shape: Shape, mean: float, seconds: float) -> float:
    """Jobs that come from the beginning on: the integral of the rate."""
    match shape:
        case Shape.POISSON:
            return mean * seconds
        case Shape.DIURNAL:
            turn = 2 * math.pi / DAY_SECONDS
            return mean * (seconds - _DIURNAL_SWING * math.sin(turn * seconds) / turn)
        case Shape.BURST:
            share = _BURST_SECONDS / _BURST_EVERY_SECONDS
            quiet = mean / (1 - share + share * _BURST_FACTOR)
            hours, left = divmod(seconds, _BURST_EVERY_SECONDS)
            begun = left - (_BURST_EVERY_SECONDS - _BURST_SECONDS) / 2
            bursts = hours * _BURST_SECONDS + min(max(begun, 0.0), _BURST_SECONDS)
            return quiet * (seconds + (_BURST_FACTOR - 1) * bursts)


def _most(shape: Shape, mean: float) -> float:
    match shape:
        case Shape.POISSON:
            return mean
        case Shape.DIURNAL:
            return mean * (1 + _DIURNAL_SWING)
        case Shape.BURST:
            share = _BURST_SECONDS / _BURST_EVERY_SECONDS
            return mean * _BURST_FACTOR / (1 - share + share * _BURST_FACTOR)


@dataclass(frozen=True)
class Stream:
    """Made-up jobs of one pool."""

    pool: PoolKey
    per_second: float  #: on average
    durations: Durations
    shape: Shape = Shape.POISSON


@dataclass(frozen=True)
class SyntheticLoad:
    """Streams of made-up jobs, side by side."""

    streams: tuple[Stream, ...]
    seconds: float

    @property
    def pools(self) -> Sequence[PoolKey]:
        """Whose jobs come."""
        return [stream.pool for stream in self.streams]

    @property
    def expected_jobs(self) -> float:
        """How many come, on average over all seeds."""
        return sum(expected(each.shape, each.per_second, self.seconds) for each in self.streams)

    def blocks(self, seed: int) -> Iterator[Block]:
        """The jobs, a window of time after the other."""
        rng = np.random.default_rng(seed)
        rate = sum(_most(stream.shape, stream.per_second) for stream in self.streams)
        if rate <= 0:
            return
        windows = max(1, math.ceil(self.seconds * rate / _BLOCK_JOBS))
        length = self.seconds / windows
        for number in range(windows):
            parts = [self._window(rng, index, number * length, length) for index in range(len(self.streams))]
            at = np.concatenate([part.at for part in parts])
            order = np.argsort(at, kind="stable")
            pool = np.concatenate([part.pool for part in parts])
            seconds = np.concatenate([part.seconds for part in parts])
            yield Block(at[order], pool[order], seconds[order])

    def _window(self, rng: np.random.Generator, index: int, begin: float, length: float) -> Block:
        stream = self.streams[index]
        most = _most(stream.shape, stream.per_second)
        at = begin + length * rng.random(int(rng.poisson(most * length)))
        if stream.shape is not Shape.POISSON:
            at = at[rng.random(len(at)) * most < rate_at(stream.shape, stream.per_second, at)]
        return Block(at, np.full(len(at), index, dtype=np.int64), stream.durations.draw(rng, len(at)))


@dataclass(frozen=True)
class RecordedLoad:
    """Jobs as they came once: from a file, or from the store."""

    pools: Sequence[PoolKey]
    seconds: float
    _block: Block

    @classmethod
    def of(cls, arrivals: Sequence[Arrival], *, begin: float | None = None, end: float | None = None) -> RecordedLoad:
        """Put them in order.

        Args:
            begin: when the load begins; with the first job if nothing is said.
            end: when it ends; when the last job would have ended if nobody waited, if nothing is said.
        """
        ordered = sorted(arrivals)
        # There may be millions of jobs, and few that differ in this.
        whose = {(each.service, each.size, each.organisation) for each in ordered}
        pools = {(service, *rest): PoolKey.of(Service(service), *rest) for service, *rest in whose}
        keys = sorted(set(pools.values()))
        place = {key: index for index, key in enumerate(keys)}
        number = {each: place[key] for each, key in pools.items()}
        if begin is None:
            begin = ordered[0].at if ordered else 0.0
        if end is None:
            end = max((each.at + each.seconds for each in ordered), default=begin)
        at = np.array([each.at - begin for each in ordered], dtype=np.float64)
        pool = np.array([number[each.service, each.size, each.organisation] for each in ordered], dtype=np.int64)
        seconds = np.array([each.seconds for each in ordered], dtype=np.float64)
        return cls(keys, end - begin, Block(at, pool, seconds))

    @property
    def expected_jobs(self) -> float:
        """How many there are."""
        return float(len(self._block.at))

    def blocks(self, seed: int) -> Iterator[Block]:
        """The jobs; no seed changes them."""
        del seed
        for begin in range(0, len(self._block.at), _BLOCK_JOBS):
            part = slice(begin, begin + _BLOCK_JOBS)
            yield Block(self._block.at[part], self._block.pool[part], self._block.seconds[part])
