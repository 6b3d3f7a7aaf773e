"""What a stream is made of: files with one encoded track each, and what each is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from processors.ffmpeg.languages import name_of

Kind = Literal["video", "audio", "text"]

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LONGEST_LANGUAGE = 35  # BCP 47, section 4.4.1; it becomes the name of a folder
_UNSAFE = re.compile(r"[\x00-\x1f\x7f,=\"\\]+")  # would end a field of Packager's, or a quoted string of a playlist
_LONGEST_TITLE = 80


@dataclass(frozen=True, slots=True)
class Track:
    """One track of a stream."""

    kind: Kind
    folder: str  #: as video-720p; below the output directory
    source: Path  #: the encoded file; WebVTT for text
    language: str | None = None  #: BCP 47 or ISO 639-2; None where it is not known
    title: str = ""  #: what players show in their menu


def language_of(said: str | None) -> str | None:
    """Take a language from a file of a stranger, if it is one."""
    if not said or said == "und" or len(said) > _LONGEST_LANGUAGE or not _LANGUAGE.fullmatch(said):
        return None
    return said.lower()


def title_of(said: str | None, language: str | None, number: int) -> str:
    """Name a track for the menu of a player: as its file does, or else by its language or its number."""
    title = " ".join(_UNSAFE.sub(" ", said or "").split())[:_LONGEST_TITLE]
    return title or (name_of(language) if language else f"Track {number}")


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Number what has the same name as one before it: eng, eng-2, eng-3."""
    given: list[str] = []
    for name in names:
        choice, number = name, 2
        while choice in given:
            choice, number = f"{name}-{number}", number + 1
        given.append(choice)
    return tuple(given)
