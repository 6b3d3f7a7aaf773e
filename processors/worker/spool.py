"""What an attempt leaves on disk, and how it is read back.

    <spool>/<token>/out/            the outputs
    <spool>/<token>/events.ndjson   one event per line; they count from 1 without gaps, so event n is line n
    <spool>/<token>/result.json     the last event once more, written last and by rename: who sees it sees all of it

The spool outlives the worker. That of an attempt which is over in moments, and which its host would rather have made
again than kept, is none on disk until there is more to keep than its ending (`Spool(...)`, and `keep` when there is).

A disk that is full must not cost more than the attempt that fills it: from the first
event that cannot be written, the rest is kept in memory, and little of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from processors.protocol import ENDING_NAME, EVENTS_NAME, OUT_DIR_NAME, Ending, Event

_CHUNK_BYTES = 64 * 1024
_MAX_UNWRITTEN = 1000  # events kept in memory when the disk is full


class Spool:
    """The directory of one attempt, and the log of its events. There is one writer; readers come and go."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.is_complete = False
        self.write_error: OSError | None = None
        self._file: int | None = None
        self._written_events = 0
        self._written_bytes = 0
        self._unwritten: list[bytes] = []  # events that follow the written ones
        self._changed = asyncio.Event()

    @property
    def out(self) -> Path:
        return self.directory / OUT_DIR_NAME

    @property
    def next_seq(self) -> int:
        return self._written_events + len(self._unwritten) + 1

    @property
    def is_full(self) -> bool:
        """Say whether nothing but the ending may be added any more."""
        return len(self._unwritten) >= _MAX_UNWRITTEN

    @staticmethod
    def exists(directory: Path) -> bool:
        return (directory / EVENTS_NAME).exists()

    @property
    def is_in_memory(self) -> bool:
        """Say whether there is more of it in memory than on disk: another worker would not find it."""
        return self._file is None or self.write_error is not None

    @classmethod
    def create(cls, directory: Path) -> Spool:
        """Make the directory. When that fails, the spool works in memory, and `write_error` says so."""
        spool = cls(directory)
        spool.keep()
        return spool

    def keep(self) -> None:
        """From now on it is on disk, and so is what was added before."""
        if self._file is not None or self.write_error is not None or self.is_complete:
            return
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self.directory / EVENTS_NAME, flags, 0o644)
        except OSError as error:
            self.write_error = error
        before, self._unwritten = self._unwritten, []
        for line in before:
            self._add(line)

    @classmethod
    def reopen(cls, directory: Path) -> Spool:
        """Find what an earlier worker, or an earlier attempt of this one, has left. Nobody adds to it any more."""
        spool = cls(directory)
        spool.is_complete = True
        with (directory / EVENTS_NAME).open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):  # else the writer was killed within the line
                    spool._written_events += 1
                    spool._written_bytes += len(line)
        return spool

    def append(self, event: Event) -> None:
        """Add an event that is not the last."""
        self._add(event.wire() + b"\n")
        self._announce()

    def finish(self, ending: Ending) -> None:
        """Add the last event: on disk, result.json is complete before any reader is given the event."""
        line = ending.wire() + b"\n"
        if self.write_error is not None and self._file is not None:
            with contextlib.suppress(OSError):  # there may be room again, now that the attempt's outputs are gone
                self._write(self._file, b"".join((*self._unwritten, line)))
        self._add(line)
        if self._file is not None or self.write_error is not None:
            try:
                self._write_ending(line)
            except OSError as error:
                self.write_error = error
        self.leave()

    def leave(self) -> None:
        """Nothing more comes: whoever follows, and has not been given an ending, finds the stream broken off."""
        if self._file is not None:
            os.close(self._file)
        self.is_complete = True
        self._announce()

    def discard_outputs(self) -> None:
        """Give back the room that the outputs of a failed attempt take.

        They go under another name first: who still writes finds no directory, and cannot keep this one from going.
        """
        gone = self.directory / f"{OUT_DIR_NAME}.gone"
        with contextlib.suppress(OSError):
            self.out.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    async def follow(self, after: int) -> AsyncIterator[bytes]:
        """Yield the events that follow a sequence number, until the last; whole events, many in a chunk.

        Written events are read from the file, so that a slow reader costs nothing but its place.
        """
        seq = after  # the last event that was passed on, or skipped
        offset = read = 0
        while True:
            changed = self._changed
            while offset < self._written_bytes:
                chunk = self._read(offset)
                offset += len(chunk)
                known, read = seq - read, read + chunk.count(b"\n")
                if known > 0:
                    chunk = b"".join(chunk.splitlines(keepends=True)[known:])
                seq = max(seq, read)
                if chunk:
                    yield chunk
                else:
                    await asyncio.sleep(0)  # skipping through a long log must not keep others waiting
            if unwritten := self._unwritten[max(0, seq - self._written_events) :]:
                seq += len(unwritten)
                yield b"".join(unwritten)
            elif self.is_complete:
                return
            else:
                await changed.wait()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _add(self, line: bytes) -> None:
        if self.write_error is None and self._file is not None:
            try:
                self._write(self._file, line)
            except OSError as error:
                self.write_error = error
            else:
                self._written_events += 1
                self._written_bytes += len(line)
                return
        self._unwritten.append(line)

    def _write(self, file: int, data: bytes) -> None:
        """Write all or nothing: a part of a line would spoil what follows."""
        try:
            while data:  # a full disk takes a part at first, and refuses the rest at the next call
                data = data[os.write(file, data) :]
        except OSError:
            os.ftruncate(file, self._written_bytes)
            raise

    def _write_ending(self, line: bytes) -> None:
        ending = f"{self.directory}/{ENDING_NAME}"
        partial = f"{ending}.partial"
        try:
            # Not synced: a worker or a daemon that dies leaves it in the page cache, and after a power cut the outputs
            # that it names are not there for sure either. One that is torn is none, and the attempt is made again.
            with open(partial, "wb") as file:  # noqa: PTH123 - of every attempt: a Path takes twice as long
                file.write(line)
            os.rename(partial, ending)  # noqa: PTH104
        except OSError:
            Path(partial).unlink(missing_ok=True)
            raise

    def _read(self, offset: int) -> bytes:
        """Read whole lines: about a chunk of them, or one that is longer."""
        with (self.directory / EVENTS_NAME).open("rb") as file:
            file.seek(offset)
            data = file.read(min(_CHUNK_BYTES, self._written_bytes - offset))
            return data if data.endswith(b"\n") else data + file.readline()
