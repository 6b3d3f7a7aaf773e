"""What every store promises, whatever database is below."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchey_cli.domain.away import CODE
from pitchey_cli.domain.errors import InputNotFound, NameTaken, StaleToken, StoreError, UsageError
from pitchey_cli.domain.job import (
    Dependency,
    Instance,
    InstanceState,
    Job,
    JobError,
    JobId,
    JobInput,
    JobState,
    LoadedModel,
    NewJob,
    OnFailure,
    Outcome,
    Output,
    Token,
    Usage,
)
from pitchey_cli.domain.observation import (
    Change,
    LastDecision,
    Measure,
    Measurement,
    PoolSample,
    ScalingEvent,
    WarmRequest,
)
from pitchey_cli.domain.off_peak import OffPeak
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.retention import Excess, RetentionPolicy
from pitchey_cli.domain.states import Transition, after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.domain.webhooks import Webhook
from pitchey_cli.domain.windows import Window
from pitchey_cli.store.port import CancelResult, Ending, JobFilter, Store
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LEASE = NOON + timedelta(seconds=30)
VIDEO = Service.VIDEO


def video(job_id: str = "job1", **changes: object) -> NewJob:
    job = NewJob(id=JobId(job_id), service=VIDEO, spec={"inputUrl": "/in.mp4"}, name="in")
    return replace(job, **changes)  # type: ignore[arg-type]


def submit(store: Store, *jobs: NewJob) -> None:
    store.enqueue(jobs or [video()], now=NOON)


def claim(store: Store, limit: int = 1, *, service: Service = VIDEO, foreground_only: bool = False) -> list[Job]:
    claimed = store.claim(
        PoolKey.of(service),
        places=Places([Candidate("i-1", limit, limit)]),
        policy=QueuePolicy(),
        now=NOON,
        lease_until=LEASE,
        tick=0,
        foreground_only=foreground_only,
    )
    assert {each.instance_id for each in claimed} <= {"i-1"}
    return [each.job for each in claimed]


def is_waiting(store: Store, service: Service = VIDEO, *, foreground_only: bool = False) -> bool:
    return bool(store.queue(PoolKey.of(service), foreground_only=foreground_only).flows)


def started(store: Store, job: NewJob | None = None) -> Job:
    submit(store, job or video())
    return claim(store)[0]


def end(
    store: Store,
    job: Job,
    reason: Reason,
    *,
    is_retryable: bool = False,
    error: JobError | None = None,
    now: datetime = NOON,
) -> Job:
    assert job.token is not None
    outcome = Outcome(reason, error, is_retryable=is_retryable)
    store.finish(job.id, job.token, outcome, after_attempt(job, outcome, now=now, dice=0.5), now=now, tick=0)
    return store.job(job.id)


def types(store: Store, *job_ids: str) -> list[str]:
    return [event.type for event in store.events(after=0, job_ids=[JobId(each) for each in job_ids])]


# --- submission


def test_a_submitted_job_comes_back_as_it_was_given(store):
    inputs = (
        JobInput("input_url", "löwe.mp4", sha256="ab" * 32, size=7),
        JobInput("other", "https://example.org/a", url="https://example.org/a"),
    )
    submit(store, video(inputs=inputs, priority=5, organisation="acme", timeout_seconds=1.5, is_foreground=True))
    job = store.job(JobId("job1"))
    assert (job.inputs, job.priority, job.organisation, job.timeout_seconds) == (inputs, 5, "acme", 1.5)
    assert (job.state, job.attempt, job.token, job.is_foreground) == (JobState.QUEUED, 0, None, True)
    assert job.created_at == NOON
    assert job.spec == {"inputUrl": "/in.mp4"}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(since_noon=st.timedeltas(timedelta(0), timedelta(days=365 * 500)))
def test_times_are_kept_to_the_microsecond(store, since_noon):
    at = NOON + since_noon
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.enqueue([video("timed")], now=at)
        assert store.job(JobId("timed")).created_at == at
        assert 1 / 0  # so that the next example starts afresh


def test_a_batch_with_an_id_that_exists_leaves_nothing(store):
    submit(store, video("taken"))
    with pytest.raises(StoreError):
        submit(store, video("new"), video("taken"))
    assert store.job_ids("") == ["taken"]
    assert store.counts().by_service == {VIDEO: {JobState.QUEUED: 1}}
    assert store.last_event_id() == 1


def test_jobs_are_numbered_in_the_order_of_submission(store):
    submit(store, *(video(f"a{n}") for n in range(5)))
    submit(store, *(video(f"b{n}") for n in range(5)))
    listed = store.jobs(JobFilter())
    assert [job.seq for job in listed] == list(range(10, 0, -1))
    assert [event.job_id for event in store.events(after=0)] == [job.id for job in reversed(listed)]


def test_those_that_have_waited_longest_are_found_without_the_rest(store):
    submit(store, *(video(f"job{number}") for number in range(5)))
    store.cancel(JobId("job0"), why="", now=NOON)
    assert [job.id for job in store.oldest_jobs(JobState.QUEUED, limit=2)] == ["job1", "job2"]
    assert [job.id for job in store.oldest_jobs(JobState.CANCELLED, limit=2)] == ["job0"]
    assert store.oldest_jobs(JobState.DEAD, limit=2) == []


def test_an_unknown_job_is_not_found(store):
    with pytest.raises(InputNotFound, match="nothing"):
        store.job(JobId("nothing"))
    assert store.details(JobId("nothing")) == {}
    assert store.length_of_result(JobId("nothing")) == 0
    assert store.outputs(JobId("nothing")) == store.attempts(JobId("nothing")) == []


# --- claim


def test_claims_go_by_priority_and_then_by_age(store):
    submit(store, video("low", priority=2), video("old"), video("new"), video("urgent", priority=5))
    assert [job.id for job in claim(store, 3)] == ["urgent", "old", "new"]
    assert [job.id for job in claim(store, 3)] == ["low"]
    assert claim(store, 3) == []


def test_a_claimed_job_runs_with_a_token_of_its_attempt(store):
    job = started(store)
    assert (job.state, job.token, job.attempt, job.started_at) == (JobState.RUNNING, Token("job1.1"), 1, NOON)
    assert job == store.job(job.id)
    (attempt,) = store.attempts(job.id)
    assert (attempt.token, attempt.number, attempt.instance_id, attempt.started_at) == ("job1.1", 1, "i-1", NOON)
    assert attempt.finished_at is None
    assert store.running() == [job]


def test_a_pool_of_an_organisation_gives_only_its_jobs_and_one_of_a_shared_service_those_of_all(store):
    for number, organisation in enumerate(("acme", "globex", "acme")):
        code = NewJob(JobId(f"code{number}"), Service.CODE, {}, organisation=organisation)
        submit(store, code, video(f"video{number}", organisation=organisation))
    submit(store, NewJob(JobId("large"), Service.CODE, {}, organisation="acme", size="standard-1"))
    acme, globex = (PoolKey.of(Service.CODE, organisation=each) for each in ("acme", "globex"))
    large = PoolKey.of(Service.CODE, "standard-1", "acme")
    assert set(store.waiting_pools(Service.CODE)) == {acme, globex, large}
    assert store.waiting_pools(VIDEO) == [PoolKey(VIDEO)]
    assert {flow.organisation for flow in store.queue(PoolKey(VIDEO)).flows} == {"acme", "globex"}

    def claimed(pool: PoolKey) -> list[str]:
        places, policy = Places([Candidate("i-1", 9, 9)]), QueuePolicy()
        taken = store.claim(pool, places=places, policy=policy, now=NOON, lease_until=LEASE, tick=0)
        return [each.job.id for each in taken]

    assert claimed(PoolKey.of(Service.CODE, organisation="initech")) == claimed(PoolKey(Service.CODE)) == []
    assert claimed(acme) == ["code0", "code2"]
    assert claimed(large) == ["large"]
    assert set(store.waiting_pools(Service.CODE)) == {globex}
    assert [flow.queued for flow in store.queue(globex).flows] == [1]
    assert claimed(globex) == ["code1"]
    assert sorted(claimed(PoolKey(VIDEO))) == ["video0", "video1", "video2"]
    assert store.integrity() == []


def test_a_claim_takes_only_its_service_and_only_foreground_jobs_when_told(store):
    submit(store, video("back"), video("front", is_foreground=True), video("code", service=Service.CODE))
    assert is_waiting(store, foreground_only=True)
    assert [job.id for job in claim(store, 9, foreground_only=True)] == ["front"]
    assert not is_waiting(store, foreground_only=True)
    assert is_waiting(store)
    assert [job.id for job in claim(store, 9)] == ["back"]
    assert not is_waiting(store)
    assert is_waiting(store, Service.CODE)
    assert not is_waiting(store, Service.MEDIA)


def test_two_connections_never_take_the_same_job(store, another):
    submit(store, *(video(f"j{n:03}", priority=1 + n % 5) for n in range(200)))

    def drain(mine: Store) -> list[str]:
        taken: list[str] = []
        while jobs := claim(mine, 3):
            taken += [job.id for job in jobs]
        return taken

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(drain, [another() for _ in range(4)]))
    assert sorted(job_id for share in shares for job_id in share) == [f"j{n:03}" for n in range(200)]


CHILD = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from pitchey_cli.domain.job import NewJob
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.retention import Excess, RetentionPolicy
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service
now, store = datetime.now(UTC), SqliteStore.open(Path(sys.argv[1]))
"""
CLAIMING_CHILD = """
def claim():
    places = Places([Candidate("i-1", 2, 2)])
    return store.claim(PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=now, lease_until=now, tick=0)
while claimed := claim():
    print(*(each.job.id for each in claimed), sep="\\n")
"""
SUBMITTING_CHILD = """
for n in range(10**9):
    store.enqueue([NewJob(id=f"{n:09}", service=Service.VIDEO, spec={})], now=now)
    print(f"{n:09}", flush=True)
"""


