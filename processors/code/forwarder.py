"""The way from a program to the proxy on the host: TCP on loopback -> the Unix socket that is mounted into the slot.

Clients know proxies by host and port only, and a slot has no network but loopback. This is a process of its own, which
neither root nor the job's user, sees no file, and understands nothing of what it carries: what may pass is decided
on the host. Whoever floods it waits; nobody else uses it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from typing import NoReturn

from processors.code import landlock
from processors.code.jail import Jail
from processors.code.slot_protocol import FORWARDER_UID, PROXY_HOST, PROXY_PORT, PROXY_SOCKET, PhaseLimits
from processors.slot_needs import MIB

_TUNNELS = 32  # as many as the proxy takes
_PIECE_BYTES = 16 << 10  # what is held for each direction of a tunnel
_BACKLOG = 64
_LIMITS = PhaseLimits(wall_seconds=1, memory_bytes=MIB, file_bytes=0, open_files=2 * _TUNNELS + 16, processes=1)
_READY = b"+"


class NoForwarder(OSError):
    """It does not start; says why."""


class Forwarder:
    """The process, and the port, which stays ours when that process is killed with all others."""

    def __init__(self, jail: Jail) -> None:
        """Listen; nobody is served yet.

        Raises:
            OSError: the port is not to be had.
        """
        # No file may be opened and no port connected to; a Unix socket is neither, for Landlock.
        ruleset = landlock.make_ruleset((), (), connectable=()) if jail.landlock else None
        self._jail = jail._replace(uid=FORWARDER_UID, ruleset=ruleset)
        self._listening = socket.create_server((PROXY_HOST, PROXY_PORT), backlog=_BACKLOG)
        self._listening.setblocking(False)

    def start(self) -> None:
        """Serve from now on, in a child.

        Raises:
            NoForwarder: it cannot.
        """
        reading, writing = os.pipe()
        if os.fork() == 0:
            self._be_forwarder(writing)
        os.close(writing)
        said = os.read(reading, 4096)
        os.close(reading)
        if said != _READY:
            raise NoForwarder(f"the forwarder does not start: {said.decode('utf-8', 'replace')}")

    def _be_forwarder(self, answer: int) -> NoReturn:
        try:
            kept = {self._listening.fileno(), answer, self._jail.ruleset}
            nothing = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):  # not one byte of its may look like the slot's
                os.dup2(nothing, fd)
            for fd in range(3, 256):
                if fd not in kept:
                    with contextlib.suppress(OSError):
                        os.close(fd)
            self._jail.enter(_LIMITS)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # who has hung up is no reason to end
            if self._jail.ruleset is not None:
                os.close(self._jail.ruleset)
            os.write(answer, _READY)
            os.close(answer)
            forward(self._listening, PROXY_SOCKET)
        except BaseException as problem:
            with contextlib.suppress(OSError):
                os.write(answer, f"{problem}".encode("utf-8", "replace")[:4096])
        finally:
            os._exit(1)


class _Direction:
    """One half of a tunnel: what was read and not yet written."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.held = b""
        self.is_open = True

    def move(self, events: dict[int, int]) -> None:
        """Do what can be done without waiting.

        Raises:
            OSError: a side has broken off.
        """
        if not self.is_open:
            return
        if not self.held and events.get(self.source.fileno(), 0):
            self.held = self.source.recv(_PIECE_BYTES)
            if not self.held:
                self.is_open = False
                self.sink.shutdown(socket.SHUT_WR)
                return
        if self.held:
            with contextlib.suppress(BlockingIOError):
                self.held = self.held[self.sink.send(self.held) :]


def forward(listening: socket.socket, path: str) -> NoReturn:
    """Carry every connection to a Unix socket, for ever."""
    tunnels: list[tuple[_Direction, _Direction]] = []
    while True:
        poll = select.poll()
        wanted: dict[int, int] = {}
        if len(tunnels) < _TUNNELS:  # else who comes waits
            wanted[listening.fileno()] = select.POLLIN
        for tunnel in tunnels:
            for way in tunnel:
                if way.is_open and way.held:
                    wanted[way.sink.fileno()] = wanted.get(way.sink.fileno(), 0) | select.POLLOUT
                elif way.is_open:
                    wanted[way.source.fileno()] = wanted.get(way.source.fileno(), 0) | select.POLLIN
        for fd, mask in wanted.items():
            poll.register(fd, mask)
        events = dict(poll.poll())
        tunnels = [tunnel for tunnel in tunnels if _is_alive(tunnel, events)]
        if listening.fileno() in events:
            tunnels += _accept(listening, path)


def _is_alive(tunnel: tuple[_Direction, _Direction], events: dict[int, int]) -> bool:
    try:
        for way in tunnel:
            with contextlib.suppress(BlockingIOError):
                way.move(events)
    except OSError:
        pass
    else:
        if any(way.is_open for way in tunnel):
            return True
    for way in tunnel:
        way.source.close()
    return False


def _accept(listening: socket.socket, path: str) -> list[tuple[_Direction, _Direction]]:
    try:
        near, _ = listening.accept()
    except OSError:  # who came has gone
        return []
    far = socket.socket(socket.AF_UNIX)
    far.setblocking(False)
    near.setblocking(False)
    try:
        far.connect(path)
    except OSError:  # the proxy is gone, and with it the way out
        near.close()
        far.close()
        return []
    return [(_Direction(near, far), _Direction(far, near))]
