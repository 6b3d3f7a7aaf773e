"""Reading and writing frames on descriptors, with deadlines: whoever is at the other end may stall, and we may not."""

from __future__ import annotations

import os
import select
import time

from processors.code.frames import HEADER, RAW, BadFrame, Frame, read_header


class Stalled(Exception):
    """The other end takes too long."""


class Ended(Exception):
    """The other end is gone."""


class FrameReader:
    """Takes frame by frame and not a byte more, so that a child can go on where its parent has stopped."""

    def __init__(self, fd: int, deadline: float | None = None) -> None:
        self.fd = fd
        self.deadline = deadline  #: by the monotonic clock; None to wait as long as it takes

    def read(self) -> Frame:
        """The next frame.

        Raises:
            Ended: there is none, and none has begun.
            BadFrame: what came is none.
            Stalled: it did not come in time.
        """
        header = self._exactly(HEADER.size, is_first=True)
        kind, length = read_header(header)
        return Frame(kind, self._exactly(length))

    def raw(self, size: int) -> bytes:
        """One raw frame of at most so many bytes, and at least one."""
        frame = self.read()
        if frame.kind != RAW or not 0 < len(frame.body) <= size:
            raise BadFrame("the bytes of a file were expected, and no more than it has")
        return frame.body

    def _exactly(self, size: int, *, is_first: bool = False) -> bytes:
        data = b""
        while len(data) < size:
            _wait(self.fd, select.POLLIN, self.deadline)
            piece = os.read(self.fd, size - len(data))
            if not piece:
                if is_first and not data:
                    raise Ended("nothing more comes")
                raise BadFrame("the stream ends within a frame")
            data += piece
        return data


def write_all(fd: int, data: bytes, deadline: float | None = None) -> None:
    """Write all of it.

    Raises:
        Ended: nobody reads any more.
        Stalled: it was not read in time.
    """
    left = memoryview(data)
    while left:
        _wait(fd, select.POLLOUT, deadline)
        try:
            left = left[os.write(fd, left[: select.PIPE_BUF]) :]  # no more than surely goes in without waiting
        except BrokenPipeError as error:
            raise Ended("nobody reads any more") from error


def _wait(fd: int, event: int, deadline: float | None) -> None:
    poll = select.poll()
    poll.register(fd, event)
    seconds = None if deadline is None else deadline - time.monotonic()
    if seconds is not None and seconds <= 0:
        raise Stalled("it takes too long")
    if not poll.poll(None if seconds is None else max(1, int(seconds * 1000))):
        raise Stalled("it takes too long")
