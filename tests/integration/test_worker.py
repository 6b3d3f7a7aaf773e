"""The worker as its host meets it: a real process, a real socket, attempts that misbehave in every way."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.resources.waiting import DEADLINE_SECONDS, until
from tests.resources.workers import Worker, is_alive

HANDLER = ("--handler", "tests.resources.handlers.behaviours")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker for all tests that leave it as it was: that it survives them all is a test, too."""
    with Worker(tmp_path_factory.mktemp("shared"), "--slots", "2", *HANDLER) as worker:
        yield worker
        assert worker.health()["attempts"] == []


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    return f"t{abs(hash(request.node.name))}.1"


def does(behaviour: str, *inputs: Any) -> dict[str, Any]:
    return {"language": "python", "code": behaviour, "inputs": list(inputs)}


def wait_for_log(events: Iterator[dict[str, Any]], line: str) -> None:
    assert any(event.get("line") == line for event in events)


def pids_in_log(events: Iterator[dict[str, Any]], count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        line = next(events).get("line", "")
        if line.startswith("pid "):
            found.append(int(line.split()[1]))
    return found


# --- how attempts end


def test_a_success_tells_its_outputs_and_what_it_took(shared: Worker, token: str) -> None:
    shared.begin(token, does("succeed"), inputs=[{"field": "a", "path": "0", "name": "a", "size": 7, "sha256": "0"}])
    events = shared.events(token)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events] == ["accepted", "log", "log", "log", "progress", "result"]
    assert events[-1]["result"]["outputs"] == [
        {"path": "greeting.txt", "mediaType": "text/plain", "role": "greeting", "size": 5, "details": {}}
    ]
    assert events[-1]["metrics"]["bytesIn"] == 7
    assert events[-1]["metrics"]["bytesOut"] == 5
    assert (shared.spool / token / "out" / "greeting.txt").read_text() == "hello"
    assert shared.ending(token) == events[-1]


@pytest.mark.parametrize(
    ("behaviour", "code", "reason", "retryable", "words"),
    [
        ("fail", "no_luck", "failed", True, "There was no luck."),
        ("reject", "never", "rejected", False, "can never work"),
        ("raise_a_bug", "internal_error", "failed", True, "ZeroDivisionError: by nought"),
        ("crash", "died", "failed", True, "SIGSEGV"),
        ("be_killed", "died", "failed", True, "SIGKILL"),
        ("exit_silently", "died", "failed", True, "status 7"),
        ("run_a_failing_program", "program_failed", "failed", True, "status 3: last words"),
    ],
)
def test_a_failure_says_what_kind_it_is(
    shared: Worker, token: str, behaviour: str, code: str, reason: str, retryable: bool, words: str
) -> None:
    shared.begin(token, does(behaviour))
    error = shared.ending(token)["error"]
    assert (error["code"], error["reason"], error["retryable"]) == (code, reason, retryable)
    assert words in error["message"]


def test_a_spec_that_is_not_valid_is_rejected(shared: Worker, token: str) -> None:
    shared.begin(token, {"language": "cobol"})
    assert shared.ending(token)["error"]["reason"] == "rejected"


def test_an_attempt_may_not_write_more_than_its_limit(shared: Worker, token: str) -> None:
    shared.begin(token, does("fill_the_disk"), outputLimitBytes=1_000_000)
    assert shared.ending(token)["error"]["code"] == "output_too_large"


def test_what_programs_of_the_attempt_use_is_counted(shared: Worker, token: str) -> None:
    shared.begin(token, does("hog"))
    metrics = shared.ending(token)["metrics"]
    assert metrics["cpuSeconds"] >= 0.3
    assert metrics["peakRssBytes"] >= 80_000_000


def test_nothing_that_an_attempt_has_started_outlives_it(shared: Worker, token: str) -> None:
    shared.begin(token, does("leave_a_daemon"))
    with shared.follow(token) as events:
        (daemon,) = pids_in_log(events, 1)
        assert list(events)[-1]["type"] == "result"
    assert not is_alive(daemon)


# --- stopping


