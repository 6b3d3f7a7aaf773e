"""Compound files: streams within a file, as Office wrote until 2007, and writes around what is encrypted.

The format is MS-CFB, "Compound File Binary File Format". Only the names of streams and their beginnings are read: a few
sectors of any file, however large, and no chain further than the file could have it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from mmap import mmap

MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  #: how such a file begins

_HEADER_BYTES = 512
_LAST_SECTOR = 0xFFFFFFFA  # what is more stands for an end, or for nothing
_NO_ENTRY = 0xFFFFFFFF
_ENTRY_BYTES = 128
_STREAM, _ROOT = 2, 5
_MOST_ENTRIES = 4096  # that are looked at: a document has some twenty
_MOST_LISTS = 4096  # sectors that list those of the table, beside the header; each stands for 8 MB or more


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int


class Compound:
    """A file of streams."""

    def __init__(self, data: bytes | mmap) -> None:
        """Look at its directory.

        Raises:
            ValueError: it is damaged.
        """
        self._data = data
        if len(self._data) < _HEADER_BYTES or self._data[: len(MARK)] != MARK:
            raise ValueError("it has no header")
        shift, self._small_shift = struct.unpack_from("<HH", self._data, 30)
        if not (7 <= shift <= 16 and 4 <= self._small_shift <= shift):
            raise ValueError("its sectors have no size that there is")
        self._sector = 1 << shift
        directory, self._least, self._small_table = struct.unpack_from("<I4xII", self._data, 48)
        self._tables = self._listed()
        self._entries = self._directory(directory)
        self._streams = {entry.name: entry for entry in self._children() if entry.kind == _STREAM}

    @property
    def names(self) -> frozenset[str]:
        """Of the streams of the file itself, not of what is embedded in it."""
        return frozenset(self._streams)

    def beginning(self, name: str, most: int) -> bytes:
        """The first bytes of a stream, at most so many; none of one that is not there.

        Raises:
            ValueError: it is damaged.
        """
        entry = self._streams.get(name)
        if entry is None:
            return b""
        most = min(most, entry.size)
        if entry.size >= self._least:
            return self._joined(self._chain(entry.start), most)
        small = 1 << self._small_shift
        found = b""
        for number in self._small_chain(entry.start):
            if len(found) >= most:
                break
            place, begin = divmod(number * small, self._sector)
            holder = next(islice(self._chain(self._entries[0].start), place, None), None)
            if holder is None:
                raise ValueError("it is cut off")
            found += self._at(holder)[begin : begin + small]
        return found[:most]

    def _listed(self) -> list[int]:
        """The sectors of the table that says which sector follows which."""
        first, count = struct.unpack_from("<II", self._data, 68)
        listed = list(struct.unpack_from("<109I", self._data, 76))
        per = self._sector // 4
        for _ in range(min(count, _MOST_LISTS)):
            if first > _LAST_SECTOR:
                break
            *more, first = struct.unpack(f"<{per}I", self._at(first))
            listed += more
        return listed

    def _at(self, number: int) -> bytes:
        begin = (number + 1) * self._sector
        found = self._data[begin : begin + self._sector]
        if len(found) < self._sector:
            raise ValueError("it is cut off")
        return found

    def _next(self, number: int) -> int:
        table, place = divmod(number, self._sector // 4)
        if table >= len(self._tables):
            raise ValueError("a sector is not in its table")
        return int(struct.unpack_from("<I", self._at(self._tables[table]), 4 * place)[0])

    def _chain(self, number: int) -> Iterator[int]:
        left = len(self._data) // self._sector
        while number <= _LAST_SECTOR:
            if left <= 0:
                raise ValueError("its sectors follow each other without an end")
            left -= 1
            yield number
            number = self._next(number)

    def _small_chain(self, number: int) -> Iterator[int]:
        table = self._joined(self._chain(self._small_table), len(self._data))
        left = len(table) // 4
        while number <= _LAST_SECTOR:
            if left <= 0 or 4 * number + 4 > len(table):
                raise ValueError("its sectors follow each other without an end")
            left -= 1
            yield number
            (number,) = struct.unpack_from("<I", table, 4 * number)

    def _joined(self, chain: Iterator[int], most: int) -> bytes:
        found = bytearray()
        for number in chain:
            found += self._at(number)
            if len(found) >= most:
                break
        return bytes(found[:most])

    def _directory(self, start: int) -> list[_Entry]:
        data = self._joined(self._chain(start), _MOST_ENTRIES * _ENTRY_BYTES)
        made = []
        for begin in range(0, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            name, length, kind, left, right, child, first, size = struct.unpack_from("<64sHBxIII36xII4x", data, begin)
            words = name[: max(0, length - 2)].decode("utf-16-le", "replace")
            made.append(_Entry(words, kind, left, right, child, first, size))
        if not made or made[0].kind != _ROOT:
            raise ValueError("it has no directory")
        return made

    def _children(self) -> Iterator[_Entry]:
        """What is in the file itself; they are a tree by name."""
        waiting, seen = [self._entries[0].child], {_NO_ENTRY}
        while waiting:
            number = waiting.pop()
            if number in seen or number >= len(self._entries):
                continue
            seen.add(number)
            entry = self._entries[number]
            waiting += [entry.left, entry.right]
            yield entry
