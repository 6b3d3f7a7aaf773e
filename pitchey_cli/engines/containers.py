"""What Docker and Podman do alike, above a client of whichever library.

The client is made on first use and lives on over restarts of the engine: one that was away is simply asked again.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pitchey_cli.domain.errors import EngineError, InstanceGone
from pitchey_cli.domain.limits import Limits
from pitchey_cli.engines import runtimes
from pitchey_cli.engines.port import (
    EngineInfo,
    EngineKind,
    InstanceInfo,
    InstanceSpec,
    InstanceStatus,
    InstanceUsage,
    RunResult,
)

SILENT_BUILD_SECONDS = 600  # longest time that a build step may print nothing

_ALL_LINES = 1_000_000
_KILLED = 128 + 9
_REMOVAL_SECONDS = 10.0
_REMOVAL_POLL_SECONDS = 0.05
_STATUS = {
    "running": InstanceStatus.RUNNING,
    "restarting": InstanceStatus.RUNNING,
    "stopping": InstanceStatus.RUNNING,
    "paused": InstanceStatus.PAUSED,
}


class Closable(Protocol):
    """A client of an engine."""

    def close(self) -> object:
        """Let go of connections."""


ClientT = TypeVar("ClientT", bound=Closable)


def status_of(word: str) -> InstanceStatus:
    """What an engine's word for a container's state means; whatever neither runs nor is paused has exited."""
    return _STATUS.get(word, InstanceStatus.EXITED)


def instance_info(instance_id: str, inspected: dict[str, Any]) -> InstanceInfo:
    """Read what `inspect` says; both engines say it in the same words."""
    state = inspected["State"]
    status = status_of(state["Status"])
    is_exited = status is InstanceStatus.EXITED
    return InstanceInfo(
        instance_id=instance_id,
        status=status,
        labels=inspected["Config"]["Labels"] or {},
        exit_code=state["ExitCode"] if is_exited else None,
        # The mark is set when any process inside is killed for memory; only the first one's end is the instance's.
        is_oom_killed=is_exited and bool(state["OOMKilled"]) and state["ExitCode"] == _KILLED,
    )


def instance_usage(stats: dict[str, Any]) -> InstanceUsage:
    """Read Docker's `stats`; page cache that the kernel would give up at once is left out."""
    memory: dict[str, Any] = stats.get("memory_stats") or {}
    detail: dict[str, int] = memory.get("stats") or {}
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # cgroup v1, v2
    return InstanceUsage(
        cpu_seconds=stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        memory_bytes=max(0, memory.get("usage", 0) - cache),
    )


class ContainerEngine(ABC, Generic[ClientT]):
    """The part of an adapter that does not depend on the library."""

    kind: ClassVar[EngineKind]

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._made: ClientT | None = None
        self._is_rootless: bool | None = None

    @abstractmethod
    def _connect(self) -> ClientT: ...

    @abstractmethod
    def _delete(self, instance_id: str) -> None:
        """Remove a container, running or not."""

    @abstractmethod
    def _wait(self, instance_id: str) -> int:
        """Wait for a container's end, however long it takes, and give its exit code."""

    @abstractmethod
    def _is_removal_race(self, error: EngineError) -> bool:
        """Whether a removal failed only because of another one, or of the container's own end, at the same moment."""

    @abstractmethod
    def info(self) -> EngineInfo:
        """Ask the engine about itself."""

    @abstractmethod
    def start(self, spec: InstanceSpec) -> None:
        """Create and start an instance."""

    @abstractmethod
    def logs(self, instance_id: str, *, lines: int = 100) -> str:
        """The last lines that the instance's first process has printed."""

    @property
    def _client(self) -> ClientT:
        with self._lock:
            if self._made is None:
                self._made = self._connect()
            return self._made

    def _rootless(self) -> bool:
        if self._is_rootless is None:
            self._is_rootless = self.info().is_rootless
        return self._is_rootless

    def _check_runtime(self, spec: InstanceSpec) -> None:
        if spec.runtime:  # asked anew each time: it may have come or gone
            runtimes.check(self.info(), spec.runtime)

    @contextlib.contextmanager
    def _removed_on_error(self, instance_id: str) -> Iterator[None]:
        """Leave no container behind that was made and did not start."""
        try:
            yield
        except EngineError:
            with contextlib.suppress(EngineError):
                self.remove(instance_id)
            raise

    def address(self, instance_id: str) -> tuple[str, int]:
        """Where its porter is reached."""
        raise InstanceGone(f"Instance {instance_id} has no porter on this engine.")

    def remove(self, instance_id: str) -> None:
        """Kill it if it runs, and forget it. One that does not exist is no error."""
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while True:
            try:
                return self._delete(instance_id)
            except InstanceGone:
                return None
            except EngineError as error:
                if not self._is_removal_race(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_REMOVAL_POLL_SECONDS)

    def run(self, image: str, command: tuple[str, ...], limits: Limits) -> RunResult:
        """Run a throw-away container to its end, hardened as an instance is."""
        instance_id = f"run-{uuid.uuid4().hex[:12]}"
        try:
            self.start(InstanceSpec(instance_id, image, command, limits))
            code = self._wait(instance_id)
            return RunResult(code, self.logs(instance_id, lines=_ALL_LINES))
        finally:
            self.remove(instance_id)

    def close(self) -> None:
        """Let go of connections. Instances go on."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None
