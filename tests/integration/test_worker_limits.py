"""A full disk and a full memory cost the attempts that meet them; not the worker, nor what comes after."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.worker.cgroup import read_usage
from tests.resources.workers import Worker

HANDLER = ("--handler", "tests.resources.handlers.behaviours")


def does(behaviour: str) -> dict[str, Any]:
    return {"language": "python", "code": behaviour}


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Worker]:
    """A worker whose spool has one MiB: a file system of its own, in a mount namespace of its own."""
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    mount = f'mount -t tmpfs -o size=1m pitchey {tmp_path}/spool && exec "$@"'
    with Worker(tmp_path, *HANDLER, prefix=[*unshare, "sh", "-c", mount, "sh"]) as worker:
        worker.spool = Path(f"/proc/{worker.pid}/root{worker.spool}")
        yield worker


def test_outputs_that_fill_the_disk_fail_and_make_room_again(cramped: Worker) -> None:
    cramped.begin("a.1", does("fill_the_disk"))
    error = cramped.ending("a.1")["error"]
    assert (error["code"], error["reason"], error["retryable"]) == ("disk_full", "failed", True)
    cramped.begin("b.1", does("succeed"))
    assert cramped.ending("b.1")["type"] == "result"


def test_events_that_find_the_disk_full_are_still_told(cramped: Worker) -> None:
    cramped.begin("a.1", does("fill_the_disk_then_talk"))
    events = cramped.events("a.1")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["error"]["code"] == "disk_full"
    assert cramped.events("a.1") == events
    assert cramped.ending("a.1") == events[-1]


def test_a_disk_without_any_room_costs_the_attempt_only(cramped: Worker) -> None:
    filler = cramped.spool / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    cramped.begin("a.1", does("succeed"))
    assert cramped.events("a.1")[-1]["error"]["code"] == "disk_full"
    assert cramped.post("a.1", does("succeed")).status_code == 409
    filler.unlink()
    cramped.begin("b.1", does("succeed"))
    assert cramped.ending("b.1")["type"] == "result"


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group that may have 150 MB."""
    version = read_usage().version
    group = Path("/sys/fs/cgroup", "memory" if version == 1 else "", f"pitchey-test-{os.getpid()}")
    group.mkdir()
    (group / ("memory.limit_in_bytes" if version == 1 else "memory.max")).write_text("150000000")
    yield group
    group.rmdir()


def test_an_attempt_that_takes_too_much_memory_is_told_so_and_the_worker_lives(
    tmp_path: Path, small_group: Path
) -> None:
    join = f'echo $$ > {small_group}/cgroup.procs && exec "$@"'
    with Worker(tmp_path, *HANDLER, prefix=["sh", "-c", join, "sh"]) as worker:
        for token, behaviour in (("a.1", "take_all_memory"), ("b.1", "let_a_program_take_all_memory")):
            worker.begin(token, does(behaviour))
            error = worker.ending(token)["error"]
            assert (error["code"], error["reason"], error["retryable"]) == ("out_of_memory", "oom", True)
        assert worker.health()["usage"]["oomKills"] == 2
        assert worker.health()["usage"]["memoryLimitBytes"] < 150_000_001
