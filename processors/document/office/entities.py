"""Whether XML declares entities, which grow without end and lead elsewhere. It is not kept, whatever its length."""

from __future__ import annotations

from typing import IO
from xml.parsers import expat

_CHUNK_BYTES = 64 * 1024
_XML_BEGINS = tuple(
    mark.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be") for mark in ("<", "\ufeff")
)
_EBCDIC = "<?xml".encode("cp037")
_UNKNOWN_ENCODING = expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING]
_BLANK = b" \t\r\n\0"
_DECLARES = b"<!ENTITY"


class _Begun(Exception):
    """The first element has come: nothing is declared after it."""


def declares_entities(file: IO[bytes]) -> bool:
    """Whether a part is XML, whatever it is called, that declares entities, or may do so in an encoding of which
    others know more: office programs write UTF-8 and UTF-16.
    """

    def begin(_: str, __: object) -> None:
        raise _Begun

    found = False

    def declare(*_: object) -> None:
        nonlocal found
        found = True
        raise _Begun

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EntityDeclHandler = begin, declare
    chunk = file.read(_CHUNK_BYTES)
    while chunk and not chunk.strip(_BLANK):  # others skip what stands before it, however much
        chunk = file.read(_CHUNK_BYTES)
    begins = chunk.lstrip(_BLANK)
    if begins.startswith(_EBCDIC):
        return True
    if not begins.startswith(_XML_BEGINS):
        return False
    word = _Word()
    try:
        while chunk:
            word.look(chunk)
            parser.Parse(chunk, False)
            chunk = file.read(_CHUNK_BYTES)
    except _Begun:
        return found
    except (LookupError, ValueError):
        return True
    except expat.ExpatError as error:
        if error.code == _UNKNOWN_ENCODING:
            return True
        while chunk := file.read(_CHUNK_BYTES):  # others may forgive what is wrong here
            word.look(chunk)
        return word.was_seen
    return word.was_seen


class _Word:
    """Looks for the word that declares them, which may be divided between two chunks."""

    def __init__(self) -> None:
        self.was_seen = False
        self._end = b""

    def look(self, chunk: bytes) -> None:
        text = self._end + chunk.replace(b"\0", b"")
        self.was_seen = self.was_seen or _DECLARES in text
        self._end = text[-len(_DECLARES) :]
