"""A store with rows in every table, at which nobody is at work: what has to survive a copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pitchey_cli.domain.access import ApiToken, Area, AuditEntry, Quota, Role
from pitchey_cli.domain.alerts import RULES, Reading, Silence
from pitchey_cli.domain.budget import AsOf, Budget
from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.job import (
    Dependency,
    InstanceState,
    Job,
    JobError,
    JobId,
    JobInput,
    NewJob,
    OnFailure,
    Outcome,
    Output,
    Usage,
)
from pitchey_cli.domain.nodes import NodeFacts, Room
from pitchey_cli.domain.observation import (
    Came,
    Change,
    Forecast,
    LastDecision,
    Measure,
    Measurement,
    PoolSample,
    ScalingEvent,
    WarmRequest,
)
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.recurrence import Misfire, Schedule
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import KeyLimit, QueuePolicy
from pitchey_cli.domain.webhooks import Webhook
from pitchey_cli.store.port import Store
from processors.protocol import Reason, Service
from tests.resources.books import INSTANCE

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
VIDEO, ACME = Service.VIDEO, "acme"
POLICY = QueuePolicy(keys={"camera": KeyLimit(4, per_minute=6)})
#: what COPY and SQL would take for something else
ODD = "tab\tline\nreturn\rback\\slash \\N \\. 'quoted' \"double\" ünï🎬 {a,b} \x01"


def fill(store: Store) -> None:
    """Something of everything: jobs in every state but running, the ledger, tenants, webhooks, observations."""
    store.add_organisation(ACME, now=NOON)
    store.set_quota(ACME, Quota(queued=1000, running=50, bytes=2**50))
    store.set_member(ACME, "ada", Role.ADMIN, now=NOON)
    token = ApiToken("t1", "ci", ACME, Role.SUBMITTER, frozenset({Area.JOBS}), "ada", NOON, None, digest="0f" * 32)
    store.add_token(token)
    store.note_action(AuditEntry(NOON, "ada", ACME, "token.add", "t1", {"name": ODD}))
    store.add_webhook(Webhook("w1", "chat", "", "https://example.org/hook", (), (), NOON, "whsec_abc"))
    store.rotate_webhook("w1", "whsec_def", until=NOON + HOUR, now=NOON)
    _work(store)
    _wait(store)
    _observe(store)
    _watch(store)
    _forget(store)
    store.note_time(now=NOON)


def new(job_id: str, **changes: object) -> NewJob:
    """A job of ours, which brings a file."""
    inputs = (JobInput("input_url", "löwe.mp4", sha256="ab" * 32, size=7),)
    job = NewJob(JobId(job_id), VIDEO, {"inputUrl": "/in.mp4"}, inputs, ODD, organisation=ACME, batch="night")
    return replace(job, **changes)  # type: ignore[arg-type]


def claim(store: Store, *, instance_id: str = "i-1", tick: int = 0) -> Job:
    """The next job, at an instance."""
    places = Places([Candidate(instance_id, 1, 1)])
    found = store.claim(PoolKey(VIDEO), places=places, policy=POLICY, now=NOON, lease_until=NOON, tick=tick)
    return found[0].job


def end(store: Store, job: Job, outcome: Outcome, *, tick: int) -> None:
    """End an attempt."""
    assert job.token is not None
    transition = after_attempt(job, outcome, now=NOON, dice=0.5)
    store.finish(job.id, job.token, outcome, transition, now=NOON + HOUR, tick=tick)


def _work(store: Store) -> None:
    """What has been done: well, badly, to be tried again."""
    under = store.enter("n1", NodeFacts("here", "1.0", 1, "process", (VIDEO,), labels=("a=b",)), Room(4.0), now=NOON)
    for name in ("i-1", "i-2"):
        store.add_instance(replace(INSTANCE, id=name, node="n1"), under=under)
        store.set_instance(name, InstanceState.READY, now=NOON, tick=0)
    outputs = (
        Output("z/out.mp4", "video", "video/mp4", "cd" * 32, 99, {"width": 1280, "said": ODD}),
        Output("a.jpg", "thumbnail", "image/jpeg", "ef" * 32, 3),
    )
    store.enqueue([new("done", key="camera", cache_key="c", idempotency_key="once")], now=NOON)
    job = claim(store, tick=5)
    assert job.token is not None
    store.accepted(job.token, now=NOON)
    store.progress(job.token, fraction=1 / 3, stage="encode", eta_seconds=0.1, now=NOON)
    usage = Usage(1.5, 2**40, 3, 4)
    outcome = Outcome(Reason.COMPLETED, outputs=outputs, details={"a": [1, None, 0.1]}, usage=usage)
    end(store, job, outcome, tick=TICKS_PER_HOUR // 3)
    store.enqueue([new("dead", max_attempts=1)], now=NOON)
    end(store, claim(store, tick=9), Outcome(Reason.FAILED, JobError("bad", ODD, "Mend it.")), tick=TICKS_PER_HOUR)
    store.enqueue([new("again")], now=NOON)
    failed = Outcome(Reason.FAILED, JobError("net", "gone"), is_retryable=True)
    end(store, claim(store, tick=9), failed, tick=TICKS_PER_HOUR)
    store.enqueue([new("one"), new("other", organisation="default")], now=NOON)  # they share, and that is noted
    for _ in range(2):
        end(store, claim(store, instance_id="i-2", tick=9), Outcome(Reason.COMPLETED), tick=TICKS_PER_HOUR)
    store.set_instance("i-1", InstanceState.STOPPED, now=NOON, tick=2 * TICKS_PER_HOUR)
    store.set_instance("i-2", InstanceState.LOST, now=NOON, tick=2 * TICKS_PER_HOUR, note="its engine has forgotten it")
    assert store.leave(under, now=NOON)


def _wait(store: Store) -> None:
    store.enqueue([new("waits", key="camera", priority=5, on_node="gpu=true", timeout_seconds=0.1)], now=NOON)
    store.enqueue([new("later", run_at=NOON + HOUR, deadline=NOON + 9 * HOUR)], now=NOON)
    needs = (Dependency(JobId("waits"), OnFailure.RUN, is_source=True), Dependency(JobId("dead"), OnFailure.HOLD))
    store.enqueue([new("held", after=needs, ttl_seconds=60.5)], now=NOON)
    store.enqueue([new("secret", service=Service.CODE, organisation="default", batch="", inputs=())], now=NOON)
    store.enqueue([new("no")], now=NOON)
    store.cancel(JobId("no"), why="nobody wants it", now=NOON)
    store.set_size_hint(VIDEO, "mp4:33", "standard-4")
    request = {"service": "video", "inputs": [], "fields": {}, "queueing": {"organisation": ACME}}
    schedule = Schedule("films", VIDEO, "@daily", "Europe/Berlin", Misfire.SKIP, request, NOON, NOON + HOUR)
    store.add_schedule(schedule)
    store.note_schedule_error(schedule, ODD)


def _observe(store: Store) -> None:
    pool = PoolKey(VIDEO)
    store.observe(
        [PoolSample(NOON, pool, 3, 2, 1, 1, 0, 2, cpu=0.71, memory=1e-300)],
        [Measurement(NOON, pool, Measure.START, 0.1 + 0.2)],
        [ScalingEvent(NOON, pool, Change.WANTED, "because", 0, 1, "first_job")],
        [LastDecision(NOON, pool, {"wanted": 5, "why": ODD})],
    )
    store.add_came([Came(VIDEO, 5_900_000, 3, 2, 7.25)])
    store.set_forecasts([Forecast(NOON, VIDEO, 2, True, 14.5, 0.25, None, 1.75, "it has been so")])
    store.keep_warm(WarmRequest(pool, 1, NOON + HOUR))


def _watch(store: Store) -> None:
    store.set_budget(Budget(Scope(ACME), Period.DAY, 1000), now=NOON)
    assert store.note_reached(store.standings(AsOf(NOON + HOUR, "b", 3 * TICKS_PER_HOUR, UTC)), now=NOON)
    rule = next(rule for rule in RULES if rule.name == "queue_wait")
    store.judge_alerts([rule], {rule.name: Reading(500, "video")}, now=NOON, dry_run=False)
    store.silence_alert("disk_free", Silence(NOON + HOUR, ODD, "ann"))


def _forget(store: Store) -> None:
    """A job that is gone with its events, whose numbers nobody may get again."""
    store.enqueue([new("gone", expires_at=NOON)], now=NOON)
    store.expire(now=NOON + HOUR)
    assert store.purge(JobId("gone"))
