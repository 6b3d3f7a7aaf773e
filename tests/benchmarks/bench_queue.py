"""How fast the queue is, beside huey's SQLite queue in the same run.

    python tests/benchmarks/bench_queue.py [--rounds 5] [--waiting 1000000]

Both write to the file system of the current directory and sync every commit (huey with fsync=True, verified below), in
turns, so that a noisy neighbour meets both. Huey has neither bulk submission nor shared commits: bulk is compared with
its loop over single ones. Ratios are medians of the rounds; seconds of two machines say nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from huey import SqliteHuey
from rich.console import Console
from rich.table import Table

from pitchey_cli.domain.cost import tick_of
from pitchey_cli.domain.job import (
    JOB_ID_ALPHABET,
    JOB_ID_LENGTH,
    Instance,
    InstanceState,
    Job,
    JobId,
    JobInput,
    JobState,
    NewJob,
    Outcome,
)
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.port import Ending
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.store.writer import Writer
from processors.protocol import Reason, Service

SPEC = {"inputUrl": "/srv/media/holiday.mp4", "outputFormat": "mp4", "quality": "medium"}
INPUT = JobInput("input_url", "holiday.mp4", sha256="ab" * 32, size=10_485_760)
SLOTS = 24  # of all five services as they ship
BATCH = 1000


def new_job() -> NewJob:
    """What `pitchey submit video holiday.mp4` makes."""
    job_id = JobId("".join(JOB_ID_ALPHABET[byte & 31] for byte in secrets.token_bytes(JOB_ID_LENGTH)))
    return NewJob(id=job_id, service=Service.VIDEO, spec=SPEC, inputs=(INPUT,), name="holiday")


def per_second(count: int, work: Callable[[], object]) -> float:
    """How many of `count` things a second `work` does."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def _tick() -> int:
    return tick_of(time.monotonic())


def _instance() -> Instance:
    """What the attempts run on, and are paid for by."""
    state, tick, now = InstanceState.READY, _tick(), datetime.now(UTC)
    tariff = Tariff(144_000_000)
    return Instance(
        "i-1", Service.VIDEO, "docker", "", SLOTS, state, 2, 2**31, 2, 2**31, now, tariff=tariff, created_tick=tick
    )


