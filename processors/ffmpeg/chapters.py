"""The chapters of a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processors.ffmpeg.safety import SAFE_INPUT
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
    safety = [part for key, value in SAFE_INPUT.items() for part in (f"-{key}", value)]
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


def document(found: list[Chapter]) -> list[dict[str, Any]]:
    """The chapters as JSON."""
    return [
        {"start": each.start, "end": each.end} | ({"title": each.title} if each.title is not None else {})
        for each in found
    ]
