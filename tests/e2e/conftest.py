"""Real engines, and the images built on each of them once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pitchey_cli.engines import images
from pitchey_cli.engines.discovery import connect
from processors.vocabulary import Service
from tests.conftest import Pitchey

ENGINES = ("docker", "podman")


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings that select an engine which holds the images."""
    kind = request.param
    settings = {"PITCHEY_ENGINE_KIND": kind, "PITCHEY_ENGINE_URL": _url(kind)}
    directory = tmp_path_factory.mktemp(f"images-{kind}")
    Pitchey(directory / "state", directory, settings).ok("images", "build", "video")
    return settings


@dataclass(frozen=True)
class CodeEngine:
    """An engine that holds the image of the code service."""

    kind: str
    url: str
    image: str

    @property
    def settings(self) -> dict[str, str]:
        """What selects it."""
        return {"PITCHEY_ENGINE_KIND": self.kind, "PITCHEY_ENGINE_URL": self.url}


@pytest.fixture(scope="session", params=ENGINES)
def code_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CodeEngine:
    """An engine that holds the image of the code service."""
    kind = request.param
    url = _url(kind)
    engine = connect(kind, url, state_dir=tmp_path_factory.mktemp("engine"))
    for _ in images.ensure(engine, Service.CODE, images.find_ca_bundle(None)):
        pass
    engine.close()
    return CodeEngine(kind, url, images.current_tag(Service.CODE))


def _url(kind: str) -> str:
    url = os.environ.get(f"PITCHEY_TEST_{kind.upper()}")
    if not url:
        pytest.fail(f"There is no {kind} for the tests: `make test` starts one.")
    return url


@pytest.fixture
def contained(tmp_path: Path, engine: dict[str, str]) -> Iterator[Pitchey]:
    """The command line with an empty state directory, on a real engine."""
    work = tmp_path / "work"
    work.mkdir()
    command = Pitchey(tmp_path / "state", work, dict(engine))
    yield command
    command.end()
