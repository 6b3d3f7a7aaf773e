"""Short attempts: started together, told of together, done at once, and leaving nothing that need not be left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.daemon.line import SocketLine
from pitchey_cli.daemon.worker_client import WorkerClient
from processors.protocol import AttemptRequest, Event
from tests.resources.waiting import until
from tests.resources.workers import Worker

HANDLER = ("--handler", "tests.resources.handlers.sharing")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with begun(tmp_path) as started:
        yield started


@contextmanager
def begun(home: Path, *, slots: int = 4) -> Iterator[Worker]:
    """A worker whose companion is there."""
    with Worker(home, "--slots", str(slots), *HANDLER) as started:
        started.health()  # the companion is started behind the first answer
        until(lambda: is_shared(started), "the companion is there")
        yield started


COUNT = iter(range(1_000_000))


def is_shared(worker: Worker) -> bool:
    ending = told(worker, {f"warm{next(COUNT)}.1": "short"})[-1]["event"]
    return bool(ending["result"]["details"]["isShared"])


def request(token: str, code: str) -> dict[str, Any]:
    spec = {"language": "python", "code": code}
    limits = {"timeoutSeconds": 60, "outputLimitBytes": 1000, "inlineBytes": 100}
    return {"token": token, "service": "code", "spec": spec, **limits}


def told(worker: Worker, codes: dict[str, str]) -> list[dict[str, Any]]:
    answer = worker.http.post("/groups", json={"attempts": [request(*each) for each in codes.items()]})
    assert answer.status_code == 202
    return [json.loads(line) for line in answer.content.splitlines()]


def of(lines: Sequence[dict[str, Any]], token: str) -> list[Any]:
    return [line["event"] for line in lines if line["token"] == token]


def in_spool(worker: Worker) -> list[str]:
    return sorted(each.name for each in worker.spool.iterdir())


def test_each_is_told_of_from_its_acceptance_to_its_result_and_none_leaves_a_file(worker: Worker) -> None:
    lines = told(worker, {f"t{number}.1": f"short {number}" for number in range(3)})
    for number in range(3):
        events = of(lines, f"t{number}.1")
        assert [(each["seq"], each["type"]) for each in events] == [(1, "accepted"), (2, "result")]
        assert events[1]["result"]["outputs"] == [
            {
                "path": "said", "mediaType": "text/plain", "role": "answer", "size": 7, "details": {},
                "text": f"short {number}",
            }
        ]  # fmt: skip
        assert events == worker.events(f"t{number}.1")  # whoever comes later is told the same
    assert in_spool(worker) == []


def test_those_that_are_alike_are_done_at_once(worker: Worker) -> None:
    lines = told(worker, {f"t{number}.1": f"together {number}" for number in range(4)})
    results = [of(lines, f"t{number}.1")[-1]["result"] for number in range(4)]
    assert [each["outputs"][0]["text"] for each in results] == [f"together {number}" for number in range(4)]
    assert {each["details"]["count"] for each in results} == {4}


def test_of_many_that_are_alike_those_of_one_size_are_done_at_once(tmp_path: Path) -> None:
    codes = {f"t{number}.1": "together" if number % 2 else "together at last" for number in range(32)}
    with begun(tmp_path, slots=32) as worker:
        lines = told(worker, codes)
    for token, code in codes.items():
        assert of(lines, token)[-1]["result"]["details"] == {"count": 16, "sizes": [len(code)]}


def test_one_that_is_alike_and_alone_tells_how_far_it_is(worker: Worker) -> None:
    events = of(told(worker, {"a.1": "together slowly"}), "a.1")
    assert {each["type"] for each in events} == {"accepted", "progress", "result"}


def test_those_that_gain_nothing_by_it_are_not_done_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with begun(tmp_path) as worker:
        lines = told(worker, {f"t{number}.1": "short" for number in range(4)})
    assert [of(lines, f"t{number}.1")[-1]["type"] for number in range(4)] == ["result"] * 4
    assert "Traceback" not in capfd.readouterr().err


def test_where_one_of_them_is_bad_it_fails_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with begun(tmp_path) as worker:
        lines = told(worker, {"a.1": "together", "b.1": "together bad", "c.1": "together again"})
    assert of(lines, "b.1")[-1]["error"]["code"] == "bad"
    assert [of(lines, token)[-1]["type"] for token in ("a.1", "c.1")] == ["result", "result"]
    assert "Traceback" not in capfd.readouterr().err


def test_a_bug_that_shows_only_when_several_are_done_at_once_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with begun(tmp_path) as worker:
        lines = told(worker, {"a.1": "together", "b.1": "together broken"})
    assert [of(lines, token)[-1]["type"] for token in ("a.1", "b.1")] == ["result", "result"]
    assert "ValueError: a bug of those that are done at once" in capfd.readouterr().err


def test_what_has_no_size_is_done_by_itself_and_others_go_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with begun(tmp_path) as worker:
        lines = told(worker, {"a.1": "together", "b.1": "together unsized"})
        lines += told(worker, {"c.1": "together"})
    assert [of(lines, token)[-1]["type"] for token in ("a.1", "b.1", "c.1")] == ["result"] * 3
    assert "ValueError: a bug of the size" in capfd.readouterr().err


def test_what_is_not_taken_is_told_among_the_others(worker: Worker) -> None:
    told(worker, {"known.1": "short"})
    codes = {"known.1": "short", **{f"t{number}.1": "short" for number in range(5)}}
    lines = told(worker, codes)
    refused = {line["token"]: (line["status"], line["refusal"]["code"]) for line in lines if "refusal" in line}
    assert refused == {"known.1": (409, "known_token"), "t4.1": (429, "no_slot")}
    assert of(lines[2:], "t3.1")[-1]["type"] == "result"


def test_what_is_logged_is_on_disk_before_it_is_told(worker: Worker) -> None:
    lines = told(worker, {"a.1": "short, logged"})
    assert [each["type"] for each in of(lines, "a.1")] == ["accepted", "log", "result"]
    assert [each["type"] for each in worker.events("a.1")] == ["accepted", "log", "result"]
    assert sorted(each.name for each in (worker.spool / "a.1").iterdir()) == ["events.ndjson", "out", "result.json"]


def test_an_output_that_is_too_long_for_its_result_is_a_file(worker: Worker) -> None:
    (output,) = of(told(worker, {"a.1": "short" * 30}), "a.1")[-1]["result"]["outputs"]
    assert "text" not in output and output["size"] == 150
    assert (worker.spool / "a.1" / "out" / "said").read_text() == "short" * 30


def test_one_under_which_the_companion_dies_is_done_again_with_files(worker: Worker) -> None:
    lines = told(worker, {"a.1": "die"})
    assert not of(lines, "a.1")[-1]["result"]["details"]["isShared"]
    assert (worker.spool / "a.1" / "result.json").exists()


def test_one_that_is_cancelled_ends_alone(worker: Worker) -> None:
    body = {"attempts": [request("a.1", "for ever"), request("b.1", "short")]}
    with worker.http.stream("POST", "/groups", json=body) as answer:
        lines = map(json.loads, answer.iter_lines())
        seen = [next(lines) for _ in range(3)]
        assert [each["type"] for each in of(seen, "b.1")] == ["accepted", "result"]
        worker.http.delete("/attempts/a.1?grace=0.2")
        assert of([*lines], "a.1")[-1]["error"]["code"] == "cancelled"


def test_one_that_is_over_in_memory_alone_is_not_known_to_the_next_worker(worker: Worker) -> None:
    told(worker, {"a.1": "short"})
    worker.stop()
    worker.start()
    assert worker.http.get("/attempts/a.1/events").status_code == 404


def test_a_group_of_none_is_refused(worker: Worker) -> None:
    assert worker.http.post("/groups", json={"attempts": []}).status_code == 400


def test_one_that_no_group_can_hold_spoils_no_other(worker: Worker) -> None:
    nested: Any = "deep"
    for _ in range(197):  # as deep as a request may be; in a group it lies deeper
        nested = [nested]
    requests = [AttemptRequest.model_validate(request(f"t{number}.1", f"short {number}")) for number in range(3)]
    requests[1].spec["inputs"] = nested
    client = WorkerClient(SocketLine(worker.run))

    async def carry_out(each: AttemptRequest) -> Event:
        events = await client.start(each)
        try:
            return [event async for event in events][-1]
        finally:
            await events.close()

    async def all_at_once() -> list[Event]:
        return await asyncio.gather(*map(carry_out, requests))

    endings = asyncio.run(all_at_once())
    client.close()
    assert [each.type for each in endings] == ["result", "error", "result"]
