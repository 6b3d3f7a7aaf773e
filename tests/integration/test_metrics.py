"""What Prometheus gets: it parses, its names are as Prometheus wants them, and the numbers are those of the store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from pitchey_cli.domain.alerts import RULES, Silence
from pitchey_cli.domain.budget import AsOf, Budget
from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.job import Instance, InstanceState, JobId, NewJob, Outcome
from pitchey_cli.domain.nodes import Health, NodeFacts, Room
from pitchey_cli.domain.observation import LastDecision, Measure, Measurement, PoolSample
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations import alerts, metrics
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=1)
DOLLAR = 10**9
VIDEO = Service.VIDEO
#: units as Prometheus has them: base units, and what has none
ENDINGS = (
    "_seconds",
    "_dollars",
    "_ratio",
    "_total",
    "_info",
    "_up",
    "_firing",
    "_silenced",
    "_wanted",
    "_bytes",
    "_away",
)
COUNTS = ("pitchey_jobs", "pitchey_queue_jobs", "pitchey_instances", "pitchey_dead_letters", "pitchey_nodes",
          "pitchey_daemon_instances", "pitchey_daemon_running_jobs")  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store in which something of everything has happened."""
    store = SqliteStore.open(tmp_path / "pitchey.db")
    store.add_instance(
        Instance(
            "i-1", VIDEO, "docker", "video:1", 4, InstanceState.STARTING, 2.0, 2**31, 2.0, 2**31, NOON,
            instance_type="standard-2", tariff=Tariff(DOLLAR), boot="b", created_tick=0,
        )
    )  # fmt: skip
    for job_id in ("done", "waits", "waits-too"):
        store.enqueue([NewJob(JobId(job_id), VIDEO, {}, organisation='a"b\\c')], now=NOON)
    places = Places([Candidate("i-1", 4, 1)])
    (claimed,) = store.claim(PoolKey(VIDEO), places=places, policy=QueuePolicy(), now=NOON, lease_until=NOON, tick=0)
    job, outcome = claimed.job, Outcome(Reason.COMPLETED)
    assert job.token is not None
    transition = after_attempt(job, outcome, now=NOON, dice=0.5)
    store.finish(job.id, job.token, outcome, transition, now=NOW, tick=TICKS_PER_HOUR)
    store.set_budget(Budget(Scope('a"b\\c'), Period.DAY, 2 * DOLLAR), now=NOON)
    sample = PoolSample(NOW, PoolKey(VIDEO), 2, 0, 1, 0, 0, 3, cpu=0.5, memory=0.25)
    took = [Measurement(NOW, PoolKey(VIDEO), Measure.START, seconds) for seconds in (1.0, 2.0, 9.0)]
    store.observe([sample], took, [], [LastDecision(NOON, PoolKey(Service.CODE), {"wanted": 7})])
    store.silence_alert("idle_cost", Silence(NOW + timedelta(hours=1), "known", "ann"))
    yield store
    store.close()


def families(store: SqliteStore) -> dict[str, Metric]:
    as_of = AsOf(NOW, "b", TICKS_PER_HOUR, UTC)
    found = alerts.look(
        store, RULES, as_of, QueuePolicy(), state_dir=Path(), is_daemon_running=True, dry_run=True
    )  # fmt: skip
    text = metrics.text(store, as_of, found, version="1.2.3", is_daemon_running=True)
    assert text.endswith("\n")
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    return {tuple(value for _, value in sorted(each.labels.items())): each.value for each in family.samples}


