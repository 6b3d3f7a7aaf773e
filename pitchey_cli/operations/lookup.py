"""Find the job that a person means by the first characters of its id."""

from __future__ import annotations

from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.domain.job import JOB_ID_LENGTH, JobId
from pitchey_cli.store.port import JobFilter, Store


def resolve(store: Store, text: str) -> JobId:
    """The job whose id begins with `text`; `@last` is the newest.

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
        raise InputNotFound(f"There is no job {text!r}.", hint="`pitchey jobs` lists them.")
    if len(found) > 1 and prefix not in found:
        some = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise UsageError(f"{text!r} could be several jobs: {some}.", hint="Give more characters of the id.")
    return JobId(prefix) if prefix in found else found[0]
