"""Slots on a real engine, one container for each job: what the supervisor does, in its plainest form."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from pitchey_cli.engines.hardening import slot_configuration
from pitchey_cli.engines.port import EngineKind, Mount, SlotSpec
from processors.code.frames import Frame, FrameDecoder, encode_document, encode_raw
from processors.code.languages import Prepared
from processors.code.slot_protocol import LANDLOCK_VARIABLE, MIB, UID_VARIABLE, Ready
from processors.code.slot_report import PhaseReport, Report, ReportReader
from processors.code.verdict import Verdict

LABEL = "pitchey.test-slot"  #: with the number of the process that runs the tests
START_SECONDS = 60.0
GRACE_SECONDS = 20.0  #: of a slot, beside the time of its programs; the container is killed after it

_STDOUT = 1  # in the header that the engine puts before each piece
_uids = itertools.count(200_000 + os.getpid() % 10_000 * 100)


@dataclass(frozen=True)
class Extra:
    """What a slot has beyond the usual."""

    mounts: Mapping[str, Path] = field(default_factory=dict)  #: read-only, by where they are in the slot
    environment: Mapping[str, str] = field(default_factory=dict)
    job_bytes: int = 64 * MIB
    job_files: int = 4096


@dataclass
class Done:
    """What came of a job."""

    verdict: Verdict
    report: Report | None
    streams: dict[tuple[str, str], bytes]
    outputs: dict[str, bytes]
    seconds: float  #: from the job's first byte to the last of the report
    is_complete: bool
    said: str = ""  #: by the first process, on its stderr

    @property
    def stdout(self) -> bytes:
        return self.streams.get(("run", "stdout"), b"")

    @property
    def stderr(self) -> bytes:
        return self.streams.get(("run", "stderr"), b"") or self.streams.get(("compile", "stderr"), b"")

    @property
    def returned(self) -> bytes:
        return self.streams.get(("run", "returned"), b"")

    @property
    def run(self) -> PhaseReport:
        assert self.report is not None
        assert self.report.run is not None, self.report
        return self.report.run


class Slot:
    """One container, for one job."""

    def __init__(self, ground: Ground, memory_bytes: int, landlock: str, extra: Extra = Extra()) -> None:
        self._api = ground.api
        self.uid = next(_uids)
        began = time.monotonic()
        environment = {UID_VARIABLE: str(self.uid), LANDLOCK_VARIABLE: landlock, **extra.environment}
        spec = SlotSpec(
            slot_id=f"test-{self.uid}",
            image=ground.image,
            memory_bytes=memory_bytes,
            cpus=ground.cpus,
            labels={LABEL: str(os.getpid())},
            environment=environment,
            mounts=tuple(Mount(source, target, is_read_only=True) for target, source in extra.mounts.items()),
            job_bytes=extra.job_bytes,
            job_files=extra.job_files,
        )
        config = slot_configuration(EngineKind(ground.kind), spec)
        self.id: str = self._api.create_container_from_config(config)["Id"]
        parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        attached: Any = self._api.attach_socket(self.id, parameters)
        self._attached = attached  # closes the connection when it is forgotten
        self._socket: socket.socket = getattr(attached, "_sock", attached)
        self._api.start(self.id)
        self._said = b""
        self._pending = b""
        self._socket.settimeout(START_SECONDS)
        decoder = FrameDecoder()
        frames: list[Frame] = []
        while not frames:
            piece = self._piece(began + START_SECONDS)
            assert piece, f"the slot has ended before it was ready: {self._said!r}"
            frames += decoder.feed(piece)
        self.ready = Ready.read(frames[0].document())
        self.start_seconds = time.monotonic() - began

    def _piece(self, deadline: float) -> bytes:
        """One piece of stdout; nothing when the container has ended."""
        while True:
            while len(self._pending) < 8 or len(self._pending) < 8 + self._length():
                self._socket.settimeout(max(0.01, deadline - time.monotonic()))
                more = self._socket.recv(1 << 16)
                if not more:
                    return b""
                self._pending += more
            kind, end = self._pending[0], 8 + self._length()
            data, self._pending = self._pending[8:end], self._pending[end:]
            if kind == _STDOUT:
                return data
            self._said += data

    def _length(self) -> int:
        return int(struct.unpack(">I", self._pending[4:8])[0])

    def send(self, data: bytes) -> None:
        """Write to the slot's stdin; a slot that has heard enough closes it."""
        with contextlib.suppress(OSError):
            self._socket.sendall(data)

    def hang_up(self) -> None:
        """Close the connection, as a supervisor that dies does."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def say_all(self, data: bytes) -> tuple[int, str]:
        """Send it whatever and close its stdin, and wait for its end.

        Returns:
            Its exit code, and what it said on stderr.
        """
        self.send(data)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while self._piece(time.monotonic() + GRACE_SECONDS):
                pass
        return self.wait(), self._said.decode(errors="replace")

    def give(self, prepared: Prepared) -> Done:
        """Give it its job, and wait for what comes of it."""
        job = prepared.job
        data = encode_document(job.document())
        for content in (*prepared.contents, prepared.stdin):
            data += b"".join(encode_raw(content))
        seconds = job.run.limits.wall_seconds + (job.compile.limits.wall_seconds if job.compile else 0)
        return self.tell(data, seconds + GRACE_SECONDS)

    def tell(self, data: bytes, seconds: float = GRACE_SECONDS) -> Done:
        """Send it whatever, and read what it answers."""
        began = time.monotonic()
        self._socket.settimeout(seconds)
        writer = threading.Thread(target=self.send, args=(data,), daemon=True)
        writer.start()
        reader = ReportReader()
        try:
            while not reader.has_ended and (piece := self._piece(began + seconds)):
                reader.feed(piece)
        except (TimeoutError, ConnectionResetError):
            pass
        spent = time.monotonic() - began
        said = self._said.decode(errors="replace")
        if reader.has_ended and reader.report is not None:
            report = reader.report
            return Done(report.verdict, report, reader.streams, reader.outputs, spent, reader.is_complete, said)
        if self.is_running():
            self._api.kill(self.id)
        verdict = Verdict.MEMORY_LIMIT if self.state()["OOMKilled"] else Verdict.INTERNAL_ERROR
        return Done(verdict, reader.report, reader.streams, reader.outputs, spent, False, said)

    def state(self) -> dict[str, Any]:
        """What the engine says of the container."""
        state: dict[str, Any] = self._api.inspect_container(self.id)["State"]
        return state

    def is_running(self) -> bool:
        return bool(self.state()["Running"])

    def wait(self) -> int:
        """Wait for the container's end."""
        return int(self._api.wait(self.id, timeout=60)["StatusCode"])

    def processes(self) -> list[str]:
        """What runs in it, as the host sees it."""
        return [" ".join(row) for row in self._api.top(self.id)["Processes"]] if self.is_running() else []

    def remove(self) -> None:
        """Kill it if it runs, and forget it."""
        self._socket.close()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._api.remove_container(self.id, force=True, v=True)
                return
            except docker.errors.NotFound:
                return
            except docker.errors.APIError:  # Podman answers 500 when it races with the container's own end
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


@dataclass
class Ground:
    """An engine that holds the image."""

    kind: str
    url: str
    image: str
    cpus: float = 0.5
    slots: list[Slot] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = docker.APIClient(self.url, version="1.41", timeout=120)

    def slot(self, memory_bytes: int = 160 * MIB, landlock: str = "auto", extra: Extra = Extra()) -> Slot:
        slot = Slot(self, memory_bytes, landlock, extra)
        self.slots.append(slot)
        return slot

    def run(self, prepared: Prepared, landlock: str = "auto", extra: Extra = Extra()) -> Done:
        """Run a job in a slot of its own."""
        slot = self.slot(prepared.memory_bytes, landlock, extra)
        try:
            return slot.give(prepared)
        finally:
            slot.remove()

    def left(self) -> list[str]:
        """Containers that are still there."""
        return [item["Id"] for item in self.api.containers(all=True, filters={"label": f"{LABEL}={os.getpid()}"})]

    def end(self) -> None:
        for slot in self.slots:
            slot.remove()
        self.api.close()
