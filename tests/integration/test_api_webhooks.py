"""Webhooks over the API: the same operations as on the command line, and bad input as problem details."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pitchey_cli.domain.access import Area, Role
from pitchey_cli.domain.webhooks import MOST_WEBHOOKS
from tests.resources.served import Served, served

URL = "https://example.org/hooks"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as ready:
        yield ready


@pytest.fixture
def client(api: Served) -> httpx.Client:
    return api.client(api.token(Role.ADMIN, "acme", areas=frozenset({Area.WEBHOOKS})))


def test_an_endpoint_from_its_first_day_to_its_last(api: Served, client: httpx.Client) -> None:
    made = client.post("/v1/webhooks", json={"name": "chat", "url": URL, "types": ["job.*"], "services": ["video"]})
    assert made.status_code == 201 and made.json()["secret"].startswith("whsec_")
    path = made.headers["location"]
    assert client.get(path).json() == {key: value for key, value in made.json().items() if key != "secret"}
    assert (made.json()["organisation"], len(made.json()["types"])) == ("acme", 10)

    api.add("acme")
    sent = client.post(f"{path}/test")
    assert sent.status_code == 202 and sent.json()["type"] == "webhook.test"
    first = client.get(f"{path}/deliveries", params={"limit": 1}).json()
    second = client.get(f"{path}/deliveries", params={"limit": 1, "cursor": first["next"]}).json()
    assert [each["deliveries"][0]["type"] for each in (first, second)] == ["webhook.test", "job.submitted"]
    assert client.get(f"{path}/deliveries", params={"state": "failed"}).json()["deliveries"] == []
    assert client.post(f"{path}/replay", json={"messages": [sent.json()["id"]]}).json() == {"messages": 0}, "pending"

    rotated = client.post(f"{path}/rotate", json={"overlap": "1h"}).json()
    assert rotated["secret"] != made.json()["secret"] and rotated["oldSecretUntil"]
    disabled = client.post(f"{path}/disable", json={"reason": "too loud"}).json()
    assert disabled["disabledBecause"] == "too loud" and client.post(f"{path}/test").status_code == 422
    assert client.post(f"{path}/enable").json()["disabledAt"] is None
    assert client.delete(path).status_code == 204 and client.get(path).status_code == 404
    actions = [each.action for each in api.store.audit_log(organisation="acme")]
    assert [each for each in reversed(actions) if each.startswith("webhook.")] == [
        "webhook.add", "webhook.test", "webhook.rotate", "webhook.disable", "webhook.enable", "webhook.remove",
    ]  # fmt: skip


def test_an_organisation_does_not_listen_to_another_or_to_all(api: Served, client: httpx.Client) -> None:
    api.store.add_organisation("rival", now=api.now)
    for asked in ({"organisation": "rival"}, {"organisation": ""}, {"allOrganisations": True}):
        assert client.post("/v1/webhooks", json={"name": "x", "url": URL, **asked}).status_code == 403
    everybody = api.client(api.token())
    made = everybody.post("/v1/webhooks", json={"name": "x", "url": URL, "allOrganisations": True}).json()
    assert made["organisation"] is None
    assert client.get("/v1/webhooks").json() == {"webhooks": []}
    for path in ("", "/deliveries"):
        assert client.get(f"/v1/webhooks/{made['id']}{path}").status_code == 404
    assert client.post(f"/v1/webhooks/{made['id']}/replay", json={"failed": True}).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"url": URL}, 422, "needs the field 'name'"),
        ({"name": "x"}, 422, "needs the field 'url'"),
        ({"name": "x", "url": URL, "tipes": []}, 422, "no field 'tipes'"),
        ({"name": "x", "url": 5}, 422, "url 5"),
        ({"name": "", "url": URL}, 422, "1 to 100 characters"),
        ({"name": "a\nb", "url": URL}, 422, "no name"),
        ({"name": "x", "url": "javascript:alert(1)"}, 422, "no URL that begins with"),
        ({"name": "x", "url": "https://a.example/\r\nHost: b"}, 422, "a character that none has"),
        ({"name": "x", "url": "https://a.example/" + "a" * 3000}, 422, "a character that none has"),
        ({"name": "x", "url": "https://[::1"}, 422, "is no URL"),
        ({"name": "x", "url": "https://a.example\\@127.0.0.1/"}, 422, "a part that is not sent"),
        ({"name": "x", "url": "https://ada@a.example/"}, 422, "a part that is not sent"),
        ({"name": "x", "url": "http://127.0.0.1/"}, 403, "no public address"),
        ({"name": "x", "url": "http://[fd00:ec2::254]/"}, 403, "no public address"),
        ({"name": "x", "url": URL, "types": ["job"]}, 422, "no type of message 'job'"),
        ({"name": "x", "url": URL, "services": ["vidoe"]}, 422, "vidoe"),
        ({"name": "x", "url": URL, "organisation": "nobody"}, 403, "who asks is of 'acme'"),
    ],
)
def test_what_cannot_be_added_is_a_problem(client: httpx.Client, asked: object, status: int, said: str) -> None:
    answer = client.post("/v1/webhooks", json=asked)
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"], answer.text
    assert ("allow_private" in answer.text) == ("127.0.0.1/" in str(asked) and status == 403), (
        "no setting lets it there"
    )


def test_a_name_is_given_once(client: httpx.Client) -> None:
    client.post("/v1/webhooks", json={"name": "x", "url": URL})
    answer = client.post("/v1/webhooks", json={"name": "x", "url": URL})
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken"), answer.text
    assert "'x' already" in answer.json()["detail"] and "another name" in answer.json()["hint"]


def test_an_organisation_that_has_as_many_as_it_may_have_is_told_so(client: httpx.Client) -> None:
    made = [client.post("/v1/webhooks", json={"name": f"x{n}", "url": URL}) for n in range(MOST_WEBHOOKS)]
    assert {each.status_code for each in made} == {201}
    answer = client.post("/v1/webhooks", json={"name": "x", "url": URL})
    assert answer.status_code == 429 and answer.json()["code"] == "quota-reached", answer.text
    assert "pitchey webhooks remove" in answer.json()["hint"]
    client.delete(made[0].headers["location"])
    assert client.post("/v1/webhooks", json={"name": "x", "url": URL}).status_code == 201


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("rotate", {"overlap": "soon"}, 422),
        ("rotate", {"overlap": "900d"}, 422),
        ("rotate", {"overlap": None}, 422),
        ("disable", {"reason": "x" * 500}, 422),
        ("replay", {}, 422),
        ("replay", {"messages": ["msg_1"], "failed": True}, 422),
        ("replay", {"messages": ["msg_1"]}, 404),
        ("replay", {"messages": ["m"] * 2000}, 422),
        ("replay", {"failed": "yes"}, 422),
    ],
)
def test_what_cannot_be_done_is_a_problem(client: httpx.Client, path: str, asked: object, status: int) -> None:
    client.post("/v1/webhooks", json={"name": "chat", "url": URL})
    answer = client.post(f"/v1/webhooks/chat/{path}", json=asked)
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json", answer.text
