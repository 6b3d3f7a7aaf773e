"""What a worker has left behind: looked at without trust, hashed, and sent by links.

The worker's directory is open to every program that it runs. So a file is opened step by step, through no link, and is
taken only when it is a regular file with one name. What it holds may still change while it is read: the host compares
what was stored with what was said, and both come from here.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from processors.beneath import Outside, open_beneath, parts_within
from processors.porter.exchange import Body, Client, Place, Unreachable
from processors.porter.patience import IS_WORTH_ANOTHER_TRY, WANTS_ANOTHER_LINK, Patience, TransferFailed
from processors.protocol import EVENT_BYTES, MOST_OUTPUTS, OUT_DIR_NAME, OutputFile, ResultEvent, StoredFile

MOST_BYTES = 5 * 2**30  #: of one output: what S3 takes by a single PUT
_CHUNK_BYTES = 256 * 1024
_HASH_BYTES = len(f',"sha256":"{"0" * 64}"')  # that an output has in the last event, once it is stored
_METRICS_BYTES = 1024  # that the numbers of the metrics may be longer than zeros, and more


@dataclass(frozen=True, slots=True)
class Left:
    """Where an attempt has left its outputs. Of the whole path only `spool` is not the worker's to replace."""

    spool: Path
    token: str


def check_sizes(left: Left, outputs: list[OutputFile], *, limit_bytes: int) -> int:
    """Look at all outputs; how many bytes they have.

    Raises:
        TransferFailed: they are too many or too large, or one is not what it should be.
    """
    if len(outputs) > MOST_OUTPUTS:
        raise _refused("too_many_outputs", f"The attempt has {len(outputs)} outputs, and may have {MOST_OUTPUTS}.")
    total = 0
    for output in outputs:
        with opened(left, output.path) as file:
            size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            text = f"The output {output.path} has {size} bytes, and one that is stored by a link may have {MOST_BYTES}."
            raise _refused("output_too_large", text)
        total += size
    if total > limit_bytes:
        text = f"The outputs take {total} bytes, more than the {limit_bytes} that the job may write."
        raise _refused("output_too_large", text)
    return total


def check_length(said: ResultEvent) -> None:
    """Make sure, before anything is stored, that the host will read the last event.

    Args:
        said: as it is to be, without hashes and metrics.

    Raises:
        TransferFailed: it will be too long.
    """
    count = len(said.result.outputs)
    size = len(said.wire()) + count * _HASH_BYTES + _METRICS_BYTES
    if size > EVENT_BYTES:
        text = f"What is said of the attempt's {count} outputs takes {size} bytes, and may take {EVENT_BYTES}."
        raise _refused("too_many_outputs", text)


def measure(left: Left, output: OutputFile, number: int) -> StoredFile:
    """Hash an output. Blocks.

    Raises:
        TransferFailed: it is not what it should be.
    """
    digest = hashlib.sha256()
    size = 0
    with opened(left, output.path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            if size > MOST_BYTES:
                raise _refused("output_changed", f"The output {output.path} grows while it is read.")
    return StoredFile(number=number, size=size, sha256=digest.hexdigest())


async def store(
    client: Client,
    left: Left,
    output: OutputFile,
    measured: StoredFile,
    url: str,
    *,
    renew: Callable[[], Awaitable[str]],
    moved: Callable[[int], None],
) -> None:
    """Send an output to where its link leads.

    Raises:
        TransferFailed: it cannot be, or has changed since it was measured.
    """
    patience = Patience("output_not_stored", f"The output {output.path} could not be stored")
    while True:
        sent = 0

        def counted(count: int) -> None:
            nonlocal sent
            sent += count
            moved(count)

        try:
            with opened(left, output.path) as file:
                body = Body(measured.size, _exactly(file, measured.size, output.path, counted))
                async with client.request("PUT", Place.of_link(url), body=body) as answer:
                    if 200 <= answer.status < 300:
                        return
                    said = await answer.explanation()
                    moved(-sent)
                    sent = 0
                    problem = f"the object store answers {answer.status}{_code(said)}"
                    if answer.status in WANTS_ANOTHER_LINK:
                        patience.renew(problem)
                        url = await renew()
                    elif answer.status in IS_WORTH_ANOTHER_TRY:
                        await patience.pause(problem)
                    else:
                        raise patience.failed(problem)
        except Unreachable as error:
            moved(-sent)
            await patience.pause(str(error))


@contextmanager
def opened(left: Left, relative: str) -> Iterator[BinaryIO]:
    """Open an output, through no link.

    Raises:
        TransferFailed: it is not there, or no regular file with one name.
    """
    try:
        descriptor = open_beneath(left.spool, (left.token, OUT_DIR_NAME, *parts_within(relative)))
    except Outside:
        raise _refused("bad_output", f"The output {relative!r} lies outside of its folder.") from None
    except OSError as error:
        raise _refused("bad_output", f"The output {relative} cannot be opened: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise _refused("bad_output", f"The output {relative} is not a regular file.")
        yield file


async def _exactly(file: BinaryIO, size: int, name: str, moved: Callable[[int], None]) -> AsyncIterator[bytes]:
    left = size
    while left:
        chunk = await asyncio.to_thread(file.read, min(_CHUNK_BYTES, left))
        if not chunk:
            raise _refused("output_changed", f"The output {name} has changed while it was stored.")
        left -= len(chunk)
        moved(len(chunk))
        yield chunk


def _code(said: str) -> str:
    """The word by which S3 says why."""
    _, _, rest = said.partition("<Code>")
    word = rest.partition("</Code>")[0][:60]
    return f" ({word})" if word.isalnum() else ""


def _refused(code: str, message: str) -> TransferFailed:
    return TransferFailed(code, message, retryable=False)
