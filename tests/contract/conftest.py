"""Every store; and every engine, with the base image on it, and a laboratory that removes what a test has started.

A new adapter adds its name here, and runs all that its port promises.
"""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pitchey_cli.domain.limits import MIB, Limits
from pitchey_cli.engines import images
from pitchey_cli.engines.docker import DockerEngine
from pitchey_cli.engines.podman import PodmanEngine
from pitchey_cli.engines.port import LABEL_STATE, Engine, EngineKind, InstanceSpec, InstanceStatus, Mount
from pitchey_cli.engines.process import ProcessEngine
from pitchey_cli.store.port import Store
from pitchey_cli.store.postgres import PostgresStore
from pitchey_cli.store.sqlite import SqliteStore
from tests.resources.scripted_engine import Machine, ScriptedEngine
from tests.resources.waiting import until
from tests.servers.s3 import bucket, s3_server  # noqa: F401

CONTAINER_KINDS = (EngineKind.DOCKER, EngineKind.PODMAN)
SMALL = Limits(cpus=0.5, memory_bytes=64 * MIB, pids=32, tmp_bytes=16 * MIB, open_files=256)

_STORES = ("postgres", "sqlite")

_CONTAINERS: dict[EngineKind, Callable[[str], Engine]] = {
    EngineKind.DOCKER: DockerEngine,
    EngineKind.PODMAN: PodmanEngine,
}
_SCRIPTED = "scripted"  # the tests' own engine: what the daemon's tests believe of it is asked here


@dataclass
class Laboratory:
    """An engine, and the instances that a test has on it."""

    kind: EngineKind
    connect: Callable[[], Engine]  #: to the engine: another adapter, as another Pitchey would have it in its hands
    engine: Engine
    state: str = field(default_factory=lambda: uuid.uuid4().hex)  #: the label's value: ours are told from others' by it
    started: list[str] = field(default_factory=list)

    @property
    def image(self) -> str:
        return images.plan([])[0].tag

    def start(
        self, program: str, *arguments: str, mounts: tuple[Mount, ...] = (), image: str = "", runtime: str = ""
    ) -> str:
        """Start a Python program as an instance."""
        instance_id = f"lab-{uuid.uuid4().hex[:8]}"
        self.started.append(instance_id)
        self.engine.start(
            InstanceSpec(
                instance_id=instance_id,
                image=image or self.image,
                command=("python3", "-c", program, *arguments),
                limits=SMALL,
                labels={LABEL_STATE: self.state},
                mounts=mounts,
                environment={"GREETING": "hello"},
                runtime=runtime,
            )
        )
        return instance_id

    def start_printing(self, program: str) -> str:
        """Start a program, and wait until it has printed `ready`."""
        instance_id = self.start(program)
        until(lambda: "ready" in self.engine.logs(instance_id), "it has printed `ready`")
        return instance_id

    def until_exited(self, instance_id: str) -> None:
        """Wait until an instance has ended."""
        until(lambda: self.engine.inspect(instance_id).status is InstanceStatus.EXITED, "it has exited")

    def end(self) -> None:
        for instance_id in self.started:
            self.engine.remove(instance_id)


@functools.cache
def _container_engine(kind: EngineKind) -> tuple[Engine, str]:
    """Connect once in a session, and build the base image there."""
    variable = f"PITCHEY_TEST_{kind.upper()}"
    url = os.environ.get(variable)
    if not url:
        pytest.fail(f"{variable} names no {kind.title()} to test with; `make test` starts one and sets it.")
    engine = _CONTAINERS[kind](url)
    for _ in images.ensure(engine, None, images.find_ca_bundle(None)):
        pass
    return engine, url


def _laboratory(name: str, tmp_path: Path) -> Iterator[Laboratory]:
    connect: Callable[[], Engine]
    if name == EngineKind.PROCESS:
        connect = functools.partial(ProcessEngine, tmp_path / "processes")
        laboratory = Laboratory(EngineKind.PROCESS, connect, connect())
    elif name == _SCRIPTED:
        connect = functools.partial(ScriptedEngine, Machine())
        laboratory = Laboratory(ScriptedEngine.kind, connect, connect())
    else:
        kind = EngineKind(name)
        engine, url = _container_engine(kind)
        laboratory = Laboratory(kind, functools.partial(_CONTAINERS[kind], url), engine)
    yield laboratory
    laboratory.end()


@pytest.fixture(params=[*EngineKind, _SCRIPTED], ids=str)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laboratory]:
    """A laboratory on each engine."""
    yield from _laboratory(request.param, tmp_path)


@pytest.fixture(params=CONTAINER_KINDS, ids=str)
def container_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laboratory]:
    """A laboratory on each engine that has containers."""
    yield from _laboratory(request.param, tmp_path)


@pytest.fixture(params=_STORES)
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens one more connection to the database of this test."""
    opened: list[Store] = []
    url = request.getfixturevalue("postgres_store_url") if request.param == "postgres" else ""

    def connect() -> Store:
        opened.append(PostgresStore.open(url) if url else SqliteStore.open(tmp_path / "pitchey.db"))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture
def store(another: Callable[[], Store]) -> Store:
    """A store of this test's own."""
    return another()
