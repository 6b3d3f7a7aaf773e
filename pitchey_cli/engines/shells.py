"""A slot with somebody at its terminal, as a container: made, spoken to, removed.

Docker and Podman both serve Docker's interface. The container removes itself when it ends, and it ends when the
connection does: so nothing is left behind however this process goes.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from pitchey_cli.domain.errors import EngineError, ImageMissing
from pitchey_cli.engines.port import EngineKind
from processors.code.frames import Frame, FrameDecoder
from processors.code.slot_protocol import HEADROOM_BYTES, MIB, UID_VARIABLE

LABEL = "pitchey.shell"  #: the state directory whose settings made it

_API_VERSION = "1.41"
_TIMEOUT_SECONDS = 60
_FIRST_UID, _UIDS = 1 << 30, 1 << 29  # no two slots of a host may have the same: these are for shells
_FORGOTTEN_SECONDS = 60.0
_STDOUT = 1  # in the header that the engine puts before each piece
_HEADER = struct.Struct(">BxxxI")
_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/cmdline", "/proc/diskstats", "/proc/interrupts", "/proc/kcore"),
    *("/proc/keys", "/proc/latency_stats", "/proc/partitions", "/proc/sched_debug", "/proc/scsi", "/proc/swaps"),
    *("/proc/timer_list", "/proc/timer_stats", "/sys/block", "/sys/bus", "/sys/class", "/sys/dev"),
    *("/sys/devices/virtual", "/sys/firmware", "/sys/hypervisor", "/sys/kernel", "/sys/module", "/sys/power"),
)


@dataclass(frozen=True, slots=True)
class ShellSpec:
    """What is asked of the engine."""

    image: str
    memory_bytes: int  #: of the shell and all that it starts
    cpus: float
    label: str
    runtime: str = ""  #: empty: the engine's own


def container_options(kind: EngineKind, spec: ShellSpec) -> dict[str, Any]:
    """What the container of a slot may do and use. Pure."""
    is_docker = kind is EngineKind.DOCKER
    inodes = ",nr_inodes=4096" if is_docker else ""  # Podman 4.3 refuses the option
    memory = spec.memory_bytes + HEADROOM_BYTES
    return {
        "AutoRemove": True,
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "CapAdd": ["SETUID", "SETGID", "KILL"],
        "ReadonlyRootfs": True,
        "IpcMode": "private",
        "ShmSize": MIB,
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": round(spec.cpus * 1e9),
        "PidsLimit": 64,
        "LogConfig": {"Type": "none"},
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nofile", "Soft": 4096, "Hard": 4096},
            {"Name": "nproc", "Soft": 4096, "Hard": 4096},
        ],
        "SecurityOpt": ["no-new-privileges", *([] if is_docker else [f"mask={':'.join(_MASKED)}"])],
        **({"MaskedPaths": list(_MASKED)} if is_docker else {}),
        "Tmpfs": dict.fromkeys(("/tmp", "/job"), f"rw,exec,nosuid,nodev,size=64m,mode=1777{inodes}"),
        **({"Runtime": spec.runtime} if spec.runtime else {}),
    }


class ShellSlot:
    """One container, for one shell."""

    def __init__(self, kind: EngineKind, endpoint: str, spec: ShellSpec) -> None:
        """Start it.

        Raises:
            ImageMissing: there is no image.
            EngineError: the engine cannot do it.
        """
        self._kind = kind
        self._held = b""
        self._said = b""
        self._decoder = FrameDecoder()
        with self._ours(spec.image):
            self._api = docker.APIClient(endpoint, version=_API_VERSION, timeout=_TIMEOUT_SECONDS)
            self._remove_forgotten(spec.label)
            self._id = self._create(spec)
        try:
            with self._ours(spec.image):
                parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
                self._attached: Any = self._api.attach_socket(self._id, parameters)  # closed when it is forgotten
                self.connection: socket.socket = getattr(self._attached, "_sock", self._attached)
                self._api.start(self._id)
        except BaseException:
            self._remove(self._id)
            raise

    def _create(self, spec: ShellSpec) -> str:
        uid = _FIRST_UID + secrets.randbelow(_UIDS)
        config = {
            "Image": spec.image,
            "Env": [f"{UID_VARIABLE}={uid}"],
            "User": "0:0",
            "OpenStdin": True,
            "StdinOnce": True,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Labels": {LABEL: spec.label},
            "HostConfig": container_options(self._kind, spec),
        }
        created: dict[str, Any] = self._api.create_container_from_config(config)  # type: ignore[no-untyped-call]
        return str(created["Id"])

    def frames(self, data: bytes) -> Iterator[Frame]:
        """What the slot says in what was read from the connection."""
        self._held += data
        while len(self._held) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._held)
            end = _HEADER.size + length
            if len(self._held) < end:
                return
            piece, self._held = self._held[_HEADER.size : end], self._held[end:]
            if stream == _STDOUT:
                yield from self._decoder.feed(piece)
            else:
                self._said += piece

    @property
    def complaint(self) -> str:
        """What its first process had to say, if it could not do its work."""
        return self._said.decode(errors="replace").strip()

    def close(self) -> None:
        """End it, and leave nothing behind."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
        self._remove(self._id)
        self._api.close()

    def _remove_forgotten(self, label: str) -> None:
        """Those that were made and never started, because whoever made them was killed in between."""
        for item in self._api.containers(all=True, filters={"label": f"{LABEL}={label}"}):
            if item["State"] != "running" and time.time() - item["Created"] > _FORGOTTEN_SECONDS:
                self._remove(item["Id"])

    def _remove(self, container: str) -> None:
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            try:
                return self._api.remove_container(container, force=True, v=True)
            except NotFound:
                return None
            except APIError:  # it is removing itself at this moment: both engines may answer 409 or 500
                time.sleep(0.05)
            except (DockerException, requests.RequestException):
                return None  # the engine is gone; the container ends by itself
        return None

    @contextlib.contextmanager
    def _ours(self, image: str) -> Iterator[None]:
        try:
            yield
        except ImageNotFound as error:
            raise ImageMissing(f"{self._kind.title()} holds no image {image}.") from error
        except APIError as error:
            said = str(error.explanation or error).rstrip(".")
            raise EngineError(f"{self._kind.title()} says: {said}.") from error
        except (DockerException, requests.RequestException, OSError) as error:
            raise EngineError(f"{self._kind.title()} does not answer: {error}.") from error
