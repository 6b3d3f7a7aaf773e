"""One HTTP request and its answer, by h11 on asyncio streams. Knows nothing of attempts.

A link is a secret: no error says more of it than its host.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import h11

from processors.answers import next_event

CONNECT_SECONDS = 10.0
STILL_SECONDS = 30.0  #: that nothing may move
_EXPLANATION_BYTES = 4096  # of an answer that says no
_AFTERWORD_SECONDS = 2.0  # for the answer of a server that has ended the connection while it was sent to


class Unreachable(Exception):
    """There was no answer, or not a whole one. It may be tried again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes."""

    name: str  #: for messages
    target: str
    host: str = ""
    port: int = 0
    socket: Path | None = None  #: instead of host and port
    is_tls: bool = False

    @classmethod
    def of_link(cls, url: str) -> Place:
        """Read a link.

        Raises:
            Unreachable: it is none.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise Unreachable("a link is no URL") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable("a link is no URL of http or https")
        query = f"?{parts.query}" if parts.query else ""
        name = f"{parts.hostname}:{port}"
        return cls(name, f"{parts.path or '/'}{query}", parts.hostname, port, is_tls=parts.scheme == "https")

    @property
    def host_header(self) -> str:
        """As it was signed: without a port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.socket is not None or self.port == (443 if self.is_tls else 80)
        return (host or "worker") if is_usual else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent."""

    length: int
    chunks: AsyncIterator[bytes]


class Answer:
    """The head of an answer, and its body as it comes."""

    def __init__(self, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._name = place.name
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self._still_seconds: float | None = STILL_SECONDS

    async def chunks(self, *, still_seconds: float | None = STILL_SECONDS) -> AsyncIterator[bytes]:
        """The body.

        Raises:
            Unreachable: it breaks off.
        """
        self._still_seconds = still_seconds
        with self._ours():
            while isinstance(event := await self._next(), h11.Data):
                yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise Unreachable(f"{self._name} has broken off in the middle")

    async def explanation(self) -> str:
        """The beginning of a body that says why not."""
        said = b""
        with contextlib.suppress(Unreachable):
            async for chunk in self.chunks():
                said += chunk
                if len(said) > _EXPLANATION_BYTES:
                    break
        return said[:_EXPLANATION_BYTES].decode(errors="replace")

    async def ask(self, head: h11.Request, body: Body | None) -> None:
        """Send the request, and read the head of the answer."""
        with self._ours():
            try:
                await self._send(head, body)
            except ConnectionError:
                # Whoever says no to what is being sent may do so before its end; then that is the answer.
                async with asyncio.timeout(_AFTERWORD_SECONDS):
                    await self._read_head()
                return
            await self._read_head()

    async def _send(self, head: h11.Request, body: Body | None) -> None:
        self._writer.write(self._http.send(head) or b"")
        if body is not None:
            async for chunk in body.chunks:
                self._writer.write(self._http.send(h11.Data(data=chunk)) or b"")
                async with asyncio.timeout(STILL_SECONDS):
                    await self._writer.drain()
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        async with asyncio.timeout(STILL_SECONDS):
            await self._writer.drain()

    async def _read_head(self) -> None:
        while isinstance(event := await self._next(), h11.InformationalResponse):
            pass
        if not isinstance(event, h11.Response):
            raise Unreachable(f"{self._name} has ended the connection without an answer")
        self.status = event.status_code
        self.headers = dict(event.headers)

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        return await next_event(self._http, self._reader, still_seconds=self._still_seconds)

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise Unreachable(f"{self._name} does not answer in time") from error
        except h11.ProtocolError as error:
            raise Unreachable(f"{self._name} answers what is no HTTP") from error
        except OSError as error:
            raise Unreachable(f"{self._name} has ended the connection: {error.strerror or 'it is gone'}") from error


class Client:
    """Makes requests; each has a connection of its own."""

    def __init__(self, ca_file: Path | None = None) -> None:
        """Make none yet.

        Args:
            ca_file: certificate authorities; None: those of the system.
        """
        self._ca_file = ca_file
        self._trusted: ssl.SSLContext | None = None

    @contextlib.asynccontextmanager
    async def request(
        self, method: str, place: Place, *, headers: Sequence[tuple[str, str]] = (), body: Body | None = None
    ) -> AsyncIterator[Answer]:
        """Ask for something, and give the answer until the block ends.

        Raises:
            Unreachable: there is no answer.
        """
        trusted = self._certificates() if place.is_tls else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if place.socket is not None:
                    reader, writer = await asyncio.open_unix_connection(place.socket)
                else:
                    reader, writer = await asyncio.open_connection(place.host, place.port, ssl=trusted)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"the certificate of {place.name} is not trusted: {error.verify_message}") from error
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{place.name} does not answer") from error
        try:
            answer = Answer(place, reader, writer)
            own = [("Host", place.host_header), ("Connection", "close"), *headers]
            if body is not None or method != "GET":
                own.append(("Content-Length", str(body.length if body else 0)))
            try:
                head = h11.Request(method=method, target=place.target, headers=own)
            except h11.LocalProtocolError as error:
                raise Unreachable("a link is no URL") from error
            await answer.ask(head, body)
            yield answer
        finally:
            writer.transport.abort()

    def _certificates(self) -> ssl.SSLContext:
        if self._trusted is None:
            self._trusted = ssl.create_default_context(cafile=self._ca_file)
        return self._trusted