@pytest.mark.parametrize("grace", [0, 30])
def test_cancelling_ends_the_whole_family(shared: Worker, token: str, grace: int) -> None:
    shared.begin(token, does("raise_a_family"))
    with shared.follow(token) as events:
        family = pids_in_log(events, 2)
        assert all(map(is_alive, family))
        assert shared.http.delete(f"/attempts/{token}?grace={grace}").status_code == 202
        last = list(events)[-1]
    assert last["error"]["reason"] == "cancelled"
    assert not any(map(is_alive, family))


def test_a_program_may_clean_up_within_the_grace(shared: Worker, token: str) -> None:
    shared.begin(token, does("run_a_program_that_ends_well_on_term"))
    with shared.follow(token) as events:
        wait_for_log(events, "ready")
        shared.http.delete(f"/attempts/{token}?grace=30")
        rest = list(events)
    assert "cleaned up" in [event.get("line") for event in rest]
    assert rest[-1]["error"]["reason"] == "cancelled"


def test_who_ignores_term_is_killed_after_the_grace(shared: Worker, token: str) -> None:
    shared.begin(token, does("ignore_term"))
    with shared.follow(token) as events:
        wait_for_log(events, "sleeping")
        shared.http.delete(f"/attempts/{token}?grace=0.05")
        assert list(events)[-1]["error"]["reason"] == "cancelled"


def test_an_attempt_that_takes_too_long_times_out(shared: Worker, token: str) -> None:
    shared.begin(token, does("sleep"), timeoutSeconds=0.3)
    error = shared.ending(token)["error"]
    assert (error["reason"], error["message"]) == ("timeout", "The attempt took longer than 0.3 s.")


def test_cancelling_what_has_ended_is_fine_and_what_is_unknown_is_not(shared: Worker, token: str) -> None:
    shared.begin(token, does("succeed"))
    shared.ending(token)
    assert shared.http.delete(f"/attempts/{token}").status_code == 200
    assert shared.http.delete("/attempts/unknown.1").status_code == 404
    assert shared.http.get("/attempts/unknown.1/events").status_code == 404
    assert shared.http.get("/attempts/..%2f..%2fetc.1/events").status_code == 404


# --- slots and tokens