def child(script: str, database: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD + script, database], stdout=subprocess.PIPE, text=True)


def test_two_processes_never_take_the_same_job(tmp_path):
    store = SqliteStore.open(tmp_path / "pitchey.db")
    submit(store, *(video(f"j{n:03}") for n in range(200)))
    children = [child(CLAIMING_CHILD, tmp_path / "pitchey.db") for _ in range(2)]
    taken = [line for each in children for line in each.communicate(timeout=120)[0].split()]
    assert sorted(taken) == [f"j{n:03}" for n in range(200)]
    assert len(store.running()) == 200


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    process = child(SUBMITTING_CHILD, tmp_path / "pitchey.db")
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().split()
    process.wait(timeout=10)
    process.stdout.close()
    store = SqliteStore.open(tmp_path / "pitchey.db")
    kept = store.job_ids("", limit=10**6)
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) - len(acknowledged) in (0, 1)  # the last one may have been written and not yet printed
    assert store.last_event_id() == len(kept)
    assert store.integrity() == []


# --- the live attempt


def test_accepted_and_progress_are_noted_once_and_told(store):
    job = started(store)
    store.accepted(job.token, now=NOON)
    store.accepted(job.token, now=NOON + timedelta(seconds=5))
    store.progress(job.token, fraction=0.25, stage="encode", eta_seconds=9.5, now=NOON)
    found = store.job(job.id)
    assert (found.progress, found.stage, found.eta_seconds) == (0.25, "encode", 9.5)
    assert store.attempts(job.id)[0].accepted_at == NOON
    assert types(store) == ["submitted", "claimed", "accepted", "progress"]
    assert store.events(after=3)[0].data == {"attempt": 1, "fraction": 0.25, "stage": "encode", "etaSeconds": 9.5}


def test_success_keeps_outputs_details_and_usage(store):
    job = started(store)
    outputs = (
        Output("z/out.mp4", "video", "video/mp4", "cd" * 32, 99, {"width": 1280}),
        Output("a.jpg", "thumbnail", "image/jpeg", "ef" * 32, 3),
        Output("b.jpg", "thumbnail", "image/jpeg", "ef" * 32, 3),
    )
    usage = Usage(1.5, 2**40, 3, 4)
    outcome = Outcome(Reason.COMPLETED, outputs=outputs, details={"a": [1]}, usage=usage)
    later = NOON + timedelta(microseconds=1)
    store.finish(job.id, job.token, outcome, Transition(JobState.SUCCEEDED, 1, 0), now=later, tick=1)
    found, (attempt,) = store.job(job.id), store.attempts(job.id)
    assert (found.state, found.token, found.finished_at, found.progress) == (JobState.SUCCEEDED, None, later, 1.0)
    assert store.outputs(job.id) == list(outputs)
    assert store.details(job.id) == {"a": [1]}
    assert 600 < store.length_of_result(job.id) < 900, "three outputs, what is said of them, and an attempt"
    assert found.verdict is None
    assert (attempt.reason, attempt.usage) == (Reason.COMPLETED, usage)
    assert store.events(after=2)[0].data["outputs"] == 3


def ended_with(
    store: Store, job_id: str, verdict: object, *, service: Service = Service.CODE, state: JobState = JobState.SUCCEEDED
) -> Job:
    """A job that has ended, and whose instance has said so of its program."""
    submit(store, video(job_id, service=service))
    (job,) = claim(store, service=service)
    assert job.token is not None and job.verdict is None
    outcome = Outcome(Reason.COMPLETED, details={"verdict": verdict, "returned": {"verdict": "mine"}})
    store.finish(job.id, job.token, outcome, Transition(state, 1, 0), now=NOON, tick=1)
    return store.job(job.id)


def test_a_program_that_has_ended_has_a_verdict_and_nothing_else_has_one(store):
    assert ended_with(store, "ran", "TIMEOUT").verdict == "TIMEOUT"
    assert ended_with(store, "failed", "TIMEOUT", state=JobState.DEAD).verdict is None
    assert ended_with(store, "odd", ["TIMEOUT"]).verdict is None
    assert ended_with(store, "clip", "TIMEOUT", service=VIDEO).verdict is None  # whatever its instance says


def test_programs_are_listed_by_their_verdicts_the_newest_first(store):
    for number, verdict in enumerate(("OK", "TIMEOUT", "SIGNALLED", "OK", "TIMEOUT"), start=1):
        ended_with(store, f"job{number}", verdict)
    ended_with(store, "job6", "TIMEOUT", service=VIDEO)

    def listed(*verdicts, **fields):
        return [job.id for job in store.jobs(JobFilter(verdicts=verdicts, **fields))]

    assert listed("TIMEOUT") == ["job5", "job2"]
    assert listed("OK", "SIGNALLED", "OK") == ["job4", "job3", "job1"]
    assert listed("TIMEOUT", "OK", limit=2) == ["job5", "job4"]
    assert listed("TIMEOUT", states=(JobState.SUCCEEDED, JobState.DEAD)) == ["job5", "job2"]
    assert listed("TIMEOUT", states=(JobState.DEAD,)) == listed("OK", services=(VIDEO,)) == []


def test_what_the_cache_gives_has_the_verdict_of_what_was_done(store):
    first = ended_with(store, "first", "NONZERO_EXIT")
    submit(store, video("second", service=Service.CODE, cached_from=first.id))
    assert store.job(JobId("second")).verdict == "NONZERO_EXIT"


@pytest.mark.parametrize(
    ("reason", "is_retryable", "state", "event"),
    [
        (Reason.FAILED, True, JobState.SCHEDULED, "retrying"),
        (Reason.FAILED, False, JobState.DEAD, "dead"),
        (Reason.REJECTED, False, JobState.DEAD, "dead"),
        (Reason.OOM, False, JobState.SCHEDULED, "retrying"),
        (Reason.INTERRUPTED, False, JobState.QUEUED, "interrupted"),
        (Reason.CANCELLED, False, JobState.CANCELLED, "cancelled"),
        (Reason.COMPLETED, False, JobState.SUCCEEDED, "succeeded"),
    ],
)
def test_every_ending_leaves_its_state_and_its_event(store, reason, is_retryable, state, event):
    found = end(store, started(store), reason, is_retryable=is_retryable)
    assert (found.state, found.reason) == (state, reason)
    assert types(store)[-1] == event
    assert store.counts().by_service == {VIDEO: {state: 1}}
    assert store.running() == []


def test_an_error_is_kept_with_the_job_and_the_attempt(store):
    job, error = started(store), JobError("not_a_video", "in.mp4 is not a video.", "Submit a video.")
    outcome = Outcome(Reason.REJECTED, error=error)
    store.finish(job.id, job.token, outcome, Transition(JobState.DEAD, 1, 0), now=NOON, tick=1)
    assert store.job(job.id).error == store.attempts(job.id)[0].error == error
    assert store.events(after=2)[0].data["error"]["code"] == "not_a_video"


def test_an_interrupted_job_runs_again_with_a_new_token(store):
    first = started(store)
    end(store, first, Reason.INTERRUPTED)
    (second,) = claim(store)
    assert (second.token, second.attempt, second.attempts_used, second.reason) == ("job1.2", 2, 0, None)
    assert [each.number for each in store.attempts(first.id)] == [1, 2]


def test_a_stale_token_changes_nothing(store):
    first = started(store)
    end(store, first, Reason.INTERRUPTED)
    (second,) = claim(store)
    before = store.last_event_id()
    with pytest.raises(StaleToken, match=r"job1\.1"):
        end(store, first, Reason.COMPLETED)
    store.accepted(first.token, now=NOON)
    store.progress(first.token, fraction=0.5, stage="late", eta_seconds=None, now=NOON)
    store.renew([first.token], lease_until=LEASE)
    assert store.job(first.id) == second
    assert store.last_event_id() == before
    assert store.outputs(first.id) == []


def test_a_finished_job_cannot_finish_again(store):
    job = started(store)
    end(store, job, Reason.COMPLETED)
    with pytest.raises(StaleToken):
        end(store, job, Reason.COMPLETED)


def together(store: Store, *ended: tuple[Job, Reason]) -> list[Job | StaleToken]:
    return store.finish_all([ending(job, reason) for job, reason in ended])


def ending(job: Job, reason: Reason) -> Ending:
    assert job.token is not None
    outcome = Outcome(reason, is_retryable=True)
    return Ending(job.id, job.token, outcome, partial(after_attempt, outcome=outcome, now=NOON, dice=0.5), NOON, 0)


def test_attempts_that_end_together_end_as_each_would_alone(store):
    submit(store, *(video(name) for name in ("a", "b", "c", "d")))
    submit(store, video("e", after=after("a", "d")))
    first, second, third, fourth = claim(store, 4)
    reasons = (Reason.COMPLETED, Reason.FAILED, Reason.INTERRUPTED, Reason.COMPLETED)
    jobs = [first, second, third, fourth]
    assert together(store, *zip(jobs, reasons, strict=True)) == jobs, "as they were before"
    assert [store.job(each.id).state.value for each in (first, second, third, fourth)] == [
        "succeeded", "scheduled", "queued", "succeeded",
    ]  # fmt: skip
    assert [types(store, name)[-1] for name in "abcd"] == ["succeeded", "retrying", "interrupted", "succeeded"]
    assert types(store, "e") == ["submitted", "released"], "both that it waits for have ended"
    assert [each.reason for each in store.attempts(JobId("c"))] == [Reason.INTERRUPTED]
    assert store.integrity() == []


def test_of_those_that_end_together_a_stale_one_changes_nothing_and_hinders_nobody(store):
    submit(store, video("a"), video("b"))
    first, second = claim(store, 2)
    end(store, first, Reason.INTERRUPTED)
    (again,) = claim(store)
    stale, done, twice = together(store, (first, Reason.COMPLETED), (second, Reason.COMPLETED), (second, Reason.FAILED))
    assert [type(each) for each in (stale, done, twice)] == [StaleToken, Job, StaleToken]
    assert (store.job(first.id), store.job(second.id).state) == (again, JobState.SUCCEEDED)
    assert store.integrity() == []


