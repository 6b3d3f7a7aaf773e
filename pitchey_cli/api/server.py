"""The server: uvicorn on a socket that somebody else has opened, with limits to how slowly a request may come."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import logging
import os
import socket
import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pitchey_cli.api import app
from pitchey_cli.api.admission import SignOn
from pitchey_cli.api.desk import Desk
from pitchey_cli.api.endpoint import answer_to
from pitchey_cli.api.problems import Refused
from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.domain.listening import Address
from pitchey_cli.network.certificates import Certificate
from pitchey_cli.wiring import Wiring

DRAIN = b"drain\n"  #: what the daemon says when it drains; the end of what it says is the end of this process
_HEADER_SECONDS = 10.0  # for the whole head of a request
_HEADER_BYTES = 32 * 1024
_KEEP_ALIVE_SECONDS = 30
_GRACE_SECONDS = 5  # for answers that are being made when the process ends
_CONNECTIONS = 1000
_OF_STRANGERS = ("Invalid HTTP request", "Unsupported upgrade request", "No supported WebSocket library")
_KEY_BYTES = 16  # of the key of a WebSocket: RFC 6455, 4.1
_RENEW_SECONDS = 5.0  # between two looks at the files of a certificate


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to patience: a head that trickles in, or never comes, costs a connection and no more.

    h11 and not httptools: it bounds the head of a request by itself, and is there already.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_between = self.cycle is None or self.cycle.response_complete
        if is_between and self.conn.their_state is h11.IDLE:
            self._expect_head()  # the head has begun, and is not whole
        else:
            self._stop_expecting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Begin a WebSocket; what is no beginning of one is refused as all else is, and not as the library would."""
        wrong = _wrong_with_handshake(dict(self.headers))
        if wrong:
            self._refuse(Refused(HTTPStatus.BAD_REQUEST, "handshake", "This begins no WebSocket.", hint=wrong))
        else:
            super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """What h11 refuses, as a problem detail."""
        self._refuse(Refused(HTTPStatus.BAD_REQUEST, "not-http", "What came is no HTTP request.", hint=msg))

    def _refuse(self, refused: Refused) -> None:
        """Answer what never gets to a route, and have nothing more of this connection."""
        answer = answer_to(refused, "-")
        body = bytes(answer.body)
        head = [*answer.raw_headers, (b"connection", b"close")]
        with contextlib.suppress(h11.LocalProtocolError):
            begin = h11.Response(status_code=refused.status, headers=head)
            for event in (begin, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(_HEADER_SECONDS, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _wrong_with_handshake(headers: Mapping[bytes, bytes]) -> str:
    """What is wrong with the head of a request for a WebSocket (RFC 6455, 4.2.1); empty when nothing is."""
    if headers.get(b"sec-websocket-version") != b"13":
        return "Sec-WebSocket-Version is to be 13."
    try:
        key = base64.b64decode(headers.get(b"sec-websocket-key", b""), validate=True)
    except ValueError:
        key = b""
    return "" if len(key) == _KEY_BYTES else "Sec-WebSocket-Key is to be 16 bytes in base 64."


async def serve(
    wiring: Wiring, listener: socket.socket, address: Address, daemon: int, certificate: Certificate | None = None
) -> None:
    """Answer until the daemon says no more.

    Args:
        listener: it listens already.
        address: where it does.
        daemon: the end of a pipe that the daemon writes to, and closes by ending, however that comes.
        certificate: for TLS; None: there is none.
    """
    desk = Desk.open(wiring, address)
    try:
        server = uvicorn.Server(_config(desk, certificate))
        gc.collect()
        gc.freeze()  # what is loaded stays: no collection looks at it again while somebody waits
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        hearing = asyncio.create_task(_hear(daemon, desk, server))
        sweeping = asyncio.create_task(desk.sweep())
        renewing = asyncio.create_task(_renew(certificate))
        await server._serve([listener])  # serve() would take the signals, which are the daemon's
        hearing.cancel()
        sweeping.cancel()
        renewing.cancel()
    finally:
        desk.close()


async def _renew(certificate: Certificate | None) -> None:
    """Show a certificate that has been renewed to whoever comes then."""
    while certificate is not None:
        await asyncio.sleep(_RENEW_SECONDS)
        try:
            certificate.renew()
        except PitcheyError as error:
            sys.stderr.write(f"{error} The certificate from before is still shown.\n")


def _config(desk: Desk, certificate: Certificate | None) -> uvicorn.Config:
    config = uvicorn.Config(
        app.make(desk, _sign_ons(desk)),
        http=PatientProtocol,
        ws="websockets-sansio",
        ws_max_size=64 * 1024,  # of a message of a client, which means nothing
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # what a client says of where it comes from is not believed
        server_header=False,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        limit_concurrency=_CONNECTIONS,
    )
    config.load()
    # What strangers send is answered, and is no business of the log: they would fill it.
    logging.getLogger("uvicorn.error").addFilter(lambda record: not record.getMessage().startswith(_OF_STRANGERS))
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    config.ssl = certificate.context if certificate is not None else None
    return config


def _sign_ons(desk: Desk) -> list[SignOn]:
    terms = desk.wiring.policies.sign_on()
    if terms is None:
        return []
    from pitchey_cli.api import sign_on  # late: what it takes costs a tenth of a second and 20 MB, and few have one

    return [sign_on.made(desk, terms)]


async def _hear(daemon: int, desk: Desk, server: uvicorn.Server) -> None:
    """Do what the daemon says."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with os.fdopen(daemon, "rb", buffering=0) as pipe:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        while line := await reader.readline():
            desk.is_draining = desk.is_draining or line == DRAIN
    desk.ending.set()
    server.should_exit = True
