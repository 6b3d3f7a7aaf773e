"""Cancel jobs that wait or run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pitchey_cli.domain.job import WAITING, JobId, JobState
from pitchey_cli.store.port import CancelResult, JobFilter, Store

_PAGE = 500  # jobs that are cancelled in one transaction: others must get their turn to write


def cancel(store: Store, job_ids: Sequence[JobId], *, why: str, now: datetime) -> dict[JobId, CancelResult]:
    """Cancel all of them in one transaction; what became of each."""
    with store.transaction():
        return {job_id: store.cancel(job_id, why=why, now=now) for job_id in job_ids}


def cancel_all(store: Store, wanted: JobFilter, *, why: str, now: datetime) -> int:
    """Cancel every job that has not ended and that a filter leaves; how many that were.

    Those that run are asked to end. The newest go first: what waits for another job goes before that one, and is not
    started by its end.
    """
    count = 0
    page = replace(wanted, states=(*WAITING, JobState.RUNNING), limit=_PAGE)
    while jobs := store.jobs(page):
        count += len(jobs)
        cancel(store, [job.id for job in jobs], why=why, now=now)
        page = replace(page, before_seq=jobs[-1].seq)
    return count