def test_what_an_end_makes_of_a_job_is_decided_by_the_job_as_it_is_then(store):
    job = started(store)
    store.cancel(job.id, why="", now=NOON)
    together(store, (job, Reason.FAILED))
    assert store.job(job.id).state is JobState.CANCELLED, "and not tried again"


def test_of_jobs_that_are_submitted_and_claimed_together_each_is_told_in_its_order(store):
    store.add_webhook(Webhook("w", "chat", "", "https://example.org/", (), (), NOON, "whsec_"))
    names = [f"j{n:02}" for n in range(22)]
    submit(store, *(video(name) for name in names))
    claim(store, 22)
    told = [(each.type, each.subject, each.next_at is None) for each in reversed(store.deliveries("w", limit=99))]
    assert told == [("job.submitted", name, False) for name in names] + [("job.started", name, True) for name in names]


def test_the_name_of_a_webhook_is_its_organisations_alone(store):
    store.add_organisation("acme", now=NOON)

    def add(webhook_id: str, organisation: str) -> None:
        store.add_webhook(Webhook(webhook_id, "chat", organisation, "https://example.org/", (), (), NOON, "whsec_"))

    add("w1", "acme")
    with pytest.raises(NameTaken, match="acme has a webhook 'chat' already") as refused:
        add("w2", "acme")
    assert "pitchey webhooks remove" in refused.value.hint
    add("w3", "default")
    add("w4", "")
    assert [each.id for each in store.webhooks()] == ["w1", "w3", "w4"]
    store.remove_webhook("w1")
    add("w5", "acme")


def test_a_batch_whose_last_jobs_end_together_has_finished_once(store):
    store.add_webhook(Webhook("w", "chat", "", "https://example.org/", ("batch.finished",), (), NOON, "whsec_"))
    submit(store, video("a", batch="night"), video("b", batch="night"))
    together(store, *((job, Reason.COMPLETED) for job in claim(store, 2)))
    (told,) = store.deliveries("w")
    said = json.loads(told.data)
    assert (said["jobs"], said["lastJobId"]) == ({"succeeded": 2}, "b")


# --- scheduled jobs


def test_a_scheduled_job_waits_for_its_time(store):
    due = NOON + timedelta(minutes=1)
    submit(store, video("later", run_at=due), video("latest", run_at=due + timedelta(hours=1)))
    assert store.job(JobId("later")).state is JobState.SCHEDULED
    assert claim(store) == []
    assert store.next_due() == due
    assert store.release_due(now=due - timedelta(microseconds=1)) == 0
    assert store.release_due(now=due) == 1
    assert [job.id for job in claim(store, 9)] == ["later"]
    assert types(store, "later") == ["submitted", "released", "claimed"]
    assert store.counts().by_service == {VIDEO: {JobState.SCHEDULED: 1, JobState.RUNNING: 1}}


def test_a_retry_that_got_its_time_from_a_clock_an_hour_ahead_comes_back_when_the_clock_is_right(store):
    ahead = NOON + timedelta(hours=1)
    submit(store, video("later", run_at=ahead))
    job = end(store, started(store, video("retried")), Reason.FAILED, is_retryable=True, now=ahead)
    assert job.state is JobState.SCHEDULED and job.run_at is not None and job.run_at >= ahead
    store.bring_retries_forward(now=ahead, latest=ahead + timedelta(minutes=10))
    assert store.job(job.id).run_at == job.run_at  # that clock was right: nothing is changed
    store.bring_retries_forward(now=NOON, latest=NOON + timedelta(minutes=10))
    assert store.release_due(now=NOON) == 1
    assert store.job(job.id).state is JobState.QUEUED
    assert store.job(JobId("later")).run_at == ahead


def test_a_job_that_waits_for_a_bucket_comes_back_when_the_clock_is_right(store):
    ahead, away = NOON + timedelta(hours=1), JobError(CODE, "s3://films/a does not answer.")
    job = end(store, started(store, video("away")), Reason.INTERRUPTED, error=away, now=ahead)
    assert (job.state, job.attempts_used, job.error) == (JobState.SCHEDULED, 0, away)
    assert types(store, "away")[-1] == "interrupted"
    store.bring_retries_forward(now=NOON, latest=NOON + timedelta(minutes=10))
    assert store.release_due(now=NOON) == 1


def test_a_job_that_waited_for_a_bucket_until_its_time_was_over_says_so(store):
    away = JobError(CODE, "s3://films/a does not answer.", "Is its server up?")
    job = end(store, started(store, video(deadline=LEASE, expires_at=LEASE)), Reason.INTERRUPTED, error=away)
    assert store.expire(now=LEASE) == 1
    dead = store.job(job.id)
    assert dead.state is JobState.DEAD and dead.error is not None
    assert dead.error.code == "expired" and dead.error.message.endswith("s3://films/a does not answer.")
    assert dead.error.hint == "Is its server up?"


def test_a_time_that_has_passed_schedules_nothing(store):
    submit(store, video(run_at=NOON))
    assert store.job(JobId("job1")).state is JobState.QUEUED
    assert store.next_due() is None


# --- cancellation


def test_a_waiting_job_is_cancelled_at_once(store):
    submit(store, video("queued"), video("scheduled", run_at=LEASE))
    for job_id in ("queued", "scheduled"):
        assert store.cancel(JobId(job_id), why="changed my mind", now=NOON) is CancelResult.CANCELLED
        assert store.job(JobId(job_id)).finished_at == NOON
        assert store.cancel(JobId(job_id), why="", now=NOON) is CancelResult.FINISHED
    assert store.events(after=2)[0].data["why"] == "changed my mind"
    assert claim(store, 9) == []
    assert store.next_due() is None
    assert store.counts().by_service == {VIDEO: {JobState.CANCELLED: 2}}


def test_a_running_job_is_asked_to_end_and_is_not_retried(store):
    job = started(store)
    assert store.cancel_requested() == []
    assert store.cancel(job.id, why="", now=NOON) is CancelResult.REQUESTED
    assert store.cancel(job.id, why="", now=LEASE) is CancelResult.REQUESTED
    assert store.cancel_requested() == [job.token]
    assert types(store).count("cancel_requested") == 1
    asked = store.job(job.id)
    assert (asked.state, asked.cancel_requested_at) == (JobState.RUNNING, NOON)
    assert end(store, asked, Reason.FAILED, is_retryable=True).state is JobState.CANCELLED
    assert store.cancel_requested() == []


def test_cancelling_an_unknown_job_is_not_found(store):
    with pytest.raises(InputNotFound):
        store.cancel(JobId("nothing"), why="", now=NOON)


# --- reading


def test_lists_filter_and_page(store):
    submit(store, *(video(f"v{n}") for n in range(4)), video("c", service=Service.CODE, organisation="acme"))
    store.enqueue([video("late")], now=LEASE)
    end(store, claim(store)[0], Reason.REJECTED)
    end(store, claim(store)[0], Reason.COMPLETED)

    def ids(**wanted: object) -> list[str]:
        return [job.id for job in store.jobs(JobFilter(**wanted))]  # type: ignore[arg-type]

    assert ids() == ["late", "c", "v3", "v2", "v1", "v0"]
    assert ids(states=(JobState.DEAD, JobState.SUCCEEDED)) == ["v1", "v0"]
    assert ids(states=(JobState.QUEUED, JobState.QUEUED), limit=2) == ["late", "c"]
    assert ids(services=(Service.CODE, Service.MEDIA)) == ids(organisation="acme") == ["c"]
    assert ids(created_since=LEASE) == ["late"]
    assert ids(created_until=LEASE, limit=1) == ["c"]
    assert ids(before_seq=3) == ["v1", "v0"]
    assert ids(before_seq=3, states=(JobState.DEAD,)) == ["v0"]


def test_ids_are_found_by_their_beginning(store):
    submit(store, video("abc1"), video("abc2"), video("abd"))
    assert store.job_ids("abc") == ["abc1", "abc2"]
    assert store.job_ids("ab", limit=1) == ["abc1"]
    assert store.job_ids("x") == store.job_ids("abc1z") == []
    assert store.job_ids("abd") == ["abd"]


def test_the_queue_ahead_is_what_stands_before_it_in_its_line(store):
    submit(store, video("old"), video("me"), video("new"), video("urgent", priority=5), video("low", priority=1))
    assert store.ahead_of(store.job(JobId("me"))) == 1
    claim(store, 2)
    assert store.ahead_of(store.job(JobId("me"))) == 0


def test_events_are_numbered_without_gaps_and_filter_by_job(store):
    submit(store, video("a"), video("b"), video("c"))
    claim(store, 2)
    everything = store.events(after=0)
    assert [event.id for event in everything] == [1, 2, 3, 4, 5]
    assert store.last_event_id() == 5
    assert types(store, "a") == types(store, "b") == ["submitted", "claimed"]
    some = store.events(after=1, job_ids=[JobId("a"), JobId("b"), JobId("a")])
    assert [(event.id, event.job_id) for event in some] == [(2, "b"), (4, "a"), (5, "b")]
    assert [event.id for event in store.events(after=2, limit=2)] == [3, 4]
    assert everything[0].at == NOON


# --- transactions


def test_a_transaction_is_all_or_nothing(store, another):
    with pytest.raises(ZeroDivisionError), store.transaction():
        submit(store, video("a"))
        assert 1 / 0
    assert store.job_ids("") == []
    with store.transaction():
        submit(store, video("a"))
        with pytest.raises(ZeroDivisionError), store.transaction():
            submit(store, video("b"))
            assert 1 / 0
        submit(store, video("c"))
        assert another().job_ids("") == []
    assert another().job_ids("") == ["a", "c"]


def test_a_caught_failure_inside_a_transaction_leaves_no_half_call(store):
    with store.transaction():
        submit(store, video("a"))
        with pytest.raises(StoreError):
            submit(store, video("b"), video("a"))
    assert store.job_ids("") == ["a"]


