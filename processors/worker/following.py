"""The events of many attempts as one stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from processors.protocol import Told
from processors.worker.spool import Spool

_MOST_CHUNKS = 256  # that wait to be passed on; then the attempts' followers wait


async def follow_all(refused: Iterable[Told], followed: Mapping[str, Spool]) -> AsyncIterator[bytes]:
    """Yield what there is to say of attempts, until the last event of each; whole lines, many in a chunk."""
    if first := b"".join(each.wire() + b"\n" for each in refused):
        yield first
    chunks: asyncio.Queue[bytes] = asyncio.Queue(_MOST_CHUNKS)
    tasks = [asyncio.create_task(_pass_on(token, spool, chunks)) for token, spool in followed.items()]
    left = len(tasks)
    try:
        while left:
            some = [await chunks.get()]
            while not chunks.empty():
                some.append(chunks.get_nowait())
            left -= some.count(b"")
            if found := b"".join(some):
                yield found
    finally:
        for task in tasks:
            task.cancel()


async def _pass_on(token: str, spool: Spool, chunks: asyncio.Queue[bytes]) -> None:
    """Put an attempt's events into the queue, and nothing when there are no more."""
    head = b'{"token":"%s","event":' % token.encode()
    with contextlib.suppress(OSError):  # a disk that cannot be read: whoever waits asks again, for this one alone
        async for chunk in spool.follow(0):
            await chunks.put(b"".join(b"%s%s}\n" % (head, line) for line in chunk.splitlines()))
    await chunks.put(b"")
