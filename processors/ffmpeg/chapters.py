"""The chapters of a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.worker.context import Context, ProgramFailed

_SAID = ".chapters.json"  # in the out directory: a line of a program's output is cut where it is longer than a log's
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a file with a title. Seconds."""

    start: float
    end: float
    title: str | None = None


def chapters(context: Context[Any], path: Path) -> list[Chapter]:
    """Ask ffprobe for them: PyAV 14 knows of none. A file that it cannot read has none."""
    safety = [part for key, value in {**SAFE_INPUT, **SAFE_DECODER}.items() for part in (f"-{key}", str(value))]
    said = context.out / _SAID
    try:
        context.run(["ffprobe", "-v", "error", *safety, "-show_chapters", "-of", "json", "-o", said, "-i", path])
        if said.stat().st_size > _MOST_BYTES:
            raise ValueError("there are too many of them")
        return read(said.read_text(encoding="utf-8", errors="replace"))
    except (ProgramFailed, ValueError) as error:
        context.log(f"The chapters cannot be read: {error}")
        return []
    finally:
        said.unlink(missing_ok=True)


def read(text: str) -> list[Chapter]:
    """Read what ffprobe writes.

    Raises:
        ValueError: it is something else.
    """
    try:
        found = json.loads(text).get("chapters", [])
        return [
            Chapter(float(each["start_time"]), float(each["end_time"]), each.get("tags", {}).get("title"))
            for each in found
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"ffprobe has written something else: {error!r}") from error


def within(found: Sequence[Chapter], part: Cut) -> list[Chapter]:
    """Those of a part of the file, at the times that they have there."""
    return [Chapter(*span, each.title) for each in found if (span := part.span(each.start, each.end)) is not None]


def comments(parts: Iterable[tuple[float, str, str | None]]) -> Mapping[str, str]:
    """Chapters as the comments that players look for in Ogg and FLAC, where FFmpeg writes none, or wrong ones.

    Args:
        parts: the beginning of each in seconds, its title and its address.
    """
    found: dict[str, str] = {}
    for number, (start, title, url) in enumerate(parts):
        hours, rest = divmod(round(start * 1000), 3_600_000)
        minutes, rest = divmod(rest, 60_000)
        seconds, milliseconds = divmod(rest, 1000)
        found[f"CHAPTER{number:03}"] = f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
        found[f"CHAPTER{number:03}NAME"] = title
        if url:
            found[f"CHAPTER{number:03}URL"] = url
    return found


def document(found: list[Chapter]) -> list[dict[str, Any]]:
    """The chapters as JSON."""
    return [
        {"start": each.start, "end": each.end} | ({"title": each.title} if each.title is not None else {})
        for each in found
    ]