def test_the_data_version_moves_when_another_connection_commits(store, another):
    before = store.data_version()
    assert store.data_version() == before
    submit(another())
    assert store.data_version() != before


def test_the_data_version_stays_when_another_connection_only_reads(store, another):
    other = another()
    submit(other)
    before = store.data_version()
    with other.transaction():
        assert len(other.jobs(JobFilter())) == 1
        with other.transaction():
            assert other.nodes() == []
    other.note_seen(boot="a boot", tick=1)  # a change that meets no row
    assert store.data_version() == before
    other.note_time(now=NOON)
    assert store.data_version() != before


def test_the_state_id_belongs_to_the_database(store, another):
    assert store.state_id() == another().state_id() != ""
    assert store.schema_version() >= 1


# --- instances


def test_an_instance_has_its_times(store):
    first = Instance("i-1", VIDEO, "docker", "video:1", 3, InstanceState.STARTING, 2.0, 2**31, 1.0, 2**30, NOON)
    store.add_instance(first)
    store.add_instance(replace(first, id="i-2", created_at=LEASE, note="granted 1 CPU"))
    store.set_instance("i-1", InstanceState.READY, now=LEASE, tick=5)
    store.set_instance("i-1", InstanceState.DRAINING, now=LEASE, tick=6)
    ready = replace(first, state=InstanceState.DRAINING, ready_at=LEASE, ready_tick=5, seen_tick=6)
    assert store.instances()[0] == ready
    store.set_instance("i-1", InstanceState.LOST, now=LEASE, tick=7, note="gone")
    assert [each.id for each in store.instances()] == ["i-2"]
    lost, waiting = store.instances(active_only=False)
    ended = {"stopped_at": LEASE, "seen_tick": 7, "stopped_tick": 7, "cost_nanodollars": 0}
    assert lost == replace(ready, state=InstanceState.LOST, note="gone", **ended)
    assert waiting.note == "granted 1 CPU"
    with pytest.raises(InputNotFound):
        store.set_instance("i-3", InstanceState.READY, now=NOON, tick=1)


def test_an_instance_has_models_until_it_ends(store):
    mine = Instance(
        "i-1", Service.INFERENCE, "docker", "inference:1", 3, InstanceState.READY, 2.0, 2**31, 1.0, 2**30, NOON
    )
    store.add_instance(mine)
    loaded = (LoadedModel("sentiment@1", 4 * 2**20), LoadedModel("embeddings@1", 96 * 2**20))
    store.set_models("i-1", loaded)
    assert [each.models for each in store.instances()] == [loaded]
    store.set_instance("i-1", InstanceState.STOPPED, now=LEASE, tick=7)
    store.set_models("i-1", loaded)
    assert [each.models for each in store.instances(active_only=False)] == [()]


# --- keys, lines, shares


def test_jobs_of_one_key_run_one_at_a_time(store):
    submit(store, video("a", key="cam"), video("b", key="cam"), video("c"))
    assert [job.id for job in claim(store, 9)] == ["a", "c"]
    assert claim(store, 9) == []
    end(store, store.job(JobId("a")), Reason.COMPLETED)
    assert [job.id for job in claim(store, 9)] == ["b"]


def test_organisations_take_turns_however_many_jobs_one_of_them_has(store):
    submit(store, *(video(f"a{n}", organisation="big") for n in range(50)), video("b0", organisation="small"))
    submit(store, video("b1", organisation="small"))
    first = [job.organisation for job in claim(store, 4)]
    assert sorted(first) == ["big", "big", "small", "small"]


def test_a_larger_size_is_another_queue(store):
    submit(store, video("a"), video("b", size="standard-4"))
    assert store.waiting_pools(VIDEO) == [PoolKey(VIDEO), PoolKey(VIDEO, "standard-4")]
    assert [job.id for job in claim(store, 9)] == ["a"]
    assert store.waiting_pools(VIDEO) == [PoolKey(VIDEO, "standard-4")]


def test_a_job_that_ran_out_of_memory_comes_back_larger(store):
    job = started(store)
    outcome = Outcome(Reason.OOM)
    transition = after_attempt(job, outcome, now=NOON, dice=0.0, larger_size="standard-4")
    store.finish(job.id, job.token, outcome, transition, now=NOON, tick=1)
    assert store.release_due(now=NOON) == 1
    assert (store.job(job.id).size, claim(store), store.waiting_pools(VIDEO)) == (
        "standard-4",
        [],
        [PoolKey(VIDEO, "standard-4")],
    )


def test_what_a_kind_of_input_needs_is_remembered(store):
    assert store.size_hint(VIDEO, "mp4:33") == ""
    store.set_size_hint(VIDEO, "mp4:33", "standard-4")
    assert store.size_hint(VIDEO, "mp4:33") == "standard-4"


def test_empty_lines_are_forgotten_and_found_again(store):
    end(store, started(store), Reason.FAILED)
    store.tidy_queue(now=NOON + timedelta(days=1))
    assert store.redrive(JobId("job1"), now=NOON)
    assert [job.id for job in claim(store)] == ["job1"]
    assert store.integrity() == []


# --- idempotency


def test_an_idempotency_key_gives_the_first_job_again(store):
    assert store.enqueue([video("a", idempotency_key="k")], now=NOON) == ["a"]
    again = [video("b", idempotency_key="k"), video("c", idempotency_key="k", organisation="other")]
    assert store.enqueue(again, now=LEASE) == ["a", "c"]
    assert store.job_ids("") == ["a", "c"]
    with pytest.raises(UsageError, match=r"'k' belongs to job a"):
        store.enqueue([video("d", idempotency_key="k", spec={"inputUrl": "/other.mp4"})], now=NOON)


# --- secrets


def paper(job_id: str = "job1", **changes: object) -> NewJob:
    spec = {"documentUrl": "/in.pdf", "password": "open sesame"}
    return video(job_id, service=Service.DOCUMENT, spec=spec, **changes)


def passwords(store: Store, *job_ids: str) -> list[object]:
    return [store.job(JobId(each)).spec["password"] for each in job_ids]


def test_a_job_that_has_ended_for_good_keeps_no_secret_and_a_dead_letter_does(store):
    submit(store, *(paper(each, max_attempts=1) for each in "abcd"))
    well, badly, asked = claim(store, 3, service=Service.DOCUMENT)
    assert well.spec["password"] == "open sesame"
    end(store, well, Reason.COMPLETED)
    end(store, badly, Reason.REJECTED)
    store.cancel(asked.id, why="", now=NOON)
    assert passwords(store, asked.id) == ["open sesame"], "its attempt still runs"
    end(store, asked, Reason.CANCELLED)
    store.cancel(JobId("d"), why="", now=NOON)
    assert passwords(store, "a", "b", "c", "d") == ["***", "open sesame", "***", "***"]
    assert store.redrive(JobId("b"), now=LEASE)
    (again,) = claim(store, service=Service.DOCUMENT)
    assert again.spec["password"] == "open sesame"


def test_what_a_dead_letter_took_down_comes_back_with_its_secret(store):
    submit(store, paper("a", max_attempts=1))
    submit(store, paper("b", after=(Dependency(JobId("a")),)))
    end(store, claim(store, service=Service.DOCUMENT)[0], Reason.REJECTED)
    assert store.job(JobId("b")).state is JobState.CANCELLED
    store.redrive(JobId("a"), now=NOON)
    assert store.job(JobId("b")).state is JobState.HELD
    assert passwords(store, "b") == ["open sesame"]


def test_the_idempotency_key_of_a_job_without_its_secret_gives_that_job_again(store):
    submit(store, paper("a", idempotency_key="k"))
    store.cancel(JobId("a"), why="", now=NOON)
    assert store.enqueue([paper("b", idempotency_key="k")], now=NOON) == ["a"]


# --- dependencies


def after(*job_ids: str, on_failure: OnFailure = OnFailure.CANCEL) -> tuple[Dependency, ...]:
    return tuple(Dependency(JobId(job_id), on_failure) for job_id in job_ids)


def test_a_job_waits_for_all_that_it_needs(store):
    submit(store, video("a"), video("b"))
    submit(store, video("c", after=after("a", "b")))
    assert (store.job(JobId("c")).state, store.job(JobId("c")).held_because) == (JobState.HELD, "dependencies")
    first, second = claim(store, 9)
    end(store, first, Reason.COMPLETED)
    assert store.job(JobId("c")).state is JobState.HELD
    end(store, second, Reason.COMPLETED)
    assert [job.id for job in claim(store, 9)] == ["c"]
    assert types(store, "c") == ["submitted", "released", "claimed"]


def test_what_has_succeeded_is_not_waited_for(store):
    end(store, started(store), Reason.COMPLETED)
    submit(store, video("c", after=after("job1")))
    assert store.job(JobId("c")).state is JobState.QUEUED


def test_a_failure_goes_down_the_chain(store):
    submit(store, video("a"))
    submit(store, video("b", after=after("a")))
    submit(store, video("c", after=after("b")))
    end(store, claim(store)[0], Reason.REJECTED)
    for job_id, cause in (("b", "a"), ("c", "b")):
        job = store.job(JobId(job_id))
        assert (job.state, job.error.code) == (JobState.CANCELLED, "dependency_failed")
        assert f"Job {cause}" in job.error.message
    assert store.integrity() == []


@pytest.mark.parametrize(("on_failure", "state"), [(OnFailure.RUN, JobState.QUEUED), (OnFailure.HOLD, JobState.HELD)])
def test_a_failure_need_not_be_the_end(store, on_failure, state):
    submit(store, video("a"))
    submit(store, video("b", after=after("a", on_failure=on_failure)))
    end(store, claim(store)[0], Reason.REJECTED)
    assert store.job(JobId("b")).state is state
    store.redrive(JobId("a"), now=NOON)
    end(store, claim(store)[0], Reason.COMPLETED)
    assert store.job(JobId("b")).state is JobState.QUEUED or on_failure is OnFailure.RUN


