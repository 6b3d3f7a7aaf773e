"""The chapters of a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processors.ffmpeg.safety import SAFE_INPUT
from processors.worker.context import Context, ProgramFailed


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a file with a title. Seconds."""

    start: float
    end: float
    title: str | None = None


def chapters(context: Context[Any], path: Path) -> list[Chapter]:
    """Ask ffprobe for them: PyAV 14 knows of none. A file that it cannot read has none."""
    safety = [part for key, value in SAFE_INPUT.items() for part in (f"-{key}", value)]
    lines: list[str] = []
    try:
        context.run(
            ["ffprobe", "-v", "error", *safety, "-show_chapters", "-of", "json", "-i", path], on_stdout=lines.append
        )
    except ProgramFailed:
        return []
    return read("\n".join(lines))


def read(text: str) -> list[Chapter]:
    """Read what ffprobe writes."""
    found = json.loads(text).get("chapters", [])
    return [
        Chapter(float(each["start_time"]), float(each["end_time"]), each.get("tags", {}).get("title")) for each in found
    ]


def document(found: list[Chapter]) -> list[dict[str, Any]]:
    """The chapters as JSON."""
    return [
        {"start": each.start, "end": each.end} | ({"title": each.title} if each.title is not None else {})
        for each in found
    ]
