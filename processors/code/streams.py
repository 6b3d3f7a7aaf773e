"""What a program prints, kept up to a cap, and what it reads, fed to it: neither ever waits for the program."""

from __future__ import annotations

import contextlib
import os

_PIECE_BYTES = 1 << 16


class Capture:
    """The reading end of one of a program's streams. Bytes stay bytes."""

    def __init__(self, fd: int, cap_bytes: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.is_open = True
        self.is_cut = False
        self._cap = cap_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def read(self) -> bool:
        """Take one piece.

        Returns:
            Whether there may be more now.
        """
        if not self.is_open:
            return False
        try:
            piece = os.read(self.fd, _PIECE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            self.close()
            return False
        kept = piece[: self._cap - self._size]
        self._size += len(kept)
        if kept:
            self._pieces.append(kept)
        self.is_cut = self.is_cut or len(kept) < len(piece)
        return True

    def drain(self) -> None:
        """Take what is left in the pipe; no more than the cap, because somebody might still be writing."""
        while not self.is_cut and self.read():
            pass
        self.close()

    def close(self) -> None:
        """Let go of the pipe."""
        if self.is_open:
            self.is_open = False
            os.close(self.fd)

    def content(self) -> bytes:
        """What was kept."""
        return b"".join(self._pieces)


class Feed:
    """The writing end of a program's stdin. Closed when all is written, or nobody reads."""

    def __init__(self, fd: int, data: bytes) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.is_open = True
        self._left = memoryview(data)
        if not data:
            self.close()

    def write(self) -> None:
        """Write as much as the pipe takes."""
        with contextlib.suppress(BlockingIOError):
            try:
                while self._left:
                    self._left = self._left[os.write(self.fd, self._left[:_PIECE_BYTES]) :]
            except BrokenPipeError:
                pass
            self.close()

    def close(self) -> None:
        """The program reads the end of the file."""
        if self.is_open:
            self.is_open = False
            os.close(self.fd)
