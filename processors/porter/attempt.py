"""One attempt that is carried: its inputs come, its worker works, its outputs go.

The events are the porter's own, numbered by it and kept where no worker gets: those of the worker between those of the
way there and back. The last one is said when the outputs are stored.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from processors.porter.exchange import Client
from processors.porter.fetching import fetch
from processors.porter.patience import TransferFailed
from processors.porter.storing import Left, check_length, check_sizes, measure, store
from processors.porter.worker import Worker, WorkerGone, WorkerRefused
from processors.protocol import (
    OUT_DIR_NAME,
    AttemptRequest,
    ErrorEvent,
    Failure,
    InputFile,
    Links,
    LinksEvent,
    Metrics,
    OutputFile,
    Reason,
    Result,
    ResultEvent,
    StoredFile,
)
from processors.worker.attempt import Attempt, timed_out
from processors.worker.child import DISK_FULL_ERRORS, DISK_FULL_HINT
from processors.worker.spool import Spool

BATCH = 32  #: outputs that links are asked for at a time: each has a time to be used in
_AT_ONCE = 4  # transfers of one attempt


class Lost(Exception):
    """The worker went away under an attempt: there is no ending that the porter could tell of."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all attempts share."""

    client: Client
    worker: Worker
    inputs: Path
    spool: Path  #: the worker's


