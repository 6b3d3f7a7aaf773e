"""A PostgreSQL server of which only its first words are there: it lets everybody in, and says which version it is.

The messages are those of the manual's chapter "Message Formats".
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

_ENCRYPTION = (80877103, 80877104)  # SSLRequest, GSSENCRequest


@contextmanager
def old_postgres(version: str) -> Iterator[str]:
    """The URL of a server of a version."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=_serve, args=(listener, version), daemon=True).start()
        yield f"postgresql://ada:secret@127.0.0.1:{listener.getsockname()[1]}/queue"


def _serve(listener: socket.socket, version: str) -> None:
    with suppress(OSError):  # closed
        while True:
            client, _ = listener.accept()
            with closing(client), suppress(OSError):
                _let_in(client, version)


def _let_in(client: socket.socket, version: str) -> None:
    while _first_words(client) in _ENCRYPTION:
        client.sendall(b"N")
    said = b"server_version\0" + version.encode() + b"\0"
    client.sendall(_message(b"R", struct.pack("!i", 0)) + _message(b"S", said) + _message(b"Z", b"I"))
    while client.recv(4096):
        pass  # until it hangs up


def _first_words(client: socket.socket) -> int:
    """What a message without a type begins with: a request, or the version of the protocol."""
    (length,) = struct.unpack("!i", _exactly(client, 4))
    (code,) = struct.unpack("!i", _exactly(client, length - 4)[:4])
    return int(code)


def _exactly(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        if not (piece := client.recv(count - len(found))):
            raise ConnectionResetError
        found += piece
    return found


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
