"""One exchange with a worker over HTTP, on a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import h11
from pydantic import ValidationError

from pitchey_cli.domain.errors import InstanceGone, PitcheyError
from processors import protocol
from processors.answers import lines_of, next_event, whole


class WorkerRefused(PitcheyError):
    """The worker answered, and said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Answer:
    """A request, and what is answered to it."""

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
            head = await next_event(self._http, self._reader)
        except (OSError, h11.ProtocolError) as error:
            raise InstanceGone(f"The worker does not answer: {error!r}.") from error
        if not isinstance(head, h11.Response):
            raise InstanceGone("The worker closed the connection without an answer.")
        self.status = head.status_code
        self.is_stream = (b"content-type", b"application/x-ndjson") in head.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it comes."""
        try:
            while isinstance(event := await next_event(self._http, self._reader), h11.Data):
                yield bytes(event.data)
        except (OSError, h11.ProtocolError) as error:
            raise InstanceGone(f"The worker does not answer: {error!r}.") from error
        if not isinstance(event, h11.EndOfMessage):
            raise InstanceGone("The worker closed the connection in the middle of an answer.")

    async def whole(self) -> bytes:
        """The body to its end.

        Raises:
            InstanceGone: it broke off, or has no end.
        """
        return await whole(self.chunks(), InstanceGone("The worker's answer has no end."))

    def lines(self) -> AsyncIterator[bytes]:
        """The lines of the body, as they come; none is empty.

        Raises:
            InstanceGone: it broke off, or has a line without end.
        """
        return lines_of(self.chunks(), InstanceGone("The event stream has a line without end."))

    async def close(self) -> None:
        """Let go of the connection."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def refusal(status: int, answer: bytes) -> WorkerRefused:
    try:
        message = protocol.Refusal.model_validate_json(answer).message
    except ValidationError:
        message = answer.decode(errors="replace")[:200]
    return WorkerRefused(status, message)
