"""Budgets, as people set them and are held by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from pitchey_cli.domain.budget import AsOf, Budget, Standing, capping, parse_amount
from pitchey_cli.domain.errors import BudgetReached, InputNotFound, UsageError
from pitchey_cli.domain.estimate import Expectation
from pitchey_cli.domain.job import TERMINAL, Job, JobId, JobState
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.prices import dollars
from pitchey_cli.domain.scope import Scope
from pitchey_cli.store.port import Store

_GOES_ON = (JobState.RUNNING, JobState.SCHEDULED)
_NEARLY = 80  # percent, one of THRESHOLDS, from which on people are told before they submit
_NAMED = 3  # of several that hold a job; `budget list` has all


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


def holding(found: Sequence[Standing], job: Job) -> list[Standing]:
    """The budgets that a job waits for, the one that ends last first."""
    return capping(found, Scope(job.organisation, job.service)) if job.state is JobState.QUEUED else []


def sentence(standings: Sequence[Standing], *, jobs: str = "jobs wait") -> str:
    """Why jobs wait, and until when: for all of these budgets."""
    named = [
        f"of {each.budget.scope} for the {each.budget.period} is used up"
        f" ({dollars(each.spent)} of {dollars(each.budget.nanodollars)})"
        for each in standings[:_NAMED]
    ]
    more = f", and {len(standings) - _NAMED} more (`pitchey budget list`)" if len(standings) > _NAMED else ""
    until = f"{max(each.span.end for each in standings).astimezone():%Y-%m-%d %H:%M %Z}"
    return f"The budget {', and that '.join(named)}{more}: {jobs} until {until}."


def waiting(jobs: int) -> str:
    """How many jobs wait."""
    if not jobs:
        return "whatever is submitted waits"
    return f"{jobs:,} job{'' if jobs == 1 else 's'} wait{'s' * (jobs == 1)}"


def way_out(standings: Sequence[Standing]) -> str:
    """How somebody may let the jobs go on."""
    raising = [f"`pitchey budget set{_options(each)} AMOUNT`" for each in standings[:_NAMED]]
    if len(standings) == 1:
        return f"They stay in the queue; {raising[0]} raises it."
    more = " and so on, see `pitchey budget list`" if len(standings) > _NAMED else ""
    return f"They stay in the queue until each of these is raised: {', '.join(raising)}{more}."


def _options(standing: Standing) -> str:
    scope = standing.budget.scope
    options = f" --organisation {scope.organisation}" if scope.organisation else ""
    options += f" --service {scope.service}" if scope.service else ""
    return f"{options} --period {standing.budget.period}"


def tight(standings: Iterable[Standing], expected: Sequence[tuple[Scope, Expectation]]) -> list[Standing]:
    """The budgets that jobs not yet submitted would find used up, nearly so, or with less left than they may cost."""
    found = []
    for standing in standings:
        budget = standing.budget.scope
        its = [each for scope, each in expected if budget.covers(scope.organisation, scope.service)]
        cost = sum(each.cost(each.times()[2]) for each in its if each.estimate is not None)
        if its and (standing.left < cost or _NEARLY in standing.reached):
            found.append(standing)
    return found


def warning(standing: Standing) -> str:
    """What is to be known of a budget before jobs are submitted."""
    if standing.is_capped:
        return sentence([standing], jobs="the jobs would wait")
    budget, left = standing.budget, dollars(standing.left)
    return f"The budget of {budget.scope} for the {budget.period} has {left} left of {dollars(budget.nanodollars)}."


def check_not_held(store: Store, as_of: Callable[[], AsOf], left: Left) -> None:
    """Look whether there is anything to wait for.

    Raises:
        BudgetReached: all that is left waits for budgets.
    """
    if (found := capped(store, as_of)) and (standings := left(store, found)):
        raise BudgetReached(sentence(standings), hint=way_out(standings))


class Left(Protocol):
    """Looks at what is waited for."""

    def __call__(self, store: Store, found: Sequence[Standing]) -> list[Standing]:
        """The budgets that all of it waits for; none when something goes on, or all has ended."""


def of_jobs(job_ids: Sequence[JobId]) -> Left:
    """Some jobs are waited for."""

    def left(store: Store, found: Sequence[Standing]) -> list[Standing]:
        return _held_by(store, found, map(store.job, job_ids))

    return left


def of_batch(batch: str) -> Left:
    """A batch is waited for."""

    def left(store: Store, found: Sequence[Standing]) -> list[Standing]:
        counts = store.batch_counts(batch)
        if any(counts.get(state) for state in _GOES_ON):
            return []
        holding_them = [capping(found, each.scope) for each in store.waiting_jobs() if each.batch == batch]
        held = list(store.batch_jobs(batch, [JobState.HELD])) if counts.get(JobState.HELD) else []
        if held:
            holding_them.append(_held_by(store, found, held))
        return _all_of(holding_them)

    return left


def _held_by(store: Store, found: Sequence[Standing], jobs: Iterable[Job]) -> list[Standing]:
    """What holds some jobs, and those that they wait for; nothing when one of them goes on."""
    holding_them: list[list[Standing]] = []
    looked_at: set[JobId] = set()
    left = list(jobs)
    while left:
        job = left.pop()
        if job.state in TERMINAL or job.id in looked_at:
            continue
        looked_at.add(job.id)
        if job.state is JobState.HELD:
            left += [store.job(need.job_id) for need in store.dependencies(job.id)]
        elif standings := holding(found, job):
            holding_them.append(standings)
        else:
            return []
    return _all_of(holding_them)


def _all_of(holding_them: Sequence[Sequence[Standing]]) -> list[Standing]:
    """The budgets that hold several, each once, the one that ends last first; none when one of these is not held."""
    if not all(holding_them):
        return []
    found = dict.fromkeys(each for standings in holding_them for each in standings)
    return sorted(found, key=lambda each: each.span.end, reverse=True)


def held(store: Store, found: Sequence[Standing]) -> list[tuple[list[Standing], int]]:
    """The budgets that are used up, by the jobs that wait for them: those of several wait until the last of these ends.

    One that no job waits for stands by itself.
    """
    jobs = Counter[tuple[Standing, ...]]()
    for each in store.waiting_jobs() if found else ():
        if standings := capping(found, each.scope):
            jobs[tuple(standings)] += each.jobs
    known = {standing for standings in jobs for standing in standings}
    alone = [([each], 0) for each in found if each not in known]
    return [*((list(standings), count) for standings, count in jobs.items()), *alone]


def of_submitted(store: Store, found: Sequence[Standing], job_ids: Sequence[JobId]) -> list[tuple[list[Standing], int]]:
    """The budgets that jobs just submitted wait for, and how many do."""
    holding_them = Counter(tuple(holding(found, store.job(job_id))) for job_id in job_ids)
    return [(list(standings), count) for standings, count in holding_them.items() if standings]
