"""What Pitchey asks of a container engine. Adapters: docker.py, podman.py, process.py; grouped.py around the first two.

Calls are plain and may block; the daemon makes them in threads. An instance is named by its id everywhere, and carries
labels by which it is found again after a crash. One contract suite (tests/contract/test_engine_contract.py) runs
against every adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pitchey_cli.domain.limits import MIB, Limits

LABEL_STATE = "pitchey.state"  #: the state directory that owns the instance, see domain/layout.py
LABEL_INSTANCE = "pitchey.instance"
LABEL_SERVICE = "pitchey.service"
LABEL_GROUP = "pitchey.group"  #: on the slots of an instance that is a group of them: the instance
LABEL_PORTER = "pitchey.porter"  #: on the container of a porter: the instance that it carries for
LABEL_ORGANISATION = "pitchey.organisation"  #: for which alone it works, where instances are not shared
LABEL_IMAGE = "pitchey.image"  #: on images: the name (base, video, ...) that it was built for


class EngineKind(StrEnum):
    """The engines there are."""

    DOCKER = "docker"
    PODMAN = "podman"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says of itself and of its host."""

    kind: EngineKind
    version: str
    endpoint: str  #: where it was reached
    cpus: float
    memory_bytes: int
    is_rootless: bool = False
    cgroup_version: int | None = None
    runtimes: tuple[str, ...] = ()  #: that a container may ask for; the engine's own comes first
    not_enforced: tuple[str, ...] = ()  #: what isolation is lost, in words a user understands


@dataclass(frozen=True, slots=True)
class Mount:
    """A host directory seen inside the instance."""

    source: Path
    target: str
    is_read_only: bool = False


GIVEN_DIR = "/given"  #: of an instance that shares no files: what its porter has fetched; its worker reads it
TAKEN_DIR = "/taken"  #: what its worker leaves for its porter, and the socket between the two
KEPT_DIR = "/kept"  #: what its porter keeps to itself


@dataclass(frozen=True, slots=True)
class PorterSpec:
    """What stands in front of the worker of an instance that shares no files with the host (processors/porter)."""

    command: tuple[str, ...]
    port: int  #: in the porter's own network
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)  #: in KEPT_DIR, for the porter alone
    directories: tuple[str, ...] = ()  #: to be there when it starts, the user's own
    network: str = "bridge"  #: of the engine's, by which it reaches the object store, and nothing of the worker's does


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """All that an engine needs to start an instance."""

    instance_id: str
    image: str
    command: tuple[str, ...]
    limits: Limits
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: tuple[int, int] = (10001, 10001)  #: uid and gid that the instance runs as
    runtime: str = ""  #: one of the engine's; empty for its own
    has_gpu: bool = False  #: it is given the graphics cards, and is not started without
    is_group: bool = False  #: a supervisor on the host, and a container for each job; see grouped.py
    porter: PorterSpec | None = None  #: where no files are shared; then there are no mounts


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """A container for one job of an instance that is a group of such containers."""

    slot_id: str
    image: str
    memory_bytes: int
    cpus: float
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()
    job_bytes: int = 64 * MIB  #: size of the tmpfs on /job; its pages count as memory
    job_files: int = 4096  #: files in it, where the engine can say so
    runtime: str = ""  #: one of the engine's; empty for its own
    is_removed_at_its_end: bool = False  #: by the engine: whoever started it may be gone by then


class InstanceStatus(StrEnum):
    """What the engine says of an instance."""

    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """An instance as the engine sees it."""

    instance_id: str
    status: InstanceStatus
    labels: Mapping[str, str]
    exit_code: int | None = None  #: 137 for one that was killed
    is_oom_killed: bool = False  #: where the engine can tell: Podman on cgroup v1 cannot, and its worker has to


@dataclass(frozen=True, slots=True)
class InstanceUsage:
    """What an instance has used (CPU) and uses (memory)."""

    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a throw-away container printed and how it ended."""

    exit_code: int
    output: str  #: stdout and stderr as they came


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image of ours that the engine holds."""

    tag: str  #: or its identifier, when it has no tag
    labels: Mapping[str, str]
    size_bytes: int
    created_at: float  #: Unix time


@dataclass(frozen=True, slots=True)
class BuildStep:
    """One line of a build, as it happens."""

    line: str
    step: int | None = None
    steps: int | None = None


class Engine(Protocol):
    """Runs instances. Errors are EngineUnavailable, ImageMissing, ImageBuildFailed, InstanceGone, or EngineError."""

    @property
    def kind(self) -> EngineKind:
        """Which engine this is."""

    def info(self) -> EngineInfo:
        """Ask the engine about itself."""

    def start(self, spec: InstanceSpec) -> None:
        """Create and start an instance. Returns when it runs, which is before its worker is ready.

        Raises:
            RuntimeMissing: it asks for a runtime that the engine does not have.
        """

    def inspect(self, instance_id: str) -> InstanceInfo:
        """Look at one instance."""

    def address(self, instance_id: str) -> tuple[str, int]:
        """Host and port at which the porter of an instance is reached; InstanceGone where there is none."""

    def find(self, labels: Mapping[str, str]) -> list[InstanceInfo]:
        """Every instance, running or not, that carries all of these labels."""

    def usage(self, instance_id: str) -> InstanceUsage:
        """What a running instance uses."""

    def logs(self, instance_id: str, *, lines: int = 100) -> str:
        """The last lines that the instance's first process has printed."""

    def pause(self, instance_id: str) -> None:
        """Freeze an instance; memory stays, CPU stops."""

    def unpause(self, instance_id: str) -> None:
        """Thaw a paused instance."""

    def stop(self, instance_id: str, *, grace_seconds: float) -> None:
        """TERM, and KILL after the grace. One that has exited already is no error."""

    def kill(self, instance_id: str) -> None:
        """KILL now. One that has exited already is no error."""

    def remove(self, instance_id: str) -> None:
        """Kill it if it runs, and forget it. One that does not exist is no error."""

    def run(self, image: str, command: tuple[str, ...], limits: Limits) -> RunResult:
        """Run a throw-away container to its end, hardened as an instance is."""

    def has_image(self, tag: str) -> bool:
        """Whether the engine holds an image."""

    def images(self, *, tagged: bool = True) -> list[ImageInfo]:
        """The images that carry our label; or those of them that lost their tag or are a build's stages."""

    def build(
        self, context: Path, containerfile: str, tag: str, *, labels: Mapping[str, str], arguments: Mapping[str, str]
    ) -> Iterator[BuildStep]:
        """Build an image from a directory; the file's name is relative to it.

        Raises:
            ImageBuildFailed: names the step and has the last lines of its output.
        """

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry."""

    def import_root(self, tarball: Path, reference: str) -> None:
        """Make an image out of a root file system in a tar."""

    def remove_image(self, tag: str) -> None:
        """Forget an image. One that does not exist is no error."""

    def close(self) -> None:
        """Let go of connections. Instances go on."""
