"""What every store promises of alerts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pitchey_cli.domain.alerts import RULES, Alert, Reading, Rule, Silence
from pitchey_cli.domain.budget import AsOf, Budget
from pitchey_cli.domain.cost import TICKS_PER_HOUR, Line
from pitchey_cli.domain.job import Instance, InstanceState, JobId, NewJob, Outcome
from pitchey_cli.domain.observation import LastDecision
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.domain.readings import Facts
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.port import Store
from processors.protocol import Reason, Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOLLAR = 10**9
WAIT, DISK = (next(rule for rule in RULES if rule.name == name) for name in ("queue_wait", "disk_free"))


def facts(store: Store, now: datetime = NOON) -> Facts:
    return store.alert_facts(AsOf(now, "b", 0, UTC), QueuePolicy())


def judge(store: Store, value: float, *, rule: Rule = WAIT, minutes: int = 0, dry_run: bool = False) -> Alert:
    (found,) = store.judge_alerts(
        [rule], {rule.name: Reading(value, "video")}, now=NOON + minutes * MINUTE, dry_run=dry_run
    )
    return found


def told(store: Store) -> list[tuple[str, str, float, bool]]:
    found = [each for each in store.events(after=0) if each.type.startswith("alert_")]
    assert all(each.job_id is None for each in found)
    return [(each.type, each.data["rule"], each.data["value"], each.data["isTest"]) for each in found]


def submit(store: Store, job_id: str, **fields: object) -> None:
    store.enqueue([NewJob(JobId(job_id), Service.VIDEO, {}, **fields)], now=NOON)  # type: ignore[arg-type]


def test_an_alert_is_told_once_whoever_looks_and_what_is_known_of_it_is_kept(store, another):
    other = another()
    assert judge(store, 500).firing_since == NOON
    assert judge(other, 600, minutes=1).firing_since == NOON
    assert judge(other, 1, minutes=2).resolved_at == NOON + 2 * MINUTE
    assert judge(store, 1, minutes=3) == judge(other, 1, minutes=4)
    assert told(store) == [("alert_fired", "queue_wait", 500, False), ("alert_resolved", "queue_wait", 1, False)]


def test_of_several_nodes_that_judge_at_once_one_tells(store, another):
    stores = [another() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda each: judge(each, 500), stores))
        over = list(threads.map(lambda each: judge(each, 1, minutes=1), stores))
    assert {each.firing_since for each in found} == {NOON} and {each.firing_since for each in over} == {None}
    assert [kind for kind, *_ in told(store)] == ["alert_fired", "alert_resolved"]


def test_looking_alone_changes_nothing(store):
    assert judge(store, 500, dry_run=True).firing_since == NOON
    assert told(store) == []
    assert judge(store, 500, minutes=1).firing_since == NOON + MINUTE


def test_a_silence_is_kept_beside_the_alert_and_ends(store, another):
    judge(store, 500)
    silence = Silence(NOON + 10 * MINUTE, "moving house", "ann")
    store.silence_alert("queue_wait", silence)
    found = judge(another(), 500, minutes=1)
    assert (found.silence, found.firing_since) == (silence, NOON)
    store.silence_alert("disk_free", silence)
    assert judge(store, 0.5, rule=DISK).firing_since == NOON
    assert told(store) == [("alert_fired", "queue_wait", 500, False)]
    store.silence_alert("disk_free", None)
    judge(store, 0.5, rule=DISK, minutes=2)
    assert told(store)[1:] == [("alert_fired", "disk_free", 0.5, False)]


def test_a_test_is_an_event_marked_as_one_and_no_alert(store):
    store.test_alert(WAIT, now=NOON)
    assert told(store) == [("alert_fired", "queue_wait", WAIT.threshold, True)]
    assert judge(store, 0).firing_since is None


# --- what the rules look at


def test_dead_letters_count_for_an_hour(store):
    for number, after in enumerate((0, 30)):
        submit(store, f"j{number}", expires_at=NOON + after * MINUTE)
        store.expire(now=NOON + after * MINUTE)
    counts = [facts(store, NOON + minutes * MINUTE).dead_letters for minutes in (59, 61, 91)]
    assert counts == [2, 1, 0]


def test_instances_that_were_lost_count_by_their_service_for_a_quarter_of_an_hour(store):
    for number, state in enumerate((InstanceState.LOST, InstanceState.LOST, InstanceState.STOPPED)):
        store.add_instance(instance(f"i-{number}"))
        store.set_instance(f"i-{number}", state, now=NOON, tick=1)
    assert facts(store, NOON + 14 * MINUTE).lost == {"video": 2}
    assert facts(store, NOON + 16 * MINUTE).lost == {}


def test_the_wait_is_that_of_the_oldest_job_that_could_run(store):
    submit(store, "a", organisation="acme")
    store.enqueue([NewJob(JobId("b"), Service.CODE, {})], now=NOON + MINUTE)
    assert facts(store, NOON + 2 * MINUTE).waits == {"video": 120.0, "code": 60.0}
    store.set_budget(Budget(Scope("acme"), Period.DAY, 1), now=NOON)
    store.add_instance(instance("i-1"))
    spend(store)
    assert facts(store, NOON + 2 * MINUTE).waits == {"code": 60.0}  # a budget holds the other


def test_the_costs_are_those_of_a_day(store):
    store.add_instance(instance("i-1"))
    spend(store)
    store.set_instance("i-1", InstanceState.STOPPED, now=NOON, tick=TICKS_PER_HOUR)
    found = facts(store, NOON + timedelta(hours=1)).costs
    assert (found[Line.INSTANCE], found[Line.WORK]) == (DOLLAR, DOLLAR // 4)
    assert facts(store, NOON + timedelta(days=2)).costs == {}


def test_pools_are_short_of_room_as_long_as_their_last_decision_says_so(store):
    def decided(service: Service, limit: str) -> LastDecision:
        return LastDecision(NOON, PoolKey(service), {"clamps": [{"limit": limit, "wanted": 1, "why": ""}]})

    store.observe([], [], [], [decided(Service.VIDEO, "room"), decided(Service.CODE, "step")])
    assert facts(store, NOON + 0.5 * MINUTE).short_of_room == ["video"]
    assert facts(store, NOON + 2 * MINUTE).short_of_room == []
    there = [replace(decided(Service.VIDEO, each), node=name) for name, each in (("a", "room"), ("b", "step"))]
    store.observe([], [], [], there)
    assert facts(store, NOON + 0.5 * MINUTE).short_of_room == []  # one of the nodes has room
    store.observe([], [], [], [replace(decided(Service.VIDEO, "room"), node="b")])
    assert facts(store, NOON + 0.5 * MINUTE).short_of_room == ["video"]


def instance(instance_id: str) -> Instance:
    return Instance(
        instance_id, Service.VIDEO, "docker", "video:1", 4, InstanceState.STARTING, 2.0, 2**31, 2.0, 2**31, NOON,
        instance_type="standard-2", tariff=Tariff(DOLLAR), boot="b", created_tick=0,
    )  # fmt: skip


def spend(store: Store) -> None:
    """An hour of a quarter of an instance, for acme."""
    submit(store, "spent", organisation="acme", priority=5)
    (claimed,) = store.claim(
        PoolKey(Service.VIDEO),
        places=Places([Candidate("i-1", 4, 1)]),
        policy=QueuePolicy(),
        now=NOON,
        lease_until=NOON,
        tick=0,
    )
    outcome = Outcome(Reason.COMPLETED)
    transition = after_attempt(claimed.job, outcome, now=NOON, dice=0.5)
    assert claimed.job.token is not None
    store.finish(claimed.job.id, claimed.job.token, outcome, transition, now=NOON, tick=TICKS_PER_HOUR)
