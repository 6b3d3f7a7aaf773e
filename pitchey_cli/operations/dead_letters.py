"""Find dead letters, queue them again, or remove them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import Job, JobId, JobState
from pitchey_cli.store.port import JobFilter, Store
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

_PAGE = 500  # jobs that are read, or changed in one transaction


@dataclass(frozen=True)
class DeadLetterFilter:
    """Which dead letters; what is empty means all."""

    services: tuple[Service, ...] = ()
    batch: str = ""
    organisation: str | None = None
    error: str = ""  #: a glob over the error's code and the reason
    since: datetime | None = None
    until: datetime | None = None


def find(store: Store, wanted: DeadLetterFilter) -> Iterator[Job]:
    """Dead letters, the newest first."""
    page = JobFilter(
        states=(JobState.DEAD,),
        services=wanted.services,
        organisation=wanted.organisation,
        created_since=wanted.since,
        created_until=wanted.until,
        limit=_PAGE,
    )
    while jobs := store.jobs(page):
        yield from (job for job in jobs if _matches(job, wanted))
        page = replace(page, before_seq=jobs[-1].seq)


def _matches(job: Job, wanted: DeadLetterFilter) -> bool:
    if wanted.batch and job.batch != wanted.batch:
        return False
    names = [job.reason or "", job.error.code if job.error else ""]
    return not wanted.error or any(fnmatchcase(name, wanted.error) for name in names)


def redrive(store: Store, job_ids: Sequence[JobId], *, now: datetime) -> int:
    """Queue dead letters again, their history kept; how many that were.

    The oldest go first, because younger ones may wait for them. Of several, those that wait for what has
    failed are left.

    Raises:
        UsageError: the only one waits for a job that has failed.
    """
    count = 0
    for chunk in _chunks(job_ids[::-1]):
        with store.transaction():
            for job_id in chunk:
                try:
                    count += store.redrive(job_id, now=now)
                except UsageError:
                    if len(job_ids) == 1:
                        raise
    return count


def purge(store: Store, job_ids: Sequence[JobId]) -> int:
    """Remove dead letters with all that is known of them; how many there were."""
    count = 0
    for chunk in _chunks(job_ids):
        with store.transaction():
            count += sum(store.purge(job_id) for job_id in chunk)
    return count


def _chunks(job_ids: Sequence[JobId]) -> Iterator[list[JobId]]:
    """In pieces: others must get their turn to write."""
    rest = iter(job_ids)
    while chunk := list(islice(rest, _PAGE)):
        yield chunk
