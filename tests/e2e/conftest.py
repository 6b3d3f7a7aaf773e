"""Real engines, the images built on each of them once, and which tests run on all of them.

What depends on the engine is tested on each. What happens inside a slot is the same on each: such tests are marked
`by_turns`, and each case of them is run on one engine, the next case on the next. With `by_turns("landlock")` only
that goes by turns, and the engine does not. With PITCHEY_SANDBOX=long (`make sandbox`) all are run everywhere.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pitchey_cli.engines import images
from pitchey_cli.engines.discovery import connect
from processors.vocabulary import Service
from tests.conftest import Pitchey
from tests.resources.clusters import cluster  # noqa: F401

ENGINES = ("docker", "podman")
IS_LONG = os.environ.get("PITCHEY_SANDBOX") == "long"
_GROUNDS = ("engine", "code_engine", "ground", "landlock")  #: the parameters that say where a case is run


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave each case of the tests that go by turns on one ground."""
    marked = {item for item in items if item.get_closest_marker("by_turns")}
    if IS_LONG or not marked:
        return
    modules: dict[Path, dict[tuple[int, ...], list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        if item in marked:
            modules[item.path][_case(item)].append(item)
    for cases in modules.values():
        in_order = sorted(cases, key=lambda case: case[0])
        for number, case in enumerate(in_order):
            marked.remove(cases[case][number % len(cases[case])])
    config.hook.pytest_deselected(items=list(marked))
    items[:] = [item for item in items if item not in marked]


def _case(item: pytest.Item) -> tuple[int, ...]:
    """What is tested, wherever it is run: the line of the test, and which its other parameters are."""
    assert isinstance(item, pytest.Function)
    line, turns = item.location[1], item.get_closest_marker("by_turns")
    assert line is not None
    assert turns is not None
    return line, *(id(value) for name, value in item.callspec.params.items() if name not in (turns.args or _GROUNDS))


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings that select an engine which holds the images."""
    kind = request.param
    settings = {"PITCHEY_ENGINE_KIND": kind, "PITCHEY_ENGINE_URL": _url(kind)}
    directory = tmp_path_factory.mktemp(f"images-{kind}")
    for service in ("video", "media"):  # each has its own time
        Pitchey(directory / "state", directory, settings).ok("images", "build", service)
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
