"""Every route of the API, walked with no token, the wrong role, the wrong organisation, and the right ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pitchey_cli.api.route import Route, Said
from pitchey_cli.api.said import ProblemSaid
from pitchey_cli.api.table import ROUTES
from pitchey_cli.domain.access import Area, Role
from pitchey_cli.domain.alerts import Silence, rule_named
from pitchey_cli.domain.budget import Budget
from pitchey_cli.domain.job import JobId
from pitchey_cli.domain.nodes import NodeFacts, Room
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.scope import Scope
from pitchey_cli.operations import access, webhooks
from processors.inference.defaults import DEFAULTS
from processors.vocabulary import Service
from tests.resources.served import Served, served

OURS, THEIRS, NODE = "acme", "rival", "worker-1"
GUARDED = [route for route in ROUTES if route.role is not None]
PROGRAM = {"spec": {"language": "python", "code": "print(1)"}}
STEPS = {"steps": {"say": {"service": "code", "language": "python", "code": "print(1)"}}}
EVERY_HOUR = {"service": "code", "schedule": "added", "cron": "@hourly", **PROGRAM}
IN_BODY: dict[str, Any] = {
    "submit": {"service": "code", **PROGRAM},
    "submit_to_service": PROGRAM,
    "cancel": {},
    "cancel_batch": {},
    "run_pipeline": STEPS,
    "retry_dead_letters": {"all": True},
    "add_schedule": EVERY_HOUR,
    "warm_instances": {"service": "video"},
    "cool_instances": {"service": "video"},
    "set_budget": {"amount": "5", "organisation": OURS},
    "add_organisation": {"name": "newcomers"},
    "set_quota": {"queued": 5},
    "grant_role": {"role": "viewer"},
    "add_token": {"name": "another"},
    "add_webhook": {"name": "another", "url": "https://example.org/hooks"},
    "disable_webhook": {},
    "rotate_webhook": {},
    "replay_deliveries": {"failed": True},
    "check_alerts": {},
    "drain_node": {},
    "undrain_node": {},
    "silence_alert": {"lasting": "1h", "reason": "because"},
    "probe": {"input": "https://media.example/clip.mp4"},
}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "10", "Upload-Offset": "0"}
PIECE = {"Content-Type": "application/offset+octet-stream"}


@dataclass
class Things:
    """What one organisation has; no other one's answers may name any of it."""

    job: JobId
    dead: JobId
    done: JobId
    batch: str
    schedule: str
    member: str
    token: str
    webhook: str
    upload: str

    def path(self, route: Route) -> str:
        job = {"retry": self.dead, "purge_dead_letter": self.dead, "list_outputs": self.done, "get_output": self.done}
        parts = {"job": job.get(route.name, self.job), "batch": self.batch, "name": self.schedule, "path": "video.mp4"}
        parts |= {"service": "code", "member": self.member, "token": self.token, "organisation": OURS}
        parts |= {"upload": self.upload, "rule": "dead_letters", "model": api_model(), "view": "job"}
        parts |= {"webhook": self.webhook, "file": "main.js", "node": NODE}
        return route.path.replace(":path}", "}").format(**parts)

    @property
    def names(self) -> list[str]:
        known = [self.job, self.dead, self.done, self.batch, self.schedule, self.member, self.token]
        return [*known, self.webhook, self.upload]


def api_model() -> str:
    """A model of the image, which is nobody's in particular."""
    return DEFAULTS[0].name


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api")) as ready:
        ready.token()  # from now on it takes one
        yield ready