class CarriedAttempt(Attempt):
    """An attempt whose work is done by the worker behind the porter."""

    def __init__(
        self, request: AttemptRequest, means: Means, spool: Spool, on_end: Callable[[], object] = lambda: None
    ) -> None:
        """Take an attempt.

        Args:
            on_end: called when it has ended, however it did.
        """
        self._means = means
        self._on_end = on_end
        self._carrying: asyncio.Task[Any] | None = None  # while the inputs come or the outputs go
        self._is_working = False
        self._grace_seconds = 0.0
        self._ask = 0
        self._answered: asyncio.Future[Links] | None = None
        self._asking = asyncio.Lock()
        self._moved_bytes = 0
        super().__init__(request, _no_child, means.inputs, spool)  # which stops it where the spool cannot be written

    @property
    def _token(self) -> str:
        return self.request.token

    @property
    def _left(self) -> Left:
        return Left(self._means.spool, self._token)

    async def run(self, live: set[int]) -> None:
        """Do the attempt. It has no children.

        Raises:
            Lost: its worker is gone.
        """
        try:
            await self._run()
        finally:
            self._on_end()

    async def _run(self) -> None:
        metrics = Metrics()
        ending: Result | Failure
        try:
            await self._carry(self._fetch)
            last = await self._work()
            metrics = last.metrics
            ending = last.result if isinstance(last, ResultEvent) else last.error
            if isinstance(ending, Result):
                ending = await self._carry(partial(self._store, ending))
        except _Stopped:
            assert self._stopped_by is not None
            ending = self._stopped_by
        except TransferFailed as error:
            ending = error.failure
        except WorkerRefused as error:
            ending = Failure(code="not_taken", message=str(error), retryable=True, reason=Reason.FAILED)
        except WorkerGone as error:
            raise Lost(str(error)) from error
        except OSError as error:
            ending = _no_room(error)
        for timer in self._timers:
            timer.cancel()
        await asyncio.to_thread(self._clear)
        self._pass_on_held_progress()
        said = {**self._stamp(), "metrics": metrics}
        if isinstance(ending, Result):
            self.spool.finish(ResultEvent(result=ending, **said))
        else:
            self.spool.finish(ErrorEvent(error=ending, **said))

    def abandon(self, error: Exception) -> None:
        """Leave an attempt whose ending nobody knows: its host finds out that the instance is gone."""
        if isinstance(error, Lost):
            self.spool.leave()
        else:
            super().abandon(error)

    def stop(self, cause: Failure, grace_seconds: float) -> None:
        """Let the attempt end: a transfer at once, the work as its worker lets it."""
        self._stopped_by = self._stopped_by or cause
        self._grace_seconds = grace_seconds
        if self._carrying is not None:
            self._carrying.cancel()
        elif self._is_working:
            telling = asyncio.ensure_future(self._means.worker.end(self._token, grace_seconds=grace_seconds))
            self._telling = telling  # or nobody would hold it

    def give(self, links: Links) -> None:
        """Take links that were asked for. What nobody waits for any more is left."""
        if self._answered is not None and links.ask == self._ask and not self._answered.done():
            self._answered.set_result(links)

    # --- the way there

    async def _fetch(self) -> None:
        directory = self._inputs / self._token
        directory.mkdir()
        directory.chmod(0o755)
        total = sum(file.size for file in self.request.inputs)

        async def one(number: int, file: InputFile) -> None:
            async def renew() -> str:
                return (await self._links(inputs=[number])).inputs[0]

            if Path(file.path).name != file.path:
                raise TransferFailed("bad_input", f"{file.path!r} is no name of a file.", retryable=False)
            target = directory / file.path
            await fetch(self._means.client, file, target, renew=renew, moved=self._count("fetching inputs", total))

        await _together([partial(one, number, file) for number, file in enumerate(self.request.inputs)])

    # --- the work

    async def _work(self) -> ResultEvent | ErrorEvent:
        without_links = [file.model_copy(update={"url": None}) for file in self.request.inputs]
        request = self.request.model_copy(update={"inputs": without_links})
        self._is_working = True
        try:
            async for event in self._means.worker.work(request):
                if event.type == "accepted" or isinstance(event, LinksEvent):  # ours to say
                    if self._stopped_by is not None:  # as it was being handed over
                        self.stop(self._stopped_by, self._grace_seconds)
                    continue
                if isinstance(event, ResultEvent | ErrorEvent):
                    return event
                self._on_message(event.model_dump())
        finally:
            self._is_working = False
        raise WorkerGone("it has said no last event")

    # --- the way back

    async def _store(self, result: Result) -> Result:
        outputs = [output.model_copy(update={"sha256": None}) for output in result.outputs]
        limit = self.request.output_limit_bytes
        total = await asyncio.to_thread(check_sizes, self._left, outputs, limit_bytes=limit)
        result = result.model_copy(update={"outputs": outputs})
        check_length(ResultEvent(**self._stamp(), result=result, metrics=Metrics()))
        self._moved_bytes = 0
        stored: list[OutputFile] = []
        for begin in range(0, len(outputs), BATCH):
            stored += await self._store_batch(begin, outputs[begin : begin + BATCH], total)
        return result.model_copy(update={"outputs": stored})

    async def _store_batch(self, begin: int, outputs: Sequence[OutputFile], total: int) -> list[OutputFile]:
        measured = [
            await asyncio.to_thread(measure, self._left, output, begin + place) for place, output in enumerate(outputs)
        ]
        links = await self._links(outputs=measured)

        async def one(output: OutputFile, found: StoredFile, url: str) -> None:
            async def renew() -> str:
                return (await self._links(outputs=[found])).outputs[0]

            moved = self._count("storing outputs", total)
            await store(self._means.client, self._left, output, found, url, renew=renew, moved=moved)

        await _together([partial(one, *each) for each in zip(outputs, measured, links.outputs, strict=True)])
        return [
            output.model_copy(update={"size": found.size, "sha256": found.sha256})
            for output, found in zip(outputs, measured, strict=True)
        ]

    # --- both ways

    async def _carry(self, go: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Go one of the ways, as long as nobody says stop and there is time."""
        if self._stopped_by is not None:
            raise _Stopped
        timeout = self.request.timeout_seconds
        self._carrying = asyncio.create_task(go())
        timer = asyncio.get_running_loop().call_later(timeout, lambda: self.stop(timed_out(timeout), 0))
        try:
            gone = await self._carrying
            self._pass_on_held_progress()
            self._held_progress = None
            return gone
        except asyncio.CancelledError:
            if self._stopped_by is None:
                raise
            raise _Stopped from None
        finally:
            timer.cancel()
            self._carrying = None

    async def _links(self, *, inputs: Sequence[int] = (), outputs: Sequence[StoredFile] = ()) -> Links:
        """Ask the host for links, one question after the other, and wait; the host may be away for a while."""
        async with self._asking:
            self._ask += 1
            self._answered = asyncio.get_running_loop().create_future()
            self._add({"type": "links", "ask": self._ask, "inputs": [*inputs], "outputs": [*outputs]})
            try:
                links = await self._answered
            finally:
                self._answered = None
        if len(links.inputs) != len(inputs) or len(links.outputs) != len(outputs):
            raise TransferFailed("no_links", "The host has given other links than it was asked for.")
        return links

    def _count(self, stage: str, total: int) -> Any:
        def moved(count: int) -> None:
            self._moved_bytes += count
            done = f"{100 * self._moved_bytes // total} %" if total else ""
            self._progress({"type": "progress", "stage": f"{stage} {done}".rstrip()})

        return moved

    def _clear(self) -> None:
        """Give back the room of what was carried."""
        shutil.rmtree(self._inputs / self._token, ignore_errors=True)
        shutil.rmtree(self._means.spool / self._token / OUT_DIR_NAME, ignore_errors=True)


class _Stopped(Exception):
    """Somebody has said stop."""


async def _together(ways: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Go all of them, few at once; the first failure ends the others, and those that have not begun never do."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(go: Callable[[], Awaitable[None]]) -> None:
        async with room:
            await go()

    try:
        async with asyncio.TaskGroup() as tasks:
            for go in ways:
                tasks.create_task(one(go))
    except ExceptionGroup as problems:
        raise problems.exceptions[0] from None


def _no_room(error: OSError) -> Failure:
    code = "disk_full" if error.errno in DISK_FULL_ERRORS else "spool_failed"
    text = f"What belongs to the attempt cannot be written in its instance: {error.strerror}."
    return Failure(code=code, message=text, hint=DISK_FULL_HINT, retryable=True, reason=Reason.FAILED)


def _no_child(*_: object) -> Result:
    raise AssertionError("an attempt that is carried has no child")
