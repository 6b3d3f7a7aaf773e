"""What every store promises of budgets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pitchey_cli.domain.budget import AsOf, Budget
from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.job import InstanceState, JobId, NewJob, Outcome
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.retention import Excess, RetentionPolicy
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.port import Store
from processors.protocol import Reason, Service
from tests.resources.books import INSTANCE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = TICKS_PER_HOUR
DOLLAR = 10**9
VIDEO, ACME, ALL = Scope("", Service.VIDEO), Scope("acme"), Scope()


@pytest.fixture
def store(store: Store) -> Store:
    store.add_instance(INSTANCE)
    return store


def budget(scope: Scope = ACME, amount: int = DOLLAR, period: Period = Period.DAY) -> Budget:
    return Budget(scope, period, amount)


def as_of(hours: float, *, days: int = 0) -> AsOf:
    """So many hours after noon; a later day's ticks are those of another boot."""
    now = NOON + timedelta(days=days, hours=hours)
    return AsOf(now, "b" if not days else "later", int(hours * HOUR), UTC)


def work(
    store: Store, job_id: str, tick: int, *, until: int | None, organisation: str = "acme", slots: int = 1
) -> None:
    """An attempt from a tick on; None: it still runs."""
    new = NewJob(JobId(job_id), Service.VIDEO, {}, slots=slots, organisation=organisation)
    store.enqueue([new], now=NOON)
    places = Places([Candidate("i-1", 4, 4)])
    policy = QueuePolicy()
    (claimed,) = store.claim(
        PoolKey(Service.VIDEO), places=places, policy=policy, now=NOON, lease_until=NOON, tick=tick
    )
    job, outcome = claimed.job, Outcome(Reason.COMPLETED)
    assert job.token is not None
    if until is not None:
        transition = after_attempt(job, outcome, now=NOON, dice=0.5)
        store.finish(job.id, job.token, outcome, transition, now=NOON, tick=until)


def test_there_is_one_budget_for_a_scope_and_a_period(store, another):
    for each in (budget(amount=1), budget(amount=2), budget(VIDEO), budget(period=Period.MONTH)):
        store.set_budget(each, now=NOON)
    assert another().budgets() == [budget(VIDEO), budget(amount=2), budget(period=Period.MONTH)]
    assert store.remove_budget(ACME, Period.DAY)
    assert not store.remove_budget(ACME, Period.DAY)
    assert store.budgets() == [budget(VIDEO), budget(period=Period.MONTH)]


def test_an_organisation_has_spent_what_its_attempts_cost_also_those_that_run(store):
    store.set_budget(budget(), now=NOON)
    work(store, "a", 0, until=HOUR)
    work(store, "b", HOUR, until=None, slots=2)
    work(store, "c", 0, until=HOUR, organisation="others")
    (standing,) = store.standings(as_of(2))
    assert standing.spent == DOLLAR // 4 + DOLLAR // 2


def test_a_service_has_spent_what_its_instances_cost_used_or_not(store):
    for each in (budget(VIDEO), budget(ALL), budget(Scope("", Service.CODE))):
        store.set_budget(each, now=NOON)
    store.add_instance(replace(INSTANCE, id="i-2"))
    store.set_instance("i-2", InstanceState.STOPPED, now=NOON, tick=HOUR)
    spent = {str(each.budget.scope): each.spent for each in store.standings(as_of(2))}
    assert spent == {"everything": 3 * DOLLAR, "video": 3 * DOLLAR, "code": 0}


