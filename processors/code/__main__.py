"""The first process of a slot: says that it is ready, takes one job or serves one shell, and ends.

It is another user than the job, waits for nobody without a deadline, and takes nothing for granted that either side
says.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from processors.code import children, collect, phase, shell
from processors.code.frames import BadFrame, encode_document, encode_raw
from processors.code.jail import Jail
from processors.code.pipes import Ended, FrameReader, Stalled, write_all
from processors.code.reading import BadDocument, Fields
from processors.code.shell_protocol import SHELL, Shell
from processors.code.slot_protocol import (
    COMPILE,
    LANDLOCK_VARIABLE,
    MAX_OUTPUT_BYTES,
    PROXY_VARIABLE,
    RUN,
    UID_VARIABLE,
    UIDS,
    Job,
    JobFile,
    Phase,
    Ready,
    begin_document,
)
from processors.code.slot_report import (
    MAX_REFUSED,
    PhaseReport,
    Refused,
    Report,
    Stream,
    end_document,
)
from processors.code.staging import NotStaged, stage
from processors.code.usage import Usage
from processors.code.verdict import Kill, Verdict, compile_verdict_of, sentence, verdict_of

if TYPE_CHECKING:
    from processors.code.forwarder import Forwarder

_STDIN, _STDOUT = 0, 1
_RECEIVING_SECONDS = 60.0  # for the whole of a job, from its first byte
_SENDING_SECONDS = 60.0
_COLLECTING_SECONDS = 30.0
_HEARING_OUT_SECONDS = 5.0
_PR_SET_DUMPABLE = 4


class Slot:
    """One slot, from ready to end."""

    def __init__(self, jail: Jail, usage: Usage, forwarder: Forwarder | None = None) -> None:
        self._jail = jail
        self._usage = usage
        self._forwarder = forwarder
        self._frames = FrameReader(_STDIN)
        self._deadline: float | None = None

    def serve(self) -> None:
        """Take one job, and report."""
        if self._forwarder is not None:
            self._forwarder.start()
        self._usage.leave_out_what_is_held_now()
        self._send_document(Ready(self._jail.uid, self._jail.landlock, self._usage.version).document())
        try:
            first = self._frames.read().document()
            self._frames.deadline = time.monotonic() + _RECEIVING_SECONDS
            if first.get("type") == SHELL:
                shell.serve(Shell.read(first), self._jail, self._usage)
                return
            job, stdin = self._receive(first)
        except (BadFrame, BadDocument, NotStaged, Stalled) as error:
            self._report(Report(Verdict.REJECTED, f"The job was refused: {error}."), [])
            _hear_out(_STDIN)
            return
        self._work(job, stdin)

    def _receive(self, first: dict[str, Any]) -> tuple[Job, bytes]:
        job = Job.read(first)
        stage(job, self._frames, self._jail.uid)
        stdin = b""
        while len(stdin) < job.stdin_bytes:
            stdin += self._frames.raw(job.stdin_bytes - len(stdin))
        return job, stdin

    def _work(self, job: Job, stdin: bytes) -> None:
        compiled = ran = None
        kept: list[bytes] = []
        is_clean = True
        if job.compile is not None:
            compiled, streams, is_clean = self._run(job.compile, b"", is_compiler=True)
            kept += streams
            if self._forwarder is not None:  # it has ended with the compiler, as all have
                self._forwarder.start()
        if compiled is None or (compiled.verdict is Verdict.OK and is_clean):
            ran, streams, is_clean = self._run(job.run, stdin, is_compiler=False)
            kept += streams
        last = ran or compiled
        assert last is not None  # one of the two has been run
        report = Report(last.verdict, last.message, compiled, ran)
        if ran is None or not is_clean:  # nothing to take, or somebody could still change it while it is taken
            self._report(report, kept)
        else:
            self._report_with_outputs(report, kept, job)

    def _run(self, program: Phase, stdin: bytes, *, is_compiler: bool) -> tuple[PhaseReport, list[bytes], bool]:
        self._send_document(begin_document(COMPILE if is_compiler else RUN))
        done = phase.run(program, stdin, self._jail, self._usage)
        seen = done.seen
        verdict = compile_verdict_of(seen) if is_compiler else verdict_of(seen)
        stdout, stderr, returned = (which.value for which in (Kill.STDOUT, Kill.STDERR, Kill.RETURN))
        report = PhaseReport(
            verdict=verdict,
            message=sentence(verdict, seen, "The compiler" if is_compiler else "The program"),
            exit_code=seen.exit_code,
            signal=seen.signal,
            wall_seconds=done.wall_seconds,
            cpu_seconds=seen.cpu_seconds,
            memory_peak_bytes=seen.memory_peak_bytes,
            oom_kills=seen.oom_kills,
            process_limit_hits=seen.process_limit_hits,
            is_disk_full=seen.is_disk_full,
            stdout=Stream(len(done.stdout), stdout in seen.cut),
            stderr=Stream(len(done.stderr), stderr in seen.cut),
            returned=Stream(len(done.returned), returned in seen.cut),
        )
        return report, [done.stdout, done.stderr, done.returned], done.is_clean

    def _report_with_outputs(self, report: Report, kept: list[bytes], job: Job) -> None:
        helper = children.start_helper(self._jail.uid, lambda answer: collect.work(job.collection, answer))
        frames = FrameReader(helper.fd, time.monotonic() + _COLLECTING_SECONDS)
        is_complete = False
        try:
            listed = Fields(frames.read().document())
            outputs = tuple(
                JobFile(file.text("name", 4096), file.whole("size", 0, MAX_OUTPUT_BYTES))
                for file in listed.inners("outputs", job.collection.max_files)
            )
            refused = tuple(
                Refused(file.text("name", 4096), file.text("reason", 4096))
                for file in listed.inners("refused", MAX_REFUSED)
            )
            self._send_report(report._replace(outputs=outputs, refused=refused), kept)
            for output in outputs:
                left = output.size
                while left:
                    data = frames.raw(left)
                    left -= len(data)
                    self._send_raw(data)
            is_complete = True
        except (BadFrame, BadDocument, Stalled, Ended) as error:
            if self._deadline is None:  # the report has not gone out yet
                message = f"{report.message} What it left in files could not be taken: {error}."
                self._send_report(Report(Verdict.INTERNAL_ERROR, message, report.compile, report.run), kept)
        finally:
            children.end_helper(helper)
        self._send_document(end_document(is_complete=is_complete))

    def _report(self, report: Report, kept: list[bytes]) -> None:
        self._send_report(report, kept)
        self._send_document(end_document(is_complete=True))

    def _send_report(self, report: Report, kept: list[bytes]) -> None:
        self._deadline = time.monotonic() + _SENDING_SECONDS
        self._send_document(report.document())
        for data in kept:
            self._send_raw(data)

    def _send_document(self, document: dict[str, object]) -> None:
        deadline = self._deadline or time.monotonic() + _SENDING_SECONDS
        write_all(_STDOUT, encode_document(document), deadline)

    def _send_raw(self, data: bytes) -> None:
        for frame in encode_raw(data):
            write_all(_STDOUT, frame, self._deadline)


def _hear_out(fd: int) -> None:
    """Let the supervisor finish its sentence: a connection that is closed under it may take our answer along."""
    deadline = time.monotonic() + _HEARING_OUT_SECONDS
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0 and poll.poll(left * 1000) and os.read(fd, 1 << 16):
        pass


def main() -> int:
    """Serve one job as the first process of a container."""
    if os.getpid() != 1:
        print("A slot is the first process of a container of its own, and nothing else.", file=sys.stderr)  # noqa: T201
        return 2
    # The kernel ignores what ends other processes, unless the first one asks for it.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    _hide()
    os.umask(0o077)
    uid = os.environ.get(UID_VARIABLE, "")
    if not uid.isdecimal() or not UIDS[0] <= int(uid) <= UIDS[1]:
        print(f"{UID_VARIABLE} names no user that a job may be.", file=sys.stderr)  # noqa: T201
        return 2
    try:
        is_networked = os.environ.get(PROXY_VARIABLE) == "1"
        jail = Jail.build(int(uid), os.environ.get(LANDLOCK_VARIABLE, "auto"), is_networked=is_networked)
        forwarder = _make_forwarder(jail) if is_networked else None
    except OSError as error:
        print(f"There is no jail, and so no slot: {error}.", file=sys.stderr)  # noqa: T201
        return 2
    slot = Slot(jail, Usage(), forwarder)
    gc.freeze()  # children need not copy the pages that the collector would touch
    try:
        slot.serve()
    except (Ended, Stalled):  # nobody is there to hear it
        return 1
    except Exception:
        traceback.print_exc()
        return 3
    return 0


def _make_forwarder(jail: Jail) -> Forwarder:
    from processors.code.forwarder import Forwarder  # late: sockets cost every slot that waits half a megabyte

    return Forwarder(jail)


def _hide() -> None:
    """Keep /proc/1 from everybody but root, of whom there is nobody else in here."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    os._exit(main())
