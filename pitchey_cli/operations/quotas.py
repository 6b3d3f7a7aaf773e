"""What organisations may have: jobs that wait, and bytes of files. How many of their jobs run, the queue sees to."""

from __future__ import annotations

from collections.abc import Sequence

from pitchey_cli.domain.access import Quota
from pitchey_cli.domain.errors import InputNotFound, QuotaReached
from pitchey_cli.domain.job import NewJob
from pitchey_cli.store.port import Store


def check(store: Store, jobs: Sequence[NewJob]) -> None:
    """Refuse jobs with which an organisation would have more than it may. Call it in the transaction that adds them.

    Those that are there already, by their keys, are counted once more: whoever is at the limit sends them again later.

    Raises:
        QuotaReached: says how much there is, and what would become of it.
    """
    for name in sorted({job.organisation for job in jobs}):
        quota = _quota_of(store, name)
        if quota is None or (quota.queued is None and quota.bytes is None):
            continue
        its = [job for job in jobs if job.organisation == name]
        use = store.use_of(name, quota)
        new_bytes = sum(each.size or 0 for job in its for each in job.inputs)
        if quota.queued is not None and use.queued + len(its) > quota.queued:
            text = f"{name} may have {quota.queued:,} jobs that wait, and has {min(use.queued, quota.queued):,}"
            hint = f"Wait until some have run; `pitchey org quota {name} --queued N` raises it."
            raise QuotaReached(f"{text}: {len(its):,} more are too many.", hint=hint)
        if quota.bytes is not None and (use.bytes or 0) + new_bytes > quota.bytes:
            text = f"{name} may have {quota.bytes:,} bytes of files, and its jobs refer to {use.bytes or 0:,}"
            hint = f"They go with their jobs, see retention.jobs_days; `pitchey org quota {name} --bytes N` raises it."
            raise QuotaReached(f"{text}: {new_bytes:,} more are too many.", hint=hint)


def _quota_of(store: Store, name: str) -> Quota | None:
    try:
        return store.organisation(name).quota
    except InputNotFound:  # a name is enough for jobs
        return None