@pytest.fixture
def things(api: Served, tmp_path: Path) -> Things:
    mark = tmp_path.name
    api.store.add_organisation(OURS, now=api.now)
    done, dead = api.add(OURS), api.add(OURS, max_attempts=1)
    api.succeed(done, tmp_path)
    dead_job = api.store.job(dead)
    assert dead_job.token is not None  # it was claimed with the other
    api._finish(dead_job, _failed())
    batch = f"batch {mark}"[:60]
    job = api.add(OURS, batch=batch)
    access.grant(api.store, OURS, f"ada-{mark}", Role.VIEWER, now=api.now)
    made, _ = access.add_token(
        api.store, None, f"token-{mark}"[:60], organisation=OURS, role=Role.VIEWER, now=api.now
    )  # fmt: skip
    admin = api.client(api.token(Role.ADMIN, OURS))
    schedule = f"schedule-{mark}"[:60]
    assert admin.post("/v1/schedules", json={**EVERY_HOUR, "schedule": schedule}).status_code == 201
    admin.delete("/v1/schedules/added")
    api.store.set_budget(Budget(Scope(OURS), Period.MONTH, 10**9), now=api.now)
    for each in api.store.webhooks():  # of the tests before: there may be so many, and no more
        api.store.remove_webhook(each.id)
    hook = webhooks.add(
        api.store, f"hook-{mark}"[:60], "https://example.org/", organisation=OURS, allow_private=False, now=api.now
    )
    begun = admin.post("/v1/uploads", headers=TUS)
    upload = begun.headers["location"].rpartition("/")[2]
    api.store.enter(f"id-{mark}", NodeFacts(NODE, "1.0", 1, "docker", tuple(Service)), Room(), now=api.now)
    for each in api.store.nodes():  # of the tests before: one of that name is up
        if each.id != f"id-{mark}":
            api.store.remove_node(each.id, now=api.now)
    rule = rule_named("dead_letters", api.wiring.policies.alert_rules())
    api.store.silence_alert(rule.name, Silence(api.now + timedelta(hours=1), "because", "ada"))
    return Things(job, dead, done, batch, schedule, f"ada-{mark}", made.id, hook.id, upload)


def _failed() -> Any:
    from pitchey_cli.domain.job import JobError, Outcome
    from processors.vocabulary import Reason

    return Outcome(Reason.FAILED, JobError("bad_input", "It is no video."))


def ask(client: httpx.Client, route: Route, things: Things) -> httpx.Response:
    query = {"remove_budget": {"organisation": OURS}, "remove_node": {"force": "true"}}.get(route.name, {})
    body = {"job_id": things.job} if route.name == "look" else IN_BODY.get(route.name)
    content: dict[str, Any] = {} if body is None else {"json": body}
    if "/uploads" in route.path:
        content = {"headers": TUS, "content": b""}
        content["headers"] = {**TUS, **(PIECE if route.method == "PATCH" else {})}
    if route.name == "stream_events":  # which has no end: its head is what is looked at
        with client.stream(route.method, things.path(route)) as answer:
            if answer.status_code != 200:
                answer.read()
            else:
                answer._content = b""
            return answer
    return client.request(route.method, things.path(route), params=query, **content)


def as_described(route: Route, answer: httpx.Response) -> None:
    """An answer is one of those that the description has, and of the form that it says."""
    kind = route.answers.get(answer.status_code, ProblemSaid)
    if isinstance(kind, type) and issubclass(kind, Said):
        kind.model_validate_json(answer.content)
    elif isinstance(kind, str):
        assert answer.headers["content-type"].partition(";")[0] == kind.partition(";")[0] or kind.endswith("stream")


def detail(answer: httpx.Response, of_head: str) -> str:
    """What an error says; an answer to HEAD says nothing."""
    return of_head if answer.request.method == "HEAD" else str(answer.json()["detail"])


def by_name(route: Route) -> str:
    return route.name


@pytest.mark.parametrize("route", GUARDED, ids=by_name)
def test_nobody_gets_in_without_a_token(api: Served, things: Things, route: Route) -> None:
    answer = ask(api.client(), route, things)
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")
    assert not any(name in answer.text for name in things.names)


@pytest.mark.parametrize("route", [each for each in GUARDED if each.role is not Role.VIEWER], ids=by_name)
def test_a_role_below_the_one_of_the_table_is_refused(api: Served, things: Things, route: Route) -> None:
    assert route.role is not None
    below = list(Role)[list(Role).index(route.role) - 1]
    answer = ask(api.client(api.token(below, "" if route.is_of_all else OURS)), route, things)
    assert answer.status_code == 403 and route.role in detail(answer, route.role)


@pytest.mark.parametrize("route", GUARDED, ids=by_name)
def test_the_role_of_the_table_is_enough(api: Served, things: Things, route: Route) -> None:
    assert route.role is not None
    answer = ask(api.client(api.token(route.role, "" if route.is_of_all else OURS)), route, things)
    assert answer.status_code in route.answers, answer.text
    as_described(route, answer)


