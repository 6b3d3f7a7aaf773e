"""HTTP to the worker of one instance, over its Unix socket. Speaks processors/protocol.py and nothing else.

h11 on asyncio streams, a connection for each request: on a Unix socket that costs 0.1 ms, where a general client takes
five times as long for a request as the worker does (docs/decisions/001-http-in-the-worker.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import h11
from pydantic import ValidationError

from pitchey_cli.domain.errors import InstanceGone, PitcheyError
from pitchey_cli.domain.job import Token
from processors import protocol

_ANSWER_SECONDS = 15.0
_READ_BYTES = 65536
_MOST_BYTES = 4 * 2**20  # of an answer, and of one event
_HEADERS = [("Host", "worker"), ("Connection", "close")]


class WorkerRefused(PitcheyError):
    """The worker answered, and said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class WorkerClient:
    """Speaks to one worker.

    A Unix socket's path may have 107 bytes, and state directories are often deeper: so the socket is reached through
    a descriptor of its directory, by way of /proc/self/fd.
    """

    def __init__(self, run_dir: Path) -> None:
        self._directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY)

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

    async def start(self, request: protocol.AttemptRequest) -> None:
        """Start an attempt; one that the worker knows already is no error, so the call may be repeated.

        Raises:
            WorkerRefused: 429 without a free slot, 503 while it drains.
            InstanceGone: nobody answers.
        """
        await self._ask("POST", "/attempts", body=request.wire(), accept=(202, 409))

    async def end(self, token: Token, *, grace_seconds: float) -> None:
        """TERM the attempt's process group, and KILL it after the grace. An unknown token is no error."""
        await self._ask("DELETE", f"/attempts/{token}?grace={grace_seconds}", accept=(200, 202, 404))

    async def events(self, token: Token, *, after: int) -> AsyncIterator[protocol.Event]:
        """Follow an attempt's events until the last one, however long that takes; the caller holds the deadline.

        Raises:
            WorkerRefused: 404 for a token that the worker does not know.
            InstanceGone: the stream broke before the last event.
        """
        async with self._exchange("GET", f"/attempts/{token}/events?after={after}") as (status, chunks):
            if status != 200:
                raise _refusal(status, await _whole(chunks))
            rest = b""
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _MOST_BYTES:
                    raise InstanceGone(f"The event stream of {token} has a line without end.")
                for line in filter(None, lines):
                    try:
                        yield protocol.EVENT.validate_json(line)
                    except ValidationError as error:
                        raise InstanceGone(f"The event stream of {token} broke: {error}.") from error

    def close(self) -> None:
        """Let go of the directory. May be called twice: the number may be another file's by then."""
        descriptor, self._directory = self._directory, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _socket(self) -> str:
        path = f"/proc/self/fd/{self._directory}/{protocol.SOCKET_NAME}"
        # The instance owns this directory: a link in it could lead to any socket of the host.
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise InstanceGone("There is no socket where the worker's should be.")
        return path

    async def _ask(self, method: str, target: str, *, body: bytes = b"", accept: tuple[int, ...] = (200,)) -> bytes:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._exchange(method, target, body) as (status, chunks):
                answer = await _whole(chunks)
        except TimeoutError as error:
            raise InstanceGone(f"The worker has not answered {method} {target} in time.") from error
        if status not in accept:
            raise _refusal(status, answer)
        return answer

    @asynccontextmanager
    async def _exchange(
        self, method: str, target: str, body: bytes = b""
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """Send a request; give the status of the answer and its body as it comes."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket())
            try:
                connection = h11.Connection(h11.CLIENT)
                headers = [*_HEADERS, ("Content-Length", str(len(body)))]
                sent = connection.send(h11.Request(method=method, target=target, headers=headers)) or b""
                sent += (connection.send(h11.Data(data=body)) or b"") + (connection.send(h11.EndOfMessage()) or b"")
                writer.write(sent)
                answer = await _next(connection, reader)
                if not isinstance(answer, h11.Response):
                    raise InstanceGone("The worker closed the connection without an answer.")
                yield answer.status_code, _body(connection, reader)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        except (OSError, h11.ProtocolError) as error:
            raise InstanceGone(f"The worker does not answer: {error!r}.") from error


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Event | type[h11.PAUSED]:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(_READ_BYTES))
    return event  # type: ignore[return-value]  # NEED_DATA has just been ruled out


async def _body(connection: h11.Connection, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while isinstance(event := await _next(connection, reader), h11.Data):
        yield bytes(event.data)
    if not isinstance(event, h11.EndOfMessage):
        raise InstanceGone("The worker closed the connection in the middle of an answer.")


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
