"""A runtime that is set and is not there. On the scripted engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pitchey_cli.domain.job import JobState
from processors.protocol import Service
from tests.resources.scripted_ground import Ground
from tests.resources.scripted_node import service


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    wanted = replace(service(Service.VIDEO, slots=3), runtime="runsc")
    ground = Ground(tmp_path, {Service.VIDEO: wanted})
    ground.start_daemon()
    yield ground
    ground.end()


def test_a_missing_runtime_is_said_once_and_the_jobs_wait(ground: Ground) -> None:
    job = ground.submit()
    ground.pass_time(1000.0)
    said = [line for line in ground.log if "runsc" in line]
    assert len(said) == 1 and "no video instance: There is no runtime 'runsc'" in said[0]
    assert ground.store.job(job).state is JobState.QUEUED
    assert ground.machine.ids() == []