@pytest.mark.parametrize("route", GUARDED, ids=by_name)
def test_an_admin_of_another_organisation_finds_nothing_of_ours(api: Served, things: Things, route: Route) -> None:
    before = _state(api, things)
    answer = ask(api.client(api.token(Role.ADMIN, THEIRS)), route, things)
    assert answer.status_code < 500
    asked_for = {*things.path(route).split("/"), *([things.job] if route.name == "look" else [])}
    told = [name for name in things.names if name in answer.text and name not in asked_for]
    assert told == []
    if "{" in route.path and route.name not in (
        "submit_to_service",
        "get_batch",
        "cancel_batch",
        "grant_role",
        "get_model",
    ):
        assert answer.status_code in (403, 404), answer.text
    if route.is_of_all:
        assert answer.status_code == 403
    assert _state(api, things) == before, "somebody else's request has changed it"


def _state(api: Served, things: Things) -> Any:
    jobs = [api.store.job(each) for each in (things.job, things.dead, things.done)]
    return (
        jobs,
        api.store.schedule(things.schedule),
        api.store.member(OURS, things.member),
        api.store.budgets(),
        api.store.organisation(OURS),
        [each for each in api.store.tokens(organisation=OURS) if each.id == things.token],
        [each for each in api.store.webhooks(organisation=OURS) if each.id == things.webhook],
        api.store.deliveries(things.webhook),
    )


@pytest.mark.parametrize("route", [each for each in GUARDED if not each.is_of_any_area], ids=by_name)
def test_a_token_for_one_area_is_refused_in_the_others(api: Served, things: Things, route: Route) -> None:
    other = next(area for area in Area if area is not route.area)
    token = api.token(Role.ADMIN, "" if route.is_of_all else OURS, areas=frozenset({other}))
    answer = ask(api.client(token), route, things)
    assert answer.status_code == 403 and other in detail(answer, other)


@pytest.mark.parametrize("route", [each for each in ROUTES if each.role is None], ids=by_name)
def test_what_anybody_may_ask_tells_nothing_of_anybody(api: Served, things: Things, route: Route) -> None:
    answer = ask(api.client(), route, things)
    assert answer.status_code in route.answers
    assert not any(name in answer.text for name in things.names)
    as_described(route, answer)


def test_every_change_is_in_the_audit_log_with_who_made_it(api: Served, things: Things) -> None:
    client = api.client(api.token(Role.ADMIN, OURS))
    client.post(f"/v1/jobs/{things.job}/cancel", json={"reason": "enough"})
    entry = client.get("/v1/audit", params={"limit": 1}).json()["entries"][0]
    assert (entry["action"], entry["target"], entry["organisation"]) == ("cancel", things.job, OURS)
    assert entry["actor"].startswith("token test (") and entry["data"] == {"why": "enough"}


def test_the_audit_log_of_one_organisation_has_nothing_of_another(api: Served, things: Things) -> None:
    client = api.client(api.token(Role.ADMIN, THEIRS))
    found = client.get("/v1/audit", params={"limit": 500}).json()["entries"]
    assert {each["organisation"] for each in found} <= {THEIRS}


def test_the_database_itself_refuses_to_change_or_cut_the_audit_log(api: Served, things: Things) -> None:
    database = api.store._db  # type: ignore[attr-defined]
    for statement in ("UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"):
        with pytest.raises(Exception, match="only added to"):
            database.run(statement)


def test_the_description_is_complete_and_every_reference_in_it_leads_somewhere(api: Served) -> None:
    document = api.client().get("/openapi.json").json()
    described = {(method.upper(), path) for path, each in document["paths"].items() for method in each}
    assert described == {(route.method, route.path.replace(":path}", "}")) for route in ROUTES}
    names = document["components"]["schemas"].keys()
    text = json.dumps(document)
    assert {each.partition('"')[0] for each in text.split("#/components/schemas/")[1:]} <= names


def test_an_organisation_hears_why_its_job_waits_and_no_machine_is_named(api: Served, things: Things) -> None:
    away = api.add(OURS, on_node="region=moon")
    ours = api.client(api.token(Role.VIEWER, OURS))
    for job, said in ((things.done, "It has succeeded."), (things.job, "No daemon runs."), (away, "region=moon")):
        reasons = ours.get(f"/v1/jobs/{job}/why").json()["reasons"]
        assert any(said in each for each in reasons), reasons
        assert NODE not in " ".join(reasons)
    everybody = api.client(api.token()).get(f"/v1/jobs/{away}/why").json()["reasons"]
    assert NODE in " ".join(everybody)
    assert api.client(api.token(Role.VIEWER, THEIRS)).get(f"/v1/jobs/{away}/why").status_code == 404
