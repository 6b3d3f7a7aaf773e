"""What a worker answers over HTTP, as it is read: by its host, and by the porter that stands before it.

Knows nothing of connections, nor of what is asked. Who reads says what to raise when an answer has no end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import h11

from processors.protocol import EVENT_BYTES

_READ_BYTES = 256 * 1024


async def next_event(
    http: h11.Connection, reader: asyncio.StreamReader, *, still_seconds: float | None = None
) -> h11.Event | type[h11.PAUSED]:
    """The next part of what comes.

    Args:
        still_seconds: for which nothing may come; None: for ever.

    Raises:
        TimeoutError, OSError: it does not come.
        h11.ProtocolError: it is no HTTP.
    """
    while (event := http.next_event()) is h11.NEED_DATA:
        async with asyncio.timeout(still_seconds):
            http.receive_data(await reader.read(_READ_BYTES))
    return event  # type: ignore[return-value]  # NEED_DATA has just been ruled out


async def whole(chunks: AsyncIterator[bytes], endless: Exception) -> bytes:
    """A body to its end.

    Raises:
        endless: it has more than EVENT_BYTES.
    """
    said = b""
    async for chunk in chunks:
        said += chunk
        if len(said) > EVENT_BYTES:
            raise endless
    return said


async def lines_of(chunks: AsyncIterator[bytes], endless: Exception) -> AsyncIterator[bytes]:
    """The lines of a body, as they come; none is empty.

    Raises:
        endless: one has more than EVENT_BYTES.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > EVENT_BYTES:
            raise endless
        for line in filter(None, lines):
            yield line
