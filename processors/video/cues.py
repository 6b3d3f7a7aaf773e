"""Pure: the texts of a WebVTT file, each with its time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from processors.ffmpeg.cut import Cut

_TIMES = re.compile(r"^((?:\d+:)?\d\d:\d\d\.\d{3}) --> ((?:\d+:)?\d\d:\d\d\.\d{3})(.*)$")


@dataclass(frozen=True, slots=True)
class Cue:
    """A text, and when it is shown; seconds."""

    start: float
    end: float
    settings: str  #: where it is shown, as the file says
    text: str


def clipped(document: str, part: Cut) -> str:
    """Keep what is shown in a part of the video, at the times that it has there.

    FFmpeg would move everything else in the file to make room for a text that began before the part.
    """
    kept = [
        Cue(*span, cue.settings, cue.text)
        for cue in cues(document)
        if (span := part.span(cue.start, cue.end)) is not None
    ]
    blocks = [f"{_said(cue.start)} --> {_said(cue.end)}{cue.settings}\n{cue.text}" for cue in kept]
    return "\n\n".join(["WEBVTT", *blocks]) + "\n"


def cues(document: str) -> Iterator[Cue]:
    """Read a document as FFmpeg writes it."""
    for block in re.split(r"\n{2,}", document.replace("\r\n", "\n")):
        lines = block.strip("\n").split("\n")
        for number, line in enumerate(lines):
            if found := _TIMES.match(line):
                yield Cue(_seconds(found[1]), _seconds(found[2]), found[3], "\n".join(lines[number + 1 :]))
                break


def _seconds(text: str) -> float:
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _said(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
