"""A wire between a client and a server that counts what goes through it, and is cut on demand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PIECE = 16 * 1024


@dataclass
class Wire:
    """A TCP relay on a port of its own."""

    target: tuple[str, int]
    listener: socket.socket
    sent: int = 0  #: bytes to the server
    received: int = 0  #: bytes from it
    cut_after_sent: int | None = None  #: the connection that gets so far is broken off, once
    cut_after_received: int | None = None
    cuts: int = 0
    stays_down: bool = False  #: after a cut, so that nobody goes on at once
    is_down: bool = False  #: whoever comes is turned away, and who is there is when they next say something
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            if self.is_down:
                client.close()
                continue
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target, timeout=30)
        except OSError:  # nobody there: whoever has connected learns so
            client.close()
            return
        for source, sink, is_up in ((client, server, True), (server, client, False)):
            threading.Thread(target=self._pump, args=(source, sink, is_up), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                if self._counted(len(data), is_up):
                    for end in (source, sink):
                        with suppress(OSError):
                            end.shutdown(socket.SHUT_RDWR)
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()  # else what still comes is swallowed, and whoever sends it waits

    def _counted(self, count: int, is_up: bool) -> bool:
        """Count; whether the wire is cut here."""
        with self._lock:
            if is_up:
                self.sent += count
                is_cut = self.is_down or (self.cut_after_sent is not None and self.sent >= self.cut_after_sent)
                self.cut_after_sent = None if is_cut else self.cut_after_sent
            else:
                self.received += count
                is_cut = self.cut_after_received is not None and self.received >= self.cut_after_received
                self.cut_after_received = None if is_cut else self.cut_after_received
            self.cuts += is_cut
            self.is_down |= is_cut and self.stays_down
            return is_cut


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    """A wire to a port of this machine."""
    wire = Wire(("127.0.0.1", port), socket.create_server(("127.0.0.1", 0)))
    thread = threading.Thread(target=wire.serve, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        wire.listener.close()
