"""One attempt at a job of the code service: a slot is taken, given the job, and thrown away."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from pitchey_cli.domain.egress import Egress
from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.engines.grouped import USED_NAME
from pitchey_cli.engines.port import EngineKind, Mount
from pitchey_cli.proxy.server import Visit
from pitchey_cli.supervisor import outcome
from pitchey_cli.supervisor.memory import Memory
from pitchey_cli.supervisor.network import ENVIRONMENT, Network
from pitchey_cli.supervisor.outputs import Outputs
from pitchey_cli.supervisor.packages import CannotFetch, Packages
from pitchey_cli.supervisor.shelf import Shelf, SlotClass
from pitchey_cli.supervisor.slot import Answer, Slot, SlotLost
from processors.code.languages import CannotPrepare, Prepared, prepare
from processors.code.slot_protocol import COMPILE, PACKAGES_DIR, RUN
from processors.code.verdict import Verdict
from processors.code.wanted import Wanted, wanted
from processors.protocol import AttemptRequest, Failure, Reason, Result
from processors.specs import CodeSpec
from processors.worker.attempt import Attempt, timed_out, unwritable
from processors.worker.context import LINE_BYTES
from processors.worker.lines import LineSplitter
from processors.worker.spool import Spool

_TRIES = 3  # slots that may be gone before they have begun; then it is not the slots
_END_SECONDS = 5.0  # for the engine to know how a container has ended
_LOOK_SECONDS = 2.0  # for the engine to say what a slot uses
_END_POLL_SECONDS = 0.05
_NEARLY_ALL = 0.9  # of a slot's memory: who hangs with so much hangs for want of it
_KILLED = 128 + 9
_LOGGED_BYTES = 4096  # at a time: each of them may be a line
_STAGES = {COMPILE: "compiling", RUN: "running"}


@dataclass
class Means:
    """What all attempts of a supervisor share."""

    shelf: Shelf
    memory: Memory
    compilers: asyncio.Semaphore  #: who may compile: compilers want whole processors
    egress: Egress  #: whom programs may reach that may reach anybody
    network: Network
    packages: Packages
    used_cpu_seconds: float = 0.0  #: by jobs that have ended

    def note_used(self, cpu_seconds: float) -> None:
        """Keep what a job has used where the engine port reads it."""
        self.used_cpu_seconds += cpu_seconds
        fresh = Path(f"{USED_NAME}.new")
        with contextlib.suppress(OSError):
            fresh.write_text(json.dumps({"cpuSeconds": self.used_cpu_seconds}), encoding="utf-8")
            fresh.replace(USED_NAME)


class SlotAttempt(Attempt):
    """An attempt whose work is done in a slot instead of a child."""

    def __init__(self, request: AttemptRequest, means: Means, inputs: Path, spool: Spool) -> None:
        super().__init__(request, _no_child, inputs, spool)
        self._inputs = inputs
        self._means = means
        self._outputs = Outputs(spool.out)
        self._is_told = asyncio.Event()
        self._slot: Slot | None = None  # that works at it
        self._cpu_seconds = 0.0
        self._peak_bytes = 0
        self._given_at = 0.0  # monotonic

    async def run(self, live: set[int]) -> None:
        """Do the attempt. It has no children."""
        timeout = self.request.timeout_seconds
        self._after(timeout, lambda: self.stop(timed_out(timeout), 0))
        working = asyncio.ensure_future(self._work())
        told = asyncio.ensure_future(self._is_told.wait())
        try:
            await asyncio.wait((working, told), return_when=asyncio.FIRST_COMPLETED)
            if self._slot is not None:  # what it has used is asked while it is there
                await self._look_at(self._slot)
        finally:
            for timer in self._timers:
                timer.cancel()
            for task in (working, told):
                task.cancel()
            await asyncio.gather(working, told, return_exceptions=True)
        ending = self._stopped_by or await working
        if isinstance(ending, Failure):
            self._outputs.discard()
        self._means.note_used(self._cpu_seconds)
        self._end(ending, self._cpu_seconds, self._peak_bytes)

    def stop(self, cause: Failure, grace_seconds: float) -> None:
        """End it at once: a slot knows no grace, and nobody would take what it could still make."""
        self._stopped_by = self._stopped_by or cause
        self._is_told.set()

    def _kill(self) -> None:
        self._is_told.set()

    async def _work(self) -> Result | Failure:
        try:
            spec = CodeSpec.model_validate(self.request.spec)
            mounts = await self._packages(wanted(spec))
            prepared = self._prepared(spec, has_packages=bool(mounts))
            async with self._means.memory.held(prepared.memory_bytes):
                if not spec.allow_networking:
                    return await self._work_in_slots(prepared, SlotClass(prepared.memory_bytes, mounts))
                async with self._means.network.way_out(self._means.egress, self._visited) as way_out:
                    slots = SlotClass(prepared.memory_bytes, (*mounts, way_out), ENVIRONMENT)
                    return await self._work_in_slots(prepared, slots)
        except ValidationError as error:  # it was queued by a version that took it
            first = error.errors()[0]
            where = "".join(f"{part}: " for part in first["loc"])
            return _rejected(where + first["msg"].removeprefix("Value error, "))
        except CannotPrepare as error:
            return _rejected(str(error))
        except CannotFetch as error:
            reason = Reason.REJECTED if error.is_final else Reason.FAILED
            return Failure(code="no_packages", message=str(error), retryable=not error.is_final, reason=reason)
        except PitcheyError as error:
            return _failed("no_slot", f"There is no slot for it: {error}", hint=error.hint)
        except OSError as error:
            return unwritable(error)

    async def _packages(self, asked: Wanted | None) -> tuple[Mount, ...]:
        if asked is None:
            return ()
        self._progress({"type": "progress", "stage": "packages"})
        directory = await self._means.packages.of(asked, log=partial(self._log, "worker"))
        return (Mount(directory, PACKAGES_DIR, is_read_only=True),)

    def _prepared(self, spec: CodeSpec, *, has_packages: bool) -> Prepared:
        prepared = prepare(spec, has_packages=has_packages, has_ca_bundle=self._means.network.has_ca_bundle)
        prepared = prepared.with_files({item.name: self._inputs / item.path for item in self.request.inputs})
        return _within(prepared, self.request.output_limit_bytes)

    def _visited(self, visit: Visit) -> None:
        self._log("worker", f"network: {visit.line()}")

    async def _work_in_slots(self, prepared: Prepared, slots: SlotClass) -> Result | Failure:
        # A slot with a way out is this job's alone; the others of its class wait on the shelf.
        shelf = self._means.shelf
        find = shelf.take_apart if slots.environment else shelf.take
        for _ in range(_TRIES):
            slot = self._slot = await find(slots)
            try:
                answer = await self._give(slot, prepared)
            except SlotLost as lost:
                if lost.has_begun or lost.is_overdue:
                    return await self._without_answer(slot, lost, time.monotonic() - self._given_at)
                why = str(lost)
            else:
                return await self._taken(answer)
            finally:
                self._slot = None
                shelf.discard(slot)
        return _failed("no_slot", f"{_TRIES} slots were gone before they began; of the last: {why}.")

    async def _give(self, slot: Slot, prepared: Prepared) -> Answer:
        compilers = self._means.compilers
        is_compiling = prepared.job.compile is not None

        def begins(phase: str) -> None:
            nonlocal is_compiling
            self._progress({"type": "progress", "stage": _STAGES[phase]})
            if phase == RUN and is_compiling:
                is_compiling = False
                compilers.release()

        if is_compiling:
            await compilers.acquire()
        self._given_at = time.monotonic()
        try:
            return await slot.give(prepared, take=self._outputs.take, begins=begins)
        finally:
            if is_compiling:
                compilers.release()

    async def _taken(self, answer: Answer) -> Result | Failure:
        """What comes of a report."""
        report, streams = answer.report, answer.streams
        self._cpu_seconds = sum(phase.cpu_seconds for phase in report.phases)
        self._peak_bytes = max((phase.memory_peak_bytes for phase in report.phases), default=0)
        for name in ("stdout", "stderr"):
            await self._log_all(name, streams.get((COMPILE, name), b"") + streams.get((RUN, name), b""))
        if report.verdict is Verdict.REJECTED:
            return _rejected(report.message)
        if report.verdict is Verdict.INTERNAL_ERROR:
            return _failed("slot_failed", report.message)
        if not answer.is_complete:
            return _failed("slot_failed", "The files that the program left did not come whole.")
        outputs = self._outputs.settle()
        files = outcome.long_streams(streams, {output.path.partition("/")[0] for output in outputs})
        outputs += [self._outputs.add(path, streams[RUN, name], name) for name, path in files.items()]
        return Result(outputs=outputs, details=outcome.details_of(report, streams, files))

    async def _log_all(self, stream: str, said: bytes) -> None:
        """Log what a program has said, as far as there is room, and let others have their turn meanwhile."""
        lines = LineSplitter(partial(self._log, stream), LINE_BYTES)
        for start in range(0, len(said), _LOGGED_BYTES):
            if self._log_room < 0:
                return
            lines.feed(said[start : start + _LOGGED_BYTES])
            await asyncio.sleep(0)
        lines.close()

    async def _without_answer(self, slot: Slot, lost: SlotLost, seconds: float) -> Result | Failure:
        """What is to be said of a program that has taken its slot along with it, or keeps it from answering."""
        self._outputs.discard()  # half of them, if any
        if lost.is_overdue:
            is_full = await self._is_full(slot)
            verdict = Verdict.MEMORY_LIMIT if is_full else Verdict.TIMEOUT
            why = "and had used up its memory" if is_full else "and its slot did not answer any more"
            message = f"It was still running when its time was up, {why}."
            return Result(details=outcome.details_without_report(verdict, message, seconds))
        if await self._is_killed_for_memory(slot):
            message = (
                "The program and its processes wanted more memory than they may have, so fast that all of them died."
            )
            return Result(details=outcome.details_without_report(Verdict.MEMORY_LIMIT, message, seconds))
        return _failed("slot_lost", f"Its slot was lost: {lost}.")

    async def _is_full(self, slot: Slot) -> bool:
        await self._look_at(slot)
        return self._peak_bytes >= _NEARLY_ALL * slot.spec.memory_bytes

    async def _look_at(self, slot: Slot) -> None:
        """Learn from the engine what a slot has used that will not say it itself."""
        with contextlib.suppress(PitcheyError, TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                usage = await asyncio.to_thread(slot.engine.usage, slot.id)
            self._cpu_seconds, self._peak_bytes = usage.cpu_seconds, usage.memory_bytes

    async def _is_killed_for_memory(self, slot: Slot) -> bool:
        deadline = time.monotonic() + _END_SECONDS
        while time.monotonic() < deadline:
            try:
                end = await asyncio.to_thread(slot.engine.end_of, slot.id)
            except PitcheyError:
                return False
            if end is not None:
                # Podman does not notice on cgroup v1, and nobody else kills the first process of a slot.
                return end.is_oom_killed or (slot.engine.kind is EngineKind.PODMAN and end.exit_code == _KILLED)
            await asyncio.sleep(_END_POLL_SECONDS)
        return False


def _within(prepared: Prepared, output_bytes: int) -> Prepared:
    """The same, with no more outputs than the attempt may leave."""
    collection = prepared.job.collection
    limited = collection._replace(max_bytes=min(collection.max_bytes, output_bytes))
    return dataclasses.replace(prepared, job=prepared.job._replace(collection=limited))


def _rejected(why: str) -> Failure:
    return Failure(
        code="bad_spec", message=f"The job was refused: {why.rstrip('.')}.", retryable=False, reason=Reason.REJECTED
    )


def _failed(code: str, message: str, *, hint: str = "") -> Failure:
    return Failure(code=code, message=message, hint=hint or None, retryable=True, reason=Reason.FAILED)


def _no_child(*_: object) -> Result:
    raise AssertionError("an attempt in a slot has no child")
