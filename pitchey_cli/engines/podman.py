"""The engine port on Podman, through podman-py. Podman 4.3 and later, as root or rootless.

podman-py is used for its connection and for what it makes of `containers.create`. The rest goes to the service's HTTP
interface through `client.api`: a Container object costs one more round trip for each operation by name, `images.build`
gives its output only when the build has ended, there is no `images.import`, and what `stats` gives lacks the processor
time. One that may not exist is named in the path, so names are ours or quoted.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
from podman import PodmanClient
from podman.errors import APIError, ImageNotFound, NotFound, PodmanError

from pitchey_cli.domain.errors import EngineError, ImageMissing, InstanceGone
from pitchey_cli.engines import builds, graphics
from pitchey_cli.engines.containers import SILENT_BUILD_SECONDS, ContainerEngine, instance_info, status_of
from pitchey_cli.engines.failures import unreachable
from pitchey_cli.engines.hardening import container_name, podman_arguments
from pitchey_cli.engines.port import (
    LABEL_IMAGE,
    LABEL_INSTANCE,
    BuildStep,
    EngineInfo,
    EngineKind,
    ImageInfo,
    InstanceInfo,
    InstanceSpec,
    InstanceStatus,
    InstanceUsage,
)

_DEFAULT_URL = "unix:///run/podman/podman.sock"
_LOCAL = "localhost/"  # what Podman puts before names without a registry
_LIMITS_BY_CONTROLLER = {
    "memory": "memory limits (cgroups of this user lack the controller)",
    "cpu": "CPU limits (cgroups of this user lack the controller)",
    "pids": "limits of processes (cgroups of this user lack the controller)",
}


class PodmanEngine(ContainerEngine[PodmanClient]):
    """Podman's service at a URL; None means the usual socket of root."""

    kind = EngineKind.PODMAN

    def __init__(self, url: str | None = None, timeout_seconds: float = 60.0) -> None:
        super().__init__(url or _DEFAULT_URL)
        self._timeout_seconds = timeout_seconds

    def _connect(self) -> PodmanClient:
        return PodmanClient(base_url=self.endpoint, timeout=self._timeout_seconds)

    @contextlib.contextmanager
    def _ours(self, instance_id: str = "", image: str = "") -> Iterator[None]:
        """Turn what podman-py raises into Pitchey's errors."""
        try:
            yield
        except ImageNotFound as error:
            raise ImageMissing(f"Podman holds no image {image}.") from error
        except NotFound as error:
            if not instance_id:
                raise EngineError(f"Podman says: {error.explanation or error}.") from error
            raise InstanceGone(f"Instance {instance_id} does not exist.") from error
        except APIError as error:
            if error.response is None:  # it never got that far
                raise unreachable(self.kind, self.endpoint, error) from error
            said = str(error.explanation or error)
            if image and "image not known" in said:  # `containers.create` answers 500
                raise ImageMissing(f"Podman holds no image {image}.") from error
            if "is not running" in said or "can only kill running" in said or "no such container" in said:
                raise InstanceGone(f"Instance {instance_id} does not run.") from error
            raise EngineError(f"Podman says: {said.rstrip('.')}.") from error
        except (PodmanError, urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self.kind, self.endpoint, error) from error

    def _ask(
        self, method: str, path: str, *, instance_id: str = "", image: str = "", **arguments: Any
    ) -> Any:  # podman-py has no types
        with self._ours(instance_id, image):
            response = getattr(self._client.api, method)(path, **arguments)
            response.raise_for_status(not_found=ImageNotFound if image else NotFound)
            return response

    def _ask_instance(self, method: str, instance_id: str, what: str, **arguments: Any) -> Any:
        path = f"/containers/{quote(container_name(instance_id), safe='')}{what}"
        return self._ask(method, path, instance_id=instance_id, **arguments)

    def info(self) -> EngineInfo:
        """Ask the engine about itself."""
        said = self._ask("get", "/info").json()
        host = said["host"]
        controllers = host.get("cgroupControllers") or ()
        return EngineInfo(
            kind=self.kind,
            version=said["version"]["Version"],
            endpoint=self.endpoint,
            cpus=float(host["cpus"]),
            memory_bytes=host["memTotal"],
            is_rootless=bool(host["security"]["rootless"]),
            cgroup_version=int(host["cgroupVersion"].removeprefix("v")),
            runtimes=(host["ociRuntime"]["name"],),
            not_enforced=tuple(lost for name, lost in _LIMITS_BY_CONTROLLER.items() if name not in controllers),
        )

    # --- instances

    def start(self, spec: InstanceSpec) -> None:
        """Create and start an instance."""
        self._check_runtime(spec)
        arguments = podman_arguments(spec, is_rootless=self._rootless())
        with graphics.asked_for(self.kind, is_wanted=spec.has_gpu):
            with self._ours(image=spec.image):
                self._client.containers.create(**arguments)
            with self._removed_on_error(spec.instance_id):
                self._ask_instance("post", spec.instance_id, "/start")

    def inspect(self, instance_id: str) -> InstanceInfo:
        """Look at one instance."""
        return instance_info(instance_id, self._ask_instance("get", instance_id, "/json").json())

    def find(self, labels: Mapping[str, str]) -> list[InstanceInfo]:
        """Every instance that carries all of these labels."""
        wanted = [LABEL_INSTANCE, *(f"{key}={value}" for key, value in labels.items())]
        filters = json.dumps({"label": wanted})
        found: list[InstanceInfo] = []
        for item in self._ask("get", "/containers/json", params={"all": True, "filters": filters}).json():
            instance_id = item["Labels"][LABEL_INSTANCE]
            status = status_of(item["State"])
            if status is not InstanceStatus.EXITED:
                found.append(InstanceInfo(instance_id, status, item["Labels"]))
            else:  # the list does not say whether it was killed for memory
                with contextlib.suppress(InstanceGone):
                    found.append(self.inspect(instance_id))
        return found

    def usage(self, instance_id: str) -> InstanceUsage:
        """What a running instance uses; the memory includes page cache, which Podman does not tell apart."""
        name = container_name(instance_id)
        said = self._ask("get", "/containers/stats", params={"containers": name, "stream": False}).json()
        stats = said["Stats"][0] if said.get("Stats") else {"PIDs": 0}
        if not stats["PIDs"] and self.inspect(instance_id).status is InstanceStatus.EXITED:
            raise InstanceGone(f"Instance {instance_id} does not run.")
        return InstanceUsage(cpu_seconds=stats["CPUNano"] / 1e9, memory_bytes=stats["MemUsage"])

    def logs(self, instance_id: str, *, lines: int = 100) -> str:
        """The last lines that the instance's first process has printed."""
        # All of it, which is little (hardening.py bounds it): Podman 4.3 counts the pieces of long lines as lines.
        response = self._ask_instance("get", instance_id, "/logs", params={"stdout": True, "stderr": True})
        printed = _payload(response.content).decode(errors="replace")
        return "".join(printed.splitlines(keepends=True)[-lines:])

    def pause(self, instance_id: str) -> None:
        """Freeze an instance."""
        self._ask_instance("post", instance_id, "/pause")

    def unpause(self, instance_id: str) -> None:
        """Thaw a paused instance."""
        self._ask_instance("post", instance_id, "/unpause")

    def stop(self, instance_id: str, *, grace_seconds: float) -> None:
        """TERM, and KILL after the grace."""
        if self.inspect(instance_id).status is InstanceStatus.PAUSED:
            self.unpause(instance_id)  # Podman refuses to stop one that is paused
        grace = math.ceil(grace_seconds)
        self._ask_instance(
            "post", instance_id, "/stop", params={"timeout": grace}, timeout=self._timeout_seconds + grace
        )

    def kill(self, instance_id: str) -> None:
        """KILL now."""
        try:
            if self.inspect(instance_id).status is InstanceStatus.PAUSED:
                self.unpause(instance_id)  # or the signal waits for somebody to thaw it
            self._ask_instance("post", instance_id, "/kill", params={"signal": "KILL"})
        except InstanceGone as error:
            if isinstance(error.__cause__, NotFound):
                raise

    def _delete(self, instance_id: str) -> None:
        self._ask_instance("delete", instance_id, "", params={"force": True, "v": True, "timeout": 0})

    def _is_removal_race(self, error: EngineError) -> bool:
        # Podman 4.3 answers 500 when rm races with the exit, or with another rm; the next try settles it.
        return isinstance(error.__cause__, APIError) and error.__cause__.status_code in (409, 500)

    def _wait(self, instance_id: str) -> int:
        # podman-py puts its usual timeout where none is given; so none is a very long one.
        return int(self._ask_instance("post", instance_id, "/wait", timeout=threading.TIMEOUT_MAX).json())

    # --- images

    def has_image(self, tag: str) -> bool:
        """Whether Podman holds an image."""
        try:
            self._ask("get", f"/images/{quote(tag, safe='')}/exists", image=tag)
        except ImageMissing:
            return False
        return True

    def images(self, *, tagged: bool = True) -> list[ImageInfo]:
        """The images that carry our label."""
        filters = json.dumps({"label": [LABEL_IMAGE], "dangling": [str(not tagged).lower()]})
        listed = self._ask("get", "/images/json", params={"filters": filters}).json()
        return [
            ImageInfo(tag.removeprefix(_LOCAL), item["Labels"] or {}, item["Size"], float(item["Created"]))
            for item in listed
            for tag in (item.get("RepoTags") or () if tagged else (item["Id"],))
        ]

    def build(
        self, context: Path, containerfile: str, tag: str, *, labels: Mapping[str, str], arguments: Mapping[str, str]
    ) -> Iterator[BuildStep]:
        """Build an image from a directory."""
        parameters = {
            "dockerfile": containerfile,
            "t": tag,
            "labels": json.dumps(dict(labels)),
            "buildargs": json.dumps(dict(arguments)),
            "layers": True,
            "rm": True,
            "forcerm": True,
        }
        with builds.context_archive(context) as archive:
            response = self._ask(
                "post",
                "/build",
                params=parameters,
                data=archive,
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=SILENT_BUILD_SECONDS,
            )
            with self._ours():
                yield from builds.follow(_messages(response), tag)

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry."""
        response = self._ask("post", "/images/pull", params={"reference": reference}, stream=True)
        with self._ours(image=reference):
            for message in _messages(response):
                if message.get("error"):
                    raise EngineError(f"{reference} could not be pulled: {str(message['error']).rstrip('.')}.")

    def import_root(self, tarball: Path, reference: str) -> None:
        """Make an image out of a root file system in a tar."""
        with tarball.open("rb") as archive:
            self._ask(
                "post",
                "/images/import",
                params={"reference": reference},
                data=archive,
                headers={"Content-Type": "application/x-tar"},
            )

    def remove_image(self, tag: str) -> None:
        """Forget an image. One that is in use is an EngineError."""
        with contextlib.suppress(ImageMissing):
            self._ask("delete", f"/images/{quote(tag, safe='')}", image=tag)


def _messages(response: Any) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in response.iter_lines() if line)


def _payload(frames: bytes) -> bytes:
    """What was printed, without the eight bytes that stand before each piece of it."""
    pieces: list[bytes] = []
    while len(frames) >= 8:
        size = int.from_bytes(frames[4:8], "big")
        pieces.append(frames[8 : 8 + size])
        frames = frames[8 + size :]
    return b"".join(pieces)