def test_waiting_for_what_cannot_succeed_is_refused(store):
    end(store, started(store), Reason.REJECTED)
    with pytest.raises(UsageError, match="job1, which is to be waited for, is dead"):
        submit(store, video("b", after=after("job1")))
    with pytest.raises(InputNotFound, match="no job nothing to wait for"):
        submit(store, video("b", after=after("nothing")))
    assert store.job_ids("") == ["job1"]


def test_cancelling_a_job_cancels_what_waits_for_it(store):
    submit(store, video("a"))
    submit(store, video("b", after=after("a"), run_at=LEASE))
    store.cancel(JobId("a"), why="", now=NOON)
    assert store.counts().by_service == {VIDEO: {JobState.CANCELLED: 2}}


def give(store: Store, job: Job, *paths: str) -> None:
    """End a job with outputs of these names."""
    assert job.token is not None
    outputs = tuple(Output(path, "video", "video/mp4", path.encode().hex().ljust(64, "0"), len(path)) for path in paths)
    outcome = Outcome(Reason.COMPLETED, outputs=outputs)
    store.finish(job.id, job.token, outcome, after_attempt(job, outcome, now=NOON, dice=0.5), now=NOON, tick=1)


def fed_by(*job_ids: str, output: str = "", is_each: bool = False) -> dict[str, object]:
    """What a job has that works on the outputs of others."""
    needs = tuple(Dependency(JobId(job_id), is_source=True) for job_id in job_ids)
    return {"after": needs, "inputs": (JobInput("input_url", "@", output=output, is_each=is_each),)}


def test_a_job_works_on_what_the_one_before_it_gave(store):
    submit(store, video("a"))
    submit(store, video("b", **fed_by("a", output="*.mp4")))
    give(store, claim(store)[0], "x.jpg", "y.mp4")
    (job,) = claim(store, 9)
    assert [(each.name, each.size, each.output) for each in job.inputs] == [("y.mp4", 5, None)]
    assert store.integrity() == []


def test_a_job_that_works_on_what_is_there_already_starts_at_once(store):
    give(store, started(store, video("a")), "y.mp4")
    submit(store, video("b", **fed_by("a")))
    (job,) = claim(store, 9)
    assert [each.name for each in job.inputs] == ["y.mp4"]


def test_every_output_gets_a_job_and_who_waits_for_it_waits_for_all_of_them(store):
    submit(store, video("a"))
    submit(store, video("b", name="each", batch="night", priority=4, **fed_by("a", output="*.mp4", is_each=True)))
    submit(store, video("c", **fed_by("b", is_each=True)))
    submit(store, video("d", after=after("b")))
    give(store, claim(store)[0], "1.mp4", "2.mp4", "notes.txt", "3.mp4")
    each = claim(store, 9)
    assert [(job.name, job.inputs[0].name, job.batch, job.priority) for job in each] == [
        (f"each-{number}", f"{number}.mp4", "night", 4) for number in (1, 2, 3)
    ]
    for job in each[:2]:
        give(store, job, f"out-{job.name}.mp4")
        assert store.counts().by_service[VIDEO][JobState.HELD] == 2
    give(store, each[2], "out-each-3.mp4")
    assert sorted(job.inputs[0].name for job in claim(store, 9) if job.inputs) == [
        f"out-each-{n}.mp4" for n in (1, 2, 3)
    ]
    assert store.integrity() == []


def test_a_job_for_each_of_nothing_has_nothing_to_do(store):
    submit(store, video("a"))
    submit(store, video("b", **fed_by("a", output="*.png", is_each=True)))
    submit(store, video("c", after=after("b")))
    give(store, claim(store)[0], "1.mp4")
    assert (store.job(JobId("b")).state, store.job(JobId("c")).state) == (JobState.SUCCEEDED, JobState.QUEUED)
    assert store.integrity() == []


def test_an_output_that_was_not_given_ends_the_job_and_what_waits_for_it(store):
    submit(store, video("a"))
    submit(store, video("b", **fed_by("a", output="*.mp4")))
    submit(store, video("c", after=after("b")))
    give(store, claim(store)[0], "1.mp4", "2.mp4")
    job = store.job(JobId("b"))
    assert (job.state, job.error.code) == (JobState.DEAD, "no_such_output") and "2 of the output" in job.error.message
    assert store.job(JobId("c")).state is JobState.CANCELLED
    assert store.integrity() == []


def test_one_of_many_that_fails_takes_down_what_waits_for_all_of_them(store):
    submit(store, video("a"))
    submit(store, video("b", **fed_by("a", is_each=True, output="*")))
    submit(store, video("c", **fed_by("b", is_each=True)))
    give(store, claim(store)[0], "1.mp4", "2.mp4")
    first, second = claim(store, 9)
    end(store, second, Reason.REJECTED)
    give(store, first, "x.mp4")
    assert store.job(JobId("c")).state is JobState.CANCELLED
    assert store.integrity() == []


def test_a_step_that_was_never_fed_is_fed_when_it_is_redriven(store):
    submit(store, video("a"))
    submit(store, video("b", expires_at=LEASE, **fed_by("a", output="*.mp4")))
    running = claim(store)[0]
    assert store.expire(now=LEASE) == 1
    give(store, running, "x.mp4")
    assert store.redrive(JobId("b"), now=LEASE)
    (job,) = claim(store, 9)
    assert [each.name for each in job.inputs] == ["x.mp4"]
    assert store.integrity() == []


def test_a_redriven_step_whose_output_is_still_not_there_is_a_dead_letter_again(store):
    submit(store, video("a"))
    submit(store, video("b", **fed_by("a", output="*.mp4")))
    submit(store, video("c", after=after("b")))
    give(store, claim(store)[0], "x.jpg")
    assert store.job(JobId("b")).state is JobState.DEAD
    store.redrive(JobId("b"), now=NOON)
    assert (store.job(JobId("b")).state, store.job(JobId("c")).state) == (JobState.DEAD, JobState.CANCELLED)
    with pytest.raises(UsageError):
        store.purge(JobId("a"))  # b may be redriven once more
    assert store.integrity() == []


def test_who_comes_after_a_fan_out_waits_for_all_that_it_became(store):
    give(store, started(store, video("a")), "1.mp4", "2.mp4", "3.mp4")
    submit(store, video("b", **fed_by("a", output="*", is_each=True)))  # fans out at once: a has ended
    submit(store, video("c", after=after("b")))
    submit(store, video("d", **fed_by("b", is_each=True)))
    for job in claim(store, 9):
        assert {store.job(JobId(each)).state for each in "cd"} == {JobState.HELD}
        give(store, job, f"{job.name}.mp4")
    assert len(claim(store, 9)) == 4  # c, and one d for each
    assert store.integrity() == []


def test_each_part_of_a_fan_out_stands_behind_its_own_source_and_no_other(store):
    for job_id in ("a", "b"):
        give(store, started(store, video(job_id)), f"{job_id}.mp4")
    submit(store, video("c", **fed_by("a", "b", is_each=True)))
    jobs = {job.inputs[0].name: job for job in store.jobs(JobFilter(states=(JobState.QUEUED,)))}
    assert [need.job_id for need in store.dependencies(jobs["b.mp4"].id)] == ["b"]
    assert store.dependencies(jobs["a.mp4"].id)[0].job_id == "a"


def test_what_a_failure_took_down_comes_back_with_a_redrive(store):
    submit(store, video("a"), video("x"))
    submit(store, video("b", after=after("a")))
    submit(store, video("c", after=after("b")))
    submit(store, video("d", after=after("a", "x")))
    first, other = claim(store, 2)
    end(store, first, Reason.REJECTED)
    end(store, other, Reason.REJECTED)
    store.redrive(JobId("a"), now=NOON)
    states = [store.job(JobId(each)).state for each in "bcd"]
    assert states == [JobState.HELD, JobState.HELD, JobState.CANCELLED]  # d has failed for x as well
    end(store, claim(store)[0], Reason.COMPLETED)
    end(store, claim(store)[0], Reason.COMPLETED)
    assert store.job(JobId("c")).state is JobState.QUEUED
    assert store.integrity() == []


def test_nobody_is_held_for_what_was_cancelled(store):
    submit(store, video("a"))
    submit(store, video("b", after=after("a", on_failure=OnFailure.HOLD)))
    store.cancel(JobId("a"), why="", now=NOON)
    assert store.job(JobId("b")).state is JobState.CANCELLED
    with pytest.raises(UsageError, match="is cancelled"):
        submit(store, video("c", after=after("a", on_failure=OnFailure.HOLD)))


def test_the_time_to_live_of_a_held_job_begins_when_nothing_holds_it(store):
    submit(store, video("a"))
    submit(store, video("b", ttl_seconds=60.0, expires_at=NOON + timedelta(seconds=60), after=after("a")))
    later = NOON + timedelta(hours=1)
    assert store.expire(now=later) == 0
    end(store, claim(store)[0], Reason.COMPLETED, now=later)
    assert store.job(JobId("b")).expires_at == later + timedelta(seconds=60)


def test_a_released_job_still_waits_for_its_time(store):
    job = started(store)
    submit(store, video("b", after=after("job1"), run_at=LEASE))
    end(store, job, Reason.COMPLETED)
    assert store.job(JobId("b")).state is JobState.SCHEDULED
    assert store.release_due(now=LEASE) == 1


# --- too late


def test_a_job_that_is_not_started_in_time_is_given_up(store):
    submit(store, video("a", expires_at=LEASE), video("b", expires_at=LEASE, run_at=LEASE), video("c"))
    assert store.expire(now=LEASE - timedelta(microseconds=1)) == 0
    assert store.expire(now=LEASE) == 2
    job = store.job(JobId("a"))
    assert (job.state, job.reason, job.error.code) == (JobState.DEAD, Reason.TIMEOUT, "expired")
    assert [each.id for each in claim(store, 9)] == ["c"]
    assert store.expire(now=LEASE) == 0
    assert store.integrity() == []


