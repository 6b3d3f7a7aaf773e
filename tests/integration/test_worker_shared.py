"""Attempts that the companion does itself: as good as forks, but for what only a process of one's own can give."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.resources.waiting import until
from tests.resources.workers import Worker, is_alive

HANDLER = ("--handler", "tests.resources.handlers.sharing")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker(tmp_path, "--slots", "2", "--patience", "0", *HANDLER) as started:
        started.health()  # the companion is started behind the first answer
        pid_once_shared(started)
        yield started


COUNT = iter(range(1_000_000))


def pid_once_shared(worker: Worker) -> int:
    """The companion's process, once it takes attempts."""
    found: list[dict[str, Any]] = []

    def is_shared() -> bool:
        found.append(ask(worker, f"warm{next(COUNT)}.1", "warm")["result"]["details"])
        return bool(found[-1]["isShared"])

    until(is_shared, "it is there")
    return int(found[-1]["pid"])


def ask(worker: Worker, token: str, code: str, **fields: Any) -> dict[str, Any]:
    worker.begin(token, {"language": "python", "code": code}, **fields)
    return worker.ending(token)


def test_they_are_done_in_one_process_and_leave_what_a_fork_leaves(worker: Worker) -> None:
    found = [ask(worker, f"t{number}.1", f"text {number}") for number in range(3)]
    assert len({each["result"]["details"]["pid"] for each in found}) == 1
    assert (worker.spool / "t2.1" / "out" / "said").read_text() == "text 2"
    assert found[2]["result"]["outputs"] == [
        {"path": "said", "mediaType": "text/plain", "role": "answer", "size": 6, "details": {}}
    ]
    assert [each["type"] for each in worker.events("t2.1")] == ["accepted", "log", "result"]
    assert found[2]["metrics"]["bytesOut"] == 6 and found[2]["metrics"]["peakRssBytes"] > 0


def test_one_that_may_not_be_shared_has_a_process_of_its_own(worker: Worker) -> None:
    assert not ask(worker, "a.1", "apart")["result"]["details"]["isShared"]


def test_what_is_more_than_fits_between_them_has_a_process_of_its_own(worker: Worker) -> None:
    assert not ask(worker, "a.1", "long" * 50_000)["result"]["details"]["isShared"]
    assert ask(worker, "b.1", "after it")["result"]["details"]["isShared"]


def test_a_long_result_is_told_whole_and_one_without_measure_fails_for_good(worker: Worker) -> None:
    details = ask(worker, "a.1", "much")["result"]["details"]
    assert details == {"much": '"\u00e9' * 100_000, "isShared": True}
    for token, code in (("b.1", "too much"), ("b.2", "too much, apart")):
        error = ask(worker, token, code)["error"]
        assert (error["code"], error["retryable"]) == ("result_too_long", False)
    assert ask(worker, "c.1", "after it")["result"]["details"]["isShared"]


def test_what_can_never_work_is_said_as_by_a_fork(worker: Worker) -> None:
    error = ask(worker, "a.1", "no")["error"]
    assert (error["code"], error["reason"], error["retryable"]) == ("no", "rejected", False)


def test_one_under_which_the_companion_dies_is_done_again_in_a_process_of_its_own(worker: Worker) -> None:
    assert not ask(worker, "a.1", "die")["result"]["details"]["isShared"]
    assert [each["type"] for each in worker.events("a.1")] == ["accepted", "log", "result"]


def test_what_has_been_said_is_not_said_twice(worker: Worker) -> None:
    assert ask(worker, "a.1", "say and die")["error"]["code"] == "models_lost"
    assert [each["type"] for each in worker.events("a.1")] == ["accepted", "log", "error"]


@pytest.mark.parametrize("code", ["for ever", "deaf"])
def test_one_that_is_cancelled_ends_at_once_or_is_left_behind_after_the_grace(worker: Worker, code: str) -> None:
    worker.begin("a.1", {"language": "python", "code": code})
    worker.http.delete("/attempts/a.1?grace=0.2")
    assert worker.ending("a.1")["error"]["code"] == "cancelled"
    until(lambda: not worker.health()["attempts"], "its slot is free")
    assert ask(worker, "b.1", "after it")["result"]["details"]["isShared"]


def give_up(worker: Worker, token: str, code: str) -> None:
    """Begin an attempt, cancel it once it runs, and do not wait for its thread."""
    worker.begin(token, {"language": "python", "code": code})
    with worker.follow(token) as events:
        assert [next(events)["type"] for _ in range(2)] == ["accepted", "log"]
    worker.http.delete(f"/attempts/{token}?grace=0")
    assert worker.ending(token)["error"]["code"] == "cancelled"


