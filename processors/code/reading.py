"""Documents from the other side, read field by field. Each number and text has bounds; nothing is converted.

By hand, because a library for this would be the largest thing in a slot that waits. Fields that are not asked for are
ignored, so that the two sides may be of neighbouring versions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


class BadDocument(Exception):
    """A document has a field that cannot be; the message names it."""


class Fields:
    """The fields of one object of a document."""

    def __init__(self, document: object, where: str = "") -> None:
        if not isinstance(document, dict):
            raise BadDocument(f"{where or 'the message'} is no object")
        self._document: Mapping[str, Any] = document
        self._where = f"{where}." if where else ""

    def has(self, name: str) -> bool:
        """Whether a field is there and not null."""
        return self._document.get(name) is not None

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self._document.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._bad(name, f"is no whole number from {least} to {most}")
        return value

    def number(self, name: str, least: float, most: float) -> float:
        """A finite number within bounds."""
        value = self._document.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._bad(name, "is no number")
        if not math.isfinite(value) or not least <= value <= most:
            raise self._bad(name, f"is not between {least} and {most}")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._document.get(name)
        if not isinstance(value, bool):
            raise self._bad(name, "is neither true nor false")
        return value

    def text(self, name: str, most: int) -> str:
        """A text of at most so many characters, without NUL."""
        return self._text(self._document.get(name), name, most)

    def texts(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        """A list of so many texts at most."""
        return tuple(self._text(item, f"{name}[{at}]", longest) for at, item in enumerate(self._list(name, most)))

    def environment(self, name: str, most: int, longest: int) -> dict[str, str]:
        """Texts by name, as an environment has them."""
        value = self._document.get(name)
        if not isinstance(value, dict) or len(value) > most:
            raise self._bad(name, f"is no object of at most {most} fields")
        for key, item in value.items():
            self._text(item, f"{name}.{key}", longest)
            if not key or "=" in key or "\0" in key or not _is_utf8(key):
                raise self._bad(name, f"has the impossible name {key!r}")
        return dict(value)

    def inner(self, name: str) -> Fields:
        """An object in it."""
        return Fields(self._document.get(name), f"{self._where}{name}")

    def inners(self, name: str, most: int) -> Iterator[Fields]:
        """A list of so many objects at most."""
        for at, item in enumerate(self._list(name, most)):
            yield Fields(item, f"{self._where}{name}[{at}]")

    def _list(self, name: str, most: int) -> list[Any]:
        value = self._document.get(name)
        if not isinstance(value, list) or len(value) > most:
            raise self._bad(name, f"is no list of at most {most}")
        return value

    def _text(self, value: object, name: str, most: int) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise self._bad(name, f"is no text of at most {most} characters")
        if "\0" in value or not _is_utf8(value):
            raise self._bad(name, "has a NUL or half a character")
        return value

    def _bad(self, name: str, why: str) -> BadDocument:
        return BadDocument(f"{self._where}{name} {why}")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can say
        return False
    return True
