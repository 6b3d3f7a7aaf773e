"""A store in which something of everything is going on: what `pitchey top` is tried on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pitchey_cli.domain.alerts import RULES
from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.cost import TICKS_PER_HOUR, TICKS_PER_SECOND
from pitchey_cli.domain.decision import Decision, Headroom, Metrics, PoolView, Rule, ScalerState
from pitchey_cli.domain.job import Instance, InstanceState, Job, JobError, JobId, NewJob, Outcome
from pitchey_cli.domain.observation import LastDecision, PoolSample, WarmRequest
from pitchey_cli.domain.overview import Runner
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.domain.scaling import explain
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations.overview import Looking
from pitchey_cli.store.port import Store
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=3)
DAEMON = Runner(4711, True, "docker", NOON - timedelta(hours=2))
BOOT = "boot"
VIDEO = Service.VIDEO


def looking(state_dir: Path, runner: Runner | None = DAEMON, others: tuple[str, ...] = ()) -> Looking:
    """Looks at NOW, in a world where that daemon runs, and those nodes share the queue."""
    tick = 3 * 60 * TICKS_PER_SECOND
    return Looking(
        state_dir=state_dir,
        services=tuple(Service),
        rules=RULES,
        policy=QueuePolicy(),
        as_of=lambda: AsOf(NOW, BOOT, tick, UTC),
        runner=lambda: runner,
        others=lambda store: others,
    )


def instance(instance_id: str, service: Service = VIDEO, **changes: object) -> Instance:
    """An instance that starts at noon and costs $0.144 an hour."""
    found = Instance(
        instance_id, service, "docker", "video:1", 3, InstanceState.STARTING, 2.0, 2**31, 2.0, 2**31, NOON,
        instance_type="standard-2", tariff=Tariff(144_000_000), boot=BOOT, created_tick=0,
    )  # fmt: skip
    return replace(found, **changes)  # type: ignore[arg-type]


def fill(path: Path) -> SqliteStore:
    """Two jobs run and five wait, one is a dead letter; two instances, one of them starting."""
    store = SqliteStore.open(path)
    store.add_instance(instance("video-1"))
    store.set_instance("video-1", InstanceState.READY, now=NOON, tick=2 * TICKS_PER_SECOND)
    _dead_letter(store)
    store.enqueue([NewJob(JobId(f"run{number}"), VIDEO, {}, name=f"trailer-{number}") for number in (1, 2)], now=NOON)
    for job, fraction in zip(_claim(store, 2), (0.63, 0.08), strict=True):
        assert job.token is not None
        store.accepted(job.token, now=NOON)
        store.progress(job.token, fraction=fraction, stage="transcode", eta_seconds=95.0, now=NOW)
    for number in (1, 2, 3):
        store.enqueue([NewJob(JobId(f"wait{number}"), VIDEO, {}, name=f"[b]feature[/b]-{number}")], now=NOON)
    later = NOW + timedelta(minutes=10)
    store.enqueue([NewJob(JobId("later"), VIDEO, {}, name="nightly", run_at=later)], now=NOON)
    store.enqueue([NewJob(JobId("code1"), Service.CODE, {}, name="report")], now=NOW)
    store.add_instance(instance("video-2", note="2 CPUs instead of 4"))
    view = PoolView(waiting=3, running=2, starting=1, ready=1, slots=3)
    metrics = Metrics(4.2, 5.0, 60.0, 0.71, 0.42)
    decision = Decision(2, 1, Rule.CONCURRENCY, (), (), ScalerState(2, 0.0))
    explanation = explain(view, metrics, Headroom(), decision)
    sample = PoolSample(NOW, PoolKey(VIDEO), 3, 2, 1, 1, 0, 2, cpu=0.71, memory=0.42)
    store.observe([sample], [], [], [LastDecision(NOW, PoolKey(VIDEO), explanation)])
    store.keep_warm(WarmRequest(PoolKey(VIDEO), 1, NOW + timedelta(hours=1)))
    return store


def _dead_letter(store: Store) -> None:
    store.enqueue([NewJob(JobId("dead1"), VIDEO, {}, name="broken", max_attempts=1)], now=NOON)
    (job,) = _claim(store, 1)
    assert job.token is not None
    outcome = Outcome(Reason.FAILED, JobError("bad_input", "moov atom not found"))
    transition = after_attempt(job, outcome, now=NOW, dice=0.5)
    store.finish(job.id, job.token, outcome, transition, now=NOW, tick=TICKS_PER_HOUR // 60)


def _claim(store: Store, count: int) -> list[Job]:
    places = Places([Candidate("video-1", count, count)])
    claimed = store.claim(PoolKey(VIDEO), places=places, policy=QueuePolicy(), now=NOON, lease_until=NOW, tick=0)
    return [each.job for each in claimed]
