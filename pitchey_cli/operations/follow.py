"""Watch jobs change, from any process: the store says when something has been committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from pitchey_cli.domain.errors import TimedOut
from pitchey_cli.domain.job import TERMINAL, Job, JobEvent, JobId, JobState
from pitchey_cli.store.port import Store

_LOOK_SECONDS = 0.02  # asking a SQLite database whether it changed takes microseconds
_MANY_JOBS = 50  # whoever waits for so many reads their news
_SELDOM_SECONDS = 0.1  # no more often than this: reading them takes the processor from those who do the jobs


def changes(
    store: Store,
    *,
    tick: Callable[[], None] | None = None,
    timeout_seconds: float | None = None,
    look_seconds: float = _LOOK_SECONDS,
) -> Iterator[None]:
    """Yield at once, and then whenever another process has committed something.

    Args:
        tick: called at every look; what it raises ends the watch.
        look_seconds: between two looks.

    Raises:
        TimedOut: the time is up.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    seen: int | None = None
    while True:
        version = store.data_version()
        if version != seen:
            seen = version
            yield
        if tick is not None:
            tick()
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOut(
                f"Not finished within {timeout_seconds:g} s.", hint="`pitchey why JOB` says what a job waits for."
            )
        time.sleep(look_seconds)


def until_finished(
    store: Store,
    job_ids: Sequence[JobId],
    *,
    on_change: Callable[[Job], None],
    tick: Callable[[], None] | None = None,
    timeout_seconds: float | None = None,
    fail_fast: bool = False,
) -> list[Job]:
    """Wait until every job has ended; the jobs as they ended, in the order given.

    Args:
        on_change: called with a job whenever it may have changed, and with its end.
        fail_fast: stop waiting at the first job that did not succeed; the others are returned as they stand.
    """
    ended: dict[JobId, Job] = {}
    wanted = frozenset(job_ids)
    changed = set(job_ids)  # at first all of them, then those that have news
    last_event = store.last_event_id()
    pause = _SELDOM_SECONDS if len(wanted) >= _MANY_JOBS else _LOOK_SECONDS
    for _ in changes(store, tick=tick, timeout_seconds=timeout_seconds, look_seconds=pause):
        while batch := store.events(after=last_event):
            last_event = batch[-1].id
            changed.update(event.job_id for event in batch if event.job_id is not None and event.job_id in wanted)
        for job_id in changed - ended.keys():
            job = store.job(job_id)
            on_change(job)
            if job.state in TERMINAL:
                ended[job_id] = job
        changed.clear()
        has_failed = any(job.state is not JobState.SUCCEEDED for job in ended.values())
        if len(ended) == len(wanted) or (fail_fast and has_failed):
            break
    return [ended.get(job_id) or store.job(job_id) for job_id in job_ids]


def events(store: Store, *, after: int, job_ids: Sequence[JobId] = (), follow: bool) -> Iterator[JobEvent]:
    """Events in order; with `follow`, on and on, or until all of `job_ids` have ended."""
    last = after
    for _ in changes(store):
        while batch := store.events(after=last, job_ids=job_ids):
            yield from batch
            last = batch[-1].id
        if not follow or (job_ids and all(store.job(job_id).state in TERMINAL for job_id in job_ids)):
            # An end and its event are one transaction: what is still to come is there now.
            yield from store.events(after=last, job_ids=job_ids)
            return
