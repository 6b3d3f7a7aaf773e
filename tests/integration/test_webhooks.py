"""Webhooks from the outbox to a real receiver, which asks the library of Standard Webhooks whether to believe them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from pitchey_cli.daemon.loop import Loop
from pitchey_cli.daemon.webhooks import Webhooks
from pitchey_cli.domain.alerts import RULES
from pitchey_cli.domain.budget import AsOf, Budget
from pitchey_cli.domain.errors import QuotaReached
from pitchey_cli.domain.job import Instance, InstanceState, JobError, JobId, NewJob, Outcome
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.domain.webhooks import (
    LONGEST_WAIT,
    MOST_PENDING,
    MOST_WEBHOOKS,
    TRIED_FOR,
    Delivery,
    DeliveryState,
    Reply,
    Webhook,
    judge,
)
from pitchey_cli.network.posting import Post
from pitchey_cli.operations import webhooks as operation
from pitchey_cli.reports import webhooks as report
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.store.writer import Writer
from processors.vocabulary import Reason, Service
from tests.conftest import Pitchey
from tests.resources.receiver import Receiver, receiving
from tests.resources.scripted_engine import Machine, ScriptedEngine
from tests.resources.scripted_node import make_node

FOR_GOOD = Outcome(Reason.FAILED, JobError("bad_input", "It is no video."))
DONE = Outcome(Reason.COMPLETED)
_NUMBERS = itertools.count(1)


class TurnedClock:
    """The time of this machine, and what the test has turned it by."""

    def __init__(self) -> None:
        self.turned = timedelta()
        self._began = datetime.now(UTC)

    def now(self) -> datetime:
        return self._began + self.turned

    def monotonic(self) -> float:
        return 1e6 + self.turned.total_seconds()

    def boot(self) -> str:
        return "boot"

    def turn(self, **by: float) -> None:
        self.turned += timedelta(**by)


@dataclass
class Ground:
    """A database, a receiver, and the part of a daemon that sends."""

    folder: Path
    receiver: Receiver
    store: SqliteStore
    clock: TurnedClock
    said: list[str]

    def add(
        self, path: str = "/hooks", organisation: str = "default", *, host: str = "127.0.0.1", **chosen: Any
    ) -> Webhook:
        if organisation:
            self.store.add_organisation(organisation, now=self.clock.now())
        return operation.add(
            self.store, chosen.pop("name", path.strip("/")), self.receiver.url(path, host), organisation=organisation,
            allow_private=chosen.pop("allow_private", True), now=self.clock.now(), **chosen,
        )  # fmt: skip

    def submit(self, organisation: str = "default", **chosen: Any) -> JobId:
        number = next(_NUMBERS)
        service = chosen.pop("service", Service.VIDEO)
        job = NewJob(JobId(f"job{number}"), service, {}, name=f"clip {number}", organisation=organisation, **chosen)
        return self.store.enqueue([job], now=self.clock.now())[0]

    def finish(self, job_id: JobId, outcome: Outcome = DONE) -> None:
        """Let a job run, and with it all that wait; let it end."""
        now, instance_id = self.clock.now(), f"i-{next(_NUMBERS)}"
        self.store.add_instance(
            Instance(
                instance_id, Service.VIDEO, "docker", "v", 100, InstanceState.READY, 1.0, 1, 1.0, 1, now, boot="b"
            )
        )  # fmt: skip
        places, until = Places([Candidate(instance_id, 100, 100)]), now + timedelta(hours=1)
        pool = PoolKey(self.store.job(job_id).service)
        self.store.claim(pool, places=places, policy=QueuePolicy(), now=now, lease_until=until, tick=0)
        job = self.store.job(job_id)
        assert job.token is not None
        transition = after_attempt(job, outcome, now=now, dice=0.5)
        self.store.finish(job.id, job.token, outcome, transition, now=now, tick=100)

    def node(self, writer: Writer, *, allow_private: bool = True, seconds: float = 10.0) -> Any:
        node = make_node(
            self.folder, ScriptedEngine(Machine()), writer, self.clock, {}, QueuePolicy(), self.said.append
        )  # fmt: skip
        return replace(node, post=Post(allow_private=allow_private, seconds=seconds))

    def deliver(self, **chosen: Any) -> None:
        """One look, and all that follows from it at this moment."""

        async def look(node: Any) -> None:
            hooks = Webhooks(node)
            hooks.begin_if_due()
            await hooks.settle()

        self.run(look, **chosen)
        assert self.said == []

    def run(self, act: Callable[[Any], Any], **chosen: Any) -> None:
        writer = Writer(SqliteStore.open(self.folder / "pitchey.db"))
        try:
            asyncio.run(act(self.node(writer, **chosen)))
        finally:
            writer.close()

    def told(self, path: str = "/hooks") -> list[str]:
        return [json.loads(each.body)["type"] for each in self.receiver.at(path)]

    def deliveries(self, webhook: Webhook) -> list[Delivery]:
        return list(reversed(self.store.deliveries(webhook.id, limit=1000)))

    def rows(self) -> int:
        return int(self.store._db.value("SELECT count(*) FROM webhook_deliveries"))


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    store = SqliteStore.open(tmp_path / "pitchey.db")
    with receiving() as receiver:
        yield Ground(tmp_path, receiver, store, TurnedClock(), [])
    store.close()


# --- what is sent


def test_the_library_of_the_standard_believes_what_is_sent(ground: Ground) -> None:
    hook = ground.add()
    job_id = ground.submit(batch="night")
    ground.finish(job_id)
    ground.deliver()
    said = [each.verified(hook.secret) for each in ground.receiver.at("/hooks")]
    (finished,) = (each for each in said if each["type"] == "batch.finished")  # it may overtake what is about the job
    said.remove(finished)
    assert [each["type"] for each in said] == ["job.submitted", "job.started", "job.succeeded"]
    succeeded = said[-1]
    assert datetime.fromisoformat(succeeded["timestamp"]) == ground.clock.now()
    data = succeeded["data"]
    assert (data["jobId"], data["service"], data["state"], data["batch"]) == (job_id, "video", "succeeded", "night")
    assert said[0]["data"]["state"] == "queued" and said[1]["data"]["state"] == "running"
    assert finished["data"]["jobs"] == {"succeeded": 1}
    assert {each.state for each in ground.deliveries(hook)} == {DeliveryState.DELIVERED}


def test_what_somebody_has_changed_is_refused_by_the_library(ground: Ground) -> None:
    hook, other = ground.add(), ground.add("/other")
    ground.submit()
    ground.deliver()
    (received,) = ground.receiver.at("/hooks")
    received.verified(hook.secret)
    for tampered in (
        replace(received, body=received.body.replace(b"video", b"audio")),
        replace(received, headers={**received.headers, "webhook-id": "msg_another"}),
        replace(
            received, headers={**received.headers, "webhook-timestamp": str(int(ground.clock.now().timestamp()) + 1)}
        ),
    ):
        with pytest.raises(WebhookVerificationError):
            tampered.verified(hook.secret)
    with pytest.raises(WebhookVerificationError):
        received.verified(other.secret)


def test_what_was_sent_long_ago_is_refused_when_somebody_sends_it_again(ground: Ground) -> None:
    hook = ground.add()
    ground.clock.turn(minutes=-6)
    ground.submit()
    ground.deliver()
    (received,) = ground.receiver.at("/hooks")
    with pytest.raises(WebhookVerificationError, match="old"):
        received.verified(hook.secret)


def test_two_secrets_count_at_once_while_one_is_rotated(ground: Ground) -> None:
    hook = ground.add()
    _, newer, _ = operation.rotate(ground.store, hook.id, overlap="4m", now=ground.clock.now())
    ground.submit()
    ground.deliver()
    (received,) = ground.receiver.at("/hooks")
    assert received.verified(hook.secret) == received.verified(newer)
    ground.clock.turn(minutes=4)
    ground.submit()
    ground.deliver()
    last = ground.receiver.at("/hooks")[-1]
    last.verified(newer)
    with pytest.raises(WebhookVerificationError):
        last.verified(hook.secret)


def test_an_endpoint_is_told_what_it_wants_and_nothing_else(ground: Ground) -> None:
    dead = ground.add("/dead", types=("job.dead", "job.redriven"))
    ground.add("/media", services=("media",))
    ground.add("/ends", types=("batch.*",), services=("video",))
    job_id = ground.submit(batch="night")
    ground.submit(service=Service.MEDIA)
    ground.finish(job_id, FOR_GOOD)
    ground.store.redrive(job_id, now=ground.clock.now())
    ground.deliver()
    assert ground.told("/dead") == ["job.dead", "job.redriven"]
    assert ground.receiver.at("/dead")[0].verified(dead.secret)["data"]["details"]["error"]["code"] == "bad_input"
    assert ground.told("/media") == ["job.submitted"]
    assert ground.told("/ends") == ["batch.finished"]


def test_budgets_and_alerts_go_the_same_way(ground: Ground) -> None:
    ground.add("/all", "")
    ground.add("/acme", "acme")
    ground.add("/rival", "rival")
    now = ground.clock.now()
    ground.store.test_alert(RULES[0], now=now)
    ground.store.set_budget(Budget(Scope("acme"), Period.DAY, 1), now=now)
    ground.store._db.run(
        "INSERT INTO container_costs VALUES ('acme', ?, 'video', 't', 'r', '', 'work', 1, 10, 1)",
        (int(now.timestamp()) // 3600 * 3600 * 1_000_000,),
    )
    assert ground.store.note_reached(ground.store.standings(AsOf(now, "b", 0, UTC)), now=now) == 3
    ground.deliver()
    assert sorted(ground.told("/all")) == ["alert.fired", *["budget.reached"] * 3]
    assert ground.told("/acme") == ["budget.reached"] * 3 and ground.told("/rival") == []
    percents = [json.loads(each.body)["data"]["percent"] for each in ground.receiver.at("/acme")]
    assert percents == [50, 80, 100], "in their order"


def test_a_batch_has_finished_when_its_last_job_has(ground: Ground) -> None:
    ground.add(types=("batch.finished",))
    first, second = (ground.submit(batch="night") for _ in range(2))
    rival = ground.submit("rival", batch="night")
    ground.store.cancel(second, why="", now=ground.clock.now())
    ground.deliver()
    assert ground.told() == []
    ground.finish(first)
    ground.deliver()
    assert json.loads(ground.receiver.at("/hooks")[0].body)["data"]["jobs"] == {"succeeded": 1, "cancelled": 1}
    assert ground.store.job(rival).state == "running", "what others call night is another batch"


def test_two_organisations_are_apart(ground: Ground) -> None:
    hooks = {name: ground.add(f"/{name or 'all'}", name) for name in ("acme", "rival", "")}
    jobs = {name: ground.submit(name) for name in ("acme", "rival")}
    ground.deliver()
    for name in ("acme", "rival"):
        (received,) = ground.receiver.at(f"/{name}")
        assert received.verified(hooks[name].secret)["data"]["jobId"] == jobs[name]
    assert len(ground.receiver.at("/all")) == 2
    ground.store.remove_organisation("acme", now=ground.clock.now())
    ground.submit("acme")
    ground.deliver()
    assert len(ground.receiver.at("/acme")) == 1 and len(ground.receiver.at("/all")) == 3


# --- what it costs


def test_nothing_is_written_for_a_job_that_nobody_wants_to_hear_of(ground: Ground) -> None:
    def triggers() -> int:
        return int(ground.store._db.value("SELECT count(*) FROM sqlite_schema WHERE name = 'webhooks_of_an_event'"))

    ground.finish(ground.submit())
    assert (ground.rows(), triggers()) == (0, 0)
    hook = ground.add(types=("job.dead",))
    ground.finish(ground.submit())
    assert (ground.rows(), triggers()) == (0, 1)
    operation.disable(ground.store, hook.id, now=ground.clock.now())
    ground.finish(ground.submit(), FOR_GOOD)
    assert (ground.rows(), triggers()) == (0, 0)
    operation.enable(ground.store, hook.id)
    ground.finish(ground.submit(), FOR_GOOD)
    assert (ground.rows(), triggers()) == (1, 1)
    operation.remove(ground.store, hook.id)
    assert (ground.rows(), triggers()) == (0, 0)


def test_what_is_to_be_told_goes_with_what_has_happened_or_not_at_all(ground: Ground) -> None:
    ground.add()
    with pytest.raises(RuntimeError), ground.store.transaction():
        ground.submit()
        raise RuntimeError
    assert ground.rows() == 0


def test_an_organisation_has_so_many_endpoints_and_no_more(ground: Ground) -> None:
    first, *_ = [ground.add(name=f"hooks{n}") for n in range(MOST_WEBHOOKS)]
    with pytest.raises(QuotaReached, match="default has 20 webhooks"):
        ground.add()
    ground.add(organisation="rival")
    ground.add(organisation="")
    operation.remove(ground.store, first.id)
    ground.add()
    assert len(ground.store.webhooks(organisation="default")) == MOST_WEBHOOKS


def test_what_waits_for_an_endpoint_does_not_grow_for_ever(ground: Ground) -> None:
    full, other = ground.add(types=("job.submitted",)), ground.add("/other", types=("job.submitted",))
    ground.store._db.run(
        "UPDATE webhook_endpoints SET pending = ? WHERE id = ?", (MOST_PENDING - 1, full.id)
    )  # as if so many did
    for _ in range(3):
        ground.submit()
    assert (len(ground.deliveries(full)), len(ground.deliveries(other))) == (1, 3)
    found = operation.find(ground.store, full.id)
    assert (found.pending, found.missed) == (MOST_PENDING, 2)
    assert report.webhook(found)["missed"] == 2
    with pytest.raises(QuotaReached, match="Too many messages wait"):
        operation.send_test(ground.store, full.id, now=ground.clock.now())
    ground.deliver()
    ground.submit()
    ground.deliver()
    assert ground.told() == ["job.submitted"] * 2, "it goes on as soon as there is room"


def test_what_waits_is_counted_whatever_becomes_of_it(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))

    def pending() -> int:
        return operation.find(ground.store, hook.id).pending

    for _ in range(3):
        ground.submit()
    assert pending() == 3
    ground.receiver.answer("/hooks", 500)
    ground.deliver()
    assert pending() == 1
    ground.clock.turn(days=3, seconds=1)
    ground.store.give_up_deliveries(now=ground.clock.now())
    assert pending() == 0
    operation.replay(ground.store, hook.id, has_failed=True, now=ground.clock.now())
    assert pending() == 1
    ground.deliver()
    assert pending() == 0


def test_an_endpoint_that_is_disabled_keeps_no_tick_looking(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    operation.disable(ground.store, hook.id, now=ground.clock.now())

    async def act(node: Any) -> None:
        hooks = Webhooks(node)

        async def look() -> int:
            hooks.begin_if_due()
            await hooks.settle()
            return len(ground.told())

        await look()
        operation.enable(ground.store, hook.id)
        ground.submit()
        assert await look() == 0, "nobody was told a moment ago"
        ground.clock.turn(seconds=max(1.0, node.config.poll_seconds))
        assert await look() == 1
        ground.submit()
        assert await look() == 2, "and now at once"

    ground.run(act)


def test_a_database_from_before_an_upgrade_tells_as_this_program_does(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.store._db.run("DROP TRIGGER webhooks_of_an_event")
    ground.store._db.run("CREATE TRIGGER webhooks_of_an_event AFTER INSERT ON job_events BEGIN SELECT 1; END")
    ground.submit()
    assert ground.rows() == 0
    SqliteStore.open(ground.folder / "pitchey.db").close()
    ground.submit()
    assert [each.type for each in ground.deliveries(hook)] == ["job.submitted"]
    version = ground.store._db.value("PRAGMA schema_version")
    SqliteStore.open(ground.folder / "pitchey.db").close()
    assert ground.store._db.value("PRAGMA schema_version") == version, "nothing is written where nothing is old"


def test_whatever_is_told_is_tried_for_three_days(ground: Ground) -> None:
    hook = ground.add()
    ground.finish(ground.submit(batch="night"))
    found = ground.deliveries(hook)
    assert {"job.submitted", "batch.finished"} < {each.type for each in found}
    assert {each.until - each.at for each in found} == {TRIED_FOR}


# --- what comes back


def test_messages_about_a_job_come_in_their_order_and_hold_up_no_other_job(ground: Ground) -> None:
    hook = ground.add()
    ground.receiver.answer("/hooks", 500)
    first = ground.submit()
    ground.deliver()
    ground.finish(first)
    ground.clock.turn(seconds=2)  # the endpoint has rested, and the message is not due yet
    second = ground.submit()
    ground.deliver()
    about = [json.loads(each.body)["data"]["jobId"] for each in ground.receiver.at("/hooks")]
    assert about == [first, second]
    ground.clock.turn(seconds=10)
    ground.deliver()
    mine = [each for each in ground.receiver.at("/hooks") if json.loads(each.body)["data"]["jobId"] == first]
    assert [json.loads(each.body)["type"] for each in mine] == [
        "job.submitted", "job.submitted", "job.started", "job.succeeded",
    ]  # fmt: skip
    assert mine[0].id == mine[1].id and mine[0].body == mine[1].body
    assert len({each.id for each in mine}) == 3
    mine[1].verified(hook.secret)


def test_an_endpoint_that_fails_for_three_days_is_given_up_and_can_be_replayed(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.receiver.always("/hooks", 503)
    ground.submit()
    began, tries = ground.clock.now(), []
    while ground.deliveries(hook)[0].state is DeliveryState.PENDING:
        ground.deliver()
        tries.append(ground.clock.now() - began)
        ground.clock.turn(seconds=max(1.0, _seconds_to(ground, hook)))
    assert 9 <= len(tries) <= 20 and timedelta(days=2) < tries[-1] <= timedelta(days=3)
    assert all(later - earlier <= timedelta(hours=12) for earlier, later in itertools.pairwise(tries))
    (delivery,) = ground.deliveries(hook)
    assert delivery.state is DeliveryState.FAILED and f"given up after {len(tries)} tries" in (delivery.note or "")
    assert len({each.id for each in ground.receiver.at("/hooks")}) == 1
    ground.receiver.standing.clear()
    assert operation.replay(ground.store, hook.id, has_failed=True, now=ground.clock.now()) == 1
    ground.deliver()
    assert ground.deliveries(hook)[0].state is DeliveryState.DELIVERED
    assert len({each.id for each in ground.receiver.at("/hooks")}) == 1


def _seconds_to(ground: Ground, hook: Webhook) -> float:
    at = ground.deliveries(hook)[0].next_at
    return 0.0 if at is None else (at - ground.clock.now()).total_seconds()


def test_who_asks_for_time_gets_it(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.receiver.answer("/hooks", 429, Retry_After="1800")
    ground.submit()
    ground.deliver()
    ground.clock.turn(seconds=1799)
    ground.submit()
    ground.deliver()
    assert len(ground.receiver.at("/hooks")) == 1, "nothing at all before"
    ground.clock.turn(seconds=1)
    ground.deliver()
    assert len(ground.receiver.at("/hooks")) == 3
    assert {each.status for each in ground.deliveries(hook)} == {204}


@pytest.mark.parametrize("answers", list(itertools.permutations([Reply(503, "3600"), Reply(500), Reply(204)])))
def test_who_asks_for_time_gets_it_whatever_else_is_under_way(ground: Ground, answers: tuple[Reply, ...]) -> None:
    hook = ground.add(types=("job.submitted",))
    for _ in answers:
        ground.submit()
    _noted_together(ground, hook, answers)
    now = ground.clock.now()
    assert operation.find(ground.store, hook.id).rests_until == now + timedelta(hours=1)
    assert ground.store.due_deliveries(hook.id, now=now + timedelta(minutes=59), most=16) is None
    assert ground.store.due_deliveries(hook.id, now=now + timedelta(hours=1), most=16) is not None


def test_what_fails_together_is_one_failure_in_a_row(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    for _ in range(16):
        ground.submit()
    for seconds in (1, 2, 4):
        _noted_together(ground, hook, [Reply(500)] * 16)
        rest = operation.find(ground.store, hook.id).rests_until
        assert rest == ground.clock.now() + timedelta(seconds=seconds)
        ground.clock.turn(hours=1)


def _noted_together(ground: Ground, hook: Webhook, answers: Sequence[Reply]) -> None:
    """Have all that is sent at once be answered, one after the other."""
    now = ground.clock.now()
    found = ground.store.due_deliveries(hook.id, now=now, most=16)
    assert found is not None
    webhook, under_way = found
    for delivery, reply in zip(under_way, answers, strict=False):  # one alone goes to one that has failed
        verdict = judge(delivery, reply, failures=webhook.failures, now=now, dice=0.5)
        ground.store.note_try(delivery, verdict, now=now)


def test_what_is_replayed_does_not_go_beside_what_is_about_the_same(ground: Ground) -> None:
    hook = ground.add()
    job_id = ground.submit()
    ground.deliver()
    ground.finish(job_id)
    (submitted,) = (each.message_id for each in ground.deliveries(hook) if each.type == "job.submitted")
    operation.replay(ground.store, hook.id, [submitted], now=ground.clock.now())
    found = ground.store.due_deliveries(hook.id, now=ground.clock.now(), most=16)
    assert found is not None and [each.type for each in found[1]] == ["job.started"]
    ground.deliver()
    assert ground.told() == ["job.submitted", "job.started", "job.submitted", "job.succeeded"]
    everything = [each.message_id for each in ground.deliveries(hook)]
    operation.replay(ground.store, hook.id, everything[::-1], now=ground.clock.now())
    found = ground.store.due_deliveries(hook.id, now=ground.clock.now(), most=16)
    assert found is not None and len(found[1]) == 1
    ground.deliver()
    assert ground.told()[4:] == ["job.submitted", "job.started", "job.succeeded"]
    assert {each.state for each in ground.deliveries(hook)} == {DeliveryState.DELIVERED}


def test_who_is_gone_is_told_nothing_any_more(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.receiver.answer("/hooks", 410)
    ground.submit()
    ground.run(_one_look)
    found = operation.find(ground.store, hook.id)
    assert found.disabled_because == "It answered 410: gone." and ground.deliveries(hook)[0].state == "failed"
    assert "is disabled: It answered 410" in ground.said.pop()
    ground.submit()
    ground.clock.turn(hours=1)
    ground.deliver()
    assert len(ground.receiver.at("/hooks")) == 1 and ground.rows() == 1


async def _one_look(node: Any) -> None:
    hooks = Webhooks(node)
    hooks.begin_if_due()
    await hooks.settle()


def test_a_redirect_is_not_followed(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.receiver.answer("/hooks", 307, Location=ground.receiver.url("/elsewhere"))
    ground.submit()
    ground.deliver()
    (delivery,) = ground.deliveries(hook)
    assert delivery.state == "pending" and delivery.note == "It answered 307: redirects are not followed"
    assert ground.receiver.at("/elsewhere") == []


def test_who_does_not_answer_in_time_is_asked_again(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.receiver.held.add("/hooks")
    ground.submit()
    ground.deliver(seconds=0.2)
    (delivery,) = ground.deliveries(hook)
    assert delivery.state == "pending" and delivery.note == "There was no answer within 0.2 s"
    ground.receiver.held.clear()
    ground.clock.turn(seconds=10)
    ground.deliver()
    assert ground.deliveries(hook)[0].state == "delivered"


def test_an_endpoint_that_is_slow_holds_up_neither_another_nor_a_tick(ground: Ground) -> None:
    slow, quick = ground.add("/slow"), ground.add("/quick")
    ground.receiver.held.add("/slow")
    ground.submit()

    async def act(node: Any) -> None:
        loop = Loop(node, "label")
        for _ in range(3):
            await loop.tick()
        await asyncio.to_thread(ground.receiver.until, "/slow", 1)
        await asyncio.to_thread(ground.receiver.until, "/quick", 1)
        later = ground.submit()
        await loop.tick()
        await asyncio.to_thread(ground.receiver.until, "/quick", 2)
        assert json.loads(ground.receiver.at("/quick")[-1].body)["data"]["jobId"] == later
        assert len(ground.receiver.at("/slow")) == 1, "and it still waits for its answer"
        await loop.webhooks.end()

    ground.run(act)
    assert {each.state for each in ground.deliveries(slow)} == {DeliveryState.PENDING}, "nobody knows that it came"
    assert ground.deliveries(quick)[0].state == "delivered"


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", "It says that it will answer, again and again"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: " + b"y" * 4000 + b"\r\n\r\n", "The head of its answer is too long"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 4000 + b"\r\n", "The head of its answer is too long"),
    ],
)
def test_who_has_no_end_of_its_head_is_not_listened_to(ground: Ground, said: bytes, note: str) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.submit()
    with _saying(said) as port:
        _tell_port(ground, hook, port)
        ground.deliver(seconds=60.0)
    (delivery,) = ground.deliveries(hook)
    assert (delivery.state, delivery.note) == ("pending", note)


def test_who_says_a_few_times_that_it_will_answer_is_waited_for(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.submit()
    informed = b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 3
    with _saying(informed + b"HTTP/1.1 204 No Content\r\n\r\n") as port:
        _tell_port(ground, hook, port)
        ground.deliver()
    assert ground.deliveries(hook)[0].state == "delivered"


@contextmanager
def _saying(words: bytes) -> Iterator[int]:
    """Somebody who says the same to whoever comes until they go; the port."""

    def say(listening: socket.socket) -> None:
        with contextlib.suppress(OSError), listening, listening.accept()[0] as connection:
            connection.recv(65536)
            while True:
                connection.sendall(words)

    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=say, args=(listening,), daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    thread.join(60)


def _tell_port(ground: Ground, hook: Webhook, port: int) -> None:
    ground.store._db.run("UPDATE webhook_endpoints SET url = ? WHERE id = ?", (f"http://127.0.0.1:{port}/", hook.id))


# --- where to


NOWHERE = "hooks.example has no address that webhooks go to"


def test_a_private_address_is_not_told_anything(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    _name(monkeypatch, "hooks.example", ["127.0.0.1"])
    hook = ground.add(host="hooks.example", types=("job.submitted",))  # as it was allowed, once
    ground.submit()
    ground.run(_one_look, allow_private=False)
    assert ground.deliveries(hook)[0].note == NOWHERE
    assert ground.receiver.received == []


def test_who_names_a_host_does_not_learn_what_this_network_calls_so(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    _name(monkeypatch, "hooks.example", ["10.0.0.5"], [])
    hook = ground.add(host="hooks.example", types=("job.submitted",))
    ground.submit()
    for reason in ("hooks.example is at 10.0.0.5, which is not a public address", "There is no host hooks.example"):
        ground.run(_one_look, allow_private=False)
        (delivery,) = ground.deliveries(hook)
        assert (delivery.tries, delivery.note) == (1, NOWHERE)
        assert ground.said == [f"the webhook hooks ({hook.id}) is told nothing: {reason}"]
        ground.clock.turn(minutes=1)
        ground.run(_one_look, allow_private=False)
        assert len(ground.said) == 1, "it is said once, and not at each try"
        ground.said.clear()
        operation.remove(ground.store, hook.id)
        hook = ground.add(host="hooks.example", types=("job.submitted",))
        ground.submit()


def test_who_runs_the_machine_learns_it(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    _name(monkeypatch, "hooks.example", ["10.0.0.5"])
    hook = ground.add(organisation="", host="hooks.example", types=("job.submitted",))
    ground.submit()
    ground.run(_one_look, allow_private=False)
    assert ground.deliveries(hook)[0].note == "hooks.example is at 10.0.0.5, which is not a public address"


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "::a9fe:a9fe", "100.100.100.200"]
)
def test_the_metadata_of_a_cloud_is_never_told_anything(
    ground: Ground, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _name(monkeypatch, "hooks.example", [address])
    hook = ground.add(host="hooks.example", types=("job.submitted",))
    ground.submit()
    ground.run(_one_look)
    assert ground.deliveries(hook)[0].note == NOWHERE and address in ground.said[0]


def test_a_name_is_looked_up_once_for_each_try_and_asked_where_it_was_looked_at(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _name(monkeypatch, "hooks.example", ["127.0.0.1"], ["192.0.2.1"])
    hook = ground.add(host="hooks.example", types=("job.submitted",))
    ground.submit()
    ground.deliver()
    (received,) = ground.receiver.at("/hooks")
    assert received.headers["host"] == f"hooks.example:{ground.receiver.port}"
    assert asked == ["hooks.example"] and ground.deliveries(hook)[0].state == "delivered"


def test_a_name_that_leads_home_the_second_time_does_not_get_there(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is one that may be reached; what follows is what an attacker wants to be reached."""
    _name(monkeypatch, "hooks.example", ["127.0.0.1"], ["127.0.0.1"])
    hook = ground.add(host="hooks.example", types=("job.submitted",), allow_private=False)
    ground.submit()
    for _ in range(2):
        ground.run(_one_look, allow_private=False)
        ground.clock.turn(minutes=1)
    (delivery,) = ground.deliveries(hook)
    assert ground.receiver.received == [] and (delivery.tries, delivery.note) == (2, NOWHERE)


