"""The porter as its host meets it: a real one before a real worker, and a store that fails in every way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from pitchey_cli.daemon.line import PorterLine
from pitchey_cli.daemon.porter import identity, known_by
from pitchey_cli.daemon.worker_client import WorkerClient
from pitchey_cli.domain.errors import InstanceGone
from processors.porter import server
from processors.porter.routes import PorterRoutes
from processors.porter.worker import Worker as Behind
from processors.protocol import Service
from processors.worker.attempts import Attempts
from tests.resources.object_store import ObjectStore, object_store
from tests.resources.porters import SECRET, Porter
from tests.resources.waiting import DEADLINE_SECONDS, until
from tests.servers.s3 import Bucket


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    with object_store() as store:
        yield store


@pytest.fixture
def porter(tmp_path: Path, store: ObjectStore) -> Iterator[Porter]:
    with Porter(tmp_path, store) as porter:
        yield porter


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_inputs_come_and_outputs_go_by_links(porter: Porter) -> None:
    data = bytes(range(256)) * 5000
    porter.begin("job.1", "copy", inputs=[porter.given(0, data), porter.given(1, b"")], outputLimitBytes=10**7)
    events = porter.finish("job.1")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "accepted"
    outputs = events[-1]["result"]["outputs"]
    assert [(each["path"], each["size"], each["sha256"]) for each in outputs] == [
        ("copies/0.bin", len(data), sha256(data)),
        ("copies/1.bin", 0, sha256(b"")),
    ]
    assert porter.store.objects["out/0"] == data
    assert porter.store.objects["out/1"] == b""
    assert {"fetching inputs 100 %", "storing outputs 100 %"} <= {event.get("stage") for event in events}


def test_nothing_of_an_attempt_stays_in_the_instance_once_it_is_forgotten(porter: Porter) -> None:
    porter.begin("job.1", "copy", inputs=[porter.given(0, b"data")])
    ending = porter.finish("job.1")[-1]
    assert not (porter.worker.inputs / "job.1").exists()
    assert not (porter.worker.spool / "job.1" / "out").exists()
    with porter.follow("job.1") as again:
        assert [*again][-1] == ending
    assert porter.http.delete("/attempts/job.1/spool").status_code == 200
    assert [*porter.journal.iterdir()] == [*porter.worker.spool.iterdir()] == []
    assert porter.http.get("/attempts/job.1/events").status_code == 404


def test_many_outputs_get_their_links_in_pieces(porter: Porter) -> None:
    porter.begin("job.1", "many", 100)
    events = porter.finish("job.1")
    asked = [len(event["outputs"]) for event in events if event["type"] == "links"]
    assert asked == [32, 32, 32, 4]
    outputs = events[-1]["result"]["outputs"]
    assert len(outputs) == 100
    for number, output in enumerate(outputs):
        assert sha256(porter.store.objects[f"out/{number}"]) == output["sha256"]


def test_outputs_of_which_more_is_said_than_the_host_reads_are_refused_before_they_are_stored(porter: Porter) -> None:
    porter.begin("job.1", "say_much", 400)
    events = porter.finish("job.1")
    error = events[-1]["error"]
    assert (error["code"], error["retryable"]) == ("too_many_outputs", False)
    assert "400 outputs" in error["message"]
    assert porter.store.objects == {} and all(event["type"] != "links" for event in events)


def test_an_input_that_breaks_off_goes_on_where_it_was(porter: Porter) -> None:
    data = bytes(1000) + bytes(range(200))
    porter.store.break_after = [400, 300]
    porter.begin("job.1", "copy", inputs=[porter.given(0, data)])
    assert porter.finish("job.1")[-1]["type"] == "result"
    assert porter.store.objects["out/0"] == data
    gets = [request for request in porter.store.requests if request.startswith("GET")]
    assert gets == ["GET /in/0", "GET /in/0 bytes=400-", "GET /in/0 bytes=700-"]


def test_a_store_that_is_away_is_waited_for(porter: Porter) -> None:
    porter.store.refusals = [503, 500]
    porter.begin("job.1", "copy", inputs=[porter.given(0, b"data")])
    seen = []
    with porter.follow("job.1") as events:
        for event in events:
            seen.append(event)
            if event["type"] == "links":
                porter.store.refusals = [503, 507]
                porter.answer("job.1", event)
    assert seen[-1]["type"] == "result"
    assert porter.store.objects["out/0"] == b"data"


def test_links_that_have_expired_are_asked_for_again(porter: Porter) -> None:
    porter.store.expired = {"old"}
    porter.begin("job.1", "copy", inputs=[porter.given(0, b"data", url=porter.store.link("in/0", "old"))])
    asked = []
    with porter.follow("job.1") as events:
        for event in events:
            if event["type"] == "links":
                asked.append((event["inputs"], [each["number"] for each in event["outputs"]]))
                porter.answer("job.1", event, "old" if len(asked) == 2 else "good")
    assert asked == [([0], []), ([], [0]), ([], [0])]
    assert porter.store.objects["out/0"] == b"data"


def test_a_store_that_refuses_every_link_ends_the_attempt(porter: Porter) -> None:
    porter.store.expired = {"good"}
    porter.begin("job.1", "copy", inputs=[porter.given(0, b"data")])
    error = porter.finish("job.1")[-1]["error"]
    assert (error["code"], error["retryable"], error["reason"]) == ("input_not_fetched", True, "failed")
    assert "0.mov" in error["message"]
    assert "X-Amz" not in json.dumps(error)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"size": 3}, "more than the 3 bytes"),
        ({"size": 5}, "4 bytes, and 5"),
    ],
)
def test_an_input_that_is_not_what_was_announced_reaches_no_handler(
    porter: Porter, changed: dict[str, object], words: str
) -> None:
    porter.begin("job.1", "copy", inputs=[porter.given(0, b"data", **changed)])
    error = porter.finish("job.1")[-1]["error"]
    assert error["code"] == "input_damaged"
    assert "0.mov" in error["message"]
    assert words in error["message"]
    assert not (porter.worker.spool / "job.1").exists()


def test_an_input_that_is_gone_is_a_failure_at_once(porter: Porter) -> None:
    porter.begin("job.1", "copy", inputs=[porter.given(0, b"data", url=porter.store.link("nowhere"))])
    assert "404" in porter.finish("job.1")[-1]["error"]["message"]


def test_transfers_that_never_begin_because_one_has_failed_leave_nothing_in_the_log(
    tmp_path: Path, store: ObjectStore, capfd: pytest.CaptureFixture[str]
) -> None:
    with Porter(tmp_path, store) as porter:
        gone = store.link("nowhere")
        porter.begin("job.1", "copy", inputs=[porter.given(number, b"data", url=gone) for number in range(12)])
        assert porter.finish("job.1")[-1]["error"]["code"] == "input_not_fetched"
    assert "never awaited" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("link", "bad_output", "link cannot be opened"),
        ("lead_astray", "bad_output", "text cannot be opened"),
        ("two_names", "bad_output", "link is not a regular file"),
        ("grow", "output_too_large", "more than the 1000000"),
    ],
)
def test_what_a_program_leaves_is_looked_at_without_trust(
    porter: Porter, behaviour: str, code: str, words: str
) -> None:
    porter.begin("job.1", behaviour)
    error = porter.finish("job.1")[-1]["error"]
    assert (error["code"], error["retryable"]) == (code, False)
    assert words in error["message"]
    assert porter.store.objects == {}


def test_a_program_is_told_neither_the_links_nor_the_secret(porter: Porter) -> None:
    porter.begin("job.1", "show_request", inputs=[porter.given(0, b"data")])
    events = porter.finish("job.1")
    said = json.dumps(events)
    assert "0.bin" in said
    assert "Signature" not in said
    assert SECRET not in said
    assert not (porter.home / "secret").exists()
    written = [path.read_bytes() for path in porter.home.rglob("*") if path.is_file()]
    assert not any(b"Signature" in data for data in written)


def test_a_stranger_is_not_listened_to(porter: Porter) -> None:
    for secret in ("", "Bearer wrong", f"Basic {SECRET}"):
        with httpx.Client(trust_env=False, headers={"Authorization": secret}, verify=porter.known) as stranger:
            url = f"https://127.0.0.1:{porter.port}"
            assert stranger.get(f"{url}/health").status_code == 401
            assert stranger.post(f"{url}/attempts", content=b"x" * 10**6).status_code == 401


def test_nothing_is_said_without_tls(porter: Porter) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{porter.port}/health", headers=dict(porter.http.headers), trust_env=False)
    assert not porter.identity.exists(), "the porter has removed its key"
    assert porter.http.get("/health").status_code == 200, "and goes on"


def test_strangers_in_their_handshake_are_among_the_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 2)
    monkeypatch.setattr(server, "_HANDSHAKE_SECONDS", 10 * DEADLINE_SECONDS)
    key, certificate = identity()
    (tmp_path / "identity").write_bytes(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "identity")

    async def asked() -> tuple[bytes, int]:
        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        serving = asyncio.create_task(server.serve(listening, context, SECRET, nothing(tmp_path), idle_exit=0))
        async with asyncio.timeout(DEADLINE_SECONDS):
            strangers = [await asyncio.open_connection(*address) for _ in range(2)]
            said = await all_said(*address)
            for _, writer in strangers:
                writer.close()
            status = await answered(f"https://127.0.0.1:{address[1]}/", known_by(certificate.decode()))
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return said, status

    assert asyncio.run(asked()) == (b"", 401), "there was no place for a third, and is one when they are gone"


def nothing(home: Path) -> Callable[[asyncio.TaskGroup], tuple[Attempts, PorterRoutes]]:
    """What a porter has that nobody asks for an attempt."""

    def made(tasks: asyncio.TaskGroup) -> tuple[Attempts, PorterRoutes]:
        attempts = Attempts(lambda request, spool: NotImplemented, slots=1, spool=home, tasks=tasks)
        return attempts, PorterRoutes(Service.CODE, attempts, {}, Behind(home), ())

    return made


async def all_said(host: str, port: int) -> bytes:
    """What one hears who says nothing, until it is hung up on."""
    reader, _ = await asyncio.open_connection(host, port)
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


async def answered(url: str, known: ssl.SSLContext) -> int:
    """The status of the first answer that there is."""
    async with httpx.AsyncClient(verify=known, trust_env=False, timeout=DEADLINE_SECONDS) as client:
        while True:
            try:
                return (await client.get(url)).status_code
            except httpx.TransportError:
                await asyncio.sleep(0.01)


def test_the_host_takes_nobody_else_for_the_porter(porter: Porter) -> None:
    async def health(known: ssl.SSLContext) -> int:
        client = WorkerClient(PorterLine(lambda: ("127.0.0.1", porter.port), SECRET, known))
        return (await client.health()).slots

    assert asyncio.run(health(porter.known)) == 4
    _, others = identity()
    with pytest.raises(InstanceGone, match="The porter does not answer"):
        asyncio.run(health(known_by(others.decode())))


def test_a_cancellation_ends_a_transfer_in_the_middle(porter: Porter) -> None:
    porter.store.held.clear()
    porter.begin("job.1", "copy", inputs=[porter.given(0, b"data")])
    until(lambda: porter.store.requests, "the input is asked for")
    assert porter.http.get("/health").json()["attempts"] == ["job.1"]
    assert porter.http.delete("/attempts/job.1/spool").status_code == 409
    assert porter.http.delete("/attempts/job.1?grace=5").status_code == 202
    assert porter.finish("job.1")[-1]["error"]["code"] == "cancelled"
    assert not (porter.worker.inputs / "job.1").exists()


def test_a_cancellation_while_links_are_waited_for_ends_the_attempt(porter: Porter) -> None:
    porter.begin("job.1", "many", 3)
    with porter.follow("job.1") as events:
        for event in events:
            if event["type"] == "links":
                porter.http.delete("/attempts/job.1?grace=5")
    assert event["error"]["reason"] == "cancelled"
    assert porter.store.objects == {}
    porter.answer("job.1", {"ask": 1, "inputs": [], "outputs": []})  # too late, and no error


def test_a_cancellation_reaches_the_program(porter: Porter) -> None:
    porter.begin("job.1", "sleep")
    with porter.follow("job.1") as events:
        assert any(event.get("line") == "sleeping" for event in events)
    porter.http.delete("/attempts/job.1?grace=5")
    assert porter.finish("job.1")[-1]["error"]["code"] == "cancelled"
    until(lambda: porter.worker.strays() == [], "the program has ended")


def test_a_time_limit_holds_for_a_transfer_too(porter: Porter) -> None:
    porter.store.held.clear()
    porter.begin("job.1", "copy", inputs=[porter.given(0, b"data")], timeoutSeconds=0.3)
    assert porter.finish("job.1")[-1]["error"]["reason"] == "timeout"


def test_a_worker_that_dies_leaves_its_attempt_without_an_ending(porter: Porter) -> None:
    """The host finds out why; a porter that made one up would keep it from asking."""
    porter.begin("job.1", "sleep")
    with porter.follow("job.1") as events:
        assert any(event.get("line") == "sleeping" for event in events)
    assert porter.worker.process is not None
    porter.worker.process.kill()
    with porter.follow("job.1") as events:
        assert {event["type"] for event in events}.isdisjoint({"result", "error"})
    with pytest.raises(httpx.TransportError):
        porter.http.get("/health")


def test_a_real_server_refuses_an_old_link_and_takes_a_new_one(
    porter: Porter, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"data" * 1000
    bucket.put("in/0", data)

    def signed(method: str, key: str) -> str:
        wanted = {"Bucket": bucket.name, "Key": key}
        return str(bucket.client.generate_presigned_url(method, Params=wanted, ExpiresIn=60))

    with monkeypatch.context() as past:
        past.setattr("botocore.auth.get_current_datetime", lambda *_, **__: datetime(2026, 1, 1))  # noqa: DTZ001
        old = {"in/0": signed("get_object", "in/0"), "out/0": signed("put_object", "out/0")}
    porter.begin("job.1", "copy", inputs=[porter.given(0, data, url=old["in/0"])])
    asked = []
    with porter.follow("job.1") as events:
        for event in events:
            if event["type"] == "links":
                asked.append("inputs" if event["inputs"] else "outputs")
                outputs = [old["out/0"] if len(asked) == 2 else signed("put_object", "out/0") for _ in event["outputs"]]
                links = {"ask": event["ask"], "inputs": [signed("get_object", "in/0")], "outputs": outputs}
                links["inputs"] = links["inputs"] if event["inputs"] else []
                porter.http.post("/attempts/job.1/links", json=links)
    assert event["type"] == "result", event
    assert asked == ["inputs", "outputs", "outputs"]
    assert bucket.get("out/0") == data
