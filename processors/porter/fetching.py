"""One input by its link: resumed where it broke off, never more than was announced, and only what was announced."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from processors.porter.exchange import Answer, Client, Place, Unreachable
from processors.porter.patience import IS_WORTH_ANOTHER_TRY, WANTS_ANOTHER_LINK, Patience, TransferFailed
from processors.protocol import InputFile

Renew = Callable[[], Awaitable[str]]
Moved = Callable[[int], None]  #: bytes that came through, or had come through in vain where negative


async def fetch(client: Client, file: InputFile, target: Path, *, renew: Renew, moved: Moved) -> None:
    """Fetch an input into a file that does not exist.

    Args:
        renew: asks for another link.
        moved: told of every piece.

    Raises:
        TransferFailed: it cannot be had, or is not what was announced.
        OSError: the disk does not take it.
    """
    patience = Patience("input_not_fetched", f"The input {file.name} could not be fetched")
    fetching = _Fetching(file, target, moved)
    url = file.url or await renew()
    while not fetching.is_whole:
        try:
            headers = [("Range", f"bytes={fetching.done}-")] if fetching.done else []
            async with client.request("GET", Place.of_link(url), headers=headers) as answer:
                if answer.status in WANTS_ANOTHER_LINK:
                    patience.renew(f"its link is refused with {answer.status}")
                    url = await renew()
                elif answer.status in (200, 206):
                    await fetching.take(answer, patience)
                elif answer.status in IS_WORTH_ANOTHER_TRY:
                    await patience.pause(f"the object store answers {answer.status}")
                else:
                    raise patience.failed(f"the object store answers {answer.status}")
        except Unreachable as error:
            await patience.pause(str(error))
    fetching.check()


class _Fetching:
    """What has come so far."""

    def __init__(self, file: InputFile, target: Path, moved: Moved) -> None:
        self.done = 0
        self._file = file
        self._target = target
        self._moved = moved
        self._hash = hashlib.sha256()
        target.touch(mode=0o644, exist_ok=False)

    @property
    def is_whole(self) -> bool:
        return self.done >= self._file.size

    async def take(self, answer: Answer, patience: Patience) -> None:
        """Take what an answer has; it may break off."""
        if answer.status == 200 and self.done:  # it knows no ranges: from the beginning
            self._moved(-self.done)
            self.done, self._hash = 0, hashlib.sha256()
        with self._target.open("r+b") as out:
            out.seek(self.done)
            out.truncate()
            async for chunk in answer.chunks():
                self.done += len(chunk)
                if self.done > self._file.size:
                    raise self._wrong(f"it has more than the {self._file.size} bytes that were announced")
                out.write(chunk)
                self._hash.update(chunk)
                self._moved(len(chunk))
                patience.moved()
        if not self.is_whole:
            raise self._wrong(f"it has {self.done} bytes, and {self._file.size} were announced")

    def check(self) -> None:
        """Compare it with what was announced."""
        if self._hash.hexdigest() != self._file.sha256:
            raise self._wrong("its SHA-256 is not the one that was announced")

    def _wrong(self, problem: str) -> TransferFailed:
        return TransferFailed("input_damaged", f"The input {self._file.name} is not what it was: {problem}.")
