"""Budgets, as people set them and are held by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from pitchey_cli.domain.budget import AsOf, Budget, Standing, capping, parse_amount
from pitchey_cli.domain.errors import BudgetReached, InputNotFound, UsageError
from pitchey_cli.domain.job import TERMINAL, Job, JobId, JobState
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.prices import dollars
from pitchey_cli.domain.scope import Scope
from pitchey_cli.store.port import Store

_GOES_ON = (JobState.RUNNING, JobState.SCHEDULED)


def budget_of(scope: Scope, period: str, amount: str) -> Budget:
    """What a person has written.

    Raises:
        UsageError: no such period, or no amount.
    """
    return Budget(scope, period_of(period), parse_amount(amount))


def period_of(text: str) -> Period:
    """A period by its name."""
    try:
        return Period(text)
    except ValueError:
        raise UsageError(f"--period: there is no {text!r}.", hint=f"There are {', '.join(Period)}.") from None


def remove(store: Store, scope: Scope, period: str) -> None:
    """Forget a budget.

    Raises:
        InputNotFound: there is none.
    """
    if not store.remove_budget(scope, period_of(period)):
        hint = "`pitchey budget list` shows them all."
        raise InputNotFound(f"There is no budget of {scope} for the {period}.", hint=hint)


# --- what they hold


def capped(store: Store, as_of: Callable[[], AsOf]) -> list[Standing]:
    """The budgets that are used up. Without any budget it costs microseconds."""
    return [each for each in store.standings(as_of()) if each.is_capped] if store.budgets() else []


def holding(found: Sequence[Standing], job: Job) -> Standing | None:
    """The budget that a job waits for."""
    return capping(found, Scope(job.organisation, job.service)) if job.state is JobState.QUEUED else None


def sentence(standing: Standing, *, jobs: str = "jobs wait") -> str:
    """Why jobs wait, and until when."""
    budget = standing.budget
    spent = f"{dollars(standing.spent)} of {dollars(budget.nanodollars)}"
    until = f"{standing.span.end.astimezone():%Y-%m-%d %H:%M %Z}"
    return f"The budget of {budget.scope} for the {budget.period} is used up ({spent}): {jobs} until {until}."


def way_out(standing: Standing) -> str:
    """How somebody may let the jobs go on."""
    scope = standing.budget.scope
    options = f" --organisation {scope.organisation}" if scope.organisation else ""
    options += f" --service {scope.service}" if scope.service else ""
    return f"They stay in the queue; `pitchey budget set{options} --period {standing.budget.period} AMOUNT` raises it."


def check_not_held(store: Store, as_of: Callable[[], AsOf], left: Left) -> None:
    """Look whether there is anything to wait for.

    Raises:
        BudgetReached: all that is left waits for budgets.
    """
    if (found := capped(store, as_of)) and (standing := left(store, found)) is not None:
        raise BudgetReached(sentence(standing), hint=way_out(standing))


class Left(Protocol):
    """Looks at what is waited for."""

    def __call__(self, store: Store, found: Sequence[Standing]) -> Standing | None:
        """The budget that all of it waits for; None when something goes on, or all has ended."""


def of_jobs(job_ids: Sequence[JobId]) -> Left:
    """Some jobs are waited for."""

    def left(store: Store, found: Sequence[Standing]) -> Standing | None:
        return _held_by(store, found, map(store.job, job_ids))

    return left


def of_batch(batch: str) -> Left:
    """A batch is waited for."""

    def left(store: Store, found: Sequence[Standing]) -> Standing | None:
        counts = store.batch_counts(batch)
        if any(counts.get(state) for state in _GOES_ON):
            return None
        queued = [capping(found, each.scope) for each in store.waiting_jobs() if each.batch == batch]
        if None in queued:
            return None
        held = list(store.batch_jobs(batch, [JobState.HELD])) if counts.get(JobState.HELD) else []
        if held and (for_held := _held_by(store, found, held)) is None:
            return None
        return _longest([*queued, for_held] if held else queued)

    return left


def _held_by(store: Store, found: Sequence[Standing], jobs: Iterable[Job]) -> Standing | None:
    """What holds some jobs, and those that they wait for; None when one of them goes on."""
    holding_them: list[Standing | None] = []
    looked_at: set[JobId] = set()
    left = list(jobs)
    while left:
        job = left.pop()
        if job.state in TERMINAL or job.id in looked_at:
            continue
        looked_at.add(job.id)
        if job.state is JobState.HELD:
            left += [store.job(need.job_id) for need in store.dependencies(job.id)]
        elif (standing := holding(found, job)) is not None:
            holding_them.append(standing)
        else:
            return None
    return _longest(holding_them)


def _longest(standings: Iterable[Standing | None]) -> Standing | None:
    return max((each for each in standings if each is not None), key=lambda each: each.span.end, default=None)


def held(store: Store, found: Sequence[Standing]) -> list[tuple[Standing, int]]:
    """The budgets that are used up, and how many jobs wait for each; a job waits for the one that holds it longest."""
    waiting = Counter[Standing]()
    for each in store.waiting_jobs() if found else ():
        if (standing := capping(found, each.scope)) is not None:
            waiting[standing] += each.jobs
    return [(each, waiting[each]) for each in found]


def of_submitted(store: Store, found: Sequence[Standing], job_ids: Sequence[JobId]) -> list[tuple[Standing, int]]:
    """The budgets that jobs just submitted wait for, and how many do."""
    holding_them = (holding(found, store.job(job_id)) for job_id in job_ids)
    return list(Counter(each for each in holding_them if each is not None).items())
