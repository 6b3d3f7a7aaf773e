"""What every store promises of the nodes that share it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pitchey_cli.domain.budget import AsOf, Budget
from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.errors import EpochOver, PoolFull, StaleToken
from pitchey_cli.domain.job import InstanceState, Job, JobId, JobState, NewJob, Outcome
from pitchey_cli.domain.nodes import Epoch, Health, NodeFacts, NodeRecord, NodeState, Room
from pitchey_cli.domain.observation import LastDecision
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.nodes import Elsewhere
from pitchey_cli.store.port import Store
from processors.protocol import Reason, Service
from tests.resources.books import INSTANCE, wrong_books

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIDEO = Service.VIDEO
POOL = PoolKey(VIDEO)
ROOM = Room(4.0, 8 * 2**30, 2.0, 4 * 2**30)


def facts(name: str, **chosen: object) -> NodeFacts:
    return NodeFacts(name, "1.0", 1, "process", (VIDEO,), **chosen)  # type: ignore[arg-type]


def entered(store: Store, name: str, **chosen: object) -> Epoch:
    return store.enter(f"id-{name}", facts(name, **chosen), ROOM, now=NOON)


def node(store: Store, name: str) -> NodeRecord:
    return next(each for each in store.nodes() if each.facts.name == name)


def has_instance(store: Store, under: Epoch, instance_id: str, **chosen: object) -> None:
    store.add_instance(replace(INSTANCE, id=instance_id, node=under.node_id, **chosen), under=under)  # type: ignore[arg-type]
    store.set_instance(instance_id, InstanceState.READY, now=NOON, tick=0)


def submit(store: Store, *names: str, **fields: object) -> None:
    jobs = [NewJob(id=JobId(name), service=VIDEO, spec={}, **fields) for name in names]  # type: ignore[arg-type]
    store.enqueue(jobs, now=NOON)


def claim(store: Store, under: Epoch, instance_id: str, *, tick: int = 100, **chosen: object) -> list[Job]:
    words = {"policy": QueuePolicy(), "places": Places([Candidate(instance_id, 4, 4)]), **chosen}
    found = store.claim(POOL, now=NOON, lease_until=NOON, tick=tick, under=under, **words)  # type: ignore[arg-type]
    return [each.job for each in found]


def finish(store: Store, job: Job, tick: int = 200) -> None:
    assert job.token is not None
    outcome = Outcome(Reason.COMPLETED)
    store.finish(job.id, job.token, outcome, after_attempt(job, outcome, now=NOON, dice=0.5), now=NOON, tick=tick)


def test_a_node_is_kept_as_it_says_it_is(store: Store) -> None:
    said = facts("a", region="eu", is_spot=True, price_factor=0.4, labels=("disk=ssd",), has_gpu=True)
    store.enter("id-a", said, ROOM, now=NOON)
    (found,) = store.nodes()
    assert (found.id, found.facts, found.room, found.state) == ("id-a", said, ROOM, NodeState.UP)
    assert (found.epoch, found.beat, found.started_at) == (1, 0, NOON)


def test_each_start_has_an_epoch_of_its_own_and_ends_the_one_before(store: Store) -> None:
    first = entered(store, "a")
    second = entered(store, "a")
    assert (first.number, second.number) == (1, 2)
    assert not store.beat(first, ROOM, now=NOON)
    assert store.beat(second, replace(ROOM, free_cpus=1.5), now=NOON + timedelta(seconds=10))
    found = node(store, "a")
    assert (found.beat, found.beat_at, found.room.free_cpus) == (1, NOON + timedelta(seconds=10), 1.5)


def test_a_node_that_leaves_nothing_behind_is_down_and_one_that_does_stays_to_be_taken_over(store: Store) -> None:
    a, b = entered(store, "a"), entered(store, "b")
    has_instance(store, b, "i-b")
    assert store.leave(a, now=NOON) and not store.leave(b, now=NOON)
    assert [each.state for each in store.nodes()] == [NodeState.DOWN, NodeState.UP]
    assert not store.beat(a, ROOM, now=NOON)


def test_what_a_gone_node_ran_waits_again_at_once_and_no_attempt_is_used_up(store: Store) -> None:
    a, b = entered(store, "a"), entered(store, "b")
    has_instance(store, a, "i-a")
    has_instance(store, b, "i-b")
    submit(store, "j1", "j2")
    (first, second) = claim(store, a, "i-a")
    submit(store, "j3")
    (others,) = claim(store, b, "i-b")
    store.cancel(second.id, why="", now=NOON)
    taken = store.take_over(node(store, "a"), why="it has not answered", now=NOON)
    assert taken is not None and (set(taken.jobs), taken.instances) == ({"j1", "j2"}, ("i-a",))
    assert store.job(first.id).state is JobState.QUEUED and store.job(first.id).attempts_used == 0
    assert store.job(second.id).state is JobState.CANCELLED  # somebody had asked for that
    assert store.job(others.id).state is JobState.RUNNING
    assert store.attempts(first.id)[0].reason is Reason.INTERRUPTED
    assert [each.id for each in store.instances()] == ["i-b"]
    assert node(store, "a").state is NodeState.DOWN
    assert "it has not answered" in (store.instances(active_only=False)[0].note or "")
    (again,) = claim(store, b, "i-b")
    assert (again.id, again.attempt) == (first.id, 2)


def test_the_books_of_a_gone_node_end_at_its_last_sign_of_life(store: Store) -> None:
    a = entered(store, "a")
    has_instance(store, a, "i-a")
    submit(store, "j1", "j2")
    (first, _) = claim(store, a, "i-a", tick=TICKS_PER_HOUR // 4)
    store.note_seen(boot=INSTANCE.boot, tick=TICKS_PER_HOUR // 2, node=a.node_id)
    store.take_over(node(store, "a"), why="gone", now=NOON + timedelta(hours=5))
    instance = store.instances(active_only=False)[0]
    assert (instance.state, instance.stopped_tick) == (InstanceState.LOST, TICKS_PER_HOUR // 2)
    assert store.attempts(first.id)[0].finished_tick == TICKS_PER_HOUR // 2
    assert wrong_books(store) == []


def test_an_attempt_that_began_after_the_last_sign_of_life_costs_nothing_and_the_books_are_right(store: Store) -> None:
    a = entered(store, "a")
    has_instance(store, a, "i-a")
    submit(store, "j1")
    claim(store, a, "i-a", tick=5000)
    assert store.take_over(node(store, "a"), why="gone", now=NOON)
    assert store.attempts(JobId("j1"))[0].cost_nanodollars == 0
    assert wrong_books(store) == []


def test_a_late_result_of_a_node_that_was_taken_over_is_refused_and_so_is_all_else(store: Store) -> None:
    a, b = entered(store, "a"), entered(store, "b")
    has_instance(store, a, "i-a")
    has_instance(store, b, "i-b")
    submit(store, "j1")
    (job,) = claim(store, a, "i-a")
    store.take_over(node(store, "a"), why="gone", now=NOON)
    with pytest.raises(StaleToken):
        finish(store, job)
    assert not store.beat(a, ROOM, now=NOON)
    assert claim(store, a, "i-a") == []
    with pytest.raises(EpochOver):
        has_instance(store, a, "i-late")
    store.set_instance("i-a", InstanceState.READY, now=NOON, tick=10**6)
    assert [each.id for each in store.instances()] == ["i-b"]
    (again,) = claim(store, b, "i-b")
    finish(store, again)
    assert store.job(job.id).state is JobState.SUCCEEDED and len(store.attempts(job.id)) == 2


def test_a_node_that_has_moved_since_it_was_looked_at_is_not_taken_over(store: Store) -> None:
    a = entered(store, "a")
    seen = node(store, "a")
    store.beat(a, ROOM, now=NOON)
    assert store.take_over(seen, why="gone", now=NOON) is None
    seen = node(store, "a")
    a = entered(store, "a")
    assert store.take_over(seen, why="gone", now=NOON) is None
    assert store.beat(a, ROOM, now=NOON)


def test_of_many_that_take_over_one_does(another: Callable[[], Store]) -> None:
    stores = [another() for _ in range(4)]
    a = entered(stores[0], "a")
    has_instance(stores[0], a, "i-a")
    submit(stores[0], *(f"j{number}" for number in range(4)))
    claim(stores[0], a, "i-a")
    gone = node(stores[0], "a")
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda store: store.take_over(gone, why="gone", now=NOON), stores))
    assert sum(each is not None for each in done) == 1
    assert [len(stores[0].attempts(JobId(f"j{number}"))) for number in range(4)] == [1] * 4


def test_a_node_that_comes_back_acts_under_a_new_epoch(store: Store) -> None:
    a = entered(store, "a")
    store.take_over(node(store, "a"), why="gone", now=NOON)
    again = entered(store, "a")
    assert again.number > a.number + 1 and store.beat(again, ROOM, now=NOON)
    assert [each.type for each in store.events(after=0)] == ["node_up", "node_lost", "node_up"]


def test_a_beat_says_how_its_node_does(store: Store) -> None:
    a = store.enter("id-a", facts("a", host="boot-1"), ROOM, Health(10 * 2**30), now=NOON)
    assert node(store, "a").health == Health(10 * 2**30, None) and node(store, "a").facts.host == "boot-1"
    store.beat(a, ROOM, Health(2**30, 12.5), now=NOON)
    assert node(store, "a").health == Health(2**30, 12.5)
    store.beat(a, ROOM, now=NOON)
    assert node(store, "a").health == Health()


def test_a_node_is_missed_from_when_it_is_taken_over_until_it_comes_back_or_is_removed(store: Store) -> None:
    late = NOON + timedelta(hours=1)
    a, _ = entered(store, "a"), entered(store, "b")
    assert store.leave(a, now=NOON) and not node(store, "a").is_away(late)  # it has ended in order
    entered(store, "a")
    for name in "ab":
        assert store.take_over(node(store, name), why="gone", now=late)
    assert [(each.lost_at, each.is_away(late)) for each in store.nodes()] == [(late, True)] * 2
    entered(store, "a")
    assert not node(store, "a").is_away(NOON)
    store.drain_node("id-b", is_drained=True, now=late)
    assert not node(store, "b").is_away(late)
    store.drain_node("id-b", is_drained=False, now=late)
    assert node(store, "b").is_away(late)
    store.remove_node("id-b", now=late)
    assert not node(store, "b").is_away(late)


def test_nobody_is_told_of_the_nodes_of_single_runs(store: Store) -> None:
    run = entered(store, "run", is_foreground=True)
    assert store.leave(run, now=NOON) and store.events(after=0) == []
    daemon = entered(store, "daemon")
    assert store.leave(daemon, now=NOON)
    assert [(each.type, each.job_id, each.data["name"]) for each in store.events(after=0)] == [
        ("node_up", None, "daemon"),
        ("node_down", None, "daemon"),
    ]


def test_a_drained_node_takes_nothing_and_stays_so_when_its_daemon_starts_anew(store: Store) -> None:
    a = entered(store, "a")
    has_instance(store, a, "i-a")
    submit(store, "j1")
    assert store.drain_node("id-a", is_drained=True, now=NOON)
    assert not store.drain_node("id-a", is_drained=True, now=NOON)
    assert node(store, "a").state is NodeState.DRAINING and not store.may_take(a)
    assert claim(store, a, "i-a") == [] and store.beat(a, ROOM, now=NOON)
    a = entered(store, "a")
    assert claim(store, a, "i-a") == []
    assert store.drain_node("id-a", is_drained=False, now=NOON)
    assert [each.id for each in claim(store, a, "i-a")] == ["j1"]
    assert not store.drain_node("nobody", is_drained=True, now=NOON)


def test_a_job_that_a_start_of_a_daemon_is_not_fit_for_goes_to_the_next_one_alone(store: Store) -> None:
    a, b = entered(store, "a", start="1"), entered(store, "b", start="2")
    has_instance(store, a, "i-a")
    has_instance(store, b, "i-b")
    submit(store, "j1", "j2", on_node="spot=false")
    of_a, of_b = (QueuePolicy(labels=node(store, name).facts.all_labels) for name in "ab")
    (job,) = claim(store, a, "i-a", policy=of_a, places=Places([Candidate("i-a", 1, 1)]))
    outcome = Outcome(Reason.INTERRUPTED)
    passed = replace(after_attempt(job, outcome, now=NOON, dice=0.5), on_node="spot=false,start!=1")
    assert job.token is not None
    store.finish(job.id, job.token, outcome, passed, now=NOON, tick=200)
    assert (store.job(job.id).state, store.job(job.id).attempts_used) == (JobState.QUEUED, 0)
    assert [each.id for each in claim(store, a, "i-a", policy=of_a)] == ["j2"]  # nobody waits behind it
    (again,) = claim(store, b, "i-b", policy=of_b)
    failed = Outcome(Reason.REJECTED)
    assert again.id == "j1" and again.token is not None
    dead = after_attempt(again, failed, now=NOON, dice=0.5)
    store.finish(again.id, again.token, failed, dead, now=NOON, tick=300)
    assert store.redrive(again.id, now=NOON)
    assert [(each.id, each.on_node) for each in claim(store, a, "i-a", policy=of_a)] == [("j1", "spot=false")]
    assert store.integrity() == [] and wrong_books(store) == []


def test_a_node_that_is_removed_loses_what_it_ran(store: Store) -> None:
    a = entered(store, "a")
    has_instance(store, a, "i-a")
    submit(store, "j1")
    claim(store, a, "i-a")
    taken = store.remove_node("id-a", now=NOON)
    assert taken is not None and taken.jobs == ("j1",)
    assert store.job(JobId("j1")).state is JobState.QUEUED and store.instances() == []
    assert not store.beat(a, ROOM, now=NOON) and node(store, "a").state is NodeState.REMOVED
    assert store.remove_node("id-a", now=NOON) is None


def test_what_a_removed_node_has_decided_is_of_no_use_any_more(store: Store) -> None:
    entered(store, "a"), entered(store, "b")
    store.observe([], [], [], [LastDecision(NOON, POOL, {"wanted": 1}, f"id-{name}") for name in "ab"])
    store.remove_node("id-a", now=NOON)
    assert [each.node for each in store.last_decisions()] == ["id-b"]


def test_a_node_reads_what_is_its_own(store: Store) -> None:
    a, b = entered(store, "a"), entered(store, "b")
    has_instance(store, a, "i-a")
    has_instance(store, b, "i-b")
    submit(store, "j1")
    claim(store, a, "i-a")
    assert [each.id for each in store.instances(node="id-a")] == ["i-a"]
    assert [each.id for each in store.running(node="id-a")] == ["j1"] and store.running(node="id-b") == []
    store.note_seen(boot=INSTANCE.boot, tick=77, node="id-b")
    assert {each.id: each.seen_tick for each in store.instances()} == {"i-a": 0, "i-b": 77}
    assert store.pools_elsewhere("id-b") == {POOL: Elsewhere(1, 3)}
    assert store.pools_elsewhere("id-a") == {POOL: Elsewhere(1, 4)}
    has_instance(store, a, "i-leaving")
    store.set_instance("i-leaving", InstanceState.DRAINING, now=NOON, tick=0)
    assert store.pools_elsewhere("id-b") == {POOL: Elsewhere(1, 3)}, "as many as the limit of all nodes counts"


def test_all_nodes_together_have_no_more_instances_of_a_pool_than_there_may_be(another: Callable[[], Store]) -> None:
    stores = [another() for _ in range(4)]
    unders = [entered(store, name) for store, name in zip(stores, "abcd", strict=True)]

    def start(number: int) -> bool:
        record = replace(INSTANCE, id=f"i-{number}", node=unders[number].node_id)
        try:
            stores[number].add_instance(record, under=unders[number], at_most=2)
        except PoolFull:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(start, range(4))) == 2
    assert len(stores[0].instances()) == 2


def test_what_is_spent_on_another_node_holds_a_claim_in_its_own_transaction(store: Store) -> None:
    a, b = entered(store, "a"), entered(store, "b")
    has_instance(store, a, "i-a")
    has_instance(store, b, "i-b")
    store.set_budget(Budget(Scope("default"), Period.DAY, 10**9 // 4), now=NOON)
    submit(store, "j1")
    (job,) = claim(store, a, "i-a", tick=0)
    submit(store, "j2")
    as_of = AsOf(NOON, "b", TICKS_PER_HOUR, UTC)
    assert claim(store, b, "i-b", as_of=replace(as_of, tick=10)) != []
    submit(store, "j3")
    finish(store, job, tick=TICKS_PER_HOUR)  # a slot of four for an hour: all that there was
    assert claim(store, b, "i-b", as_of=as_of) == []
    store.remove_budget(Scope("default"), Period.DAY)
    assert [each.id for each in claim(store, b, "i-b", as_of=as_of)] == ["j3"]


def test_a_job_goes_to_a_node_with_the_labels_that_it_asks_for(store: Store) -> None:
    a, b = entered(store, "a"), entered(store, "b", region="eu")
    has_instance(store, a, "i-a")
    has_instance(store, b, "i-b")
    submit(store, "j1", on_node="region=eu")
    submit(store, "j2")
    here, there = (QueuePolicy(labels=node(store, name).facts.all_labels) for name in "ab")
    assert [each.id for each in claim(store, a, "i-a", policy=here)] == ["j2"]
    assert [(each.id, each.on_node) for each in claim(store, b, "i-b", policy=there)] == [("j1", "region=eu")]
    store.take_over(node(store, "b"), why="gone", now=NOON)  # its line is that of before
    assert claim(store, a, "i-a", policy=here) == []
    assert [each.on_node for each in store.queue(POOL).flows] == ["region=eu"]


def test_a_server_says_what_time_it_is_there(store: Store) -> None:
    there = store.time_there()
    if store.database_version().startswith("PostgreSQL"):
        assert there is not None and abs(datetime.now(UTC) - there) < timedelta(minutes=1)
    else:
        assert there is None
