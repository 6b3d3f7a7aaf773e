"""What every store promises of instances and the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pitchey_cli.domain.cost import TICKS_PER_HOUR, Account, Line, live_entries, total
from pitchey_cli.domain.errors import InputNotFound, StaleToken
from pitchey_cli.domain.job import Attempt, Instance, InstanceState, Job, JobId, NewJob, Outcome, Token
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import PriceWindow, Tariff
from pitchey_cli.domain.retention import Excess, RetentionPolicy
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.domain.windows import Window
from pitchey_cli.store.apart import apart
from pitchey_cli.store.port import Store
from processors.protocol import Reason, Service
from tests.resources.books import INSTANCE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIDEO = Service.VIDEO
HOUR = TICKS_PER_HOUR
DOLLAR = 10**9


@pytest.fixture
def store(store: Store) -> Store:
    store.add_instance(INSTANCE)
    return store


def started(store: Store, tick: int, job_id: str = "job1", *, slots: int = 1, **fields: object) -> Job:
    job = NewJob(id=JobId(job_id), service=VIDEO, spec={}, slots=slots, **fields)  # type: ignore[arg-type]
    store.enqueue([job], now=NOON)
    places = Places([Candidate("i-1", 4, 4)])
    (claimed,) = store.claim(PoolKey(VIDEO), places=places, policy=QueuePolicy(), now=NOON, lease_until=NOON, tick=tick)
    return claimed.job


def end(store: Store, job: Job, tick: int, reason: Reason = Reason.COMPLETED) -> Attempt:
    assert job.token is not None
    outcome = Outcome(reason)
    store.finish(job.id, job.token, outcome, after_attempt(job, outcome, now=NOON, dice=0.5), now=NOON, tick=tick)
    return store.attempts(job.id)[-1]


def stop(store: Store, tick: int | None, state: InstanceState = InstanceState.STOPPED) -> Instance:
    store.set_instance("i-1", state, now=NOON, tick=tick)
    return store.instances(active_only=False)[0]


def booked(store: Store) -> Counter[tuple[int, str]]:
    """Nanodollars by the hour since noon, and the line."""
    found: Counter[tuple[int, str]] = Counter()
    for each in store.costs(since=NOON - timedelta(days=1), until=NOON + timedelta(days=9)).booked:
        found[(each.hour - NOON) // timedelta(hours=1), each.line] += each.nanodollars
    return found


# --- attempts


def test_an_attempt_is_paid_for_by_its_slots_from_claim_to_end(store):
    attempt = end(store, started(store, HOUR // 4, slots=2), HOUR // 2)
    assert (attempt.started_tick, attempt.finished_tick, attempt.slots) == (HOUR // 4, HOUR // 2, 2)
    assert attempt.cost_nanodollars == DOLLAR // 8  # a quarter of an hour, on half of the instance
    assert booked(store) == {(0, "work"): DOLLAR // 8}
    assert store.events(after=2)[0].data["costNanodollars"] == DOLLAR // 8


def test_an_attempt_over_several_hours_is_booked_to_each_of_them_and_counts_in_the_last(store):
    attempt = end(store, started(store, HOUR // 2, slots=4), 2 * HOUR + HOUR // 4, Reason.OOM)
    assert booked(store) == {(0, "failed"): DOLLAR // 2, (1, "failed"): DOLLAR, (2, "failed"): DOLLAR // 4}
    assert attempt.cost_nanodollars == DOLLAR * 7 // 4
    entries = store.costs(since=NOON, until=NOON + timedelta(hours=3)).booked
    assert [each.attempts for each in entries] == [0, 0, 1]
    assert {(each.account, each.service, each.instance_type, each.region) for each in entries} == {
        (Account("default", ""), VIDEO, "standard-2", "local")
    }


def test_attempts_of_one_hour_and_account_share_a_row(store):
    for number in range(3):
        end(store, started(store, 100 * number, f"job{number}", organisation="acme", batch="b"), 100 * number + 50)
    (entry,) = store.costs(since=NOON, until=NOON + timedelta(hours=1)).booked
    assert (entry.attempts, entry.ticks, entry.account) == (3, 150, Account("acme", "b"))


def test_a_stale_end_books_nothing(store):
    job = started(store, 0)
    outcome = Outcome(Reason.COMPLETED)
    with pytest.raises(StaleToken):
        store.finish(
            job.id, Token("job1.9"), outcome, after_attempt(job, outcome, now=NOON, dice=0.5), now=NOON, tick=9
        )
    assert booked(store) == {}
    end(store, job, HOUR)
    with pytest.raises(StaleToken):
        end(store, job, 2 * HOUR)
    assert booked(store) == {(0, "work"): DOLLAR // 4}


def test_what_is_booked_is_undone_with_the_end_that_it_belongs_to(store):
    job = started(store, 0)
    with pytest.raises(ZeroDivisionError), store.transaction():
        end(store, job, HOUR)
        stop(store, HOUR)
        assert booked(store)
        assert 1 / 0
    assert booked(store) == {}
    assert store.job(job.id).token == "job1.1"
    assert store.instances()[0].seen_tick == 0


def test_no_attempt_is_paid_for_longer_than_its_instance(store):
    job = started(store, 100)
    stop(store, 500, InstanceState.LOST)
    attempt = end(store, job, 9000, Reason.INSTANCE_LOST)
    assert attempt.finished_tick == 500
    late = end(store, started(store, 700, "job2"), 800)
    assert (late.finished_tick, late.cost_nanodollars) == (700, 0)


def test_an_attempt_without_a_record_of_its_instance_has_no_price(another):
    store = another()
    attempt = end(store, started(store, 3), 10)
    assert (attempt.cost_nanodollars, attempt.finished_tick) == (None, 10)
    assert booked(store) == {}


def test_the_ledger_outlives_the_jobs(store):
    job = started(store, 0)
    end(store, job, HOUR)
    policy = RetentionPolicy(jobs_days=1)
    store.remove_ended(policy, Excess(), after_seq=0, now=NOON + timedelta(days=5))
    with pytest.raises(InputNotFound):
        store.job(job.id)
    assert booked(store) == {(0, "work"): DOLLAR // 4}


# --- instances


def test_an_instance_is_paid_for_from_its_creation_to_its_end(store):
    store.set_instance("i-1", InstanceState.READY, now=NOON, tick=HOUR // 10)
    stopped = stop(store, HOUR + HOUR // 2)
    assert (stopped.ready_tick, stopped.stopped_tick) == (HOUR // 10, HOUR * 3 // 2)
    assert stopped.cost_nanodollars == DOLLAR * 3 // 2
    assert booked(store) == {(0, "instance"): DOLLAR, (1, "instance"): DOLLAR // 2, (0, "start"): DOLLAR // 10}


def test_one_that_never_was_ready_only_started(store):
    stop(store, HOUR // 2, InstanceState.LOST)
    assert booked(store) == {(0, "instance"): DOLLAR // 2, (0, "start"): DOLLAR // 2}


def test_an_end_is_booked_once(store):
    stop(store, HOUR)
    assert stop(store, 3 * HOUR, InstanceState.LOST).stopped_tick == HOUR
    store.set_instance("i-1", InstanceState.READY, now=NOON, tick=4 * HOUR)
    assert store.instances() == []
    assert booked(store) == {(0, "instance"): DOLLAR, (0, "start"): DOLLAR}


def test_an_instance_that_went_with_the_machine_ended_when_it_was_last_seen(store):
    store.set_instance("i-1", InstanceState.READY, now=NOON, tick=0)
    store.note_seen(boot="b", tick=HOUR // 2)
    store.note_seen(boot="another", tick=HOUR)
    store.note_seen(boot="b", tick=HOUR, gone=["i-1"])
    assert stop(store, None, InstanceState.LOST).stopped_tick == HOUR // 2
    assert booked(store) == {(0, "instance"): DOLLAR // 2}


def test_an_instance_was_seen_when_an_attempt_on_it_ended(store):
    end(store, started(store, 0, slots=4), HOUR)
    stopped = stop(store, None, InstanceState.LOST)
    assert stopped.stopped_tick == HOUR
    assert (stopped.cost_nanodollars, booked(store)[0, "work"]) == (DOLLAR, DOLLAR)


def test_pauses_are_told_apart_also_one_that_an_instance_ends_in(store):
    store.set_instance("i-1", InstanceState.READY, now=NOON, tick=0)
    store.pause_instance("i-1", tick=HOUR // 4)
    store.pause_instance("i-1", tick=HOUR // 3)
    store.unpause_instance("i-1", tick=HOUR // 2)
    store.unpause_instance("i-1", tick=HOUR * 3 // 4)
    assert booked(store) == {(0, "paused"): DOLLAR // 4}
    store.pause_instance("i-1", tick=HOUR)
    stopped = stop(store, HOUR * 2)
    assert (stopped.paused_tick, stopped.paused_ticks) == (None, HOUR + HOUR // 4)
    assert booked(store) == {
        (0, "instance"): DOLLAR, (1, "instance"): DOLLAR, (0, "paused"): DOLLAR // 4, (1, "paused"): DOLLAR,
    }  # fmt: skip


def test_a_tariff_comes_back_as_it_was_given(another):
    windows = (PriceWindow(Window(NOON.time(), NOON.replace(hour=13).time()), 0.5),)
    store = another()
    store.add_instance(replace(INSTANCE, tariff=Tariff(7, windows, "Europe/Berlin"), region="eu"))
    assert store.instances() == [replace(INSTANCE, tariff=Tariff(7, windows, "Europe/Berlin"), region="eu")]


# --- what lives, and what was spent


def test_what_lives_costs_as_if_it_ended_now(store):
    store.set_instance("i-1", InstanceState.READY, now=NOON, tick=0)
    started(store, HOUR // 2, slots=2, organisation="acme")
    costs = store.costs(since=NOON, until=NOON + timedelta(hours=1))
    assert costs.booked == []
    live = live_entries(costs.instances, costs.attempts, boot="b", tick=HOUR)
    assert (total(live, Line.INSTANCE), total(live, Line.WORK)) == (DOLLAR, DOLLAR // 4)
    assert {each.account for each in live if each.line is Line.WORK} == {Account("acme", "")}


def test_what_another_boot_has_left_costs_nothing_more(store):
    store.note_seen(boot="b", tick=HOUR)
    started(store, HOUR // 2, slots=4)
    costs = store.costs(since=NOON, until=NOON + timedelta(hours=1))
    live = live_entries(costs.instances, costs.attempts, boot="later", tick=9 * HOUR)
    assert (total(live, Line.INSTANCE), total(live, Line.WORK)) == (DOLLAR, DOLLAR // 2)


def test_spending_is_known_by_organisation_and_by_service_from_an_hour_on(store):
    store.set_instance("i-1", InstanceState.READY, now=NOON, tick=0)
    end(store, started(store, 0, "a", organisation="acme"), HOUR)
    end(store, started(store, HOUR, "b", organisation="acme"), 2 * HOUR, Reason.FAILED)
    end(store, started(store, 0, "c", organisation="others"), HOUR)
    stop(store, 2 * HOUR)

    def spent(organisation: str | None, service: Service | None = None, minutes: int = 0) -> int:
        return store.spent(organisation=organisation, service=service, since=NOON + timedelta(minutes=minutes))

    assert spent("acme") == spent("acme", VIDEO) == DOLLAR // 2
    assert spent("acme", VIDEO, 90) == DOLLAR // 4  # the hour counts in which it lies
    assert spent("acme", Service.CODE) == spent("nobody") == spent("acme", None, 180) == 0
    assert (spent(None), spent(None, VIDEO, 60), spent(None, Service.CODE)) == (2 * DOLLAR, DOLLAR, 0)


def test_another_connection_finds_the_same_accounts(store, another):
    started(store, 0)
    stop(store, HOUR)
    assert another().costs(since=NOON, until=NOON + timedelta(hours=1)) == store.costs(
        since=NOON, until=NOON + timedelta(hours=1)
    )


# --- of one organisation


def test_an_organisation_reads_its_own_lines_and_its_own_instances_and_no_others(store: Store) -> None:
    end(store, started(store, 0, "ours", organisation="acme"), HOUR)
    end(store, started(store, HOUR, "theirs", organisation="rival"), 3 * HOUR)
    started(store, HOUR, "now", organisation="rival")
    store.add_instance(replace(INSTANCE, id="i-acme", organisation="acme"))
    stop(store, 4 * HOUR)
    for name, hours, live in (("acme", 1, []), ("rival", 2, ["rival"]), ("nobody", 0, [])):
        of_one = apart(store, name)
        found = of_one.costs(since=NOON - timedelta(days=1), until=NOON + timedelta(days=9))
        assert {each.account.organisation for each in found.booked} <= {name}
        assert sum(each.nanodollars for each in found.booked) == hours * DOLLAR // 4
        assert (found.instances, [each.account.organisation for each in found.attempts]) == ([], live)
    assert [each.id for each in apart(store, "acme").instances(active_only=False)] == ["i-acme"]
    assert apart(store, "rival").instances(active_only=False) == apart(store, "rival").instances() == []
    assert len(store.instances(active_only=False)) == 2
