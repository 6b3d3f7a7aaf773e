"""Chapters, from a spec, a file or a document of the Podcasting 2.0 namespace, and back into one.

The document is version 1.2 of https://github.com/Podcastindex-org/podcast-namespace, chapters/jsonChapters.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processors.ffmpeg.cut import Cut
from processors.specs.media import Chapter
from processors.worker.context import Rejected

_VERSION = "1.2.0"
_MOST = 1000
_MOST_BYTES = 4 * 1024 * 1024
_TITLE_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class Part:
    """A chapter whose end is known. Seconds."""

    start: float
    end: float
    title: str
    url: str | None = None
    image: str | None = None


def from_spec(chapters: Iterable[Chapter]) -> list[Chapter]:
    """The chapters in the order of their beginnings."""
    return sorted(chapters, key=lambda chapter: chapter.start)


def from_file(path: Path, name: str) -> list[Chapter]:
    """Read a document of Podcasting 2.0 from a file; no more of it than one may have.

    Raises:
        Rejected: it is none.
    """
    with path.open("rb") as file:
        return from_document(file.read(_MOST_BYTES + 1), name)


def from_document(data: bytes, name: str) -> list[Chapter]:
    """Read a document of Podcasting 2.0.

    Args:
        name: what to call it in messages.

    Raises:
        Rejected: it is none.
    """
    hint = 'It has to look like {"version": "1.2.0", "chapters": [{"startTime": 0, "title": "Introduction"}]}.'
    if len(data) > _MOST_BYTES:
        raise Rejected("chapters_invalid", f"{name} is too large for a list of chapters.", hint)
    try:
        document = json.loads(data.decode("utf-8-sig"))
        listed = document["chapters"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Rejected("chapters_invalid", f"{name} is no Podcasting 2.0 JSON of chapters.", hint) from error
    if not isinstance(listed, list) or len(listed) > _MOST:
        raise Rejected("chapters_invalid", f"{name} has no list of at most {_MOST} chapters.", hint)
    found = [_read(each, number, name, hint) for number, each in enumerate(listed, start=1)]
    # What is hidden from the table of contents is a change of picture, and no chapter.
    return from_spec(chapter for chapter in found if chapter is not None)


def _read(each: Any, number: int, name: str, hint: str) -> Chapter | None:
    try:
        if each.get("toc") is False:
            return None
        start, end = _seconds(each["startTime"]), each.get("endTime")
        title = str(each.get("title") or f"Chapter {number}")[:_TITLE_LENGTH].replace("\0", "")
        found = {"start": start, "title": title, "url": each.get("url"), "image": each.get("img")}
        return Chapter.model_validate(found | ({} if end is None else {"end": _seconds(end)}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Rejected("chapters_invalid", f"Chapter {number} of {name} cannot be understood.", hint) from error


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError("no time")
    return seconds


def settled(chapters: Sequence[Chapter], cut: Cut) -> list[Part]:
    """Give each chapter its end, and move all to where they are after a cut.

    A chapter ends where it says or where the next begins; one that is cut off at both sides is left out.

    Args:
        cut: what is left of the source; its end is where the source is cut, or ends, where that is known.
    """
    ordered = from_spec(chapters)
    parts: list[Part] = []
    for number, chapter in enumerate(ordered, start=1):
        limit = ordered[number].start if number < len(ordered) else cut.end
        finish = chapter.end if chapter.end is not None else limit
        if finish is None:
            finish = chapter.start + 1.0
        if limit is not None:
            finish = min(finish, limit)  # players take no chapters that overlap
        if (span := cut.span(chapter.start, finish)) is not None:
            parts.append(Part(*span, chapter.title, chapter.url, chapter.image))
    return parts


def document(parts: Sequence[Part]) -> bytes:
    """Write a document of Podcasting 2.0."""
    chapters = []
    for part in parts:
        chapter: dict[str, Any] = {"startTime": round(part.start, 3), "title": part.title}
        chapter |= {"endTime": round(part.end, 3)}
        if part.url:
            chapter["url"] = part.url
        if part.image:
            chapter["img"] = part.image
        chapters.append(chapter)
    return json.dumps({"version": _VERSION, "chapters": chapters}, ensure_ascii=False, indent=2).encode() + b"\n"
