"""What becomes of a job whose bucket is away when its attempt is to begin. Pure.

The job is not to blame, and no number of attempts says how long a provider is away: so it is handed back without using
one up, and asks again after a while. It has no slot meanwhile. Only its deadline ends this, or a cancellation. A job
that somebody sits before (`pitchey run`) uses up its attempts, as with any other trouble: nobody waits there for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeGuard

from pitchey_cli.domain.job import Job, JobError, Outcome
from pitchey_cli.domain.retry import ceiling
from processors.vocabulary import Reason

CODE = "bucket_away"  #: of the error of such an attempt
_BASE_SECONDS = 2.0  # the ceiling of the first pause
CAP_SECONDS = 600.0  #: no pause is longer


def is_waiting(error: JobError | None) -> TypeGuard[JobError]:
    """Whether a job that is not running waits for a bucket, by the error that it has."""
    return error is not None and error.code == CODE


def is_handed_back(outcome: Outcome) -> bool:
    """Whether an attempt was not begun because a bucket is away."""
    return outcome.reason is Reason.INTERRUPTED and is_waiting(outcome.error)


def ask_again_at(job: Job, *, now: datetime, dice: float) -> datetime:
    """When to ask the bucket again.

    Between half of the pause and the whole: jobs of one bucket do not come back together, and none comes at once. It
    doubles with each attempt that was not counted, and is never longer than half of what is left to the deadline.

    Args:
        dice: uniform in [0, 1).
    """
    waited = max(0, job.attempt - job.attempts_used - 1)
    pause = ceiling(_BASE_SECONDS, CAP_SECONDS, earlier=waited)
    if job.deadline is not None:
        pause = min(pause, max(_BASE_SECONDS, (job.deadline - now).total_seconds() / 2))
    return now + timedelta(seconds=pause * (1 + dice) / 2)
