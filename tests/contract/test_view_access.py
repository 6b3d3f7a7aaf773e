"""Every view of the store, walked with the wrong role, the wrong area, the wrong organisation, and too many rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pitchey_cli.api import views as of_the_machine
from pitchey_cli.domain.access import Area, Role
from pitchey_cli.domain.budget import Budget
from pitchey_cli.domain.observation import PoolSample
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.recurrence import Misfire, Schedule
from pitchey_cli.domain.scope import Scope
from pitchey_cli.operations import access, webhooks
from pitchey_cli.store.views import VIEWS
from processors.vocabulary import Service
from tests.resources.served import Served, served

OURS, THEIRS = "acme", "rival"
DAY = {"since": "2020-01-01T00:00:00Z", "until": "2090-01-01T00:00:00Z"}
NAMES = sorted({*VIEWS, *of_the_machine._OF_THE_MACHINE})
#: said once more, so that nobody opens one by a slip
OF_ADMINS = {"members", "tokens", "audit_log", "webhooks", "deliveries", "delivery"}
OF_ALL = {
    "alerts", "queue", "running", "waiting_pools", "scaling_events", "last_decisions", "measurements", "forecasts",
    "warm_requests", "pool_samples", "arrivals", "overview", "nodes", "last_nodes",
}  # fmt: skip
AREAS: dict[Area, set[str]] = {
    Area.JOBS: {
        "job", "jobs", "job_ids", "attempts", "outputs", "details", "events", "last_event_id", "dependencies",
        "batches", "batch_counts", "completed", "counts", "instances", "queue", "running", "waiting_pools", "budgets",
        "standings", "waiting_jobs", "models", "nodes", "last_nodes",
    },
    Area.SCHEDULES: {"schedules", "schedule", "models"},
    Area.POOLS: {
        "counts", "instances", "queue", "running", "waiting_pools", "scaling_events", "last_decisions", "measurements",
        "forecasts", "warm_requests", "pool_samples", "arrivals", "alerts", "models",
        "overview", "nodes",
    },
    Area.COST: {
        "budgets", "standings", "waiting_jobs", "pool_samples", "arrivals", "costs", "spent", "first_booked", "models",
    },
    Area.ACCESS: {"organisations", "organisation", "members", "tokens", "audit_log", "models"},
    Area.WEBHOOKS: {"models", "webhooks", "deliveries", "delivery"},
    Area.SYSTEM: {"models"},
}  # fmt: skip
LIMITED: dict[str, dict[str, Any]] = {
    "deliveries": {"webhook_id": "any"},
    "job_ids": {"prefix": ""}, "events": {"after": 0}, "completed": {"service": "video"}, "scaling_events": {},
    "measurements": {"service": "video", "name": "warm_pickup"}, "audit_log": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    keys = {"PITCHEY_QUEUE_WEIGHTS": f"{OURS}=3,{THEIRS}=7", "PITCHEY_QUEUE_KEYS": "rivals-account=2"}
    keys |= {"PITCHEY_ALERTS_RULES": "queue_wait=60"}
    keys |= {"PITCHEY_NODE_IS_SPOT": "true", "PITCHEY_NODE_SPOT_NOTICE": "http://10.1.2.3/notice"}
    with served(tmp_path_factory.mktemp("api"), **keys) as ready:
        ready.token()
        yield ready


@pytest.fixture(scope="module")
def ours(api: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What we have, by its word in the questions below."""
    api.store.add_organisation(OURS, now=api.now)
    job = api.add(OURS, batch="our batch")
    api.succeed(job, tmp_path_factory.mktemp("content"))
    access.grant(api.store, OURS, "ada lovelace", Role.VIEWER, now=api.now)
    made, _ = access.add_token(api.store, None, "our ci", organisation=OURS, role=Role.VIEWER, now=api.now)
    request = {"service": "video", "inputs": [], "fields": {}, "queueing": {"organisation": OURS}}
    api.store.add_schedule(
        Schedule("our nights", Service.VIDEO, "@daily", "", Misfire.SKIP, request, api.now, api.now)
    )  # fmt: skip
    api.store.set_budget(Budget(Scope(OURS), Period.MONTH, 10**9), now=api.now)
    hook = webhooks.add(
        api.store, "our hook", "https://hooks.example/", organisation=OURS, allow_private=False, now=api.now
    )
    message = webhooks.send_test(api.store, hook.id, now=api.now).message_id
    return {
        "job": job,
        "batch": "our batch",
        "member": "ada lovelace",
        "token": made.id,
        "schedule": "our nights",
        "hook": hook.id,
        "message": message,
    }


def question(name: str, ours: dict[str, str]) -> dict[str, Any]:
    """The arguments of a view, about what is ours."""
    pool = {"service": "video", "organisation": ""}
    asked: dict[str, dict[str, Any]] = {
        **{each: {"job_id": ours["job"]} for each in ("job", "attempts", "outputs", "details", "dependencies")},
        "jobs": {"wanted": {}}, "last_nodes": {"job_ids": [ours["job"]]}, "job_ids": {"prefix": ours["job"]},
        "events": {"after": 0},
        "batch_counts": {"batch": ours["batch"], "organisation": OURS}, "completed": {"service": "video", "limit": 5},
        "queue": {"pool": pool}, "waiting_pools": {"service": "video"}, "schedule": {"name": ours["schedule"]},
        "measurements": LIMITED["measurements"], "costs": DAY, "pool_samples": {"since": DAY["since"]},
        "arrivals": {"since": DAY["since"]}, "spent": {"organisation": OURS, "service": None, "since": DAY["since"]},
        "first_booked": {"organisation": OURS, "service": None}, "organisation": {"name": OURS},
        "webhooks": {"organisation": OURS}, "deliveries": {"webhook_id": ours["hook"]},
        "delivery": {"webhook_id": ours["hook"], "message_id": ours["message"]},
        "members": {"organisation": OURS}, "tokens": {"organisation": OURS}, "audit_log": {"organisation": OURS},
    }  # fmt: skip
    return asked.get(name, {})


