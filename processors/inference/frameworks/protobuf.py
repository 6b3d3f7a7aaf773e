"""Reads protocol buffers without loading them: fields of a number, a type and a value, nested.

A length that reaches beyond what holds it means that the file is cut, or is something else; nothing is allocated by it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator


class NotWhole(ValueError):
    """The bytes are no such message, or not all of it."""


def fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, and from where to where the value is, of each field of a message.

    Raises:
        NotWhole: a length reaches beyond the message.
    """
    at = start
    while at < end:
        key, at = varint(data, at, end)
        number, wire = key >> 3, key & 7
        begin = at
        if wire == 0:
            _, at = varint(data, at, end)
        elif wire == 2:
            length, begin = varint(data, at, end)
            at = begin + length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise NotWhole("what it says makes no sense")
        if number == 0 or at > end:
            raise NotWhole("it ends in the middle" if number else "what it says makes no sense")
        yield number, wire, begin, at


def varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """A whole number, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise NotWhole("it ends in the middle")


def parts(data: mmap.mmap, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """From where to where each field of a number is, of those that hold something."""
    for number, wire, at, stop in fields(data, start, end):
        if number == wanted and wire == 2:
            yield at, stop


def numbers(data: mmap.mmap, start: int, end: int, wanted: int) -> Iterator[int]:
    """The whole numbers that a field has."""
    for number, wire, at, stop in fields(data, start, end):
        if number == wanted and wire == 0:
            yield varint(data, at, stop)[0]


def text(data: mmap.mmap, start: int, end: int) -> str:
    """Bytes as text."""
    return data[start:end].decode("utf-8", "replace")
