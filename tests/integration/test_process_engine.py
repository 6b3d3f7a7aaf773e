"""Instances that are processes, where the disk has no room."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pitchey_cli.domain.errors import EngineError
from pitchey_cli.domain.limits import MIB, Limits
from pitchey_cli.engines import marked
from pitchey_cli.engines.port import InstanceSpec
from pitchey_cli.engines.process import ProcessEngine


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
