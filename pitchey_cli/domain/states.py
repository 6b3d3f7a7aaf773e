"""What an attempt's end makes of its job.

One table maps the reason to what follows; `after_attempt` reads it. The store repeats the guard in SQL (the job runs
and the token is the live one), and the schema's CHECK constraints hold the rest. docs/states.md draws the diagram.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pitchey_cli.domain import away
from pitchey_cli.domain.job import TERMINAL, Job, JobState, Outcome
from pitchey_cli.domain.retry import RetryAction, RetryPolicy, retry_at
from pitchey_cli.values import dataclass
from processors.vocabulary import Reason

MAX_CRASHES = 2  # a job under which instances die goes to the dead letters after this many

#: every edge of the diagram, the CHECKs and the property tests stand on it
TRANSITIONS: frozenset[tuple[JobState, JobState]] = frozenset(
    {
        (JobState.SCHEDULED, JobState.QUEUED),
        (JobState.SCHEDULED, JobState.HELD),
        (JobState.SCHEDULED, JobState.CANCELLED),
        (JobState.SCHEDULED, JobState.DEAD),
        (JobState.HELD, JobState.QUEUED),
        (JobState.HELD, JobState.SCHEDULED),
        (JobState.HELD, JobState.DEAD),
        (JobState.HELD, JobState.CANCELLED),
        (JobState.HELD, JobState.SUCCEEDED),  # one for each output of a job that gave none: there is nothing to do
        (JobState.QUEUED, JobState.HELD),
        (JobState.QUEUED, JobState.RUNNING),
        (JobState.QUEUED, JobState.CANCELLED),
        (JobState.QUEUED, JobState.DEAD),
        (JobState.RUNNING, JobState.SUCCEEDED),
        (JobState.RUNNING, JobState.CANCELLED),
        (JobState.RUNNING, JobState.QUEUED),
        (JobState.RUNNING, JobState.SCHEDULED),
        (JobState.RUNNING, JobState.DEAD),
        (JobState.DEAD, JobState.QUEUED),
        (JobState.DEAD, JobState.HELD),
        (JobState.CANCELLED, JobState.HELD),  # with the dead letter whose failure it was cancelled for
    }
)


@dataclass(frozen=True)
class Rule:
    """What follows from a reason."""

    ends_in: JobState | None = None  #: the state, where the reason alone decides it
    uses_attempt: bool = True
    counts_crash: bool = False
    always_retryable: bool = False  #: else the outcome says


RULES: dict[Reason, Rule] = {
    Reason.COMPLETED: Rule(ends_in=JobState.SUCCEEDED),
    Reason.CANCELLED: Rule(ends_in=JobState.CANCELLED),
    Reason.REJECTED: Rule(ends_in=JobState.DEAD),
    Reason.INTERRUPTED: Rule(ends_in=JobState.QUEUED, uses_attempt=False),
    Reason.INSTANCE_LOST: Rule(counts_crash=True, always_retryable=True),
    Reason.OOM: Rule(always_retryable=True),
    Reason.TIMEOUT: Rule(),
    Reason.FAILED: Rule(),
}


_USUAL = RetryPolicy()


@dataclass(frozen=True)
class Transition:
    """What becomes of a job when its attempt ends."""

    state: JobState
    attempts_used: int
    crashes: int
    run_at: datetime | None = None  #: for SCHEDULED: when it is tried again
    size: str | None = None  #: the instance type that it needs from now on; None leaves it
    on_node: str | None = None  #: the labels that its node must have from now on; None leaves them


def after_attempt(
    job: Job,
    outcome: Outcome,
    *,
    now: datetime,
    dice: float,
    policy: RetryPolicy = _USUAL,
    larger_size: str | None = None,
) -> Transition:
    """Decide the next state of a running job.

    A cancellation that was asked for wins over a retry: the job ends as cancelled instead of being queued again.

    Args:
        dice: uniform in [0, 1), for the jitter of the retry.
        policy: of the service; how often and how soon the job may say itself.
        larger_size: the next larger instance type; None when there is none.
    """
    rule = RULES[outcome.reason]
    used = job.attempts_used + rule.uses_attempt
    crashes = job.crashes + rule.counts_crash
    if rule.ends_in in TERMINAL:
        return Transition(rule.ends_in, used, crashes)
    if job.cancel_requested_at is not None:
        return Transition(JobState.CANCELLED, used, crashes)
    if away.is_handed_back(outcome):
        return Transition(JobState.SCHEDULED, used, crashes, run_at=away.ask_again_at(job, now=now, dice=dice))
    if rule.ends_in is not None:
        return Transition(rule.ends_in, used, crashes)
    action = policy.action([outcome.reason.value, *([outcome.error.code] if outcome.error else [])])
    if action is None:
        is_memory = outcome.reason is Reason.OOM
        action = (
            RetryAction.LARGER if is_memory else RetryAction.RETRY if _may_retry(rule, outcome) else RetryAction.STOP
        )
    if crashes >= MAX_CRASHES or action is RetryAction.STOP:
        return Transition(JobState.DEAD, used, crashes)
    base = policy.base_seconds if job.backoff_seconds is None else job.backoff_seconds
    own = replace(policy, max_attempts=job.max_attempts, base_seconds=base)
    due = retry_at(own, used=used, now=now, dice=dice)
    if due is None or (job.deadline is not None and due >= job.deadline):
        return Transition(JobState.DEAD, used, crashes)
    size = larger_size if action is RetryAction.LARGER else None
    return Transition(JobState.SCHEDULED, used, crashes, run_at=due, size=size)


def _may_retry(rule: Rule, outcome: Outcome) -> bool:
    return rule.always_retryable or outcome.is_retryable