def test_a_new_period_begins_with_nothing_spent(store):
    store.set_budget(budget(), now=NOON)
    store.set_budget(budget(period=Period.MONTH), now=NOON)
    work(store, "a", 0, until=HOUR)
    by_period = {each.budget.period: each.spent for each in store.standings(as_of(0, days=1))}
    assert by_period == {Period.DAY: 0, Period.MONTH: DOLLAR // 4}


def reached(store: Store) -> list[tuple[int, str | None]]:
    found = [each for each in store.events(after=0) if each.type == "budget_reached"]
    assert {each.job_id for each in found} <= {None}
    return [(each.data["percent"], each.data["organisation"]) for each in found]


def test_a_threshold_is_told_once_in_a_period_whoever_looks(store, another):
    store.set_budget(budget(amount=DOLLAR // 4), now=NOON)
    work(store, "a", 0, until=None)
    half, whole = (store.standings(as_of(hours)) for hours in (0.6, 2))
    assert (store.note_reached(half, now=NOON), another().note_reached(half, now=NOON)) == (1, 0)
    assert (another().note_reached(whole, now=NOON), store.note_reached(whole, now=NOON)) == (2, 0)
    assert reached(store) == [(50, "acme"), (80, "acme"), (100, "acme")]
    tomorrow = [replace(each, span=replace(each.span, begin=each.span.end)) for each in whole]
    assert store.note_reached(tomorrow, now=NOON) == 3


def test_a_budget_of_another_amount_has_its_thresholds_anew_and_one_that_comes_back_has_not(store):
    store.set_budget(budget(amount=DOLLAR // 4), now=NOON)
    work(store, "a", 0, until=HOUR)
    assert store.note_reached(store.standings(as_of(2)), now=NOON) == 3
    store.set_budget(budget(amount=DOLLAR // 2), now=NOON)
    assert store.note_reached(store.standings(as_of(2)), now=NOON) == 1
    store.remove_budget(ACME, Period.DAY)
    store.set_budget(budget(amount=DOLLAR // 4), now=NOON)
    assert store.note_reached(store.standings(as_of(2)), now=NOON) == 0


def test_an_event_that_belongs_to_no_job_outlives_the_jobs_and_goes_by_its_own_age(store):
    store.set_budget(budget(amount=1), now=NOON)
    work(store, "a", 0, until=HOUR)
    store.note_reached(store.standings(as_of(2)), now=NOON)
    store.remove_ended(RetentionPolicy(jobs_days=1), Excess(), after_seq=0, now=NOON + timedelta(days=5))
    assert reached(store) == [(each, "acme") for each in (50, 80, 100)]
    assert store.events(after=0, job_ids=[JobId("a")]) == []
    assert store.integrity() == []
    store.forget_notices(before=NOON)
    assert len(reached(store)) == 3
    store.forget_notices(before=NOON + timedelta(days=90))
    assert reached(store) == [] and store.last_event_id() == 0


def test_events_of_jobs_do_not_go_with_those_of_none(store):
    work(store, "a", 0, until=HOUR)
    before = store.events(after=0)
    store.forget_notices(before=NOON + timedelta(days=90))
    assert store.events(after=0) == before


def test_who_waits_is_known_by_organisation_service_and_batch(store):
    jobs = [("a", "acme", ""), ("b", "acme", ""), ("c", "acme", "night"), ("d", "others", "")]
    for job_id, organisation, batch in jobs:
        store.enqueue([NewJob(JobId(job_id), Service.CODE, {}, organisation=organisation, batch=batch)], now=NOON)
    found = {(each.scope.organisation, each.scope.service, each.batch): each.jobs for each in store.waiting_jobs()}
    assert found == {
        ("acme", Service.CODE, ""): 2, ("acme", Service.CODE, "night"): 1, ("others", Service.CODE, ""): 1,
    }  # fmt: skip


def test_no_job_is_claimed_whose_budget_is_used_up(store):
    for number, organisation in enumerate(("acme", "acme", "others")):
        store.enqueue([NewJob(JobId(f"j{number}"), Service.VIDEO, {}, organisation=organisation)], now=NOON)

    def claim(*capped: Scope) -> set[str]:
        policy = QueuePolicy(capped=frozenset(capped))
        places = Places([Candidate("i-1", 4, 1)])
        taken = store.claim(PoolKey(Service.VIDEO), places=places, policy=policy, now=NOON, lease_until=NOON, tick=0)
        return {each.job.id for each in taken}

    assert claim(ALL) == claim(VIDEO) == set()
    assert claim(Scope("acme", Service.VIDEO), Scope("", Service.CODE)) == {"j2"}
    assert claim(Scope("others")) == {"j0"}
