"""One slot, from its start to its end: it says that it is ready, is given one job, and reports.

Nothing that it sends is believed: sizes, order and names are looked at by the reader of its report, and it has a
deadline for each step.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pitchey_cli.domain.errors import EngineError
from pitchey_cli.engines.port import SlotSpec
from pitchey_cli.engines.slots import SlotEngine
from pitchey_cli.supervisor.pieces import Pieces, Stream
from processors.code.frames import BadFrame, FrameDecoder, encode_document, encode_raw
from processors.code.languages import Prepared
from processors.code.reading import BadDocument
from processors.code.slot_protocol import Job, JobFile, Ready
from processors.code.slot_report import Report, ReportReader

READY_SECONDS = 30.0  #: from the start of a container to its first word; it takes 0.2 to 0.6
_MARGIN_SECONDS = 40.0  # for a slot beside the time of its programs: it may take 30 for files, and be starved
_SENDING_SECONDS = 90.0  # for the bytes of a report, and of the job before it: the slot itself allows 60 for each
_LATE_SECONDS = 1.0  # after a deadline: whoever looks as late has not been awake to hear what was said in time
_CHUNK_BYTES = 1 << 16
_SAID_CHARS = 300


class SlotLost(Exception):
    """The slot has ended, hangs, or talks nonsense."""

    def __init__(self, why: str, *, has_begun: bool, is_overdue: bool = False) -> None:
        super().__init__(why)
        self.has_begun = has_begun  #: the job may have done something
        self.is_overdue = is_overdue  #: it did not answer in time


@dataclass(frozen=True, slots=True)
class Answer:
    """What a slot says at the end of its job."""

    report: Report
    streams: dict[tuple[str, str], bytes]
    is_complete: bool  #: all bytes of its outputs have come


class Slot:
    """A container that waits for a job, or works at it."""

    def __init__(self, engine: SlotEngine, spec: SlotSpec, connection: socket.socket) -> None:
        self.id = spec.slot_id
        self.spec = spec
        self.engine = engine
        self._connection = connection
        self._pieces = Pieces()
        self._said = b""  # by the first process, on its stderr
        connection.setblocking(False)

    @classmethod
    async def start(cls, engine: SlotEngine, spec: SlotSpec) -> Slot:
        """Make one, and wait until it is ready.

        Raises:
            EngineError: the engine refuses, or the slot does not say that it is ready.
        """
        connection = await asyncio.to_thread(engine.start, spec)
        slot = cls(engine, spec, connection)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await slot._until_ready()
        except BaseException as error:
            await slot.remove()
            if isinstance(error, TimeoutError | SlotLost | BadFrame | BadDocument):
                words = slot.words() or str(error) or "it says nothing"
                raise EngineError(f"The slot {slot.id} was not ready: {words}.") from error
            raise
        return slot

    async def give(
        self, prepared: Prepared, *, take: Callable[[JobFile, bytes], object], begins: Callable[[str], object]
    ) -> Answer:
        """Give it its job, and wait for what comes of it.

        Args:
            take: is given the outputs piece by piece, and may raise OSError.
            begins: is told which program begins.

        Raises:
            SlotLost: there is no report.
        """
        reader = ReportReader(take, begins)
        sending = asyncio.create_task(self._send(prepared))
        try:
            await self._read_report(reader, _programs_seconds(prepared.job) + _MARGIN_SECONDS)
        except TimeoutError as error:
            has_begun = bool(reader.begun)  # else it hangs by itself, and no program has used up its time
            raise SlotLost("it did not answer in time", has_begun=has_begun, is_overdue=has_begun) from error
        except (BadFrame, BadDocument) as error:
            raise SlotLost(f"it talks nonsense: {error}", has_begun=True) from error
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        assert reader.report is not None  # or the reader has not ended
        return Answer(reader.report, reader.streams, reader.is_complete)

    async def _read_report(self, reader: ReportReader, answer_seconds: float) -> None:
        """Read to the end. The first program has to begin in time, and the report; its bytes are given some more."""
        step, deadline = 0, time.monotonic() + _SENDING_SECONDS
        while not reader.has_ended:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    data = await self._receive(has_begun=bool(reader.begun))
            except TimeoutError:
                if time.monotonic() < deadline + _LATE_SECONDS:
                    raise
                deadline = time.monotonic() + _MARGIN_SECONDS  # we were stopped, or had no processor
                continue
            reader.feed(data)
            await asyncio.sleep(0)  # what is there already is read without waiting: others must have their turn
            if reader.report is not None and step < 2:
                step, deadline = 2, time.monotonic() + _SENDING_SECONDS
            elif reader.begun and step < 1:
                step, deadline = 1, time.monotonic() + answer_seconds

    def is_well(self) -> bool:
        """Whether it still waits for a job: one that has ended, or speaks unasked, does not."""
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def remove(self) -> None:
        """End it, and whatever runs in it, and forget it."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # so it ends by itself, should the engine be away
        self._connection.close()
        await asyncio.to_thread(self.engine.remove, self.id)

    def words(self) -> str:
        """The last that its first process has printed, for whoever looks why."""
        lines = self._said.decode("utf-8", "replace").split("\n")
        return " ".join(filter(None, map(str.strip, lines)))[-_SAID_CHARS:].rstrip(".")

    async def _until_ready(self) -> None:
        decoder = FrameDecoder()
        while True:
            for frame in decoder.feed(await self._receive(has_begun=False)):
                Ready.read(frame.document())
                return

    async def _receive(self, *, has_begun: bool) -> bytes:
        """Some bytes of its stdout."""
        while True:
            try:
                data = self._connection.recv(_CHUNK_BYTES)
            except BlockingIOError:
                await self._readable()
                continue
            except OSError as error:
                raise SlotLost(f"its connection broke: {error.strerror}", has_begun=has_begun) from error
            if not data:
                raise SlotLost(f"it has ended{': ' + self.words() if self._said else ''}", has_begun=has_begun)
            stdout = b""
            for piece in self._pieces.feed(data):
                if piece.stream == Stream.STDOUT:
                    stdout += piece.data
                else:
                    self._said = (self._said + piece.data)[-_CHUNK_BYTES:]
            if stdout:
                return stdout

    async def _readable(self) -> None:
        """Wait for something to read, and leave it there: asyncio's own loses it when it is cancelled as it comes."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._connection, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._connection)

    async def _send(self, prepared: Prepared) -> None:
        """Write while somebody else reads: a slot may refuse a job before it has taken all of it."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # whoever reads finds out
            await loop.sock_sendall(self._connection, encode_document(prepared.job.document()))
            for content in (*prepared.contents, prepared.stdin):
                for data in _chunks(content):
                    for frame in encode_raw(data):
                        await loop.sock_sendall(self._connection, frame)
                    await asyncio.sleep(0)  # likewise: what can be written at once is written without waiting


def _programs_seconds(job: Job) -> float:
    return job.run.limits.wall_seconds + (job.compile.limits.wall_seconds if job.compile else 0.0)


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while data := file.read(_CHUNK_BYTES):
            yield data
