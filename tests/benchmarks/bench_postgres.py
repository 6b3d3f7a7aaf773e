"""How fast the queue is on PostgreSQL, beside procrastinate on the same server in the same run.

    python tests/benchmarks/bench_postgres.py [--rounds 3] [--jobs 2000] [--waiting 1000000] [--folder DIR]

The server syncs every commit to the disk under DIR. Both sides submit in processes of their own, each submission
durable before the next; both then work off what waits, 24 at once in each process, with nothing to do for any job:
procrastinate by its own worker, we by what the daemon's loop does, which books the costs of each attempt and writes its
events as well.
Rounds take turns, and ratios are medians of the rounds; seconds of two machines say nothing. On a machine with other
things to do the processor's time says more than the clock's: that of the clients is shown beside.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.postgres import PostgresStore
from pitchey_cli.store.writer import Writer
from processors.vocabulary import Service
from tests.benchmarks.bench_queue import SLOTS, SPEC, Ours, _instance, _tick, new_job
from tests.servers.postgres import PostgresServer, postgres

PROCESSES = (1, 4)
DURABLE = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on", "shared_buffers": "256MB",
    "max_connections": "100",
}  # fmt: skip


class OnServer(Ours):
    """Pitchey's side."""

    def __init__(self, url: str) -> None:
        self.store = PostgresStore.open(url)
        self.writer = Writer(PostgresStore.open(url, is_heard=False))


def ours(what: str, url: str, count: int) -> None:
    """One process of ours."""
    side = OnServer(url)
    _say_ready()
    side.single(count) if what == "submit" else side.claim_and_finish(count)
    side.writer.close()
    side.store.close()


def theirs(what: str, url: str, count: int) -> None:
    """One process of procrastinate."""
    asyncio.run(_theirs(what, url, count))


async def _theirs(what: str, url: str, count: int) -> None:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    @app.task(name="transcode")  # type: ignore[untyped-decorator]
    async def transcode(spec: dict[str, str], name: str, sha256: str) -> None:
        del spec, name, sha256

    async with app.open_async():
        _say_ready()
        if what == "submit":
            for _ in range(count):
                await transcode.defer_async(spec=SPEC, name="holiday.mp4", sha256="ab" * 32)
        else:
            await app.run_worker_async(
                wait=False, concurrency=SLOTS, install_signal_handlers=False, listen_notify=False
            )


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    global _began
    _began = time.process_time()


_began = 0.0


def rate(side: str, what: str, url: str, jobs: int, processes: int) -> tuple[float, float]:
    """Jobs per second of several processes, which begin together; and milliseconds of their processor for each job."""
    command = [sys.executable, __file__, "--be", side, what, url, str(jobs // processes)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for each in started:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    used = 0.0
    for each in started:
        assert each.stdout is not None
        used += float(each.stdout.readline())
        assert each.wait() == 0
    return jobs / (time.perf_counter() - began), used / jobs * 1000


def made_for_us(server: PostgresServer) -> str:
    """An empty database of ours, with an instance."""
    url = server.tcp_url(server.create())
    with closing(PostgresStore.open(url)) as store:
        store.add_instance(_instance())
    return url


def made_for_them(server: PostgresServer) -> str:
    """An empty database of procrastinate's."""
    import procrastinate

    url = server.tcp_url(server.create())
    with procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=url)).open() as app:
        app.schema_manager.apply_schema()
    return url


def compare(server: PostgresServer, jobs: int, rounds: int) -> Table:
    """What each does, and how they stand to each other."""
    table = Table("what", "processes", "ours/s", "theirs/s", "ratio", "ours ms", "theirs ms", "ratio", box=None)
    found: dict[tuple[str, int], list[tuple[float, float, float, float]]] = {}
    for _ in range(rounds):
        for processes in PROCESSES:
            us, them = made_for_us(server), made_for_them(server)
            for what in ("submit", "claim + finish"):
                pair = *rate("ours", what, us, jobs, processes), *rate("theirs", what, them, jobs, processes)
                found.setdefault((what, processes), []).append(pair)
    for (what, processes), rows in sorted(found.items()):
        we, our_ms, they, their_ms = (median(each) for each in zip(*rows, strict=True))
        ratio, busy = median(row[0] / row[2] for row in rows), median(row[3] / row[1] for row in rows)
        shown = (f"{we:,.0f}", f"{they:,.0f}", f"{ratio:.2f}", f"{our_ms:.2f}", f"{their_ms:.2f}", f"{busy:.2f}")
        table.add_row(what, str(processes), *shown)
    return table