class Ours:
    """Pitchey's side."""

    def __init__(self, directory: Path) -> None:
        self.store = SqliteStore.open(directory / "pitchey.db")
        self.store.add_instance(_instance())
        self.writer = Writer(SqliteStore.open(directory / "pitchey.db"))

    def single(self, count: int) -> None:
        """Each submission durable before the next."""
        for _ in range(count):
            self.store.enqueue([new_job()], now=datetime.now(UTC))

    def bulk(self, count: int) -> None:
        """A batch, as `pitchey submit` with many files writes it."""
        for _ in range(count // BATCH):
            self.store.enqueue([new_job() for _ in range(BATCH)], now=datetime.now(UTC))

    def claim_and_finish(self, count: int) -> None:
        """Fill the slots, and end each attempt on its own, as the daemon does."""
        asyncio.run(self._drain(count))

    async def _drain(self, count: int) -> None:
        store, call, join = self.writer.store, self.writer.call, self.writer.join

        async def attempt(job: Job) -> None:
            assert job.token is not None
            now, outcome = datetime.now(UTC), Outcome(Reason.COMPLETED)
            decide = partial(after_attempt, outcome=outcome, now=now, dice=0.0)
            await join(store.finish_all, Ending(job.id, job.token, outcome, decide, now, _tick()))

        live: set[asyncio.Task[None]] = set()
        while count:
            now = datetime.now(UTC)
            lease = now + timedelta(seconds=30)
            free = min(SLOTS - len(live), count)
            places = Places([Candidate("i-1", SLOTS, free)])
            claimed = await call(
                store.claim,
                PoolKey(Service.VIDEO),
                places=places,
                policy=QueuePolicy(),
                now=now,
                lease_until=lease,
                tick=_tick(),
            )
            count -= len(claimed)
            live |= {asyncio.create_task(attempt(each.job)) for each in claimed}
            _, live = await asyncio.wait(live, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*live)


class Theirs:
    """Huey's side."""

    def __init__(self, directory: Path) -> None:
        self.huey = SqliteHuey(filename=str(directory / "huey.db"), fsync=True)
        settings = [self.huey.storage.conn.execute(f"PRAGMA {name}").fetchone()[0] for name in _EQUAL]
        assert settings == list(_EQUAL.values()), settings
        self.task = self.huey.task()(_transcode)

    def single(self, count: int) -> None:
        """Each submission durable before the next."""
        for _ in range(count):
            self.task(SPEC, "holiday.mp4", "ab" * 32)

    def claim_and_finish(self, count: int) -> None:
        """Take a task and keep its result, without running anything: the best case."""
        for _ in range(count):
            self.huey.put_result(self.huey.dequeue().id, {"outputs": []})


_EQUAL = {"journal_mode": "wal", "synchronous": 2}


def _transcode(spec: dict[str, str], name: str, sha256: str) -> None:
    """Never run: only its submission is measured."""


def compare(directory: Path, rounds: int) -> list[tuple[str, float, float, float]]:
    """Name, ours, theirs and the aim of each measurement; interleaved, in the median.

    Each measurement has databases of its own: what one leaves in its log is not paid for by the next.
    """
    kinds = ("single", "bulk", "claim + finish")
    ours, theirs = (
        {kind: Ours(_made(directory, kind)) for kind in kinds},
        {kind: Theirs(_made(directory, kind)) for kind in kinds},
    )
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        found["single"].append(
            (per_second(500, lambda: ours["single"].single(500)), per_second(500, lambda: theirs["single"].single(500)))
        )
        found["bulk"].append(
            (
                per_second(5 * BATCH, lambda: ours["bulk"].bulk(5 * BATCH)),
                per_second(500, lambda: theirs["bulk"].single(500)),
            )
        )
        ours["claim + finish"].bulk(BATCH)
        theirs["claim + finish"].single(500)
        found["claim + finish"].append(
            (
                per_second(BATCH, lambda: ours["claim + finish"].claim_and_finish(BATCH)),
                per_second(500, lambda: theirs["claim + finish"].claim_and_finish(500)),
            )
        )
    assert ours["claim + finish"].store.counts().by_service[Service.VIDEO][JobState.SUCCEEDED] == BATCH * rounds
    aims = {"single": 1.0, "bulk": 10.0, "claim + finish": 2.0}
    return [
        (kind, median(our for our, _ in pairs), median(their for _, their in pairs), aims[kind])
        for kind, pairs in found.items()
    ]


def _made(directory: Path, kind: str) -> Path:
    made = directory / kind.replace(" ", "")
    made.mkdir(exist_ok=True)
    return made


def claim_latency(directory: Path, waiting: int, samples: int = 400) -> tuple[float, float]:
    """Median seconds of a claim with a thousand jobs waiting, and with `waiting`; in turns."""
    stores = {}
    for size in (1000, waiting):
        stores[size] = SqliteStore.open(directory / f"waiting-{size}.db")
        for _ in range(size // BATCH):
            stores[size].enqueue([new_job() for _ in range(BATCH)], now=datetime.now(UTC))
    seconds: dict[int, list[float]] = {size: [] for size in stores}
    for _ in range(samples):
        for size, store in stores.items():
            now = datetime.now(UTC)
            start = time.perf_counter()
            places = Places([Candidate("i-1", 1, 1)])
            (claimed,) = store.claim(
                PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=now, lease_until=now, tick=0
            )
            seconds[size].append(time.perf_counter() - start)
            assert claimed.job.attempt == 1
    return median(seconds[1000]), median(seconds[waiting])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    options = parser.parse_args()
    table = Table("per second", "pitchey", "huey", "ratio", "aim")
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as directory:
        for name, ours, theirs, aim in compare(Path(directory), options.rounds):
            table.add_row(name, f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.2f}", f">= {aim:g}")
        few, many = claim_latency(Path(directory), options.waiting)
    title = f"claim latency, {options.waiting:,} against 1,000 waiting"
    table.add_row(title, f"{many * 1e6:,.0f} us", f"{few * 1e6:,.0f} us", f"{many / few:.2f}", "<= 1.3")
    Console().print(table)


if __name__ == "__main__":
    main()
