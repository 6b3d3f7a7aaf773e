"""The chapters that a file has; asked of ffprobe, because PyAV does not tell them."""

from __future__ import annotations

import json
from typing import Any

from processors.ffmpeg.safety import SAFE_INPUT
from processors.ffmpeg.tasks import Source
from processors.specs.media import Chapter
from processors.worker.context import Context, ProgramFailed

_WITHOUT = {"wav", "aac", "w64", "aiff", "ac3", "eac3", "amr", "au", "flv", "avi", "mpegts"}  # have none to tell
_TITLE_LENGTH = 4000


def own_chapters(context: Context[Any], source: Source) -> list[Chapter]:
    """Read the chapters of a file; what is damaged is left out."""
    if source.probe.format in _WITHOUT:
        return []
    safety = [word for key, value in SAFE_INPUT.items() for word in (f"-{key}", value)]
    lines: list[str] = []
    try:
        context.run(
            ["ffprobe", "-v", "error", *safety, "-show_chapters", "-of", "json", "-i", source.path],
            on_stdout=lines.append,
        )
        listed = json.loads("\n".join(lines)).get("chapters", [])
    except (ProgramFailed, ValueError):
        context.log(f"The chapters of {source.name} cannot be read; the result has none.")
        return []
    found = [(float(each["start_time"]), float(each["end_time"]), each.get("tags", {})) for each in listed]
    return [
        Chapter.model_validate(
            {"start": max(0.0, start), "end": end, "title": str(tags.get("title", f"Chapter {number}"))[:_TITLE_LENGTH]}
        )
        for number, (start, end, tags) in enumerate(found, start=1)
        if end > max(0.0, start)
    ]
