"""Slots whose other end is the test: an engine that keeps a list, and what a slot would say."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path
from typing import Any, cast

from pitchey_cli.domain.surroundings import Surroundings
from pitchey_cli.engines.port import EngineKind, InstanceUsage, SlotSpec
from pitchey_cli.engines.slots import SlotEnd, SlotEngine
from pitchey_cli.supervisor.attempt import Means, SlotAttempt
from pitchey_cli.supervisor.memory import Memory
from pitchey_cli.supervisor.network import Network
from pitchey_cli.supervisor.packages import Packages
from pitchey_cli.supervisor.shelf import Shelf, SlotClass
from pitchey_cli.supervisor.slot import Slot
from processors.code.frames import encode_document, encode_raw
from processors.code.slot_protocol import RUN, begin_document
from processors.code.slot_report import PhaseReport, Report, Stream, end_document
from processors.code.verdict import Verdict
from processors.protocol import AttemptRequest, Service
from processors.worker.spool import Spool


class ScriptedSlotEngine:
    """Has containers in name only."""

    kind = EngineKind.DOCKER

    def __init__(self) -> None:
        self.peers: dict[str, socket.socket] = {}  #: of the slots that are there
        self.made: list[Slot] = []
        self.has_made = asyncio.Event()

    def make(self, memory_bytes: int = 64 << 20) -> Slot:
        """A slot that has said that it is ready."""
        ours, peer = socket.socketpair()
        spec = SlotSpec(f"slot-{len(self.made)}", "image", memory_bytes, 1.0, {}, {})
        self.peers[spec.slot_id] = peer
        slot = Slot(cast(SlotEngine, self), spec, ours)
        self.made.append(slot)
        self.has_made.set()
        return slot

    def remove(self, slot_id: str) -> None:
        self.peers.pop(slot_id).close()

    def end_of(self, slot_id: str) -> SlotEnd | None:
        return None

    def usage(self, slot_id: str) -> InstanceUsage:
        return InstanceUsage(0.0, 0)


def said(*frames: bytes) -> bytes:
    """Frames, as an engine brings them."""
    return b"".join(struct.pack(">B3xI", 1, len(frame)) + frame for frame in frames)


BEGIN_RUN = encode_document(begin_document(RUN))
END = encode_document(end_document(is_complete=True))


def report(stdout: bytes = b"", **changed: Any) -> list[bytes]:
    """A program that has ended well, and what it has printed."""
    none = Stream()
    well = (Verdict.OK, "The program ended well.", 0, None, 0.1, 0.1, 1000, 0, 0, False)
    run = PhaseReport(*well, Stream(len(stdout)), none, none)
    document = Report(Verdict.OK, "The program ended well.", None, run)._replace(**changed).document()
    return [encode_document(document), *encode_raw(stdout)]


def attempt_in(
    engine: ScriptedSlotEngine, directory: Path, *, compilers: asyncio.Semaphore | None = None, **spec: Any
) -> SlotAttempt:
    """An attempt whose slots are such ones."""

    async def make(wanted: SlotClass) -> Slot:
        return engine.make(wanted.memory_bytes)

    shelf, memory = Shelf(make, most=1), Memory(1 << 30)
    surroundings = Surroundings(packages_dir=str(directory / "packages"))
    network = Network(surroundings)
    packages = Packages(surroundings, network, "image", "", shelf, memory.held)
    turns = compilers or asyncio.Semaphore(1)
    means = Means(shelf, memory, turns, surroundings.outward.of_programs(), network, packages)
    request = AttemptRequest(
        token="a.1",
        service=Service.CODE,
        spec={"language": "python", "code": "", **spec},
        timeout_seconds=600,
        output_limit_bytes=1 << 30,
    )
    return SlotAttempt(request, means, directory / "in", Spool.create(directory / "spool"))
