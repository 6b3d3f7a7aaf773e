"""HTTP/1.1 over a stream: just enough of a server, with h11 for the grammar. Knows nothing of attempts.

A client that talks garbage, sends too much, stops half-way or vanishes costs its own connection and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import h11

from processors.protocol import Refusal

MAX_BODY_BYTES = 64 * 1024 * 1024  # the text of a program and all that goes with it, escaped at the worst
_MAX_HEAD_BYTES = 16 * 1024
_REQUEST_SECONDS = 10.0  # from a request's first byte to its last; between requests a connection may rest
_SEND_SECONDS = 60.0  # for a chunk to be taken; a reader that is stuck for longer has to come again
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: a body, or a stream of chunks."""

    status: int
    body: bytes = b"{}"
    stream: AsyncIterator[bytes] | None = field(default=None, kw_only=True)


Answer = Callable[[Request], Response]
Admit = Callable[[bytes], bool]  #: whether a request with this Authorization is listened to


def refusal(status: int, code: str, message: str) -> Response:
    """Make the answer that says no."""
    return Response(status, Refusal(code=code, message=message).wire())


class _BodyTooLarge(Exception):
    """The request has more than MAX_BODY_BYTES."""


class _NotAdmitted(Exception):
    """The client is a stranger."""


class _Gone(Exception):
    """The client has closed the connection."""


class Connection:
    """One client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, admit: Admit | None = None) -> None:
        """Take a connection.

        Args:
            admit: asked before anything of a request's body is read; None: whoever gets here may.
        """
        self._admit = admit
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self.is_answering = False
        self._is_ending = False

    def end(self) -> None:
        """Take no further request."""
        self._is_ending = True

    async def serve(self, answer: Answer) -> None:
        """Answer requests until either side has had enough."""
        with contextlib.suppress(OSError, TimeoutError, _Gone):
            try:
                while True:
                    request = await self._receive()
                    self.is_answering = True
                    await self._send(answer(request))
                    self.is_answering = False
                    if self._is_ending or {self._http.our_state, self._http.their_state} != {h11.DONE}:
                        break
                    self._http.start_next_cycle()
            except _BodyTooLarge:
                await self._send(refusal(413, "too_large", f"A request may have {MAX_BODY_BYTES} bytes."))
            except _NotAdmitted:
                await self._send(refusal(401, "no_secret", "This takes the instance's secret."))
            except ValueError as error:  # a target that is no URL, a number that is none
                await self._send(refusal(400, "bad_request", str(error)))
            except h11.RemoteProtocolError as error:
                if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                    await self._send(refusal(error.error_status_hint, "bad_request", str(error)))
        self._writer.close()

    async def _receive(self) -> Request:
        head: h11.Request | None = None
        body = bytearray()
        deadline: float | None = None
        if self._http.trailing_data[0]:
            deadline = asyncio.get_running_loop().time() + _REQUEST_SECONDS
        while True:
            event = self._http.next_event()
            match event:
                case h11.NEED_DATA:
                    async with asyncio.timeout_at(deadline):
                        data = await self._reader.read(_CHUNK_BYTES)
                    deadline = deadline or asyncio.get_running_loop().time() + _REQUEST_SECONDS
                    self._http.receive_data(data)
                case h11.Request():
                    head = event
                    if self._admit is not None and not self._admit(dict(head.headers).get(b"authorization", b"")):
                        raise _NotAdmitted
                    if int(dict(head.headers).get(b"content-length", b"0")) > MAX_BODY_BYTES:
                        raise _BodyTooLarge  # without reading any of it
                case h11.Data():
                    body += event.data
                    if len(body) > MAX_BODY_BYTES:
                        raise _BodyTooLarge
                case h11.EndOfMessage() if head is not None:
                    url = urlsplit(head.target.decode("ascii"))
                    return Request(head.method.decode("ascii"), url.path, dict(parse_qsl(url.query)), bytes(body))
                case _:
                    raise _Gone

    async def _send(self, response: Response) -> None:
        headers = [("content-type", "application/x-ndjson" if response.stream else "application/json")]
        if response.stream is None:
            headers.append(("content-length", str(len(response.body))))
        if self._http.their_state is not h11.DONE:
            headers.append(("connection", "close"))
        data = self._http.send(h11.Response(status_code=response.status, headers=headers)) or b""
        if response.stream is None:
            data += (self._http.send(h11.Data(data=response.body)) or b"") + self._end()
            await self._write(data)
            return
        await self._write(data)
        sending = asyncio.create_task(self._send_stream(response.stream))
        gone = asyncio.create_task(self._until_gone())
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise _Gone
            await sending
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send_stream(self, stream: AsyncIterator[bytes]) -> None:
        async for chunk in stream:
            await self._write(self._http.send(h11.Data(data=chunk)) or b"")
        await self._write(self._end())

    def _end(self) -> bytes:
        return self._http.send(h11.EndOfMessage()) or b""

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(_SEND_SECONDS):
            await self._writer.drain()

    async def _until_gone(self) -> None:
        """Return when the client closes the connection, or sends more than a next request while it is being sent to."""
        room = MAX_BODY_BYTES
        while room > 0 and (data := await self._reader.read(_CHUNK_BYTES)):
            room -= len(data)
            self._http.receive_data(data)
