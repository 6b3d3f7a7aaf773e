"""How the daemon's loop bears a long queue: 100,000 jobs of three organisations on five services.

    python tests/benchmarks/bench_drain.py [--jobs 100000]

The loop, the pools, the executions, the writer and the store are the real ones, the database on the disk of the current
directory; the instances are the scripted ones of the tests, their spools in memory, and their attempts succeed at once:
all the time is the daemon's and the protocol's. They live in the same process, so its memory is measured with them. The
peer is the same run with 1,000 jobs. The jobs are submitted by a process of their own before the daemon starts.

The fairness error is the largest deviation, over every window of 1,000 served slots of a service, of an organisation's
share from its weight's share, for as long as all three have work waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import pickle
import random
import sqlite3
import sys
import tempfile
import time
from array import array
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scripted engine is one of the tests' resources

from pitchey_cli.daemon.instance import PooledInstance
from pitchey_cli.daemon.loop import Loop
from pitchey_cli.daemon.pool import Pool
from pitchey_cli.domain import layout
from pitchey_cli.domain.job import Job, JobId, JobState, NewJob
from pitchey_cli.domain.observation import Measure
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.store.writer import Writer
from pitchey_cli.wiring import SystemClock
from processors.protocol import Service
from tests.resources.scripted_engine import Machine, ScriptedEngine
from tests.resources.scripted_node import make_node, service

SLOTS = {Service.VIDEO: 3, Service.DOCUMENT: 5, Service.INFERENCE: 2, Service.MEDIA: 4, Service.CODE: 10}
WEIGHTS = {"small": 1.0, "medium": 2.0, "large": 4.0}
FEW = 1000
WINDOW = 1000  # served slots
BATCH = 1000
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # for the instances' directories
MARKS = (0.1, 0.5, 1.0)  # where memory is read


def submit(database: Path, jobs: int) -> None:
    """Queue so many jobs: every organisation and service has the same, every fourth has two slots, in random order."""
    kinds = [(name, organisation, slots) for name in SLOTS for organisation in WEIGHTS for slots in (1, 1, 1, 2)]
    drafts = [kinds[number % len(kinds)] for number in range(jobs)]
    random.Random(1).shuffle(drafts)
    store = SqliteStore.open(database)
    new = [
        NewJob(JobId(f"{number:07}"), name, {}, organisation=organisation, slots=slots)
        for number, (name, organisation, slots) in enumerate(drafts)
    ]
    for first in range(0, jobs, BATCH):
        store.enqueue(new[first : first + BATCH], now=SystemClock().now())
    store.close()


class MeasuredLoop(Loop):
    """The loop, with a watch and scales beside it."""

    def measure(self, jobs: int, done: asyncio.Event) -> None:
        self.tick_seconds = array("d")
        self.memory_bytes: list[int] = []
        self._jobs, self._begun, self._done = jobs, 0, done
        self._process = psutil.Process()

    async def tick(self) -> None:
        start = time.perf_counter()
        await super().tick()
        self.tick_seconds.append(time.perf_counter() - start)
        ended = self._begun - len(self.executions)
        while len(self.memory_bytes) < len(MARKS) and ended >= self._jobs * MARKS[len(self.memory_bytes)]:
            self.memory_bytes.append(self._process.memory_info().rss)
        if ended == self._jobs:
            self._done.set()

    def execute(
        self, pool: Pool, instance: PooledInstance, job: Job, *, is_adopted: bool, pickup: Measure | None = None
    ) -> None:
        self._begun += 1
        super().execute(pool, instance, job, is_adopted=is_adopted, pickup=pickup)


@dataclass(frozen=True)
class Drained:
    """What one run has shown."""

    decisions_per_second: float
    tick_p50: float
    tick_p95: float
    memory_bytes: list[int]
    fairness_error: float | None  #: None when no window was full


def drain(jobs: int) -> Drained:
    """Submit and run so many jobs, each in a process of its own."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as directory:
        database = Path(directory) / "pitchey.db"
        for work in (submit, _measure):
            process = multiprocessing.get_context("spawn").Process(target=work, args=(database, jobs))
            process.start()
            process.join()
            assert process.exitcode == 0
        drained: Drained = pickle.loads((database.parent / "drained").read_bytes())
        return drained


