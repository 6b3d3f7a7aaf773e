"""The engine port on Docker, through docker-py. Docker 20.10 (API 1.41) and later.

By-name operations use docker-py's low-level half, because a Container object costs one more round trip.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from pitchey_cli.domain.errors import EngineError, ImageMissing, InstanceGone
from pitchey_cli.engines import builds, graphics
from pitchey_cli.engines.containers import (
    SILENT_BUILD_SECONDS,
    ContainerEngine,
    instance_info,
    instance_usage,
    status_of,
)
from pitchey_cli.engines.failures import unreachable
from pitchey_cli.engines.hardening import container_name, docker_arguments
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
from pitchey_cli.engines.porters import Porters

_DEFAULT_URL = "unix:///var/run/docker.sock"
_LIMITS_OF_HOST = {
    "MemoryLimit": "memory limits (the kernel does not offer them to Docker)",
    "CpuCfsQuota": "CPU limits (the kernel does not offer them to Docker)",
    "PidsLimit": "limits of processes (the kernel does not offer them to Docker)",
}


class DockerEngine(ContainerEngine[docker.DockerClient]):
    """Docker at a URL; None means the usual socket."""

    kind = EngineKind.DOCKER

    def __init__(self, url: str | None = None, timeout_seconds: float = 60.0) -> None:
        super().__init__(url or _DEFAULT_URL)
        self._timeout_seconds = math.ceil(timeout_seconds)
        self._porters = Porters(self.endpoint, self._ours)

    def _connect(self) -> docker.DockerClient:
        return docker.DockerClient(self.endpoint, version="auto", timeout=self._timeout_seconds)

    @property
    def _api(self) -> docker.APIClient:
        return self._client.api

    @contextlib.contextmanager
    def _ours(self, instance_id: str = "", image: str = "") -> Iterator[None]:
        """Turn what docker-py raises into Pitchey's errors."""
        try:
            yield
        except ImageNotFound as error:
            raise ImageMissing(f"Docker holds no image {image}.") from error
        except NotFound as error:
            if not instance_id:
                raise EngineError(f"Docker says: {error.explanation}.") from error
            raise InstanceGone(f"Instance {instance_id} does not exist.") from error
        except APIError as error:
            if error.status_code == 409 and "not running" in str(error.explanation):
                raise InstanceGone(f"Instance {instance_id} does not run.") from error
            raise EngineError(f"Docker says: {str(error.explanation or error).rstrip('.')}.") from error
        except (DockerException, urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self.kind, self.endpoint, error) from error

    def info(self) -> EngineInfo:
        """Ask the engine about itself."""
        with self._ours():
            said = self._api.info()
        return EngineInfo(
            kind=self.kind,
            version=said["ServerVersion"],
            endpoint=self.endpoint,
            cpus=float(said["NCPU"]),
            memory_bytes=said["MemTotal"],
            is_rootless=any("rootless" in option for option in said.get("SecurityOptions") or ()),
            cgroup_version=int(said.get("CgroupVersion") or 1),
            runtimes=_runtimes(said),
            not_enforced=tuple(lost for key, lost in _LIMITS_OF_HOST.items() if said.get(key) is False),
        )

    # --- instances

    def start(self, spec: InstanceSpec) -> None:
        """Create and start an instance."""
        self._check_runtime(spec)
        arguments = docker_arguments(spec, is_rootless=self._rootless())
        with contextlib.ExitStack() as undo:
            if spec.porter is not None:
                undo.enter_context(self._removed_on_error(spec.instance_id))
                self._porters.start(self._client, spec)
            with self._ours(image=spec.image):
                container = self._client.containers.create(**arguments)
        with (
            graphics.asked_for(self.kind, is_wanted=spec.has_gpu),
            self._removed_on_error(spec.instance_id),
            self._ours(),
        ):
            container.start()

    def inspect(self, instance_id: str) -> InstanceInfo:
        """Look at one instance."""
        with self._ours(instance_id):
            return instance_info(instance_id, self._api.inspect_container(container_name(instance_id)))

    def address(self, instance_id: str) -> tuple[str, int]:
        """Where its porter is reached."""
        return self._porters.address(self._api, instance_id)

    def find(self, labels: Mapping[str, str]) -> list[InstanceInfo]:
        """Every instance that carries all of these labels; also one of which nothing but its porter is left."""
        wanted = [LABEL_INSTANCE, *(f"{key}={value}" for key, value in labels.items())]
        with self._ours():
            listed = self._api.containers(all=True, filters={"label": wanted})
        found: list[InstanceInfo] = []
        for item in listed:
            instance_id = item["Labels"][LABEL_INSTANCE]
            status = status_of(item["State"])
            if status is not InstanceStatus.EXITED:
                found.append(InstanceInfo(instance_id, status, item["Labels"]))
            else:  # the list does not say how it ended
                with contextlib.suppress(InstanceGone):
                    found.append(self.inspect(instance_id))
        known = {info.instance_id for info in found}
        for instance_id, of_porter in self._porters.left(self._api, labels).items():
            if instance_id not in known:
                found.append(
                    InstanceInfo(instance_id, InstanceStatus.EXITED, {**of_porter, LABEL_INSTANCE: instance_id})
                )
        return found

    def usage(self, instance_id: str) -> InstanceUsage:
        """What a running instance uses; page cache that the kernel would give up at once is left out."""
        with self._ours(instance_id):
            said = self._api.stats(container_name(instance_id), stream=False, one_shot=True)
        if said["read"].startswith("0001-"):
            raise InstanceGone(f"Instance {instance_id} does not run.")
        return instance_usage(said)

    def logs(self, instance_id: str, *, lines: int = 100) -> str:
        """The last lines that the instance's first process has printed."""
        with self._ours(instance_id):
            raw: bytes = self._api.logs(container_name(instance_id), tail=lines)
        return raw.decode(errors="replace")

    def pause(self, instance_id: str) -> None:
        """Freeze an instance."""
        with self._ours(instance_id):
            self._api.pause(container_name(instance_id))

    def unpause(self, instance_id: str) -> None:
        """Thaw a paused instance."""
        with self._ours(instance_id):
            self._api.unpause(container_name(instance_id))

    def stop(self, instance_id: str, *, grace_seconds: float) -> None:
        """TERM, and KILL after the grace."""
        with self._ours(instance_id):
            self._api.stop(container_name(instance_id), timeout=math.ceil(grace_seconds))

    def kill(self, instance_id: str) -> None:
        """KILL now."""
        try:
            with self._ours(instance_id):
                self._api.kill(container_name(instance_id), "KILL")
        except InstanceGone as error:
            if isinstance(error.__cause__, NotFound):
                raise

    def _delete(self, instance_id: str) -> None:
        try:
            with self._ours(instance_id):
                self._api.remove_container(container_name(instance_id), force=True, v=True)
        except InstanceGone:
            self._porters.remove(self._api, instance_id)
            raise
        self._porters.remove(self._api, instance_id)

    def _is_removal_race(self, error: EngineError) -> bool:
        return isinstance(error.__cause__, APIError) and error.__cause__.status_code == 409

    def _wait(self, instance_id: str) -> int:
        with self._ours(instance_id):
            return int(self._api.wait(container_name(instance_id), timeout=None)["StatusCode"])

    # --- images

    def has_image(self, tag: str) -> bool:
        """Whether Docker holds an image."""
        try:
            with self._ours(image=tag):
                self._api.inspect_image(tag)  # type: ignore[no-untyped-call]  # missing in its stubs
        except ImageMissing:
            return False
        return True

    def images(self, *, tagged: bool = True) -> list[ImageInfo]:
        """The images that carry our label."""
        with self._ours():
            listed = self._api.images(filters={"label": LABEL_IMAGE, "dangling": not tagged})
        return [
            ImageInfo(tag, item["Labels"] or {}, item["Size"], float(item["Created"]))
            for item in listed
            for tag in (item["RepoTags"] or () if tagged else (item["Id"],))
        ]

    def build(
        self, context: Path, containerfile: str, tag: str, *, labels: Mapping[str, str], arguments: Mapping[str, str]
    ) -> Iterator[BuildStep]:
        """Build an image from a directory."""
        with builds.context_archive(context) as archive, self._ours():
            messages = self._api.build(
                fileobj=archive,
                custom_context=True,
                dockerfile=containerfile,
                tag=tag,
                labels=dict(labels),
                buildargs=dict(arguments),
                rm=True,
                forcerm=True,
                decode=True,
                timeout=SILENT_BUILD_SECONDS,
            )
            yield from builds.follow(messages, tag)

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry."""
        repository, _, tag = reference.rpartition(":")
        with self._ours(image=reference):
            for message in self._api.pull(repository, tag, stream=True, decode=True):
                if "error" in message:
                    raise EngineError(f"{reference} could not be pulled: {message['error']}.")

    def import_root(self, tarball: Path, reference: str) -> None:
        """Make an image out of a root file system in a tar."""
        repository, _, tag = reference.rpartition(":")
        with self._ours():
            self._api.import_image_from_file(str(tarball), repository=repository, tag=tag)

    def remove_image(self, tag: str) -> None:
        """Forget an image. One that is in use is an EngineError."""
        with contextlib.suppress(ImageMissing), self._ours(image=tag):
            self._api.remove_image(tag)


def _runtimes(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that a container may ask for, the usual one first; the containerd ones beside them are their plumbing."""
    own = said.get("DefaultRuntime") or "runc"
    others = (name for name in said.get("Runtimes") or () if name != own and not name.startswith("io.containerd."))
    return (own, *sorted(others))
