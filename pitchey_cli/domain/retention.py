"""What is removed, and when: ended jobs with all that is known of them, by age, by number and for room.

Owns the decision. Knows no tables and no files: the store removes rows, daemon/housekeeping.py removes files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta

from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.values import dataclass

#: No artifact that is younger is removed, whoever refers to it. A submission stages its inputs first and is committed
#: when all of them are there: one that takes longer may find that it has lost some, and is told so. artifacts/local.py
#: says why that is enough. Nor does a job go for number or for room that has ended since: a `run` over a folder fetches
#: its results when the last is there, and the files would not go anyway.
FRESH = timedelta(hours=2)

GOES_FOR_ROOM = (JobState.SUCCEEDED, JobState.CANCELLED)  #: what ends so goes when there is too much of it
_FOR_EVER = 2**63 - 1


@dataclass(frozen=True)
class RetentionPolicy:
    """How long things are kept; 0 means for ever, or without a limit."""

    jobs_days: float = 30.0  #: ended jobs, and all that is known of them
    dead_letters_days: float = 90.0  #: dead letters go by nothing else
    jobs_count: int = 0  #: ended jobs at most, without the dead letters
    artifacts_bytes: int = 0  #: beyond that the oldest ended jobs go, and their files with them
    logs_days: float = 30.0

    def days(self, state: JobState) -> float:
        """How long a job that ended so is kept."""
        return self.dead_letters_days if state is JobState.DEAD else self.jobs_days

    def without_ages(self) -> RetentionPolicy:
        """The same where nothing goes for its age."""
        return replace(self, jobs_days=0, dead_letters_days=0, logs_days=0)

    def clock_tolerance(self) -> timedelta:
        """How far the clock may be out without doing much harm: a third of the shortest time."""
        ages = [days for days in (self.jobs_days, self.dead_letters_days, self.logs_days) if days > 0]
        return timedelta(days=min(ages) / 3) if ages else timedelta.max


@dataclass(frozen=True)
class Ended:
    """An ended job, as far as it counts here."""

    seq: int
    id: JobId
    state: JobState
    created_at: datetime
    finished_at: datetime


@dataclass(frozen=True)
class Excess:
    """What is too much, whatever its age."""

    jobs: int = 0  #: ended jobs above the number that is kept
    up_to_seq: int = 0  #: for room, what was submitted up to this one goes

    def without(self, gone: Iterable[Ended]) -> Excess:
        """What is left of it when these have gone."""
        return replace(self, jobs=self.jobs - sum(job.state is not JobState.DEAD for job in gone))


def cutoff(days: float, now: datetime) -> datetime | None:
    """What ended before that goes by its age; None when nothing does."""
    return None if days <= 0 else now - timedelta(days=days)


def too_many(policy: RetentionPolicy, by_service: Iterable[Mapping[JobState, int]]) -> int:
    """Ended jobs above the number that is kept; dead letters do not count.

    Args:
        by_service: how many jobs there are in each state.
    """
    if not policy.jobs_count:
        return 0
    ended = sum(states.get(state, 0) for states in by_service for state in GOES_FOR_ROOM)
    return max(0, ended - policy.jobs_count)


def states_to_look_at(policy: RetentionPolicy, excess: Excess) -> tuple[JobState, ...]:
    """The states in which a job may have to go."""
    dead = (JobState.DEAD,) if policy.dead_letters_days > 0 else ()
    is_limited = policy.jobs_days > 0 or excess.jobs > 0 or excess.up_to_seq > 0
    return (*GOES_FOR_ROOM, *dead) if is_limited else dead


def due(policy: RetentionPolicy, ended: Sequence[Ended], excess: Excess, *, now: datetime) -> list[Ended]:
    """Those of some ended jobs that have to go.

    Args:
        ended: in the order of their submission, the oldest first.
    """
    chosen: list[Ended] = []
    too_many = excess.jobs
    for job in ended:
        before = cutoff(policy.days(job.state), now)
        is_old = before is not None and job.finished_at < before
        may_be_in_the_way = job.state is not JobState.DEAD and job.finished_at < now - FRESH
        is_in_the_way = may_be_in_the_way and (too_many > 0 or job.seq <= excess.up_to_seq)
        if is_old or is_in_the_way:
            chosen.append(job)
            too_many -= job.state is not JobState.DEAD
    return chosen


def waits_for_batch(policy: RetentionPolicy, job: Ended, *, now: datetime) -> bool:
    """Whether a job that has to go stays as long as a job of its batch has not ended: for twice its time at most.

    The batch of a recurring schedule never ends, and would be kept for ever.
    """
    before = cutoff(2 * policy.days(job.state), now)
    return before is None or job.finished_at >= before


def may_follow(policy: RetentionPolicy, last: Ended, excess: Excess, *, now: datetime) -> bool:
    """Whether one that was submitted after `last` may have to go: no job ends before it was submitted."""
    newest = max(
        filter(None, (cutoff(policy.jobs_days, now), cutoff(policy.dead_letters_days, now))), default=last.created_at
    )
    return excess.jobs > 0 or last.seq < excess.up_to_seq or last.created_at < newest


@dataclass(frozen=True)
class Holding:
    """The artifacts that a job refers to, as inputs or as outputs."""

    seq: int
    job_id: JobId
    names: tuple[str, ...]
    may_go: bool = True  #: for room: it has ended, is no dead letter, and nobody needs it


@dataclass
class Ledger:
    """Which job holds each artifact longest, when the oldest go first."""

    sizes: Mapping[str, int]  #: of every artifact that there is
    _last: dict[str, int] = field(default_factory=dict)

    def add(self, holding: Holding) -> None:
        """Count one job's."""
        until = holding.seq if holding.may_go else _FOR_EVER
        for name in holding.names:
            if name in self.sizes:
                self._last[name] = max(self._last.get(name, 0), until)

    def room_up_to(self, limit_bytes: int) -> int:
        """The job up to which all that may go have to, so that what is left fits; 0 when it fits as it is.

        An artifact that several jobs share makes room only when the last of them goes.
        """
        excess = sum(self.sizes[name] for name in self._last) - limit_bytes
        up_to = 0
        for seq, name in sorted((seq, name) for name, seq in self._last.items() if seq != _FOR_EVER):
            if excess <= 0:
                break
            up_to = seq
            excess -= self.sizes[name]
        return up_to
