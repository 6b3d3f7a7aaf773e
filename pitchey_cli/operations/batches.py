"""Jobs that were submitted together: how many stand where, and waiting for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pitchey_cli.domain.errors import InputNotFound
from pitchey_cli.domain.job import TERMINAL, JobId, JobState
from pitchey_cli.domain.program import OK
from pitchey_cli.operations import follow
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass

_FAILED = (JobState.DEAD, JobState.CANCELLED)
_GOES_ON = (JobState.QUEUED, JobState.RUNNING, JobState.SCHEDULED)


@dataclass(frozen=True)
class Summary:
    """A batch as it stands."""

    name: str
    counts: Mapping[JobState, int]

    @property
    def total(self) -> int:
        """All its jobs."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Those that will not change any more."""
        return sum(count for state, count in self.counts.items() if state in TERMINAL)

    @property
    def failed(self) -> int:
        """Those that ended without a result."""
        return sum(self.counts.get(state, 0) for state in _FAILED)


def summary(store: Store, name: str) -> Summary:
    """Count.

    Raises:
        InputNotFound: there is no such batch.
    """
    counts = store.batch_counts(name)
    if not counts:
        raise InputNotFound(f"There is no batch {name!r}.", hint="`pitchey batch list` names them.")
    return Summary(name, {state: counts[state] for state in JobState if state in counts})


def wait(
    store: Store,
    name: str,
    *,
    on_change: Callable[[Summary], None],
    tick: Callable[[], None] | None = None,
    timeout_seconds: float | None = None,
    fail_fast: bool = False,
) -> Summary:
    """Wait until every job of a batch has ended, or the first has failed where that is asked for.

    It also ends when nothing can go on: what is left is held for dead letters that somebody has to redrive.

    Raises:
        TimedOut: the time is up.
    """
    found = summary(store, name)
    for _ in follow.changes(store, tick=tick, timeout_seconds=timeout_seconds):
        found = summary(store, name)
        on_change(found)
        if found.ended == found.total or (fail_fast and found.failed) or is_stuck(store, found):
            break
    return found


def is_stuck(store: Store, found: Summary) -> bool:
    """Whether all that is left of a batch is held, and for nothing that still goes on."""
    if found.total == found.ended or found.counts.get(JobState.HELD, 0) < found.total - found.ended:
        return False
    held = {job.id for job in store.batch_jobs(found.name, [JobState.HELD])}
    needs = [need for job_id in held for need in store.dependencies(job_id)]
    return not any(
        need.state in _GOES_ON or (need.state is JobState.HELD and need.job_id not in held) for need in needs
    )


def failed_programs(store: Store, name: str) -> dict[JobId, str]:
    """The jobs of a batch that succeeded in running a program which did not end well, with its verdict."""
    found = store.batch_jobs(name, [JobState.SUCCEEDED])
    return {job.id: job.verdict for job in found if job.verdict not in (None, OK)}
