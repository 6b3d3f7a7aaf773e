"""The process beside the attempts: it outlives them, is there for all of them, and comes back when it dies."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.worker.companion import SOCKET_NAME
from tests.resources.waiting import until
from tests.resources.workers import Worker, is_alive

HANDLER = ("--handler", "tests.resources.handlers.remembering")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker(tmp_path, "--slots", "2", *HANDLER) as started:
        yield started


def ask(worker: Worker, token: str, code: str = "next") -> dict[str, Any]:
    worker.begin(token, {"language": "python", "code": code})
    return worker.ending(token)


def test_what_it_keeps_outlives_the_attempts_and_their_sweeping(worker: Worker) -> None:
    found = [ask(worker, f"t{number}.1")["result"]["details"] for number in range(1, 4)]
    assert [each["number"] for each in found] == [1, 2, 3]
    assert len({(each["pid"], each["helper"]) for each in found}) == 1
    assert is_alive(found[0]["pid"]) and is_alive(found[0]["helper"])
    until(lambda: worker.health()["loadedModels"] == ["number-3"], "what it says is passed on")
    assert worker.health()["modelBytes"] == {"number-3": 3}


def test_one_that_dies_is_started_anew_and_only_who_used_it_notices(worker: Worker) -> None:
    first = ask(worker, "a.1")["result"]["details"]
    assert ask(worker, "b.1", "die")["error"]["code"] == "companion_lost"
    second = ask(worker, "c.1")["result"]["details"]
    assert second["number"] == 1 and second["pid"] != first["pid"]
    assert not is_alive(first["helper"])


def test_it_ends_with_the_worker(worker: Worker) -> None:
    details = ask(worker, "a.1")["result"]["details"]
    assert worker.stop() == 0
    until(lambda: not is_alive(details["pid"]), "the companion has ended")
    assert not (worker.run / SOCKET_NAME).exists()


def test_a_worker_that_is_killed_leaves_no_companion(worker: Worker) -> None:
    details = ask(worker, "a.1")["result"]["details"]
    worker.stop(signal.SIGKILL)
    until(lambda: not is_alive(details["pid"]), "the companion has ended")