def _name(monkeypatch: pytest.MonkeyPatch, name: str, *answers: list[str]) -> list[str]:
    """Have a name lead somewhere, and somewhere else each time that it is asked for; who has asked for it."""
    real, asked, coming = socket.getaddrinfo, [], itertools.chain(answers, itertools.repeat(answers[-1]))

    def look_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        host = host.decode() if isinstance(host, bytes) else host
        if host != name:
            return real(host, port, *args, **options)
        asked.append(host)
        if not (found := next(coming)):
            raise socket.gaierror(socket.EAI_NONAME, "nobody has that name")
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_certificate_has_to_be_that_of_the_name(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
         "-days", "2", "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with receiving(served) as receiver:
        for host in ("hooks.example", "other.example"):
            _name(monkeypatch, host, ["127.0.0.1"])
            url = receiver.url(f"/{host}", host).replace("http:", "https:")
            operation.add(
                ground.store, host, url, organisation="default", allow_private=True, now=ground.clock.now()
            )  # fmt: skip
        ground.submit()
        ground.deliver()
        hooks = [operation.find(ground.store, name) for name in ("hooks.example", "other.example")]
        ours, others = (ground.deliveries(each)[0] for each in hooks)
        assert ours.state == "delivered" and [each.path for each in receiver.received] == ["/hooks.example"]
        assert others.state == "pending" and "Hostname mismatch" in str(others.note)


# --- what is kept


def test_what_has_ended_is_forgotten_after_its_time_and_what_is_late_is_given_up(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.submit()
    ground.deliver()
    operation.disable(ground.store, hook.id, now=ground.clock.now())
    operation.enable(ground.store, hook.id)
    ground.submit()
    operation.disable(ground.store, hook.id, now=ground.clock.now())
    ground.clock.turn(days=3, seconds=1)
    assert ground.store.give_up_deliveries(now=ground.clock.now()) == 1
    assert [each.state for each in ground.deliveries(hook)] == ["delivered", "failed"]
    assert ground.store.forget_deliveries(before=ground.clock.now() - timedelta(days=7)) == 0
    assert ground.store.forget_deliveries(before=ground.clock.now()) == 1, "the other one has ended just now"
    assert operation.replay(ground.store, hook.id, has_failed=True, now=ground.clock.now()) == 1
    ground.clock.turn(days=3, seconds=1)
    ground.store.give_up_deliveries(now=ground.clock.now())
    ground.clock.turn(seconds=1)
    assert ground.store.forget_deliveries(before=ground.clock.now()) == 1
    assert ground.rows() == 0


def test_a_clock_that_was_ahead_makes_nobody_wait_for_the_difference(ground: Ground) -> None:
    hook = ground.add(types=("job.submitted",))
    ground.clock.turn(days=30)
    ground.receiver.answer("/hooks", 500)
    ground.submit()
    ground.deliver()
    ground.clock.turn(days=-30)
    now = ground.clock.now()
    ground.store.bring_deliveries_forward(now=now, latest=now + LONGEST_WAIT)
    ground.deliver()
    assert ground.deliveries(hook)[0].state == "delivered"


# --- a daemon


def test_what_a_killed_daemon_did_not_get_an_answer_to_the_next_one_sends_again(
    ground: Ground, pitchey: Pitchey, clip: Path
) -> None:
    pitchey.environment["PITCHEY_WEBHOOKS_ALLOW_PRIVATE"] = "true"
    secret = pitchey.ok("webhooks", "add", "chat", ground.receiver.url(), "--type", "job.*").out.strip()
    job_id = pitchey.ok("submit", "video", clip, "--output-format", "thumbnail").lines[0]
    (waiting,) = map(json.loads, pitchey.ok("webhooks", "deliveries", "chat", "--json").lines)
    assert (waiting["type"], waiting["state"], waiting["tries"]) == ("job.submitted", "pending", 0)
    ground.receiver.held.add("/hooks")
    daemon = pitchey.start_daemon()
    ground.receiver.until("/hooks", 1)
    daemon.kill()
    daemon.wait()
    ground.receiver.held.clear()
    ground.receiver.released.set()
    pitchey.start_daemon()
    ground.receiver.until("/hooks", 4)
    pitchey.ok("wait", job_id)
    received = ground.receiver.until("/hooks", 4)
    assert received[0].id == received[1].id == waiting["id"]
    said = [each.verified(secret) for each in received]
    assert [each["type"] for each in said] == ["job.submitted", "job.submitted", "job.started", "job.succeeded"]
    assert {each["data"]["jobId"] for each in said} == {job_id}
