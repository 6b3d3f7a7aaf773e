"""Several connections in one process and others in other processes: what one has committed, all see, and it lasts."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.store.port import JobFilter
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service

_COUNT = """
import sys
from pathlib import Path
from pitchey_cli.store.port import JobFilter
from pitchey_cli.store.sqlite import SqliteStore
store = SqliteStore.open(Path(sys.argv[1]))
print(len(store.jobs(JobFilter())))
store.close()
"""


def _seen_by_another_process(path: Path) -> int:
    done = subprocess.run([sys.executable, "-c", _COUNT, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_opening_a_second_connection_does_not_cost_the_first_its_locks(tmp_path: Path) -> None:
    path = tmp_path / "pitchey.db"
    first = SqliteStore.open(path)
    second = SqliteStore.open(path)
    second.job_ids("x")
    # A process that opens and closes the database deletes the WAL if it believes that nobody else uses it.
    assert _seen_by_another_process(path) == 0
    for number in range(3):
        job = NewJob(JobId(f"{number:012d}"), Service.VIDEO, {})
        (first, second)[number % 2].enqueue([job], now=datetime.now(UTC))
        assert _seen_by_another_process(path) == number + 1
    assert len(first.jobs(JobFilter())) == len(second.jobs(JobFilter())) == 3