def test_threads_that_are_left_behind_end_with_their_process_once_they_are_as_many_as_the_slots(worker: Worker) -> None:
    give_up(worker, "a.1", "deaf")
    before = ask(worker, "b.1", "between")["result"]["details"]
    give_up(worker, "c.1", "deaf")
    assert before["isShared"]
    assert not ask(worker, "d.1", "instead")["result"]["details"]["isShared"]
    assert pid_once_shared(worker) != before["pid"]


def test_their_process_does_not_end_under_an_attempt_that_may_need_it(worker: Worker, tmp_path: Path) -> None:
    before = pid_once_shared(worker)
    for number in range(2):
        give_up(worker, f"a{number}.1", "deaf")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    worker.begin("b.1", {"language": "python", "code": f"apart, wait for {pipe}"})
    assert not ask(worker, "c.1", "beside it")["result"]["details"]["isShared"]
    assert is_alive(before)
    pipe.write_bytes(b"go on")
    assert worker.ending("b.1")["type"] == "result"
    assert pid_once_shared(worker) != before


def test_what_they_load_is_there_for_the_next_when_they_end_in_time(tmp_path: Path) -> None:
    pipes = [tmp_path / "one", tmp_path / "two"]
    with Worker(tmp_path, "--slots", "2", *HANDLER) as worker:
        worker.health()
        before = pid_once_shared(worker)
        for number, pipe in enumerate(pipes):
            os.mkfifo(pipe)
            give_up(worker, f"a{number}.1", f"wait for {pipe}")
        assert not ask(worker, "b.1", "instead")["result"]["details"]["isShared"]
        for pipe in pipes:
            pipe.write_bytes(b"go on")
        assert pid_once_shared(worker) == before


def test_threads_that_are_left_behind_and_come_to_an_end_are_not_held_against_anybody(
    worker: Worker, tmp_path: Path
) -> None:
    pid = ask(worker, "a.1", "before it")["result"]["details"]["pid"]
    for number in range(5):
        pipe = tmp_path / f"pipe{number}"
        os.mkfifo(pipe)
        give_up(worker, f"b{number}.1", f"wait for {pipe}")
        pipe.write_bytes(b"go on")
        until(lambda pipe=pipe: not pipe.exists(), "the thread is at its end")  # type: ignore[misc]
        assert ask(worker, f"c{number}.1", "after it")["result"]["details"]["pid"] == pid


def test_nobody_waits_for_a_thread_that_cannot_be_started(worker: Worker, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    worker.begin("a.1", {"language": "python", "code": f"take all threads, wait for {pipe}"})
    with worker.follow("a.1") as events:
        assert [next(events)["type"] for _ in range(2)] == ["accepted", "log"]
    assert not ask(worker, "b.1", "beside it")["result"]["details"]["isShared"]
    pipe.write_bytes(b"go on")
    assert worker.ending("a.1")["type"] == "result"
    assert ask(worker, "c.1", "after it")["result"]["details"]["isShared"]


def test_progress_may_be_told_again(worker: Worker) -> None:
    assert not ask(worker, "a.1", "turn and die")["result"]["details"]["isShared"]
    assert [each["type"] for each in worker.events("a.1")][:2] == ["accepted", "progress"]


def test_what_a_thread_writes_that_is_left_behind_is_not_kept(worker: Worker, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    give_up(worker, "a.1", f"wait for {pipe}")
    pipe.write_bytes(b"go on")
    until(lambda: not pipe.exists(), "the thread is at its end")
    assert sorted(each.name for each in (worker.spool / "a.1").iterdir()) == ["events.ndjson", "result.json"]


def test_one_that_cannot_be_written_about_fails_alone(worker: Worker) -> None:
    (worker.spool / "a.1").write_text("a file where its directory should be")
    worker.begin("a.1", {"language": "python", "code": "hello"})
    assert worker.events("a.1")[-1]["error"]["code"] == "spool_failed"
    assert ask(worker, "b.1", "after it")["result"]["details"]["isShared"]


def test_one_that_takes_too_long_is_ended(worker: Worker) -> None:
    error = ask(worker, "a.1", "for ever", timeoutSeconds=0.3)["error"]
    assert (error["code"], error["reason"]) == ("timeout", "timeout")


def test_the_events_are_the_answer_to_the_start_when_they_are_asked_for(worker: Worker) -> None:
    request = {"token": "a.1", "service": "code", "spec": {"language": "python", "code": "hello"}}
    limits = {"timeoutSeconds": 60, "outputLimitBytes": 1000}
    answer = worker.http.post("/attempts?follow=1", json=request | limits)
    assert answer.status_code == 202
    assert answer.content == worker.http.get("/attempts/a.1/events?after=0").content
    assert answer.content == (worker.spool / "a.1" / "events.ndjson").read_bytes()
