"""A store as one organisation sees it: all that it lets through is looked at here, and whatever is new is closed."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pitchey_cli.domain.access import ApiToken, AuditEntry, Role
from pitchey_cli.domain.alerts import RULES, Reading
from pitchey_cli.domain.budget import AsOf, Budget
from pitchey_cli.domain.errors import Denied, InputNotFound
from pitchey_cli.domain.job import Dependency, JobId, JobState, NewJob, OnFailure
from pitchey_cli.domain.nodes import NodeFacts, Room
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.recurrence import Misfire, Schedule
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.domain.webhooks import TEST_TYPE, TRIED_FOR, Delivery, Webhook
from pitchey_cli.store import apart as module
from pitchey_cli.store import noted as noting
from pitchey_cli.store.apart import apart
from pitchey_cli.store.noted import noted
from pitchey_cli.store.port import JobFilter, Store
from pitchey_cli.store.queries import load
from processors.vocabulary import Service
from tests.resources.books import INSTANCE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AS_OF = AsOf(NOON, "b", 0, UTC)
OURS, THEIRS = "acme", "rival"
METHODS = sorted(name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_"))
OPEN = {name for name in vars(module._Apart) if not name.startswith("_")} | module.SHARED


def job(name: str, organisation: str, **changes: object) -> NewJob:
    return NewJob(JobId(name), Service.VIDEO, {}, organisation=organisation, batch="night", **changes)  # type: ignore[arg-type]


def message(webhook_id: str) -> Delivery:
    return Delivery(0, webhook_id, f"m-{webhook_id}", TEST_TYPE, "test", "{}", NOON, NOON + TRIED_FOR, next_at=NOON)


@pytest.fixture
def ours(store: Store) -> Iterator[Store]:
    """What we see of a store in which both of us have the same things."""
    for name in (OURS, THEIRS):
        store.add_organisation(name, now=NOON)
        store.enqueue([job(f"{name}1", name, idempotency_key="k")], now=NOON)
        request = {"service": "video", "inputs": [], "fields": {}, "queueing": {"organisation": name}}
        store.add_schedule(Schedule(f"s-{name}", Service.VIDEO, "@daily", "", Misfire.SKIP, request, NOON, NOON))
        store.set_budget(Budget(Scope(name), Period.DAY, 10), now=NOON)
        store.set_member(name, f"ada of {name}", Role.ADMIN, now=NOON)
        store.add_token(ApiToken(f"t-{name}", "ci", name, Role.VIEWER, frozenset(), "", NOON, None, digest="0" * 64))
        store.note_action(AuditEntry(NOON, "ada", name, "submit", f"{name}1"))
        store.add_webhook(Webhook(f"w-{name}", "chat", name, "https://example.org/", (), (), NOON, "whsec_"))
        store.add_delivery(message(f"w-{name}"))
    yield apart(store, OURS)


@pytest.mark.parametrize("name", sorted(set(METHODS) - OPEN))
def test_what_is_not_named_there_is_denied(ours: Store, name: str) -> None:
    with pytest.raises(Denied, match="belongs to the whole installation"):
        getattr(ours, name)


def test_what_is_named_there_is_of_the_port() -> None:
    assert set(METHODS) >= OPEN, "something is let through that no store has"


def test_all_lists_have_what_is_ours_and_nothing_else(ours: Store) -> None:
    jobs = [ours.jobs(JobFilter()), list(ours.batch_jobs("night")), [ours.job(JobId("acme1"))]]
    assert {each.organisation for found in jobs for each in found} == {OURS}
    assert sum(ours.batch_counts("night").values()) == 1 and ours.batches() == ["night"]
    assert ours.jobs(JobFilter(organisation=THEIRS)) == []
    assert ours.job_ids("r") == [] and ours.job_ids("a") == ["acme1"]
    assert {each.job_id for each in ours.events(after=0)} == {"acme1"}
    assert [each.name for each in ours.schedules()] == ["s-acme"]
    assert [each.scope.organisation for each in ours.budgets()] == [OURS]
    assert [each.budget.scope.organisation for each in ours.standings(AS_OF)] == [OURS]
    assert [each.scope.organisation for each in ours.waiting_jobs()] == [OURS]
    assert [each.name for each in ours.organisations()] == [OURS]
    assert [each.id for each in ours.tokens()] == [each.id for each in ours.tokens(organisation=THEIRS)] == ["t-acme"]
    assert [each.id for each in ours.webhooks()] == [each.id for each in ours.webhooks(organisation="")] == ["w-acme"]
    assert [each.message_id for each in ours.deliveries("w-acme")] == ["m-w-acme"]
    assert {each.organisation for each in ours.audit_log()} == {OURS}
    assert {each.organisation for each in ours.audit_log(organisation=THEIRS)} == {OURS}


def test_what_is_theirs_is_not_there(ours: Store) -> None:
    theirs = JobId("rival1")
    for ask in (ours.job, ours.attempts, ours.outputs, ours.details, ours.dependencies, ours.purge):
        with pytest.raises(InputNotFound, match="There is no job rival1"):
            ask(theirs)
    with pytest.raises(InputNotFound):
        ours.cancel(theirs, why="", now=NOON)
    with pytest.raises(InputNotFound):
        ours.redrive(theirs, now=NOON)
    with pytest.raises(InputNotFound):
        ours.events(after=0, job_ids=[theirs])
    with pytest.raises(InputNotFound):
        ours.schedule("s-rival")
    assert ours.token("t-rival") is None and not ours.revoke_token("t-rival", now=NOON)
    assert not ours.remove_schedule("s-rival")
    hook, later = "w-rival", NOON + timedelta(days=1)
    for change in (
        lambda: ours.rotate_webhook(hook, "whsec_", until=later, now=NOON),
        lambda: ours.enable_webhook(hook),
        lambda: ours.disable_webhook(hook, "", now=NOON),
        lambda: ours.remove_webhook(hook),
        lambda: ours.add_delivery(message(hook)),
        lambda: ours.deliveries(hook),
        lambda: ours.delivery(hook, f"m-{hook}"),
        lambda: ours.replay(hook, f"m-{hook}", until=later, now=NOON),
        lambda: ours.replay_failed(hook, until=later, now=NOON),
    ):
        with pytest.raises(InputNotFound, match="There is no webhook"):
            change()
    assert (
        not ours.replay("w-acme", f"m-{hook}", until=later, now=NOON) and ours.delivery("w-acme", f"m-{hook}") is None
    )


def test_no_node_is_named_to_an_organisation_and_all_are_to_the_owner(store: Store, ours: Store) -> None:
    store.add_webhook(Webhook("w-owner", "all", "", "https://example.org/", (), (), NOON, "whsec_"))
    under = store.enter("id-a", NodeFacts("a", "1.0", 1, "process", (Service.VIDEO,)), Room(), now=NOON)
    store.add_instance(replace(INSTANCE, node="id-a", organisation=OURS), under=under)
    places = Places([Candidate(INSTANCE.id, 4, 4)])
    claim = {"policy": QueuePolicy(), "now": NOON, "lease_until": NOON, "tick": 0, "under": under}
    assert len(store.claim(PoolKey(Service.VIDEO), places=places, **claim)) == 2  # type: ignore[arg-type]

    def told(of: Store, webhook_id: str) -> list[object]:
        started = (each.data for each in of.deliveries(webhook_id) if each.type == "job.started")
        return [json.loads(each)["details"].get("node") for each in started]

    (claimed,) = (each for each in ours.events(after=0) if each.type == "claimed")
    (attempt,) = ours.attempts(JobId("acme1"))
    assert claimed.data["instanceId"] == INSTANCE.id and "node" not in claimed.data
    assert [each.node for each in ours.instances()] == [attempt.node] == [""]
    assert told(ours, "w-acme") == [None]
    assert [each.data["node"] for each in store.events(after=0) if each.type == "claimed"] == ["id-a"] * 2
    assert [each.node for each in store.instances()] == ["id-a"] and told(store, "w-owner") == ["id-a"] * 2


def test_nothing_is_made_for_them(ours: Store) -> None:
    with pytest.raises(Denied):
        ours.enqueue([job("x", THEIRS)], now=NOON)
    with pytest.raises(InputNotFound):
        ours.enqueue([job("x", OURS, after=(Dependency(JobId("rival1")),))], now=NOON)
    with pytest.raises(InputNotFound):
        ours.enqueue([job("x", OURS, cached_from=JobId("rival1"))], now=NOON)
    for scope in (Scope(THEIRS), Scope()):
        with pytest.raises(Denied):
            ours.set_budget(Budget(scope, Period.DAY, 1), now=NOON)
        with pytest.raises(Denied):
            ours.remove_budget(scope, Period.DAY)
    with pytest.raises(Denied):
        ours.set_member(THEIRS, "eve", Role.ADMIN, now=NOON)
    with pytest.raises(Denied):
        ours.members(THEIRS)
    for organisation in (THEIRS, ""):
        made = ApiToken("t", "ci", organisation, Role.ADMIN, frozenset(), "", NOON, None, digest="0" * 64)
        with pytest.raises(Denied):
            ours.add_token(made)
        with pytest.raises(Denied):
            ours.add_webhook(Webhook("w", "chat", organisation, "https://example.org/", (), (), NOON, "whsec_"))


def test_what_others_have_much_of_hides_nothing_of_ours(store: Store) -> None:
    for organisation, count in ((THEIRS, 600), (OURS, 1)):
        store.enqueue([job(f"{organisation[::-1]}{number:03}", organisation) for number in range(count)], now=NOON)
    ours = apart(store, "acme")
    assert ours.job_ids("") == ["emca000"]
    assert apart(store, THEIRS).job_ids("l", limit=2) == ["lavir000", "lavir001"]


def test_jobs_are_counted_for_each_organisation_whatever_moves_them(store: Store) -> None:
    def stands() -> dict[str, dict[JobState, int]]:
        return {name: dict(apart(store, name).counts().by_service.get(Service.VIDEO, {})) for name in (OURS, THEIRS)}

    after = (Dependency(JobId("first"), OnFailure.HOLD),)
    store.enqueue([job("first", OURS), job("late", THEIRS, run_at=NOON + timedelta(hours=1))], now=NOON)
    store.enqueue([job("then", OURS, after=after)], now=NOON)
    assert stands() == {OURS: {JobState.QUEUED: 1, JobState.HELD: 1}, THEIRS: {JobState.SCHEDULED: 1}}
    for name in ("first", "late"):
        store.cancel(JobId(name), why="", now=NOON)
    store.cancel(JobId("then"), why="", now=NOON)
    assert stands() == {OURS: {JobState.CANCELLED: 2}, THEIRS: {JobState.CANCELLED: 1}}
    assert store.counts().by_service == {Service.VIDEO: {JobState.CANCELLED: 3}}
    assert apart(store, OURS).batches() == ["night"] and apart(store, "nobody").batches() == []
    assert store.integrity() == []


def test_the_same_idempotency_key_is_another_one_for_each(ours: Store) -> None:
    assert ours.enqueue([job("acme2", OURS, idempotency_key="k")], now=NOON) == ["acme1"]


def test_a_result_is_not_taken_from_another_organisation(store: Store) -> None:
    assert store.cached_job("key", OURS) is None


def test_what_fails_leaves_no_note_and_what_changes_nothing_neither(store: Store) -> None:
    hand = noted(store, actor=lambda: "ada", now=lambda: NOON)
    hand.enqueue([job("one", OURS, idempotency_key="k")], now=NOON)
    hand.enqueue([job("two", OURS, idempotency_key="k")], now=NOON)
    hand.cancel(JobId("one"), why="enough", now=NOON)
    hand.cancel(JobId("one"), why="enough", now=NOON + timedelta(hours=1))
    with pytest.raises(InputNotFound):
        hand.cancel(JobId("none"), why="", now=NOON)
    assert [(each.action, each.target, each.actor) for each in store.audit_log()] == [
        ("cancel", "one", "ada"),
        ("submit", "one", "ada"),
    ]


def test_a_change_that_is_undone_takes_its_note_along(store: Store) -> None:
    hand = noted(store, actor=lambda: "ada", now=lambda: NOON)
    with pytest.raises(RuntimeError), store.transaction():
        hand.enqueue([job("one", OURS)], now=NOON)
        raise RuntimeError
    assert list(store.audit_log()) == [] and store.jobs(JobFilter()) == []


def test_a_look_at_the_alerts_that_tells_somebody_is_noted_and_one_that_does_not_is_not(store: Store) -> None:
    hand = noted(store, actor=lambda: "ada", now=lambda: NOON)
    (rule,) = (each for each in RULES if each.name == "queue_wait")
    hand.judge_alerts([rule], {rule.name: Reading(500.0)}, now=NOON, dry_run=True)
    assert list(store.audit_log()) == []
    for _ in range(2):
        hand.judge_alerts([rule], {rule.name: Reading(500.0)}, now=NOON)
    (entry,) = store.audit_log()
    assert (entry.action, entry.actor, entry.data) == ("alert.check", "ada", {"firing": ["queue_wait"]})


@pytest.mark.parametrize("name", sorted(set(METHODS) - noting.READS - set(vars(noting._Noted))))
def test_a_change_that_nothing_notes_is_not_there_for_people(store: Store, name: str) -> None:
    with pytest.raises(AttributeError, match="the daemon's own"):
        getattr(noted(store, actor=lambda: "ada", now=lambda: NOON), name)


def test_what_is_called_a_read_is_of_the_port() -> None:
    assert set(METHODS) >= noting.READS


@pytest.mark.parametrize("name", sorted(noting.READS - {"close", "transaction", "data_version", "integrity"}))
def test_what_is_called_a_read_writes_nothing(store: Store, name: str) -> None:
    writes = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b")
    code = inspect.getsource(getattr(type(store), name))
    used = re.findall(r'QUERIES\["(\w+)"\]', code)
    assert [each for each in used if writes.search(load("sqlite")[each])] == []
