"""HTTP to the worker of one instance, or to its porter. Speaks processors/protocol.py and nothing else.

h11 on asyncio streams, a connection for each request: on a Unix socket that costs 0.1 ms, where a general client takes
five times as long for a request as the worker does (docs/decisions/001-http-in-the-worker.md).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import h11
from pydantic import ValidationError

from pitchey_cli.daemon.line import Line
from pitchey_cli.domain.errors import InstanceGone, PitcheyError
from pitchey_cli.domain.job import Token
from processors import protocol

_ANSWER_SECONDS = 15.0
_READ_BYTES = 65536
_MOST_BYTES = 4 * 2**20  # of an answer, and of one event


class WorkerRefused(PitcheyError):
    """The worker answered, and said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class WorkerClient:
    """Speaks to one worker."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def health(self) -> protocol.Health:
        """Ask the worker how it is.

        Raises:
            InstanceGone: nobody answers.
        """
        answer = await self._ask("GET", "/health")
        try:
            return protocol.Health.model_validate_json(answer)
        except ValidationError as error:
            raise InstanceGone(f"The worker's answer is not understood: {error}.") from error

    async def start(self, request: protocol.AttemptRequest) -> Events:
        """Start an attempt; one that the worker knows already is no error, so the call may be repeated.

        Raises:
            WorkerRefused: 429 without a free slot, 503 while it drains.
            InstanceGone: nobody answers.
        """
        method, target = "POST", "/attempts?follow=1"
        answer = None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self._open(method, target, request.wire())
                if answer.status not in (202, 409):
                    raise _refusal(answer.status, await _whole(answer.chunks()))
        except BaseException as error:
            if answer is not None:
                await answer.close()
            if isinstance(error, TimeoutError):
                raise _unanswered(method, target) from error
            raise
        if answer.is_stream:
            return Events(Token(request.token), answer)
        await answer.close()  # it has known the attempt already
        return await self.events(Token(request.token), after=0)

    async def end(self, token: Token, *, grace_seconds: float) -> None:
        """TERM the attempt's process group, and KILL it after the grace. An unknown token is no error."""
        await self._ask("DELETE", f"/attempts/{token}?grace={grace_seconds}", accept=(200, 202, 404))

    async def events(self, token: Token, *, after: int) -> Events:
        """Follow an attempt's events until the last one, however long that takes; the caller holds the deadline.

        Raises:
            WorkerRefused: 404 for a token that the worker does not know.
            InstanceGone: nobody answers.
        """
        answer = await self._open("GET", f"/attempts/{token}/events?after={after}")
        if answer.status != 200:
            try:
                raise _refusal(answer.status, await _whole(answer.chunks()))
            finally:
                await answer.close()
        return Events(token, answer)

    async def give(self, token: Token, links: protocol.Links) -> None:
        """Answer a `links` event."""
        await self._ask("POST", f"/attempts/{token}/links", body=links.wire())

    async def forget(self, token: Token) -> None:
        """Let a porter remove what it has of an attempt that has ended."""
        await self._ask("DELETE", f"/attempts/{token}/spool", accept=(200, 409))

    def close(self) -> None:
        """Let go of the line. May be called twice."""
        self._line.close()

    async def _ask(self, method: str, target: str, *, accept: tuple[int, ...] = (200,), body: bytes = b"") -> bytes:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self._open(method, target, body)
                try:
                    said = await _whole(answer.chunks())
                finally:
                    await answer.close()
        except TimeoutError as error:
            raise _unanswered(method, target) from error
        if answer.status not in accept:
            raise _refusal(answer.status, said)
        return said

    async def _open(self, method: str, target: str, body: bytes = b"") -> _Answer:
        """Send a request, and wait for the head of its answer, which is to be closed.

        Raises:
            InstanceGone: there is none.
        """
        answer = _Answer(*await self._line.open(), self._line.headers)
        try:
            await answer.ask(method, target, body)
            if answer.status == 401:  # another instance has taken the port
                raise InstanceGone("What answers is not the porter that was started here.")
        except BaseException:
            await answer.close()
            raise
        return answer


class Events:
    """The events of an attempt, as they come. To be closed."""

    def __init__(self, token: Token, answer: _Answer) -> None:
        self._token = token
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[protocol.Event]:
        """Give them.

        Raises:
            InstanceGone: the stream broke before the last one.
        """
        rest = b""
        async for chunk in self._answer.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _MOST_BYTES:
                raise InstanceGone(f"The event stream of {self._token} has a line without end.")
            for line in filter(None, lines):
                try:
                    yield protocol.EVENT.validate_json(line)
                except ValidationError as error:
                    raise InstanceGone(f"The event stream of {self._token} broke: {error}.") from error

    async def close(self) -> None:
        """Follow them no further. May be called twice."""
        await self._answer.close()


class _Answer:
    """One exchange on a connection of its own."""

    status = 0
    is_stream = False  #: of events

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Sequence[tuple[str, str]]
    ) -> None:
        self._headers = headers
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    async def ask(self, method: str, target: str, body: bytes) -> None:
        """Send the request, and read the head of the answer."""
        headers = [*self._headers, ("Connection", "close"), ("Content-Length", str(len(body)))]
        try:
            sent = self._http.send(h11.Request(method=method, target=target, headers=headers)) or b""
            for event in (h11.Data(data=body), h11.EndOfMessage()):
                sent += self._http.send(event) or b""
            self._writer.write(sent)
            head = await self._next()
        except (OSError, h11.ProtocolError) as error:
            raise InstanceGone(f"The worker does not answer: {error!r}.") from error
        if not isinstance(head, h11.Response):
            raise InstanceGone("The worker closed the connection without an answer.")
        self.status = head.status_code
        self.is_stream = (b"content-type", b"application/x-ndjson") in head.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it comes."""
        try:
            while isinstance(event := await self._next(), h11.Data):
                yield bytes(event.data)
        except (OSError, h11.ProtocolError) as error:
            raise InstanceGone(f"The worker does not answer: {error!r}.") from error
        if not isinstance(event, h11.EndOfMessage):
            raise InstanceGone("The worker closed the connection in the middle of an answer.")

    async def close(self) -> None:
        """Let go of the connection."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_READ_BYTES))
        return event  # type: ignore[return-value]  # NEED_DATA has just been ruled out


def _unanswered(method: str, target: str) -> InstanceGone:
    return InstanceGone(f"The worker has not answered {method} {target} in time.")


async def _whole(chunks: AsyncIterator[bytes]) -> bytes:
    answer = b""
    async for chunk in chunks:
        answer += chunk
        if len(answer) > _MOST_BYTES:
            raise InstanceGone("The worker's answer has no end.")
    return answer


def _refusal(status: int, answer: bytes) -> WorkerRefused:
    try:
        message = protocol.Refusal.model_validate_json(answer).message
    except ValidationError:
        message = answer.decode(errors="replace")[:200]
    return WorkerRefused(status, message)
