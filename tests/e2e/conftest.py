"""Real engines, and the video image built on each of them once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Pitchey

ENGINES = ("docker", "podman")


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings that select an engine which holds the images."""
    kind = request.param
    url = os.environ.get(f"PITCHEY_TEST_{kind.upper()}")
    if not url:
        pytest.fail(f"There is no {kind} for the tests: `make test` starts one.")
    settings = {"PITCHEY_ENGINE_KIND": kind, "PITCHEY_ENGINE_URL": url}
    directory = tmp_path_factory.mktemp(f"images-{kind}")
    Pitchey(directory / "state", directory, settings).ok("images", "build", "video")
    return settings


@pytest.fixture
def contained(tmp_path: Path, engine: dict[str, str]) -> Iterator[Pitchey]:
    """The command line with an empty state directory, on a real engine."""
    work = tmp_path / "work"
    work.mkdir()
    command = Pitchey(tmp_path / "state", work, dict(engine))
    yield command
    command.end()
