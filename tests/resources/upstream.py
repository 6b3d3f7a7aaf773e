"""A proxy as companies have one: it takes whoever asks for a name by CONNECT to one server on this host."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class CompanyProxy:
    """What it is, and whom it was asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def company_proxy(port: int) -> Iterator[CompanyProxy]:
    """Run one, through which every name leads to a port of this host."""

    class Visit(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            proxy.asked.append(self.rfile.readline().decode().split()[1])
            while self.rfile.readline().strip():
                pass
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as far:
                self.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pass_on, args=(far, self.connection), daemon=True)
                back.start()
                _pass_on(self.connection, far)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Visit) as server:
        proxy = CompanyProxy(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            server.shutdown()


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    with suppress(OSError):
        while data := near.recv(1 << 16):
            far.sendall(data)
    with suppress(OSError):
        far.shutdown(socket.SHUT_WR)
