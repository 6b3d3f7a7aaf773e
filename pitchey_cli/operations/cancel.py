"""Cancel jobs that wait or run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pitchey_cli.domain.job import JobId
from pitchey_cli.store.port import CancelResult, Store


def cancel(store: Store, job_ids: Sequence[JobId], *, why: str, now: datetime) -> dict[JobId, CancelResult]:
    """Cancel all of them in one transaction; what became of each."""
    with store.transaction():
        return {job_id: store.cancel(job_id, why=why, now=now) for job_id in job_ids}
