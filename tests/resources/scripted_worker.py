"""The worker of a scripted instance: the real one's HTTP, routes, slots and spools, in the test's own event loop.

Only the child is missing: what an attempt does is a coroutine, the script. An exception in a script is a test that is
wrong: it is kept in `complaints`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from pathlib import Path
from resource import struct_rusage
from typing import Any

from pitchey_cli.engines.port import InstanceSpec
from processors.protocol import (
    INPUTS_DIR,
    RUN_DIR,
    SOCKET_NAME,
    SPOOL_DIR,
    AttemptRequest,
    Failure,
    OutputFile,
    Reason,
    Result,
    Service,
)
from processors.worker.attempt import INTERRUPTED, TIMEOUT_GRACE_SECONDS, Attempt, timed_out
from processors.worker.attempts import Attempts
from processors.worker.http import Connection
from processors.worker.routes import Routes
from processors.worker.spool import Spool
from tests.resources.scripted_time import ScriptedLoop

Script = Callable[["ScriptedAttempt"], Awaitable[None]]

_KILLED, _SEGMENTATION_FAULT = 137, 139
_SLOW_SECONDS = 7.0


class ScriptedAttempt(Attempt):
    """An attempt that does what its script says."""

    heeds_term = True

    def __init__(self, request: AttemptRequest, worker: ScriptedWorker, spool: Spool) -> None:
        self.worker = worker
        self.released = asyncio.Event()  #: what a script that waits for the test waits for
        self._is_told = asyncio.Event()
        super().__init__(request, _no_child, worker.inputs / request.token, spool)

    def succeed(self, outputs: Mapping[str, bytes] | None = None) -> None:
        """Leave files, and end well."""
        files: list[OutputFile] = []
        for path, data in (outputs or {}).items():
            (self.spool.out / path).write_bytes(data)
            files.append(OutputFile(path=path, media_type="text/plain", role="text", size=len(data)))
        self._say(type="result", result=Result(outputs=files).model_dump(mode="json"))

    def fail(self, reason: Reason = Reason.FAILED, *, is_retryable: bool) -> None:
        """End badly."""
        failure = Failure(code="scripted", message="As the script has it.", retryable=is_retryable, reason=reason)
        self._say(type="error", error=failure.model_dump(mode="json"), signal=None)

    def progress(self, fraction: float) -> None:
        """Say how far it is."""
        self._say(type="progress", fraction=fraction, stage="scripted")

    def stop(self, cause: Failure, grace_seconds: float) -> None:
        """TERM, which a script may not heed, and KILL after the grace."""
        self._stopped_by = self._stopped_by or cause
        if self.heeds_term:
            self._is_told.set()
        else:
            self._after(grace_seconds, self._is_told.set)

    def conclude(self, cause: Failure) -> None:
        """Leave the ending of one that was told to stop, at once: the worker is about to exit."""
        self._stopped_by = self._stopped_by or cause
        super()._finish(0, (), was_oom=False)

    async def _run_child(self, live: set[int]) -> tuple[int, list[struct_rusage]]:
        timeout = self.request.timeout_seconds
        self._after(timeout, lambda: self.stop(timed_out(timeout), TIMEOUT_GRACE_SECONDS))
        performing = asyncio.ensure_future(self.worker.script(self))
        told = asyncio.ensure_future(self._is_told.wait())
        try:
            await asyncio.wait((performing, told), return_when=asyncio.FIRST_COMPLETED)
            await self.worker.is_awake.wait()
            if performing.done() and (error := performing.exception()) is not None:
                self.worker.complaints.append(error)
        finally:
            for task in (performing, told):
                task.cancel()
            for timer in self._timers:
                timer.cancel()
            await asyncio.gather(performing, told, return_exceptions=True)
        return 0, []

    def _finish(self, *arguments: Any, **options: Any) -> None:
        if self.worker.exit_code is None:  # the dead write nothing
            super()._finish(*arguments, **options)

    def _stamp(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        at = {"at": loop.clock.now().timestamp()} if isinstance(loop, ScriptedLoop) else {}
        return super()._stamp() | at

    def _kill(self) -> None:
        self._is_told.set()

    def _say(self, **message: Any) -> None:
        self._on_event(json.dumps(message))


class ScriptedWorker(Attempts):
    """A worker, and the instance it is all of."""

    cpu_seconds = 0.0
    memory_bytes = 2**20

    def __init__(self, spec: InstanceSpec, script: Script, complaints: list[BaseException]) -> None:
        options = dict(zip(spec.command[::2], spec.command[1::2], strict=True))
        source = {mount.target: mount.source for mount in spec.mounts}
        self.script = script
        self.complaints = complaints
        self.inputs = source[INPUTS_DIR]
        self.exit_code: int | None = None
        self.is_oom_killed = False
        self.is_awake = asyncio.Event()
        self.is_awake.set()
        self.has_hung = False  #: once or more
        self.models: dict[str, int] = {}  #: that it says it has loaded, with their bytes
        self.left_behind: set[str] = set()  #: whose programs go on, though the worker has died
        self._service = Service(options["--service"])
        self._run_dir = source[RUN_DIR]
        self._stopping = asyncio.Event()
        super().__init__(
            self._attempt, slots=int(options["--slots"]), spool=source[SPOOL_DIR], tasks=asyncio.TaskGroup()
        )
        # Of the test, and not of the daemon that has asked for it: it lives on when that is killed.
        self._serving = asyncio.get_running_loop().create_task(self._serve(), context=Context())

    @property
    def live(self) -> dict[str, ScriptedAttempt]:
        """Its attempts that run, by token."""
        return {} if self.exit_code is not None else self._running  # type: ignore[return-value]

    @property
    def is_frozen(self) -> bool:
        return not self.is_awake.is_set()

    def log(self) -> str:
        return ""

    def freeze(self) -> None:
        """Neither answer nor go on."""
        self.has_hung = True
        self.is_awake.clear()

    def thaw(self) -> None:
        self.is_awake.set()

    def stop(self, grace_seconds: float) -> None:
        """TERM: attempts that heed it leave their endings."""
        heeding = [attempt for attempt in self.live.values() if attempt.heeds_term and not self.is_frozen]
        for attempt in heeding:
            attempt.conclude(INTERRUPTED)
        self.kill(0 if len(heeding) == len(self.live) else _KILLED)

    def kill(self, exit_code: int = _KILLED, *, is_oom: bool = False) -> None:
        """End now, and leave everything as it lies."""
        self.left_behind.clear()
        if self.exit_code is None:
            descriptors = [attempt.spool._file for attempt in self.live.values() if not attempt.spool.is_complete]
            self.exit_code, self.is_oom_killed = exit_code, is_oom
            for descriptor in filter(None, descriptors):
                os.close(descriptor)
            self._serving.cancel()

    def die(self) -> None:
        """End without the programs of its attempts, which go on as they do where no container ends with it."""
        left_behind = set(self.live)
        self.kill()
        self.left_behind = left_behind

    def _attempt(self, request: AttemptRequest, spool: Spool) -> Attempt:
        return ScriptedAttempt(request, self, spool)

    async def _serve(self) -> None:
        with _listening(self._run_dir) as listening:
            async with self._tasks:
                routes = Routes(self._service, self, lambda: self.models)
                server = await asyncio.start_unix_server(
                    lambda reader, writer: self._tasks.create_task(self._answer(routes, reader, writer)) and None,
                    sock=listening,
                )
                try:
                    await self._stopping.wait()
                finally:
                    server.close()

    async def _answer(self, routes: Routes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.is_awake.wait()
            await Connection(reader, writer).serve(routes.answer)
        finally:
            writer.transport.abort() if self.exit_code is not None else writer.close()


@contextlib.contextmanager
def _listening(run_dir: Path) -> Any:
    """A socket below a directory, whose path may be longer than a socket's."""
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            (run_dir / SOCKET_NAME).unlink(missing_ok=True)
            listening.bind(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
            listening.listen(128)
            yield listening
    finally:
        os.close(directory)


def _no_child(*_: object) -> Result:
    raise AssertionError("a scripted attempt has no child")


# --- what an attempt does, by its spec: {"attempts": ["fail", "succeed"]} is of the first and of all others


async def by_spec(attempt: ScriptedAttempt) -> None:
    """Do what the spec says of this attempt."""
    steps = attempt.request.spec.get("attempts", ["succeed"])
    number = int(attempt.request.token.rpartition(".")[2])
    await STEPS[steps[min(number, len(steps)) - 1]](attempt)


async def _succeed(attempt: ScriptedAttempt) -> None:
    attempt.succeed()


async def _give(attempt: ScriptedAttempt) -> None:
    attempt.progress(0.5)
    attempt.succeed({"out.txt": attempt.request.token.encode()})


async def _fail(attempt: ScriptedAttempt) -> None:
    attempt.fail(is_retryable=True)


async def _reject(attempt: ScriptedAttempt) -> None:
    attempt.fail(Reason.REJECTED, is_retryable=False)


async def _run_out_of_memory(attempt: ScriptedAttempt) -> None:
    attempt.fail(Reason.OOM, is_retryable=True)


async def _hold(attempt: ScriptedAttempt) -> None:
    await attempt.released.wait()


async def _ignore_term(attempt: ScriptedAttempt) -> None:
    attempt.heeds_term = False
    await attempt.released.wait()


async def _be_slow(attempt: ScriptedAttempt) -> None:
    await asyncio.sleep(_SLOW_SECONDS)
    attempt.succeed()


async def _crash(attempt: ScriptedAttempt) -> None:
    attempt.worker.kill(_SEGMENTATION_FAULT)


async def _exhaust_memory(attempt: ScriptedAttempt) -> None:
    attempt.worker.kill(is_oom=True)


async def _hang(attempt: ScriptedAttempt) -> None:
    attempt.worker.freeze()


STEPS: Mapping[str, Script] = {
    "succeed": _succeed,
    "give": _give,  # with a file
    "fail": _fail,
    "reject": _reject,  # fail for good
    "oom": _run_out_of_memory,  # of the attempt alone
    "hold": _hold,  # until the test, or the host, ends it
    "ignore-term": _ignore_term,
    "slow": _be_slow,
    "crash": _crash,  # and the instance with it
    "exhaust": _exhaust_memory,  # of the instance
    "hang": _hang,  # the whole worker
}