def patient(job_id: str, **changes: object) -> NewJob:
    """It waits for off-peak hours, and has its last call in an hour."""
    calling_at, deadline = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    known = {"is_off_peak": True, "last_call_at": calling_at, "deadline": deadline, "expires_at": deadline}
    return video(job_id, **known | changes)


def claimed_by_day(store: Store, *, now: datetime = NOON, **policy: object) -> list[str]:
    """What is claimed by somebody whose off-peak hours do not come."""
    hours = OffPeak((Window(time(1), time(2)),), UTC)
    claimed = store.claim(
        PoolKey(VIDEO),
        places=Places([Candidate("i-1", 9, 9)]),
        policy=QueuePolicy(off_peak=hours, **policy),  # type: ignore[arg-type]
        now=now,
        lease_until=now + timedelta(seconds=30),
        tick=0,
    )
    return [each.job.id for each in claimed]


def test_a_job_with_a_last_call_waits_for_off_peak_hours_until_then_and_goes_at_any_price_after(store):
    submit(store, patient("called"), video("patient", is_off_peak=True), patient("later", last_call_at=LEASE))
    assert (store.call_last(now=NOON), claimed_by_day(store)) == (0, [])
    assert store.call_last(now=LEASE) == 1
    assert store.call_last(now=LEASE) == 0
    assert types(store, "later") == ["submitted", "last_call"]
    assert claimed_by_day(store, now=LEASE) == ["later"]
    calling_at = NOON + timedelta(hours=1)
    assert store.call_last(now=calling_at) == 1
    job = store.job(JobId("called"))
    assert (job.state, job.is_off_peak, job.last_call_at, job.run_at) == (
        JobState.QUEUED, False, calling_at, calling_at,
    )  # fmt: skip
    (line,) = [flow for flow in store.queue(PoolKey(VIDEO)).flows if not flow.is_off_peak]
    assert (line.queued, line.waits_since) == (1, calling_at)  # it was owed no start before
    assert claimed_by_day(store, now=calling_at) == ["called"]
    assert store.counts().by_service[VIDEO] == {JobState.QUEUED: 1, JobState.RUNNING: 2}
    assert store.integrity() == []


def test_who_joins_a_line_at_its_last_call_takes_nothing_from_what_the_others_have_waited(store):
    submit(store, patient("called"), video("a"), video("b"))
    store.call_last(now=NOON + timedelta(hours=1))
    (line,) = store.queue(PoolKey(VIDEO)).flows
    assert (line.queued, line.waits_since, line.owed_since) == (3, NOON, NOON)
    assert claimed_by_day(store, now=NOON + timedelta(hours=1)) == ["called", "a", "b"]
    later = NOON + timedelta(hours=2)
    store.enqueue([video("c")], now=later)
    assert [flow.owed_since for flow in store.queue(PoolKey(VIDEO)).flows] == [later]


def test_an_idle_look_for_last_calls_writes_nothing(store, another):
    submit(store, patient("a"), video("b"))
    observer = another()
    before = observer.data_version()
    assert store.call_last(now=NOON + timedelta(minutes=59)) == 0
    assert observer.data_version() == before


def test_many_last_calls_are_made_in_pieces(store):
    submit(store, *(patient(f"j{number}") for number in range(501)))
    at = NOON + timedelta(hours=1)
    assert [store.call_last(now=at) for _ in range(3)] == [500, 1, 0]
    assert [(flow.is_off_peak, flow.queued) for flow in store.queue(PoolKey(VIDEO)).flows] == [(False, 501)]
    assert store.integrity() == []


def test_a_job_that_waits_for_something_else_at_its_last_call_has_it_once_it_is_queued(store):
    calling_at = NOON + timedelta(hours=1)
    submit(store, video("first"))
    submit(store, patient("held", after=(Dependency(JobId("first")),)), patient("scheduled", run_at=calling_at))
    assert store.call_last(now=calling_at) == 0
    store.release_due(now=calling_at)
    assert store.call_last(now=calling_at) == 1
    end(store, claim(store)[0], Reason.COMPLETED, now=calling_at)
    assert store.call_last(now=calling_at) == 1
    assert claimed_by_day(store, now=calling_at) == ["held", "scheduled"]


def test_after_its_last_call_a_job_is_tried_again_at_any_price(store):
    submit(store, patient("a"))
    store.call_last(now=NOON + timedelta(hours=1))
    (job,) = claim(store)
    end(store, job, Reason.INTERRUPTED)
    assert claimed_by_day(store) == ["a"]


def test_a_dead_letter_that_is_redriven_has_no_deadline_and_waits_for_off_peak_hours_again(store):
    submit(store, patient("a"))
    store.call_last(now=NOON + timedelta(hours=1))
    (job,) = claim(store)
    end(store, job, Reason.REJECTED)
    assert store.redrive(JobId("a"), now=NOON)
    again = store.job(JobId("a"))
    assert (again.is_off_peak, again.last_call_at, again.deadline) == (True, None, None)
    assert claimed_by_day(store) == []


def test_what_becomes_of_a_fan_out_keeps_its_hours_and_its_nodes(store):
    submit(store, video("first"))
    fed = JobInput("input_url", "@first/*", output="*", is_each=True)
    needs = (Dependency(JobId("first"), is_source=True),)
    submit(store, patient("each", inputs=(fed,), after=needs, is_spot_ok=True))
    (first,) = claim(store)
    outputs = tuple(Output(f"{name}.mp4", "x", "video/mp4", name * 64, 1) for name in "ab")
    assert first.token is not None
    outcome = Outcome(Reason.COMPLETED, outputs=outputs)
    store.finish(first.id, first.token, outcome, after_attempt(first, outcome, now=NOON, dice=0.5), now=NOON, tick=0)
    (line,) = store.queue(PoolKey(VIDEO)).flows
    assert (line.queued, line.is_off_peak, line.is_spot_ok) == (2, True, True)
    assert store.call_last(now=NOON + timedelta(hours=1)) == 2


def test_on_a_spot_node_only_those_run_that_do_not_mind(store):
    submit(store, video("stays"), video("spot", is_spot_ok=True))
    assert store.job(JobId("spot")).is_spot_ok
    assert claimed_by_day(store, is_spot=True) == ["spot"]
    assert claimed_by_day(store) == ["stays"]


def test_a_running_job_does_not_expire(store):
    started(store, video(expires_at=LEASE))
    assert store.expire(now=LEASE + timedelta(days=1)) == 0


# --- dead letters


def test_a_redriven_job_starts_afresh_and_keeps_its_history(store):
    end(store, started(store), Reason.FAILED)
    assert store.redrive(JobId("job1"), now=LEASE)
    assert not store.redrive(JobId("job1"), now=LEASE)
    (job,) = claim(store)
    assert (job.attempt, job.attempts_used, job.crashes, job.finished_at) == (2, 0, 0, None)
    assert [each.reason for each in store.attempts(job.id)] == [Reason.FAILED, None]
    assert "redriven" in types(store)


def test_only_dead_letters_are_purged(store):
    job = started(store)
    assert not store.purge(job.id)
    end(store, job, Reason.FAILED)
    assert store.purge(job.id)
    assert (store.job_ids(""), store.events(after=0), store.integrity()) == ([], [], [])


# --- batches


def test_a_batch_is_counted_and_listed(store):
    submit(store, video("a", batch="x"), video("b", batch="x"), video("c", batch="y"), video("d"))
    end(store, claim(store)[0], Reason.COMPLETED)
    assert store.batches() == ["x", "y"]
    assert sum(store.batch_counts("x").values()) == 2
    assert store.batch_counts("nothing") == {}
    assert sorted(job.id for job in store.batch_jobs("x")) == ["a", "b"]


# --- histories that once went wrong


def test_what_expires_together_with_what_it_waited_for_leaves_nothing_behind(store):
    submit(store, video("a", expires_at=LEASE))
    submit(store, video("b", expires_at=LEASE, after=after("a", on_failure=OnFailure.RUN)))
    assert store.expire(now=LEASE) == 2
    assert store.counts().by_service == {VIDEO: {JobState.DEAD: 2}}
    assert (claim(store, 9), store.integrity()) == ([], [])


def test_a_diamond_is_settled_once(store):
    submit(store, video("a"))
    submit(store, video("b", after=after("a")))
    submit(store, video("c", after=after("a", "b", on_failure=OnFailure.RUN)))
    submit(store, video("d", after=after("a", "b")))
    store.cancel(JobId("a"), why="", now=NOON)
    assert store.counts().by_service == {VIDEO: {JobState.CANCELLED: 3, JobState.QUEUED: 1}}
    assert types(store, "d").count("cancelled") == 1
    assert [job.id for job in claim(store, 9)] == ["c"]
    assert store.integrity() == []


def test_a_long_chain_goes_as_one(store):
    submit(store, video("j0"))
    for number in range(1, 1500):
        submit(store, video(f"j{number}", after=after(f"j{number - 1}")))
    store.cancel(JobId("j0"), why="", now=NOON)
    assert store.counts().by_service == {VIDEO: {JobState.CANCELLED: 1500}}


def test_a_dead_letter_that_somebody_waits_for_is_not_purged(store):
    submit(store, video("a"))
    submit(store, video("b", after=after("a", on_failure=OnFailure.HOLD)))
    end(store, claim(store)[0], Reason.REJECTED)
    with pytest.raises(UsageError, match="Job b waits for a"):
        store.purge(JobId("a"))


def test_a_redriven_job_still_waits_for_what_it_needs(store):
    submit(store, video("a"))
    submit(store, video("b", after=after("a"), expires_at=LEASE))
    store.expire(now=LEASE)
    assert store.redrive(JobId("b"), now=LEASE)
    assert store.job(JobId("b")).state is JobState.HELD
    end(store, claim(store, 9)[0], Reason.COMPLETED)
    assert [job.id for job in claim(store, 9)] == ["b"]
    assert store.integrity() == []


