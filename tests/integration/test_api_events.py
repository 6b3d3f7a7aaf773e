"""Events as they happen: none is lost or doubled, whoever was restarted, and nobody hears of others' jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pitchey_cli.api import events as hearing
from pitchey_cli.domain.access import Role
from pitchey_cli.operations import access
from tests.resources.served import Served, served


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api")) as ready:
        yield ready


def listen(
    client: httpx.Client, count: int, headers: dict[str, str] | None = None, **query: Any
) -> list[dict[str, Any]]:
    """The first events of a stream; each with the id that the stream gave it."""
    found: list[dict[str, Any]] = []
    with client.stream("GET", "/v1/events", params=query, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        last = 0
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                last = int(value)
            elif name == "data":
                found.append(json.loads(value))
                assert found[-1]["id"] == last
            if len(found) == count:
                return found
    return found


def test_a_stream_goes_on_behind_the_last_event_that_was_seen(api: Served) -> None:
    client, begin = api.client(api.token()), api.store.last_event_id()
    ids = [api.add() for _ in range(3)]
    first = listen(client, 2, after=begin)
    rest = listen(client, 1, {"Last-Event-ID": str(first[-1]["id"])})
    assert [each["job"] for each in first + rest] == ids
    assert {each["type"] for each in first + rest} == {"submitted"}


def test_no_event_is_lost_or_doubled_when_the_server_is_started_again(tmp_path: Path) -> None:
    seen: list[int] = []
    expected: list[int] = []
    for _ in range(3):
        with served(tmp_path / "s") as api:
            for _ in range(2):
                api.add()
            heard = listen(api.client(api.token()), 2, {"Last-Event-ID": str(seen[-1] if seen else 0)})
            seen += [each["id"] for each in heard]
            expected = [each.id for each in api.store.events(after=0)]
    assert seen == expected and len(seen) == 6


def test_a_database_that_keeps_whoever_listens_waiting_keeps_nobody_else(tmp_path: Path, postgres_url: str) -> None:
    with served(tmp_path, PITCHEY_STORE_URL=postgres_url) as api, psycopg.connect(postgres_url) as other:
        client, token = api.client(), api.token()
        with api.client(token).stream("GET", "/v1/events") as answer:
            lines = answer.iter_lines()
            assert next(lines) == "retry: 1000"
            with other.transaction():
                other.execute("LOCK TABLE pitchey.commits IN ACCESS EXCLUSIVE MODE")
                deadline = time.monotonic() + 1
                while time.monotonic() < deadline:  # some fifty looks at the database
                    assert client.get("/healthz").json()["status"] == "ok"


def test_more_events_than_a_page_come_all_and_in_order(api: Served) -> None:
    begin = api.store.last_event_id()
    with api.store.transaction():
        ids = [api.add() for _ in range(hearing._PAGE + 50)]
    found = listen(api.client(api.token()), len(ids), after=begin)
    assert [each["job"] for each in found] == ids


def test_events_are_chosen_by_job_batch_service_and_type(api: Served) -> None:
    client, begin = api.client(api.token()), api.store.last_event_id()
    other, mine = api.add(), api.add(batch="mine")
    api.store.cancel(other, why="", now=api.now)
    api.store.cancel(mine, why="", now=api.now)

    def heard(count: int, **query: Any) -> list[tuple[str, str]]:
        return [(each["job"], each["type"]) for each in listen(client, count, after=begin, **query)]

    whole = [(mine, "submitted"), (mine, "cancelled")]
    assert heard(2, job=mine) == heard(2, batch="mine") == heard(2, batch="mine", service=["video", "code"]) == whole
    assert heard(2, type="cancelled") == [(other, "cancelled"), (mine, "cancelled")]


def test_nobody_hears_of_the_jobs_of_others(api: Served) -> None:
    begin = api.store.last_event_id()
    api.add("rival")
    ours = api.add("acme")
    client = api.client(api.token(Role.VIEWER, "acme"))
    assert [each["job"] for each in listen(client, 1, after=begin)] == [ours]
    theirs = api.add("rival")
    assert client.get("/v1/events", params={"job": theirs}).status_code == 404


def test_whoever_comes_without_saying_what_they_saw_hears_what_is_new(api: Served) -> None:
    api.add()
    with api.client(api.token()).stream("GET", "/v1/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 1000"  # it listens from here on
        new = api.add()
        data = next(line for line in lines if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: "))["job"] == new


def test_a_stream_ends_with_the_token_that_it_was_opened_with(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_BEAT_SECONDS", 0.2)
    token = api.token(Role.VIEWER)
    with api.client(token).stream("GET", "/v1/events") as answer:
        lines = answer.iter_lines()
        next(lines)
        access.revoke_token(api.store, token.split("_")[1], now=api.now)
        assert "data:" not in "".join(lines)  # and it ends


def test_a_client_that_comes_back_under_the_same_address_goes_on_behind_what_it_saw(api: Served) -> None:
    begin = api.store.last_event_id()
    api.add()
    seen, new = api.store.last_event_id(), api.add()
    headers = {"Last-Event-ID": str(seen)}
    with api.client(api.token()).stream("GET", f"/v1/events?after={begin}", headers=headers) as answer:
        data = next(line for line in answer.iter_lines() if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: "))["job"] == new


@pytest.mark.parametrize("seen", ["x", "-1", "1" * 30, "1" * 5000, ""])
def test_what_is_no_number_of_an_event_is_refused(api: Served, seen: str) -> None:
    answer = api.client(api.token()).get("/v1/events", headers={"Last-Event-ID": seen})
    assert answer.status_code == 422


def test_a_type_as_webhooks_write_it_is_not_waited_for_without_end(api: Served) -> None:
    answer = api.client(api.token()).get("/v1/events", params={"type": "job.succeeded"})
    assert answer.status_code == 422 and "no type of event 'job.succeeded'" in answer.json()["detail"]


# --- WebSocket


def url(api: Served, query: str) -> str:
    return f"ws://{api.address.host}:{api.address.port}/v1/events?{query}"


def test_a_websocket_tells_the_same(api: Served) -> None:
    begin = api.store.last_event_id()
    first = api.add()
    shown = {"Authorization": f"Bearer {api.token()}"}
    with connect(url(api, f"after={begin}"), additional_headers=shown, proxy=None) as socket:
        assert json.loads(socket.recv(20))["job"] == first
        socket.send("what a client says means nothing")
        second = api.add()
        assert json.loads(socket.recv(20))["job"] == second


def test_a_browser_shows_its_token_as_a_subprotocol(api: Served) -> None:
    begin, job_id = api.store.last_event_id(), api.add("acme")
    offered: Any = ["pitchey.events", f"bearer.{api.token(Role.VIEWER, 'acme')}"]
    with connect(url(api, f"after={begin}"), subprotocols=offered, proxy=None) as socket:
        assert socket.subprotocol == "pitchey.events"
        assert json.loads(socket.recv(20))["job"] == job_id


@pytest.mark.parametrize(("query", "token", "status"), [("", "", 401), ("", "x", 401), ("after=x", None, 422)])
def test_a_websocket_is_refused_with_the_same_problem(api: Served, query: str, token: str | None, status: int) -> None:
    shown = {"Authorization": f"Bearer {api.token() if token is None else token}"}
    api.token()
    with pytest.raises(InvalidStatus) as refused, connect(url(api, query), additional_headers=shown, proxy=None):
        pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"{}")["status"] == status


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    ("path", "changes", "status", "said", "way_out"),
    [
        ("/v1/jobs", {}, 404, "no WebSocket at /v1/jobs", "/v1/events"),
        ("/v1/events", {}, 401, "takes a token", "pitchey token add"),
        ("/v1/events", {"Sec-WebSocket-Version": "7"}, 400, "begins no WebSocket", "Version is to be 13"),
        ("/v1/events", {"Sec-WebSocket-Key": "x"}, 400, "begins no WebSocket", "16 bytes"),
        ("/v1/events", {"Sec-WebSocket-Key": ""}, 400, "begins no WebSocket", "16 bytes"),
        ("/v1/events", {"Upgrade": "h2c"}, 401, "takes a token", "pitchey token add"),
    ],
)
def test_what_begins_no_websocket_is_a_problem_with_a_way_out(
    api: Served, path: str, changes: dict[str, str], status: int, said: str, way_out: str
) -> None:
    api.token()
    answer = api.client().get(path, headers={**HANDSHAKE, **changes})
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json", answer.text
    assert said in answer.json()["detail"] and way_out in answer.json()["hint"]
