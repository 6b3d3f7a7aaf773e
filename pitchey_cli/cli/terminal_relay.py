"""The user's terminal and a shell's, made one: every key goes there at once, and everything that comes is shown."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import termios
import tty
from collections.abc import Iterator

from pitchey_cli.domain.errors import EngineError
from pitchey_cli.supervisor.shell import ShellSlot
from processors.code.frames import DOCUMENT, BadFrame, encode_document, encode_raw
from processors.code.reading import BadDocument
from processors.code.shell_protocol import Shell, ShellEnded, Size
from processors.code.slot_protocol import Ready

_STDIN, _STDOUT = 0, 1
_PIECE_BYTES = 1 << 14
_MOST_HELD_BYTES = 1 << 16
_START_SECONDS = 60.0
_WINDOW = struct.Struct("HHHH")


class HungUp(Exception):
    """The user's terminal is gone, or somebody asked us to end."""


def window() -> Size:
    """How large the user's window is."""
    try:
        rows, columns, _, _ = _WINDOW.unpack(fcntl.ioctl(_STDIN, termios.TIOCGWINSZ, b"\0" * _WINDOW.size))
    except OSError:
        return Size()
    return Size(min(rows, 4096), min(columns, 4096)) if rows and columns else Size()


def relay(slot: ShellSlot, shell: Shell) -> ShellEnded:
    """Run a shell in a slot at this terminal, until it ends.

    Raises:
        EngineError: the slot did not start, or went away.
        HungUp: this terminal went away.
    """
    with _signals() as woken, _raw():
        return _Relay(slot, shell, woken).run()


class _Relay:
    def __init__(self, slot: ShellSlot, shell: Shell, woken: int) -> None:
        self._slot = slot
        self._shell = shell
        self._woken = woken
        self._outgoing = bytearray()
        self._is_ready = False

    def run(self) -> ShellEnded:
        connection = self._slot.connection
        connection.setblocking(False)
        while True:
            wanted: list[int | socket.socket] = [connection, self._woken]
            if self._is_ready and len(self._outgoing) < _MOST_HELD_BYTES:
                wanted.append(_STDIN)
            readable, writable, _ = select.select(
                wanted, [connection] if self._outgoing else [], [], None if self._is_ready else _START_SECONDS
            )
            if not readable and not writable:
                raise EngineError(f"The slot is not ready after {_START_SECONDS:.0f} s.")
            try:
                if writable:
                    del self._outgoing[: connection.send(self._outgoing)]
                if connection in readable and (ended := self._listen(connection)) is not None:
                    return ended
            except BlockingIOError:
                pass
            except OSError as error:
                raise self._gone(str(error)) from error
            if self._woken in readable:
                self._heed(os.read(self._woken, _PIECE_BYTES))
            if _STDIN in readable:
                self._type()

    def _listen(self, connection: socket.socket) -> ShellEnded | None:
        data = connection.recv(_PIECE_BYTES)
        if not data:
            raise self._gone("it has ended")
        try:
            for frame in self._slot.frames(data):
                if frame.kind != DOCUMENT:
                    _show(frame.body)
                elif self._is_ready:
                    return ShellEnded.read(frame.document())
                else:
                    Ready.read(frame.document())
                    self._is_ready = True
                    self._outgoing += encode_document(self._shell._replace(size=window()).document())
        except (BadFrame, BadDocument) as error:
            raise EngineError(f"The slot says what is not understood: {error}.") from error
        return None

    def _type(self) -> None:
        try:
            data = os.read(_STDIN, _PIECE_BYTES)
        except OSError as error:
            raise HungUp from error
        if not data:
            raise HungUp
        for frame in encode_raw(data):
            self._outgoing += frame

    def _heed(self, numbers: bytes) -> None:
        if set(numbers) & {signal.SIGTERM, signal.SIGHUP}:
            raise HungUp
        if self._is_ready:
            self._outgoing += encode_document(window().document())

    def _gone(self, why: str) -> EngineError:
        return EngineError(f"The slot is gone: {self._slot.complaint or why}.")


def _show(data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(_STDOUT, left) :]
        except BlockingIOError:
            select.select([], [_STDOUT], [])
        except OSError as error:
            raise HungUp from error


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """No key means anything here: Ctrl-C and Ctrl-D are the shell's."""
    before = termios.tcgetattr(_STDIN)
    tty.setraw(_STDIN)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """A descriptor from which the numbers of signals can be read: that the window changed, that we are to end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing)
    numbers = (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP)
    handlers = [(number, signal.signal(number, lambda *_: None)) for number in numbers]
    try:
        yield reading
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
