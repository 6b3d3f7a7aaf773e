"""Find the job that a person means by the first characters of its id, and what has happened to it."""

from __future__ import annotations

from collections.abc import Iterator

from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.domain.job import JOB_ID_LENGTH, Job, JobEvent, JobId, JobState
from pitchey_cli.store.port import JobFilter, Store


def resolve(store: Store, text: str, *, listed_by: str = "pitchey jobs") -> JobId:
    """The job whose id begins with `text`; `@last` is the newest.

    Args:
        listed_by: the command that shows what could have been meant.

    Raises:
        InputNotFound: there is none.
        UsageError: there are several.
    """
    if text == "@last":
        newest = store.jobs(JobFilter(limit=1))
        if not newest:
            raise InputNotFound("There is no job yet.", hint="`pitchey submit video FILE` makes one.")
        return newest[0].id
    prefix = text.strip().lower()
    found = store.job_ids(prefix, limit=6) if prefix.isalnum() and len(prefix) <= JOB_ID_LENGTH else []
    if not found:
        raise InputNotFound(f"There is no job {text!r}.", hint=f"`{listed_by}` lists them.")
    if len(found) > 1 and prefix not in found:
        some = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise UsageError(f"{text!r} could be several jobs: {some}.", hint="Give more characters of the id.")
    return JobId(prefix) if prefix in found else found[0]


def events_of(store: Store, job_id: JobId) -> Iterator[JobEvent]:
    """All events of a job, in order."""
    after = 0
    while page := store.events(after=after, job_ids=[job_id]):
        yield from page
        after = page[-1].id


def cached_from(store: Store, job: Job) -> JobId | None:
    """The earlier job whose result a job was given; None when it did the work itself."""
    if job.state is not JobState.SUCCEEDED or job.attempt:
        return None
    return next((event.data.get("cachedFrom") for event in events_of(store, job.id) if event.type == "succeeded"), None)
