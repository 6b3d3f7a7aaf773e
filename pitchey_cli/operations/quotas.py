"""What organisations may have: jobs that wait, and bytes of files. How many of their jobs run, the queue sees to."""

from __future__ import annotations

from collections.abc import Sequence

from pitchey_cli.domain.access import Quota
from pitchey_cli.domain.errors import InputNotFound, QuotaReached
from pitchey_cli.domain.job import NewJob
from pitchey_cli.store.port import Store


def check(store: Store, added: Sequence[NewJob]) -> None:
    """Refuse jobs with which an organisation has more than it may.

    Call it in the transaction that has added them, which then undoes it: by then it is known which of them were there
    already by their keys, and whose result was there.

    Raises:
        QuotaReached: says what would be too much.
    """
    for name in sorted({job.organisation for job in added}):
        quota = _quota_of(store, name)
        if quota is None or (quota.queued is None and quota.bytes is None):
            continue
        use = store.use_of(name, quota)
        if quota.queued is not None and use.queued > quota.queued:
            text = f"{name} may have {quota.queued:,} jobs that wait, and with these there would be more."
            hint = f"Wait until some have run; `pitchey org quota {name} --queued N` raises it."
            raise QuotaReached(text, hint=hint)
        if quota.bytes is not None and use.bytes is not None and use.bytes > quota.bytes:
            text = f"{name} may have {quota.bytes:,} bytes of files, and with these there would be {use.bytes:,}."
            hint = f"They go with their jobs, see retention.jobs_days; `pitchey org quota {name} --bytes N` raises it."
            raise QuotaReached(text, hint=hint)


def _quota_of(store: Store, name: str) -> Quota | None:
    try:
        return store.organisation(name).quota
    except InputNotFound:  # a name is enough for jobs
        return None
