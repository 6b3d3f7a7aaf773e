"""What a slot says once it has its job: which program begins, its report with all the bytes that follow, and the end.

The slot writes them, and the supervisor reads them as they come. What comes is looked at as if a program had written
it, because a program that has got hold of the slot would.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

from processors.code.frames import RAW, BadFrame, Frame, FrameDecoder
from processors.code.reading import BadDocument, Fields
from processors.code.slot_protocol import (
    BEGIN,
    COMPILE,
    MAX_OUTPUT_BYTES,
    MAX_OUTPUT_FILES,
    MAX_SECONDS,
    MAX_STREAM_BYTES,
    MAX_TEXT,
    RUN,
    JobFile,
)
from processors.code.verdict import Verdict
from processors.names import problem_with

END = "end"
_PHASES = (COMPILE, RUN)
MAX_REFUSED = 100  #: refused outputs that are named; there may be more


class Stream(NamedTuple):
    """What was kept of stdout, stderr or the return value."""

    size: int = 0
    is_cut: bool = False  #: there was more

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {"size": self.size, "isCut": self.is_cut}

    @staticmethod
    def read(fields: Fields) -> Stream:
        """Read what was sent."""
        return Stream(fields.whole("size", 0, MAX_STREAM_BYTES), fields.flag("isCut"))


class PhaseReport(NamedTuple):
    """How one program of a job ended."""

    verdict: Verdict
    message: str
    exit_code: int | None
    signal: int | None
    wall_seconds: float
    cpu_seconds: float  #: with that of orphans
    memory_peak_bytes: int
    oom_kills: int
    process_limit_hits: int
    is_disk_full: bool
    stdout: Stream
    stderr: Stream
    returned: Stream

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "verdict": self.verdict.value,
            "message": self.message,
            "exitCode": self.exit_code,
            "signal": self.signal,
            "wallSeconds": round(self.wall_seconds, 4),
            "cpuSeconds": round(self.cpu_seconds, 4),
            "memoryPeakBytes": self.memory_peak_bytes,
            "oomKills": self.oom_kills,
            "processLimitHits": self.process_limit_hits,
            "isDiskFull": self.is_disk_full,
            "stdout": self.stdout.document(),
            "stderr": self.stderr.document(),
            "returned": self.returned.document(),
        }

    @staticmethod
    def read(fields: Fields) -> PhaseReport:
        """Read what was sent."""
        return PhaseReport(
            verdict=_verdict(fields),
            message=fields.text("message", MAX_TEXT),
            exit_code=fields.whole("exitCode", 0, 255) if fields.has("exitCode") else None,
            signal=fields.whole("signal", 1, 64) if fields.has("signal") else None,
            wall_seconds=fields.number("wallSeconds", 0, 2 * MAX_SECONDS),
            cpu_seconds=fields.number("cpuSeconds", 0, 1e9),
            memory_peak_bytes=fields.whole("memoryPeakBytes", 0, 1 << 50),
            oom_kills=fields.whole("oomKills", 0, 1 << 31),
            process_limit_hits=fields.whole("processLimitHits", 0, 1 << 62),
            is_disk_full=fields.flag("isDiskFull"),
            stdout=Stream.read(fields.inner("stdout")),
            stderr=Stream.read(fields.inner("stderr")),
            returned=Stream.read(fields.inner("returned")),
        )

    @property
    def streams(self) -> tuple[Stream, Stream, Stream]:
        """In the order in which their bytes come."""
        return self.stdout, self.stderr, self.returned


class Refused(NamedTuple):
    """An output that is not handed over."""

    name: str  #: made printable; it may not be the name that the file has
    reason: str


class Report(NamedTuple):
    """What came of a job. The bytes of its streams follow, then those of its outputs."""

    verdict: Verdict
    message: str
    compile: PhaseReport | None = None
    run: PhaseReport | None = None
    outputs: tuple[JobFile, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def phases(self) -> tuple[PhaseReport, ...]:
        """Those that there were, in their order."""
        return tuple(phase for phase in (self.compile, self.run) if phase is not None)

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "type": "report",
            "verdict": self.verdict.value,
            "message": self.message,
            "compile": self.compile.document() if self.compile else None,
            "run": self.run.document() if self.run else None,
            "outputs": [{"name": file.name, "size": file.size} for file in self.outputs],
            "refused": [{"name": file.name, "reason": file.reason} for file in self.refused],
        }

    @staticmethod
    def read(document: dict[str, Any]) -> Report:
        """Read what was sent.

        Raises:
            BadDocument: no slot that is well would say that.
        """
        fields = Fields(document)
        if fields.text("type", 16) != "report":
            raise BadDocument("a report was expected")
        outputs = tuple(
            JobFile(file.text("name", 4096), file.whole("size", 0, MAX_OUTPUT_BYTES))
            for file in fields.inners("outputs", MAX_OUTPUT_FILES)
        )
        for file in outputs:
            if problem := problem_with(file.name):
                raise BadDocument(f"the output {file.name!r} {problem}")
        if sum(file.size for file in outputs) > MAX_OUTPUT_BYTES or len({file.name for file in outputs}) < len(outputs):
            raise BadDocument("the outputs are too large, or two have one name")
        return Report(
            verdict=_verdict(fields),
            message=fields.text("message", MAX_TEXT),
            compile=PhaseReport.read(fields.inner("compile")) if fields.has("compile") else None,
            run=PhaseReport.read(fields.inner("run")) if fields.has("run") else None,
            outputs=outputs,
            refused=tuple(
                Refused(file.text("name", 4096), file.text("reason", 4096))
                for file in fields.inners("refused", MAX_REFUSED)
            ),
        )


def end_document(*, is_complete: bool) -> dict[str, Any]:
    """The last message. Where it is not complete, bytes of outputs are missing."""
    return {"type": END, "isComplete": is_complete}


def _verdict(fields: Fields) -> Verdict:
    word = fields.text("verdict", 32)
    try:
        return Verdict(word)
    except ValueError as error:
        raise BadDocument(f"the unknown verdict {word!r}") from error


class Readable(NamedTuple):
    """Bytes for people and programs: what a stream held, or a value that a program gave back."""

    text: str  #: with a mark for each byte that is no UTF-8
    base64: str | None  #: all of it, where the text is not

    @staticmethod
    def of(data: bytes) -> Readable:
        """Make bytes readable, and lose none of them."""
        try:
            return Readable(data.decode(), None)
        except UnicodeDecodeError:
            return Readable(data.decode("utf-8", "replace"), base64.b64encode(data).decode())


class ReportReader:
    """Reads what a slot says after it has its job, in pieces of any size."""

    def __init__(
        self,
        take: Callable[[JobFile, bytes], object] | None = None,
        begins: Callable[[str], object] = lambda phase: None,
    ) -> None:
        """Read nothing yet.

        Args:
            take: is given each output piece by piece, instead of `outputs`; an empty one once, with no bytes.
            begins: is told which program begins.
        """
        self.report: Report | None = None
        self.begun: list[str] = []  #: programs that were started
        self.is_complete = False  #: the end has come, and nothing was missing
        self.has_ended = False
        self.streams: dict[tuple[str, str], bytes] = {}  #: by phase and stream: ("run", "stdout")
        self.outputs: dict[str, bytes] = {}
        self._decoder = FrameDecoder()
        self._take = take or self._keep
        self._begins = begins
        self._expected: list[tuple[tuple[str, str] | JobFile, int]] = []

    def feed(self, data: bytes) -> None:
        """Take what was read.

        Raises:
            BadFrame: the slot is out of its mind.
            BadDocument: likewise.
        """
        for frame in self._decoder.feed(data):
            if self.has_ended:
                raise BadFrame("something after the end")
            if self.report is None:
                self._first(frame.document())
            elif frame.kind == RAW:
                self._bytes(frame)
            else:
                self._end(frame)

    def _first(self, document: dict[str, Any]) -> None:
        if document.get("type") == BEGIN and len(self.begun) < len(_PHASES):
            phase = Fields(document).text("phase", 16)
            if phase not in _PHASES[len(self.begun) :]:
                raise BadDocument(f"the program {phase!r} begins, out of its turn")
            self.begun.append(phase)
            self._begins(phase)
        else:
            self.report = Report.read(document)
            self._expect(self.report)

    def _expect(self, report: Report) -> None:
        for which, phase in (("compile", report.compile), ("run", report.run)):
            if phase is not None:
                for name, stream in zip(("stdout", "stderr", "returned"), phase.streams, strict=True):
                    self.streams[which, name] = b""
                    self._expected.append(((which, name), stream.size))
        for file in report.outputs:
            self._take(file, b"")
            self._expected.append((file, file.size))
        self._skip()

    def _skip(self) -> None:
        while self._expected and self._expected[0][1] == 0:
            self._expected.pop(0)

    def _bytes(self, frame: Frame) -> None:
        if not self._expected or len(frame.body) > self._expected[0][1] or not frame.body:
            raise BadFrame("more bytes than the report says")
        target, left = self._expected[0]
        self._expected[0] = (target, left - len(frame.body))
        if isinstance(target, JobFile):
            self._take(target, frame.body)
        else:
            self.streams[target] += frame.body
        self._skip()

    def _end(self, frame: Frame) -> None:
        fields = Fields(frame.document())
        if fields.text("type", 16) != END:
            raise BadDocument("the end was expected")
        self.has_ended = True
        self.is_complete = fields.flag("isComplete") and not self._expected

    def _keep(self, file: JobFile, data: bytes) -> None:
        self.outputs[file.name] = self.outputs.get(file.name, b"") + data
