"""A receiver of webhooks on loopback: it answers as it is told to, and keeps what it was sent."""

from __future__ import annotations

import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook as Verifier


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]  #: by their names in small letters
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """What it says, if the library believes it."""
        said: dict[str, Any] = Verifier(secret).verify(self.body, dict(self.headers))
        return said


@dataclass
class Receiver:
    """Answers 204, but for what is scripted of a path."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    script: dict[str, deque[tuple[int, dict[str, str]]]] = field(default_factory=lambda: defaultdict(deque))
    standing: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)  #: when the script has ended
    held: set[str] = field(default_factory=set)  #: paths where nobody gets an answer before `release`
    released: threading.Event = field(default_factory=threading.Event)
    came: threading.Condition = field(default_factory=threading.Condition)

    def url(self, path: str = "/hooks", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def answer(self, path: str, status: int, **headers: str) -> None:
        """Answer so, once more."""
        self.script[path].append((status, {name.replace("_", "-"): value for name, value in headers.items()}))

    def always(self, path: str, status: int, **headers: str) -> None:
        self.standing[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()})

    def at(self, path: str) -> list[Received]:
        return [each for each in self.received if each.path == path]

    def until(self, path: str, count: int) -> list[Received]:
        """What has come to a path, when so much has."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.at(path)) >= count, 60), f"{len(self.at(path))} came to {path}"
        return self.at(path)

    def take(self, received: Received) -> tuple[int, dict[str, str]]:
        with self.came:
            self.received.append(received)
            self.came.notify_all()
        if received.path in self.held:
            self.released.wait(60)
        script = self.script[received.path]
        return script.popleft() if script else self.standing.get(received.path, (204, {}))


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver for as long as the context lasts."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more = receiver.take(Received(self.path, headers, body))
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever asked has gone."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