def test_what_is_too_late_is_not_started_even_before_it_is_given_up(store):
    submit(store, video("late", expires_at=NOON), video("good"))
    assert [job.id for job in claim(store, 1)] == ["good"]


def test_the_time_to_live_ends_with_the_first_start(store):
    job = started(store, video(expires_at=LEASE, deadline=LEASE + timedelta(hours=1)))
    store.accepted(job.token, now=NOON)
    assert end(store, job, Reason.INTERRUPTED).state is JobState.QUEUED
    assert store.expire(now=LEASE) == 0
    assert store.expire(now=LEASE + timedelta(hours=1)) == 1


def test_the_time_to_live_goes_on_when_no_worker_has_taken_the_attempt(store):
    job = started(store, video(expires_at=LEASE, deadline=LEASE + timedelta(hours=1)))
    assert end(store, job, Reason.INTERRUPTED).state is JobState.QUEUED
    assert store.expire(now=LEASE) == 1


def test_two_of_one_key_in_one_submission_are_one(store):
    twice = [video("a", idempotency_key="k"), video("b", idempotency_key="k")]
    assert store.enqueue(twice, now=NOON) == ["a", "a"]
    assert store.job_ids("") == ["a"]


def test_a_job_whose_need_has_failed_is_not_redriven_into_waiting_for_ever(store):
    submit(store, video("a"))
    submit(store, video("b", after=after("a"), expires_at=LEASE))
    store.expire(now=LEASE)
    store.cancel(JobId("a"), why="", now=LEASE)
    with pytest.raises(UsageError, match="Job b waits for a, which is cancelled"):
        store.redrive(JobId("b"), now=LEASE)
    assert store.job(JobId("b")).state is JobState.DEAD


# --- the time


def test_the_time_that_is_known_is_the_newest_events_until_one_is_noted(store):
    assert store.known_time() is None
    submit(store)
    assert store.known_time() == NOON
    store.note_time(now=NOON - timedelta(days=3))
    store.note_time(now=NOON - timedelta(days=2))
    assert store.known_time() == NOON - timedelta(days=2)


# --- retention

MONTHS_LATER = NOON + timedelta(days=100)
KEEP_ALL = RetentionPolicy(jobs_days=0, dead_letters_days=0)
NO_EXCESS = Excess()
HOURS_LATER = NOON + timedelta(hours=3)


def output(name: str) -> Output:
    return Output(f"{name}.mp4", "video", "video/mp4", name * 32, 7)


def succeed(store: Store, job_id: str, *outputs: Output, **changes: object) -> None:
    job = started(store, video(job_id, **changes))
    assert job.token is not None
    outcome = Outcome(Reason.COMPLETED, outputs=outputs)
    store.finish(job.id, job.token, outcome, after_attempt(job, outcome, now=NOON, dice=0.5), now=NOON, tick=1)


def prune(
    store: Store,
    policy: RetentionPolicy,
    excess: Excess = NO_EXCESS,
    *,
    now: datetime = HOURS_LATER,
    dry_run: bool = False,
) -> list[str]:
    gone: list[str] = []
    after: int | None = 0
    while after is not None:
        removed = store.remove_ended(policy, excess, after_seq=after, now=now, dry_run=dry_run)
        gone += [job.id for job in removed.jobs]
        excess = excess.without(removed.jobs)
        after = removed.after_seq
    return gone


def everything(store: Store) -> list[str]:
    return [job.id for job in reversed(store.jobs(JobFilter(limit=10_000)))]


def test_old_jobs_go_with_all_that_is_known_of_them(store):
    succeed(store, "old", output("ab"))
    assert prune(store, RetentionPolicy(), now=MONTHS_LATER, dry_run=True) == ["old"]
    assert everything(store) == ["old"]
    assert prune(store, RetentionPolicy(), now=NOON + timedelta(days=29)) == []
    assert prune(store, RetentionPolicy(), now=MONTHS_LATER) == ["old"]
    assert everything(store) == [] and store.events(after=0) == [] and store.artifact_sizes() == []
    assert store.counts().by_service == {}
    assert store.integrity() == []


def test_jobs_that_have_not_ended_never_go(store):
    succeed(store, "done")
    started(store, video("running"))
    submit(store, video("waiting"), video("later", run_at=NOON + timedelta(days=900)))
    submit(store, video("held", after=(Dependency(JobId("running")),)))
    assert prune(store, RetentionPolicy(), Excess(jobs=9, up_to_seq=99), now=MONTHS_LATER) == ["done"]
    assert everything(store) == ["running", "waiting", "later", "held"]
    assert store.integrity() == []


def test_dead_letters_go_only_by_their_own_age(store):
    end(store, started(store), Reason.REJECTED)
    assert prune(store, RetentionPolicy(dead_letters_days=0), Excess(9, 99), now=MONTHS_LATER) == []
    assert prune(store, RetentionPolicy(jobs_days=0), now=NOON + timedelta(days=89)) == []
    assert prune(store, RetentionPolicy(jobs_days=0), now=MONTHS_LATER) == ["job1"]
    assert store.integrity() == []


def test_a_job_that_another_still_waits_for_stays(store):
    need = started(store, video("first"))
    submit(store, video("second", after=(Dependency(JobId("first")),)))
    submit(store, video("other", run_at=NOON + timedelta(days=900)))
    submit(store, video("third", after=(Dependency(JobId("first"), OnFailure.RUN), Dependency(JobId("other")))))
    assert end(store, need, Reason.COMPLETED).state is JobState.SUCCEEDED
    second = claim(store)[0]
    assert prune(store, RetentionPolicy(), now=MONTHS_LATER) == []
    end(store, second, Reason.COMPLETED)
    assert prune(store, RetentionPolicy(), now=MONTHS_LATER) == ["second"]  # the third is held yet
    store.cancel(JobId("third"), why="", now=NOON)
    assert prune(store, RetentionPolicy(), now=MONTHS_LATER) == ["first", "third"]
    assert store.integrity() == []


def test_a_job_stays_for_a_dead_letter_that_may_be_redriven_after_it(store):
    need = started(store, video("first"))
    submit(store, video("second", after=(Dependency(JobId("first")),)))
    end(store, need, Reason.COMPLETED)
    end(store, claim(store)[0], Reason.REJECTED)
    assert prune(store, RetentionPolicy(dead_letters_days=0), now=MONTHS_LATER) == []
    assert store.purge(JobId("second"))
    assert prune(store, RetentionPolicy(dead_letters_days=0), now=MONTHS_LATER) == ["first"]


def test_a_batch_stays_until_all_of_it_has_ended(store):
    succeed(store, "one", batch="night")
    submit(store, video("two", batch="night"))
    policy = RetentionPolicy(jobs_days=90)
    assert prune(store, policy, Excess(jobs=1), now=MONTHS_LATER) == []
    end(store, claim(store)[0], Reason.COMPLETED)
    assert prune(store, RetentionPolicy(), now=MONTHS_LATER) == ["one", "two"]
    assert store.batches() == []
    assert store.integrity() == []


def test_a_batch_that_never_ends_is_kept_for_twice_its_time(store):
    """The jobs of a recurring schedule are one."""
    succeed(store, "first", batch="hourly")
    end(store, started(store, video("dead", batch="hourly")), Reason.REJECTED)
    submit(store, video("next", batch="hourly", run_at=NOON + timedelta(days=900)))
    assert prune(store, RetentionPolicy(), Excess(jobs=1), now=NOON + timedelta(days=59)) == []
    assert prune(store, RetentionPolicy(), now=NOON + timedelta(days=61)) == ["first"]
    assert prune(store, RetentionPolicy(), now=NOON + timedelta(days=179)) == []
    assert prune(store, RetentionPolicy(), now=NOON + timedelta(days=181)) == ["dead"]
    assert everything(store) == ["next"]
    assert store.integrity() == []


def test_of_too_many_the_oldest_that_nobody_needs_go(store):
    succeed(store, "needed", batch="night")
    submit(store, video("alive", batch="night", run_at=NOON + timedelta(days=900)))
    for job_id in ("one", "two", "three"):
        succeed(store, job_id)
    assert prune(store, KEEP_ALL, Excess(jobs=2)) == ["one", "two"]
    assert everything(store) == ["needed", "alive", "three"]


def test_of_too_many_no_more_go_where_two_nodes_have_counted_them(store):
    for job_id in ("one", "two", "three", "four", "five"):
        succeed(store, job_id)
    policy = replace(KEEP_ALL, jobs_count=3)
    assert prune(store, policy, Excess(jobs=2), dry_run=True) == ["one", "two"]
    assert prune(store, policy, Excess(jobs=2)) == ["one", "two"]
    assert prune(store, policy, Excess(jobs=2)) == []  # the other, who has counted before
    assert everything(store) == ["three", "four", "five"]


def test_many_jobs_go_in_pieces(store):
    submit(store, *(video(f"j{n:04}") for n in range(600)))
    for n in range(600):
        store.cancel(JobId(f"j{n:04}"), why="", now=NOON)
    first = store.remove_ended(KEEP_ALL, Excess(jobs=550), after_seq=0, now=HOURS_LATER)
    assert 0 < len(first.jobs) < 550 and first.after_seq is not None
    assert len(prune(store, KEEP_ALL, Excess(jobs=550 - len(first.jobs)))) == 550 - len(first.jobs)
    assert everything(store)[0] == "j0550"
    assert store.integrity() == []


def test_an_artifact_that_another_job_gave_as_well_is_known_as_long_as_that(store):
    succeed(store, "old", output("ab"), output("cd"), cache_key="k")
    store.enqueue([video("new", cache_key="k", cached_from=JobId("old"))], now=MONTHS_LATER)
    assert prune(store, RetentionPolicy(), now=MONTHS_LATER) == ["old"]
    assert store.artifact_sizes() == [("ab" * 32, 7), ("cd" * 32, 7)]
    assert [each.sha256 for each in store.outputs(JobId("new"))] == ["ab" * 32, "cd" * 32]
    assert store.integrity() == []


