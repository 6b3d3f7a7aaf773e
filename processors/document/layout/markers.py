"""How the lines of lists and notes begin."""

from __future__ import annotations

import re
from dataclasses import dataclass

BULLETS = "•‣◦▪▫●○■□◆◇➢➤✓✔·∙⁃➔❖\uf0b7\uf0a7\uf0d8\uf076\uf0fc\uf02d\uf06e"
BOXES = {"☐": False, "☑": True, "☒": True, "\uf0a8": False, "\uf06f": False, "\uf0fe": True, "\uf072": False}

_BULLET = re.compile(rf"^([{BULLETS}])\s*(?=\S|$)|^([-–—*])\s+(?=\S)")
_BOX = re.compile(f"^([{''.join(BOXES)}])\\s*")
_NUMBER = re.compile(r"^(\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})\)|(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})\.|[①-⑳])\s+(?=\S)")
_NOTE = re.compile(r"^(\d{1,3}\)|[*†‡§¶]{1,3}|\d{1,3}(?![\d.,]))\s*(?=\S)")

_TAIL = 200  # characters in which an entry ends: all dots of a line would be looked at from each of them
_LEADERS = re.compile(r"(\.\s?){4,}\s*([\divxlc]{1,6})?\s*$|(·\s?|…\s?){3,}\s*([\divxlc]{1,6})?\s*$", re.IGNORECASE)
_DOTS = re.compile(r"\s*(\.\s?){4,}\s*|\s*([·…]\s?){3,}\s*")
_LONE = re.compile(rf"^([{BULLETS}{''.join(BOXES)}–—-]|(\d{{1,3}}|[a-zA-Z]|[ivx]{{1,5}})[.)]|\(\w{{1,3}}\))$")


@dataclass(frozen=True, slots=True)
class Marker:
    """What an item begins with."""

    length: int  #: characters, with the white space after it
    number: str | None = None
    checked: bool | None = None


def marker_of(text: str) -> Marker | None:
    """Read the bullet, number or box that a line begins with."""
    if found := _BOX.match(text):
        return Marker(found.end(), checked=BOXES[found[1]])
    if found := _BULLET.match(text):
        return Marker(found.end())
    if found := _NUMBER.match(text):
        return Marker(found.end(), number=found[1])
    return None


def note_of(text: str) -> Marker | None:
    """Read the mark that a footnote begins with."""
    found = _NOTE.match(text)
    return Marker(found.end(), number=found[1]) if found else None


def is_entry(text: str) -> bool:
    """Whether a line is one of a table of contents: dots lead to a number."""
    return _LEADERS.search(text.rstrip()[-_TAIL:]) is not None


def without_leaders(text: str) -> str:
    """A text without the dots that lead to a number."""
    return _DOTS.sub(" ", text)


def is_lone_marker(word: str) -> bool:
    """Whether a word is what an item begins with, and nothing else."""
    return _LONE.match(word) is not None