def ask(api: Served, token: str, name: str, arguments: dict[str, Any]) -> httpx.Response:
    return api.client(token).post(f"/v1/views/{name}", json=arguments)


@pytest.mark.parametrize("name", NAMES)
def test_the_role_of_a_view_is_enough_and_the_one_below_is_not(api: Served, ours: dict[str, str], name: str) -> None:
    role = Role.ADMIN if name in OF_ADMINS else Role.VIEWER
    assert ask(api, api.token(role), name, question(name, ours)).status_code == 200
    if role is Role.ADMIN:
        refused = ask(api, api.token(Role.OPERATOR), name, question(name, ours))
        assert refused.status_code == 403 and "admin" in refused.json()["detail"]
    assert ask(api, "", name, question(name, ours)).status_code == 401


@pytest.mark.parametrize("area", Area)
@pytest.mark.parametrize("name", NAMES)
def test_a_token_for_one_area_sees_the_views_of_that_area(
    api: Served, ours: dict[str, str], name: str, area: Area
) -> None:
    answer = ask(api, api.token(areas=frozenset({area})), name, question(name, ours))
    assert answer.status_code == (200 if name in AREAS[area] else 403), answer.text


@pytest.mark.parametrize("name", NAMES)
def test_an_organisation_sees_its_own_and_another_one_nothing_of_it(
    api: Served, ours: dict[str, str], name: str
) -> None:
    own = ask(api, api.token(Role.ADMIN, OURS), name, question(name, ours))
    assert own.status_code == (403 if name in OF_ALL else 200), own.text
    theirs = ask(api, api.token(Role.ADMIN, THEIRS), name, question(name, ours))
    assert theirs.status_code in ((403,) if name in OF_ALL else (200, 403, 404))
    asked_for = set(question(name, ours).values()) if theirs.status_code == 404 else set()
    assert [word for word in ours.values() if word in theirs.text and word not in asked_for] == []
    assert theirs.status_code != 200 or f'"{OURS}"' not in theirs.text


@pytest.mark.parametrize("limit", [-1, 0, 10_001])
@pytest.mark.parametrize("name", ["jobs", *LIMITED])
def test_no_view_gives_more_rows_than_one_answer_has(api: Served, name: str, limit: int) -> None:
    asked = {"wanted": {"limit": limit}} if name == "jobs" else {**LIMITED[name], "limit": limit}
    answer = ask(api, api.token(), name, asked)
    assert answer.status_code == 422 and "1 to 10,000 rows" in answer.json()["detail"]


def test_every_view_with_a_limit_is_looked_at_here() -> None:
    from pitchey_cli.store import views

    assert {name for name in VIEWS if "limit" in views._parameters(name)} == LIMITED.keys()


def test_what_a_server_is_set_to_names_nobody_else_to_one_organisation(api: Served) -> None:
    of_all = api.client(api.token()).get("/v1/surroundings").json()["settings"]
    assert of_all["queue"]["weights"] == f"{OURS}=3,{THEIRS}=7" and of_all["node"]["spot_notice"]
    answer = api.client(api.token(Role.VIEWER, OURS)).get("/v1/surroundings")
    assert THEIRS not in answer.text and "10.1.2.3" not in answer.text and "alerts" not in answer.json()["settings"]
    told = answer.json()["settings"]
    assert told["services"] == of_all["services"] and told["limits"] == of_all["limits"]


def test_the_command_line_of_one_organisation_works_with_what_it_is_told(api: Served, tmp_path: Path) -> None:
    from pitchey_cli.remote.address import server_at
    from pitchey_cli.remote.client import Client
    from pitchey_cli.remote.surroundings import Watched

    client = Client(server_at(str(api.address), what="the server"), api.token(Role.VIEWER, OURS))
    settings = Watched(client).settings
    assert settings.node.is_spot and settings.queue.weights == ""
    client.close()


def test_no_view_that_has_no_pages_builds_more_than_so_many_rows(
    api: Served, ours: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pitchey_cli.store import views

    api.succeed(api.add(), tmp_path)
    api.succeed(api.add(), tmp_path)
    asked = {"instances": {"active_only": False}, "costs": DAY, "arrivals": {"since": DAY["since"]}}
    asked["pool_samples"] = {"since": DAY["since"]}
    sample = PoolSample(api.now, PoolKey(Service.VIDEO), 1, 0, 0, 1, 0, 1, 0.0, 0.0)
    api.store.observe([sample, replace(sample, at=api.now)], [], [], [])
    assert asked.keys() == views._WHOLE.keys()
    for name, question in asked.items():
        found = ask(api, api.token(), name, question).json()
        rows = len(found["booked"] if name == "costs" else found)
        assert rows >= 2, name
        for most, status in ((rows, 200), (rows - 1, 422)):
            monkeypatch.setattr(views, "_WHOLE", {**views._WHOLE, name: most})
            answer = ask(api, api.token(), name, question)
            assert answer.status_code == status, name
        assert "since" in answer.json()["hint"]
        assert ask(api, api.token(), name, {**question, "limit": 10}).status_code == 422, "the limit is the server's"


def test_no_secret_of_a_webhook_leaves_by_a_view(api: Served, ours: dict[str, str]) -> None:
    assert "whsec_" not in ask(api, api.token(), "webhooks", {}).text
