"""How fast the simulation is, beside the plainest event loop there is, in the same run.

    python tests/benchmarks/bench_simulation.py [--jobs 10000000] [--nodes 1000] [--rounds 3]

The plain loop is an M/M/c queue in twenty lines: a heap of ends, a queue, numbers drawn in blocks; it knows no
instances, no slots, no decisions and no quantiles. The ratio says what all of those cost; with few jobs it is the cost
of the decisions, of which there are as many on a quiet day. Processor seconds of one core, in turns, the median.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from pitchey_cli.domain.capacity import Size
from pitchey_cli.domain.decision import PoolSettings
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.loads import DAY_SECONDS, Durations, Shape, Stream, SyntheticLoad
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.simulated_pool import PoolModel
from pitchey_cli.domain.simulation import Result, Scenario, run
from processors.vocabulary import Service

VIDEO = PoolKey(Service.VIDEO)
SERVICE_SECONDS = 30.0
AIM_SECONDS = 180.0


def ours(jobs: int, nodes: int, shape: Shape) -> Result:
    """A day of so many jobs, on nodes with room for three instances each."""
    model = PoolModel(PoolSettings(300, 0, 3 * nodes), 3, Size(2, 2 * GIB), 0.144)
    load = SyntheticLoad((Stream(VIDEO, jobs / DAY_SECONDS, Durations(SERVICE_SECONDS), shape),), DAY_SECONDS)
    return run(Scenario({VIDEO: model}, Size(8, 8 * GIB), nodes), load, seed=1)


def plain(jobs: int, servers: int) -> float:
    """The mean wait of an M/M/c queue."""
    rng = np.random.default_rng(1)
    free, ends, queue, total, at = servers, [], deque(), 0.0, 0.0  # type: ignore[var-annotated]
    for _ in range(0, jobs, 65536):
        gaps = rng.exponential(DAY_SECONDS / jobs, 65536).tolist()
        for gap, seconds in zip(gaps, rng.exponential(SERVICE_SECONDS, 65536).tolist(), strict=True):
            at += gap
            while ends and ends[0] <= at:
                now = heappop(ends)
                if queue:
                    came, its_seconds = queue.popleft()
                    total += now - came
                    heappush(ends, now + its_seconds)
                else:
                    free += 1
            if free:
                free -= 1
                heappush(ends, at + seconds)
            else:
                queue.append((at, seconds))
    return total / jobs


def seconds_of(work: Callable[[], object]) -> float:
    """Processor seconds that something takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000_000)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = Table("load", "jobs", "simulation", "plain loop", "ratio", "us per job", "aim")
    for shape, jobs in ((Shape.POISSON, options.jobs), (Shape.DIURNAL, options.jobs), (Shape.DIURNAL, 100_000)):
        pairs = [
            (
                seconds_of(partial(ours, jobs, options.nodes, shape)),
                seconds_of(partial(plain, jobs, 3 * 3 * options.nodes)),
            )
            for _ in range(options.rounds)
        ]
        mine, theirs = (median(each) for each in zip(*pairs, strict=True))
        aim = f"<= {AIM_SECONDS:g} s" if jobs == options.jobs else ""
        cells = (f"{mine:.1f} s", f"{theirs:.2f} s", f"{mine / theirs:.1f}", f"{mine / jobs * 1e6:.1f}", aim)
        table.add_row(shape, f"{jobs:,}", *cells)
    Console(width=100).print(f"A day on {options.nodes:,} nodes, a decision a second", table)


if __name__ == "__main__":
    main()