def _measure(database: Path, jobs: int) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as state_dir:
        drained = asyncio.run(_drain(database, Path(state_dir), jobs))
    (database.parent / "drained").write_bytes(pickle.dumps(drained))


async def _drain(database: Path, state_dir: Path, jobs: int) -> Drained:
    store = SqliteStore.open(database)
    writer = Writer(store)
    services = {name: service(name, slots=slots) for name, slots in SLOTS.items()}
    engine = ScriptedEngine(Machine())
    policy = QueuePolicy(weights=WEIGHTS)
    node = make_node(state_dir, engine, writer, SystemClock(), services, policy, lambda _: None, poll_seconds=1.0)
    loop = MeasuredLoop(node, layout.label(store.state_id(), state_dir))
    done = asyncio.Event()
    loop.measure(jobs, done)
    start = time.perf_counter()
    await loop.run(done)
    seconds = time.perf_counter() - start
    await loop.stop_instances(why="the end")
    ended = await node.call(lambda: store.counts().by_service)
    assert sum(states[JobState.SUCCEEDED] for states in ended.values()) == jobs, ended
    error = await node.call(fairness_error, store)
    writer.close()
    ticks = quantiles(loop.tick_seconds, n=20)
    return Drained(jobs / seconds, median(loop.tick_seconds), ticks[-1], loop.memory_bytes, error)


def fairness_error(store: SqliteStore) -> float | None:
    """How far a window's shares are from the weights' at most, while everybody has work."""
    served = store._db.rows(
        "SELECT j.service, j.organisation, j.slots FROM job_events e JOIN container_jobs j ON j.seq = e.job_seq"
        " WHERE e.type = 'claimed' ORDER BY e.id"
    )
    errors = [_worst(Service(name), [row for row in served if row["service"] == name]) for name in SLOTS]
    return max((error for error in errors if error is not None), default=None)


def _worst(name: Service, served: list[sqlite3.Row]) -> float | None:
    left = Counter(row["organisation"] for row in served)
    window: deque[tuple[str, int]] = deque()
    taken: Counter[str] = Counter()
    worst = None
    for row in served:
        organisation, slots = row["organisation"], min(row["slots"], SLOTS[name])
        left[organisation] -= 1
        if not left[organisation]:
            break
        window.append((organisation, slots))
        taken[organisation] += slots
        while taken.total() > WINDOW:
            first, freed = window.popleft()
            taken[first] -= freed
            errors = [abs(taken[o] / taken.total() - w / sum(WEIGHTS.values())) for o, w in WEIGHTS.items()]
            worst = max(worst or 0.0, *errors)
    return worst


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    options = parser.parse_args()
    few, many = drain(FEW), drain(options.jobs)
    table = Table("", f"{options.jobs:,} jobs", f"{FEW:,} jobs", "ratio", "aim")
    ratio = many.decisions_per_second / few.decisions_per_second
    table.add_row(
        "jobs dispatched and ended per second",
        f"{many.decisions_per_second:,.0f}", f"{few.decisions_per_second:,.0f}", f"{ratio:.2f}", ">= 0.8",
    )  # fmt: skip
    for name, ours, theirs in (
        ("tick, p50", many.tick_p50, few.tick_p50),
        ("tick, p95", many.tick_p95, few.tick_p95),
    ):
        table.add_row(name, f"{ours * 1e3:.1f} ms", f"{theirs * 1e3:.1f} ms", f"{ours / theirs:.2f}", "<= 1.3")
    for mark, bytes_ in zip(MARKS, many.memory_bytes, strict=True):
        aim = "<= 1.1" if mark == MARKS[-1] else ""
        growth = f"{bytes_ / many.memory_bytes[0]:.2f}"
        table.add_row(f"memory when {mark:.0%} are done", f"{bytes_ / 2**20:.0f} MiB", "", growth, aim)
    error = "no full window" if many.fairness_error is None else f"{many.fairness_error:.1%}"
    table.add_row("fairness error", error, "", "", "<= 3 %")
    Console().print(table)


if __name__ == "__main__":
    main()
