"""The texts that PDFium gives of a file beside its pages: titles, notes, names. What is no Unicode is U+FFFD."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as raw

MOST_TEXT = 10_000  # characters of one value
_MOST_BYTES = 16 * 1024 * 1024  # of a value that is cut to that; a longer one is none
_CHARS = ctypes.POINTER(ctypes.c_ushort)

Read = Callable[[Any, int], int]  #: one of PDFium's functions: takes a buffer and its length, gives that of the value


def text(read: Read, pointer: Any = _CHARS, most: int = MOST_TEXT) -> str:
    """A text that PDFium gives as UTF-16; empty where there is none.

    Args:
        pointer: the type of buffer that the function takes.
        most: characters, to which it is cut.
    """
    length = read(None, 0)
    if not 2 < length <= _MOST_BYTES:
        return ""
    buffer = ctypes.create_string_buffer(length)
    read(ctypes.cast(buffer, pointer), length)
    return buffer.raw[: min(length - 2, 2 * most)].decode("utf-16-le", "replace")


def ascii_text(read: Read) -> str:
    """A text that PDFium gives as bytes; empty where there is none."""
    length = read(None, 0)
    if not 1 < length <= MOST_TEXT:
        return ""
    buffer = ctypes.create_string_buffer(length)
    read(buffer, length)
    return buffer.value.decode("utf-8", "replace")


def property_of(document: Any, key: str) -> str:
    """What a document says of itself, as its `Title`."""
    return text(lambda buffer, size: raw.FPDF_GetMetaText(document.raw, key.encode(), buffer, size), ctypes.c_void_p)
