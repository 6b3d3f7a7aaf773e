"""Instances that are processes: where the disk has no room, and many ask at once."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from pitchey_cli.domain.errors import EngineError
from pitchey_cli.domain.limits import MIB, Limits
from pitchey_cli.engines import marked, niceness
from pitchey_cli.engines.port import InstanceSpec, InstanceStatus
from pitchey_cli.engines.process import ProcessEngine
from tests.resources.waiting import until


@contextmanager
def no_room() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_instance_that_cannot_be_written_down_is_not_left_running(tmp_path: Path) -> None:
    engine = ProcessEngine(tmp_path)
    command = ("python3", "-c", "import time; time.sleep(60)")
    spec = InstanceSpec("code-unwritten", "image", command, Limits(cpus=1, memory_bytes=64 * MIB))
    with no_room(), pytest.raises(EngineError, match="could not be written down: File too large"):
        engine.start(spec)
    assert marked.members("code-unwritten") == []
    assert list(tmp_path.iterdir()) == []


def ending(engine: ProcessEngine, instance_id: str) -> str:
    """Start an instance that is over at once, with exit code 3."""
    command = ("python3", "-S", "-c", "raise SystemExit(3)")
    engine.start(InstanceSpec(instance_id, "image", command, Limits(cpus=1, memory_bytes=64 * MIB)))
    return instance_id


def test_many_may_ask_at_once_how_an_instance_has_ended(tmp_path: Path) -> None:
    engine, askers = ProcessEngine(tmp_path), 16
    asking = Barrier(askers)

    def exit_code(instance_id: str) -> int:
        asking.wait()
        while (code := engine.inspect(instance_id).exit_code) is None:
            pass
        return code

    with ThreadPoolExecutor(askers) as threads:
        for number in range(3):
            instance_id = ending(engine, f"code-{number}")
            assert set(threads.map(exit_code, [instance_id] * askers)) == {3}


def test_how_an_instance_has_ended_is_said_where_it_cannot_be_written_down(tmp_path: Path) -> None:
    engine = ProcessEngine(tmp_path)
    instance_id = ending(engine, "code-unsaid")
    with no_room():
        until(lambda: engine.inspect(instance_id).status is InstanceStatus.EXITED, "it has ended")
        assert engine.inspect(instance_id).exit_code == 3
    assert ProcessEngine(tmp_path).inspect(instance_id).status is InstanceStatus.EXITED


def test_an_instance_stands_behind_the_daemon_when_processors_are_short(tmp_path: Path) -> None:
    engine = ProcessEngine(tmp_path)
    command = ("python3", "-c", "import time; time.sleep(60)")
    engine.start(InstanceSpec("video-behind", "image", command, Limits(cpus=1, memory_bytes=64 * MIB)))
    try:
        until(lambda: marked.members("video-behind"), "it carries its mark")
        (process,) = marked.members("video-behind")
        assert process.nice() == min(19, os.getpriority(os.PRIO_PROCESS, 0) + niceness.STEP)
        if said := _of_session("self"):  # else the kernel gives sessions no shares
            wanted = str(max(niceness.STEP, int(said[-1])))
            until(lambda: _of_session(process.pid)[-1] == wanted, "its session stands behind")
    finally:
        engine.remove("video-behind")


def _of_session(pid: int | str) -> list[str]:
    path = Path(f"/proc/{pid}/autogroup")
    return path.read_text().split() if path.exists() else []