def test_the_numbers_are_those_of_the_store(store: SqliteStore) -> None:
    found = {name: values(family) for name, family in families(store).items()}
    assert found["pitchey_build_info"] == {("1.2.3",): 1}
    assert found["pitchey_daemon_up"] == {(): 1}
    jobs = found["pitchey_jobs"]
    assert (jobs["video", "queued"], jobs["video", "succeeded"], jobs["video", "dead"]) == (2, 1, 0)
    assert found["pitchey_queue_jobs"] == {("video",): 2}
    assert found["pitchey_queue_oldest_wait_seconds"] == {("video",): 3600}
    instances = found["pitchey_instances"]
    assert (instances["video", "starting"], instances["video", "ready"]) == (1, 0)
    assert found["pitchey_instances_wanted"] == {("", "code"): 0, ("", "video"): 3}
    assert found["pitchey_pool_cpu_ratio"] == {("", "video"): 0.5}
    assert found["pitchey_pool_memory_ratio"] == {("", "video"): 0.25}
    assert found["pitchey_duration_median_seconds"] == {("start", "video"): 2.0}
    assert found["pitchey_cost_dollars"] == {("work", "video"): 0.25}
    assert found["pitchey_attempts"] == {("work", "video"): 1}
    assert found["pitchey_dead_letters"] == {("video",): 0}
    assert found["pitchey_budget_dollars"] == {('a"b\\c', "day", ""): 2.0}
    assert found["pitchey_budget_spent_dollars"] == {('a"b\\c', "day", ""): 0.25}
    assert found["pitchey_alert_firing"]["queue_wait", "warning"] == 1
    assert found["pitchey_alert_firing"]["budget", "critical"] == 0
    assert [labels[0] for labels, value in found["pitchey_alert_silenced"].items() if value] == ["idle_cost"]


def test_each_node_that_should_be_there_is_counted_by_its_name(store: SqliteStore) -> None:
    for name, health in (("a", Health(5 * 2**30, 0.0)), ("b", Health(2**30, 12.5)), ("c", Health())):
        under = store.enter(f"id-{name}", NodeFacts(name, "1.0", 1, "docker", (VIDEO,)), Room(), health, now=NOW)
        if name == "c":
            store.leave(under, now=NOW)
    store.take_over(store.nodes()[1], why="gone", now=NOW)
    places = [PoolSample(NOW, PoolKey(VIDEO), 0, 0, 0, 1, 0, 2, cpu=0.1, node=f"id-{each}") for each in "ab"]
    store.observe(places, [], [], [])
    found = {name: values(family) for name, family in families(store).items()}
    assert found["pitchey_daemon_away"] == {("a",): 0, ("b",): 1}
    assert found["pitchey_disk_free_bytes"] == {("a",): 5 * 2**30}  # b says nothing of now
    assert found["pitchey_engine_away_seconds"] == {("a",): 0}
    assert found["pitchey_daemon_instances"] == {("a",): 0}
    assert found["pitchey_alert_firing"]["node_away", "critical"] == 1
    assert found["pitchey_instances_wanted"]["", "video"] == 3 + 2 + 2  # the parts of the nodes add up


def test_names_and_units_are_as_prometheus_wants_them(store: SqliteStore) -> None:
    for family in families(store).values():
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert re.fullmatch(r"pitchey_[a-z]+(_[a-z]+)*", sample.name), sample.name
            assert sample.name.endswith(ENDINGS) or sample.name in COUNTS, sample.name
            assert (family.type == "counter") == sample.name.endswith("_total"), sample.name
            assert family.type in ("counter", "gauge")
            assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in sample.labels)
            assert not any(label in sample.name.split("_") for label in sample.labels), sample.name


def test_an_empty_store_has_metrics_too(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "pitchey.db")
    found = families(store)
    assert values(found["pitchey_daemon_up"]) == {(): 1}
    assert not values(found["pitchey_jobs"])
    store.close()


def test_counters_never_go_back(store: SqliteStore) -> None:
    before = values(families(store)["pitchey_cost_dollars"])
    store.set_instance("i-1", InstanceState.STOPPED, now=NOW, tick=TICKS_PER_HOUR)
    after = values(families(store)["pitchey_cost_dollars"])
    assert after["instance", "video"] == 1.0
    assert all(after[key] >= value for key, value in before.items())
