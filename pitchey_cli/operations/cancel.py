"""Cancel jobs that wait or run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pitchey_cli.domain.job import WAITING, Job, JobId, JobState
from pitchey_cli.store.port import CancelResult, JobFilter, Store

_PAGE = 500  # jobs that are cancelled in one transaction: others must get their turn to write


def cancel(store: Store, job_ids: Sequence[JobId], *, why: str, now: datetime) -> dict[JobId, CancelResult]:
    """Cancel all of them in one transaction; what became of each."""
    with store.transaction():
        return {job_id: store.cancel(job_id, why=why, now=now) for job_id in job_ids}


def cancel_all(store: Store, wanted: JobFilter, *, why: str, now: datetime) -> int:
    """Cancel every job that has not ended and that a filter leaves; how many that were.

    Those that run are asked to end. The newest go first: what waits for another job goes before that one, and is not
    started by its end. What ends or fans out between two looks is met by the next: it goes on until nothing waits.
    """
    waiting = replace(wanted, states=tuple(WAITING), limit=_PAGE)
    running = replace(wanted, states=(JobState.RUNNING,), limit=_PAGE)
    count = _cancel_waiting(store, waiting, why, now)
    while jobs := _cancel_page(store, running, why, now):
        count += len(jobs)
        running = replace(running, before_seq=jobs[-1].seq)
    return count + _cancel_waiting(store, waiting, why, now)


def _cancel_waiting(store: Store, wanted: JobFilter, why: str, now: datetime) -> int:
    count = 0
    while jobs := _cancel_page(store, wanted, why, now):
        count += len(jobs)
    return count


def _cancel_page(store: Store, wanted: JobFilter, why: str, now: datetime) -> list[Job]:
    with store.transaction():
        jobs = store.jobs(wanted)
        for job in jobs:
            store.cancel(job.id, why=why, now=now)
    return jobs
