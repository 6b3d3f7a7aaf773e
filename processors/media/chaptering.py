"""The chapters that a file has, as those that a user gives."""

from __future__ import annotations

from typing import Any

from processors.ffmpeg.chapters import chapters
from processors.ffmpeg.tasks import Source
from processors.specs.media import Chapter
from processors.worker.context import Context

_WITHOUT = {"wav", "aac", "w64", "aiff", "ac3", "eac3", "amr", "au", "flv", "avi", "mpegts"}  # have none to tell
_TITLE_LENGTH = 4000


def own_chapters(context: Context[Any], source: Source) -> list[Chapter]:
    """Read the chapters of a file; what is damaged is left out."""
    if source.probe.format in _WITHOUT:
        return []
    return [
        Chapter(
            start=max(0.0, each.start),
            end=each.end,
            title=(f"Chapter {number}" if each.title is None else each.title)[:_TITLE_LENGTH],
            url=None,
            image=None,
        )
        for number, each in enumerate(chapters(context, source.path), start=1)
        if each.end > max(0.0, each.start)
    ]