_FILL = """
INSERT INTO container_jobs (id, service, state, priority, organisation, name, spec, inputs, is_foreground, batch, key,
                            kind, size, slots, is_off_peak, is_spot_ok, on_node, flow, max_attempts, timeout_seconds,
                            created_at)
SELECT 'job' || n, service, 'queued', priority, organisation, name, spec, inputs, is_foreground, batch, key, kind, size,
       slots, is_off_peak, is_spot_ok, on_node, flow, max_attempts, timeout_seconds, created_at
  FROM container_jobs CROSS JOIN generate_series(1, {count}) AS n WHERE seq = 1"""


def filled(server: PostgresServer, waiting: int, gone: int = 0) -> PostgresStore:
    """A queue of so many, from whose head others have gone; the server has looked at its rows since."""
    store = PostgresStore.open(made_for_us(server), is_heard=False)
    store.enqueue([new_job()], now=datetime.now(UTC))
    store._db.run(_FILL.format(count=waiting + gone))
    store._db.run(f"UPDATE container_jobs SET state = 'succeeded', finished_at = 1 WHERE seq <= {gone}")
    store._db.run(f"UPDATE job_flows SET queued = queued + {waiting}")
    store._db.run("ANALYZE container_jobs")
    return store


def claim_latency(store: PostgresStore) -> float:
    """Milliseconds of a claim of one job."""
    now, places = datetime.now(UTC), Places([Candidate("i-1", SLOTS, 1)])
    began = time.perf_counter()
    (_,) = store.claim(
        PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=now,
        lease_until=now + timedelta(seconds=30), tick=_tick(),
    )  # fmt: skip
    return (time.perf_counter() - began) * 1000


def claims(server: PostgresServer, many: int, samples: int = 200) -> Table:
    """A claim from a short queue and from a long one, in turns."""
    few = 1000
    stores = {
        f"{few:,}": filled(server, few),
        f"{many:,}": filled(server, many),
        f"{many:,}, and {many // 50:,} have gone": filled(server, many, many // 50),
    }
    took: dict[str, list[float]] = {name: [] for name in stores}
    for sample in range(samples):
        for name, store in stores.items():
            milliseconds = claim_latency(store)
            if sample >= 10:  # the first few are prepared
                took[name].append(milliseconds)
    table = Table("waiting", "median of a claim", "ratio", "a tenth take less than", "ratio", box=None)
    ordinary, quick = median(took[f"{few:,}"]), quantiles(took[f"{few:,}"], n=10)[0]
    for name, store in stores.items():
        store.close()
        its, its_quick = median(took[name]), quantiles(took[name], n=10)[0]
        table.add_row(name, f"{its:.2f} ms", f"{its / ordinary:.2f}", f"{its_quick:.2f} ms", f"{its_quick / quick:.2f}")
    return table


@contextmanager
def opened(parent: Path) -> Iterator[PostgresServer]:
    """A server on a disk; it is not ours, and has to get through to its folder."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        Path(folder).chmod(0o755)
        with postgres(Path(folder), **DURABLE) as server:
            yield server


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--be", nargs=4, metavar=("SIDE", "WHAT", "URL", "COUNT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.be:
        side, what, url, count = chosen.be
        (ours if side == "ours" else theirs)(what, url, int(count))
        sys.stdout.write(f"{time.process_time() - _began}\n")
        return
    console = Console()
    with opened(chosen.folder) as server:
        console.print(compare(server, chosen.jobs, chosen.rounds))
        console.print(claims(server, chosen.waiting))


if __name__ == "__main__":
    main()