def test_a_job_whose_cached_result_has_just_been_removed_does_the_work(store):
    succeed(store, "old", output("ab"), cache_key="k")
    prune(store, RetentionPolicy(), now=MONTHS_LATER)
    store.enqueue([video("new", cache_key="k", cached_from=JobId("old"))], now=MONTHS_LATER)
    assert store.job(JobId("new")).state is JobState.QUEUED
    assert claim(store)[0].id == "new"
    assert store.integrity() == []


def test_the_key_of_a_job_that_has_gone_is_free_again(store):
    succeed(store, "old", idempotency_key="k")
    prune(store, RetentionPolicy(), now=MONTHS_LATER)
    assert store.enqueue([video("new", idempotency_key="k")], now=NOON) == ["new"]


def test_inputs_and_outputs_are_held_by_their_jobs(store):
    inputs = (JobInput("input_url", "a.mp4", sha256="ef" * 32, size=3), JobInput("other", "b", url="https://b"))
    succeed(store, "done", output("ab"), inputs=inputs)
    submit(store, video("waiting", inputs=inputs))
    end(store, started(store, video("dead", batch="night", inputs=inputs, priority=5)), Reason.REJECTED)
    succeed(store, "needed", batch="day", priority=5)
    submit(store, video("alive", batch="day", run_at=MONTHS_LATER))
    held = store.holdings(after_seq=0, with_needs=True)
    assert [(each.job_id, each.names, each.may_go) for each in held] == [
        ("done", ("ef" * 32, "ab" * 32), True),
        ("waiting", ("ef" * 32,), False),
        ("dead", ("ef" * 32,), False),
        ("needed", (), False),
        ("alive", (), False),
    ]
    assert [each.job_id for each in store.holdings(after_seq=held[1].seq)] == ["dead", "needed", "alive"]
    assert store.known_jobs(["done", "nothing", "alive"]) == {"done", "alive"}


# --- what came


def ended_after(store: Store, seconds: float, *, now: datetime, reason: Reason = Reason.COMPLETED) -> None:
    """The next job is claimed at a time, and ends some seconds later."""
    places = Places([Candidate("i-1", 1, 1)])
    (claimed,) = store.claim(PoolKey(VIDEO), places=places, policy=QueuePolicy(), now=now, lease_until=LEASE, tick=0)
    end(store, claimed.job, reason, is_retryable=True, now=now + timedelta(seconds=seconds))


def test_jobs_that_have_run_are_known_by_when_they_could_first_have_started(store):
    later, since = NOON + timedelta(minutes=10), NOON - timedelta(days=1)
    submit(store, video("plain"), video("timed", run_at=later))
    submit(store, video("needy", after=(Dependency(JobId("plain")),)))
    ended_after(store, 2.5, now=NOON + timedelta(seconds=40))  # it had to wait for a slot; that is no part of it
    ended_after(store, 5.0, now=NOON + timedelta(seconds=60))
    store.release_due(now=later)
    ended_after(store, 7.0, now=later + timedelta(seconds=3))
    noon = NOON.timestamp()
    found = store.arrivals(since=since)
    assert [(each.service, each.size) for each in found] == [("video", "")] * 3
    assert [(round(each.at - noon, 3), each.seconds) for each in found] == [(0.0, 2.5), (42.5, 5.0), (600.0, 7.0)]
    assert store.arrivals(since=NOON + timedelta(seconds=1)) == []


def test_of_a_job_that_was_tried_again_the_last_attempt_counts_and_the_first_start(store):
    submit(store, video("retried"), video("waiting"))
    ended_after(store, 1.0, now=NOON + timedelta(seconds=5), reason=Reason.FAILED)
    store.cancel(JobId("waiting"), why="", now=NOON)
    store.release_due(now=NOON + timedelta(hours=1))
    ended_after(store, 9.0, now=NOON + timedelta(hours=1))
    (found,) = store.arrivals(since=NOON)
    assert (round(found.at - NOON.timestamp(), 3), found.seconds) == (0.0, 9.0)


def test_what_has_not_run_to_an_end_has_not_come(store):
    started(store)
    assert store.arrivals(since=NOON) == []


def test_jobs_that_have_completed_are_told_newest_first_with_their_size_and_time(store):
    def finished(job: NewJob, ticks: int, outcome: Outcome) -> None:
        submit(store, job)
        places = Places([Candidate("i-1", 1, 1)])
        (claimed,) = store.claim(
            PoolKey.of(job.service), places=places, policy=QueuePolicy(), now=NOON, lease_until=LEASE, tick=1000
        )
        assert claimed.job.token is not None
        ended = after_attempt(claimed.job, outcome, now=NOON, dice=0.5)
        store.finish(job.id, claimed.job.token, outcome, ended, now=NOON, tick=1000 + ticks)

    file = JobInput("input_url", "a.mp4", sha256="ab" * 32, size=700)
    url = JobInput("input_url", "b.mp4", url="http://example.org/b.mp4")
    done = Outcome(Reason.COMPLETED, usage=Usage(bytes_in=900))
    finished(video("file", inputs=(file,), kind="mp4", spec={"quality": "low"}), 250, done)
    finished(video("url", inputs=(url,), kind="webm", spec={}), 100, done)
    finished(video("unknown", inputs=(url,), kind="webm", spec={}), 100, Outcome(Reason.COMPLETED))
    finished(video("failed", inputs=(file,), kind="mp4", max_attempts=1), 50, Outcome(Reason.FAILED))
    finished(NewJob(JobId("other"), Service.CODE, {}, kind="go"), 30, done)
    assert [(each.features[0], each.input_bytes, each.seconds) for each in store.completed(VIDEO, limit=9)] == [
        ("webm", None, 1.0),
        ("webm", 900, 1.0),
        ("mp4", 700, 2.5),
    ]
    assert [each.seconds for each in store.completed(VIDEO, limit=1)] == [1.0]
    assert store.completed(Service.CODE, limit=9)[0].features == ("go",)


# --- pools of organisations


def test_what_is_observed_of_an_organisations_pool_is_told_of_that_pool(store):
    pool, other = (PoolKey.of(Service.CODE, "standard-1", each) for each in ("acme", "globex"))
    sample = PoolSample(NOON, pool, 2, 0, 1, 0, 0, 3, cpu=0.5)
    took = Measurement(NOON, pool, Measure.START, 0.5)
    event = ScalingEvent(NOON, pool, Change.WANTED, "because", 0, 1, "first_job")
    decisions = [LastDecision(NOON, each, {"wanted": number}) for number, each in enumerate((pool, other))]
    store.observe([sample], [took], [event], decisions)
    store.observe([], [], [], [LastDecision(NOON, pool, {"wanted": 5})])
    assert store.pool_samples(since=NOON) == [sample]
    assert store.measurements(Service.CODE, Measure.START) == [took]
    assert [replace(each, id=0) for each in store.scaling_events()] == [event]
    assert {each.pool: each.explanation["wanted"] for each in store.last_decisions()} == {pool: 5, other: 1}
    store.forget_pools([pool])
    assert [each.pool for each in store.last_decisions()] == [other]


def test_each_node_decides_about_its_part_of_a_pool_and_the_newest_decision_comes_last(store):
    pool, later = PoolKey(VIDEO), NOON + timedelta(seconds=1)
    samples = [PoolSample(NOON, pool, 2, 0, 1, 0, 0, 3, node=each) for each in ("a", "b")]
    events = [ScalingEvent(NOON, pool, Change.WANTED, "because", 0, 1, "first_job", node=each) for each in ("a", "b")]
    decisions = [LastDecision(later, pool, {"wanted": 1}, "a"), LastDecision(NOON, pool, {"wanted": 2}, "b")]
    store.observe(samples, [], events, decisions)
    assert store.pool_samples(since=NOON) == samples
    assert [each.node for each in store.scaling_events()] == ["b", "a"]
    assert [each.node for each in store.last_decisions()] == ["b", "a"]
    store.forget_pools([pool], node="a")
    assert [each.node for each in store.last_decisions()] == ["b"]


def test_decisions_and_wishes_of_organisations_that_are_gone_are_forgotten_in_time(store):
    shared, owned = PoolKey(VIDEO), PoolKey.of(Service.CODE, organisation="acme")
    store.observe([], [], [], [LastDecision(NOON, each, {}) for each in (shared, owned)])
    store.keep_warm(WarmRequest(owned, 1, NOON + timedelta(hours=1)))
    store.forget_observations(before=NOON)
    assert {each.pool for each in store.last_decisions()} == {shared, owned}
    store.forget_observations(before=NOON + timedelta(minutes=1))
    assert [each.pool for each in store.last_decisions()] == [shared]
    assert [each.pool for each in store.warm_requests(now=NOON)] == [owned]
    store.forget_observations(before=NOON + timedelta(hours=2))
    assert store.warm_requests(now=NOON) == []


def test_each_organisation_has_its_own_warm_instances(store):
    acme, globex = (PoolKey.of(Service.CODE, organisation=each) for each in ("acme", "globex"))
    wanted = [WarmRequest(each, number, NOON + timedelta(hours=1)) for number, each in ((1, acme), (2, globex))]
    for each in wanted:
        store.keep_warm(each)
    assert store.warm_requests(now=NOON) == wanted
    assert store.stop_warming(acme) and not store.stop_warming(acme)
    assert store.warm_requests(now=NOON) == wanted[1:]


def test_an_instance_comes_back_with_the_organisation_that_it_works_for(store):
    instance = Instance(
        "i-1", Service.CODE, "docker", "code:1", 3, InstanceState.STARTING, 2.0, 2**31, 1.0, 2**30, NOON,
        size="standard-1", organisation="acme",
    )  # fmt: skip
    store.add_instance(instance)
    assert [each.pool for each in store.instances()] == [PoolKey.of(Service.CODE, "standard-1", "acme")]