def test_slots_and_tokens_are_guarded(shared: Worker, token: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first, second = token, f"{token}0"
    for name in (first, second):
        shared.begin(name, does("wait_for_file", str(gate)))
    assert shared.health()["attempts"] == [first, second]
    assert shared.post("other.1", does("succeed")).status_code == 429
    assert shared.post(first, does("succeed")).status_code == 409
    gate.touch()
    assert shared.ending(first)["type"] == shared.ending(second)["type"] == "result"
    assert shared.post(first, does("succeed")).status_code == 409


def test_an_attempt_knows_how_many_run_beside_it(shared: Worker, token: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first, second, third = token, f"{token}0", f"{token}1"
    for name in (first, second):
        shared.begin(name, does("wait_for_file", str(gate)))
        with shared.follow(name) as events:
            wait_for_log(events, "waiting")
    gate.touch()
    assert [shared.ending(name)["result"]["details"]["beside"] for name in (first, second)] == [0, 1]
    shared.begin(third, does("wait_for_file", str(gate)))
    assert shared.ending(third)["result"]["details"]["beside"] == 0


# --- events


def test_attempts_have_the_share_of_their_instance_and_none_of_their_own(shared: Worker, token: str) -> None:
    shared.begin(token, does("sleep"))
    with shared.follow(token) as events:
        wait_for_log(events, "sleeping")
        until(lambda: len(shared.strays()) == 1, "those of tests before are gone")
        (child,) = shared.strays()
        assert os.getsid(child.pid) == os.getsid(shared.pid), "the kernel weighs sessions"
        shared.http.delete(f"/attempts/{token}?grace=0")
        list(events)


def test_events_can_be_asked_for_again_from_any_number(shared: Worker, token: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    shared.begin(token, does("wait_for_file", str(gate)))
    with shared.follow(token) as events:
        wait_for_log(events, "waiting")  # and then this reader vanishes
    with shared.follow(token, after=1) as events:
        assert next(events)["line"] == "waiting"
        gate.touch()
        assert [event["seq"] for event in events] == [3, 4]
    assert [event["seq"] for event in shared.events(token, after=2)] == [3, 4]
    assert shared.events(token, after=4) == []
    assert shared.http.get(f"/attempts/{token}/events?after=x").status_code == 400


def test_a_loud_attempt_is_cut_to_size(shared: Worker, token: str) -> None:
    shared.begin(token, does("shout"))
    logs = [event for event in shared.events(token) if event["type"] == "log"]
    assert len(logs[0]["line"]) == 8192 + len(" [cut]")
    assert logs[-1]["stream"] == "worker"
    assert "the rest is left out" in logs[-1]["line"]
    assert sum(len(event["line"]) for event in logs) < 11 * 1024 * 1024


def test_progress_is_thinned_out_but_never_of_its_ends(shared: Worker, token: str) -> None:
    shared.begin(token, does("hurry"))
    progress = [event for event in shared.events(token) if event["type"] == "progress"]
    assert len(progress) < 20
    assert (progress[0]["fraction"], progress[-1]["fraction"]) == (0.0, 1.0)
    assert all(later["at"] - earlier["at"] > 0.2 for earlier, later in pairwise(progress[:-1]))


def test_a_last_progress_that_nobody_understands_does_not_cost_the_ending(shared: Worker, token: str) -> None:
    shared.begin(token, does("mumble"))
    *_, complaint, last = shared.events(token)
    assert (complaint["type"], last["type"]) == ("log", "result")
    assert "not understood" in complaint["line"]


def test_a_reader_that_does_not_read_costs_no_memory(shared: Worker, token: str) -> None:
    shared.begin(token, does("shout"))
    shared.ending(token)
    before = memory_of(shared.pid)
    stuck = [shared.connect() for _ in range(8)]
    for connection in stuck:
        connection.sendall(f"GET /attempts/{token}/events HTTP/1.1\r\nhost: w\r\n\r\n".encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
    assert len(shared.events(token)) > 1000
    assert memory_of(shared.pid) - before < 10_000_000
    for connection in stuck:
        connection.close()


def memory_of(pid: int) -> int:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


# --- bad clients


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"\x16\x03\x01garbage\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: w\r\nx: " + b"y" * 20_000, b"431"),
        (b"POST /attempts HTTP/1.1\r\nhost: w\r\ncontent-length: 70000000\r\n\r\n" + b"x" * 1000, b"413"),
        (b"POST /attempts HTTP/1.1\r\nhost: w\r\ncontent-length: 5\r\n\r\nhello", b"400"),
        (b"GET /nothing HTTP/1.1\r\nhost: w\r\n\r\n", b"404"),
        (b"PUT /attempts/a.1 HTTP/1.1\r\nhost: w\r\n\r\n", b"405"),
    ],
)
def test_what_is_not_understood_is_answered_and_survived(shared: Worker, sent: bytes, answer: bytes) -> None:
    with shared.connect() as connection:
        connection.sendall(sent)
        assert connection.recv(65536).split()[1] == answer
    assert shared.health()["slots"] == 2


def test_half_a_request_starts_nothing(shared: Worker) -> None:
    with shared.connect() as connection:
        connection.sendall(b"POST /attempts HTTP/1.1\r\nhost: w\r\ncontent-length: 500\r\n\r\n{")
    assert shared.health()["attempts"] == []


def test_a_connection_is_used_again(shared: Worker) -> None:
    with shared.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET /health HTTP/1.1\r\nhost: w\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_an_attempt_of_another_service_is_refused(shared: Worker, token: str) -> None:
    answer = shared.post(token, does("succeed"), service="media")
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_service")


# --- life and death of the worker


def test_a_draining_worker_ends_what_it_has_and_takes_nothing_new(tmp_path: Path) -> None:
    with Worker(tmp_path, *HANDLER) as worker:
        worker.begin("a.1", does("wait_for_file", str(tmp_path / "gate")))
        assert worker.http.post("/drain").status_code == 200
        assert worker.health()["draining"] is True
        assert worker.post("b.1", does("succeed")).status_code == 503
        assert worker.post("a.1", does("succeed")).status_code == 409
        (tmp_path / "gate").touch()
        assert worker.ending("a.1")["type"] == "result"


def test_a_worker_that_is_told_to_stop_hands_its_attempts_back(tmp_path: Path) -> None:
    with Worker(tmp_path, *HANDLER) as worker:
        worker.begin("a.1", does("raise_a_family"))
        with worker.follow("a.1") as events:
            family = pids_in_log(events, 2)
            assert worker.stop(signal.SIGTERM) == 0
            error = list(events)[-1]["error"]
        assert (error["reason"], error["retryable"]) == ("interrupted", True)
        assert json.loads((worker.spool / "a.1" / "result.json").read_text())["error"] == error
        assert not any(map(is_alive, family))
        assert list(worker.run.iterdir()) == []


def test_a_worker_after_a_killed_one_takes_its_place_and_tells_its_events(tmp_path: Path) -> None:
    home = tmp_path / ("deep-" * 30)  # longer than a socket's path may be
    with Worker(home, *HANDLER) as worker:
        worker.begin("a.1", does("succeed"))
        worker.ending("a.1")
        worker.stop(signal.SIGKILL)
        worker.start()
        assert worker.events("a.1", after=4)[-1]["type"] == "result"
        assert worker.post("a.1", does("succeed")).status_code == 409


def test_an_attempt_dies_with_its_worker_and_has_no_ending(tmp_path: Path) -> None:
    with Worker(tmp_path, *HANDLER) as worker:
        worker.begin("a.1", does("sleep"))
        with worker.follow("a.1") as events:
            wait_for_log(events, "sleeping")
        (child,) = psutil.Process(worker.pid).children()
        worker.stop(signal.SIGKILL)
        until(lambda: not is_alive(child.pid), "the attempt is gone")
        worker.start()
        assert [event["type"] for event in worker.events("a.1")] == ["accepted", "log"]
        assert not (worker.spool / "a.1" / "result.json").exists()


def test_a_worker_that_nobody_needs_ends(tmp_path: Path) -> None:
    with Worker(tmp_path, "--idle-exit", "0.5", *HANDLER) as worker:
        worker.begin("a.1", does("wait_for_file", str(tmp_path / "gate")))
        with worker.follow("a.1") as events:
            wait_for_log(events, "waiting")
        assert worker.process is not None
        (tmp_path / "gate").touch()
        assert worker.process.wait(DEADLINE_SECONDS) == 0
        assert json.loads((worker.spool / "a.1" / "result.json").read_text())["type"] == "result"


def test_a_running_attempt_keeps_the_worker_alive(tmp_path: Path) -> None:
    with Worker(tmp_path, "--idle-exit", "0.2", *HANDLER) as worker:
        worker.begin("a.1", does("sleep"), timeoutSeconds=1)
        with worker.follow("a.1") as events:
            assert list(events)[-1]["error"]["reason"] == "timeout"


def test_a_worker_whose_child_is_killed_for_it_goes_on(shared: Worker, token: str) -> None:
    shared.begin(token, does("raise_a_family"))
    with shared.follow(token) as events:
        family = pids_in_log(events, 2)
        (child,) = psutil.Process(shared.pid).children()
        child.kill()
        error = list(events)[-1]["error"]
    assert (error["code"], error["reason"], error["retryable"]) == ("died", "failed", True)
    until(lambda: not any(map(is_alive, family)), "the family is gone")


def test_a_worker_whose_service_cannot_work_ends_and_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    worker = Worker(tmp_path, "--handler", "tests.resources.handlers.cold")
    try:
        with suppress(AssertionError):  # the look whether it is ready may find that it has ended
            worker.start()
        assert worker.process is not None
        assert worker.process.wait(DEADLINE_SECONDS) == 1
    finally:
        worker.__exit__()
    assert "The code service cannot work here: ImportError('libmissing.so')" in capfd.readouterr().err
