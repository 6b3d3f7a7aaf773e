"""Pure: scenes as the files that people and editing programs read: JSON, CSV and a CMX 3600 edit decision list."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """A part of a video in which the camera runs through."""

    number: int  #: from 1
    start_frame: int
    end_frame: int  #: the first one that does not belong to it
    start_seconds: float
    end_seconds: float
    begins_with: str = "start"  #: start, cut or fade
    score: float = 0.0  #: how far its first frame stands out

    @property
    def name(self) -> str:
        """The name of files about it, without suffix."""
        return f"scene-{self.number:0{_DIGITS}}"

    @property
    def middle_seconds(self) -> float:
        """The moment that stands for it."""
        return (self.start_seconds + self.end_seconds) / 2


def document(scenes: Sequence[Scene], name: str, framerate: float, files: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Tell all that is known of the scenes.

    Args:
        name: of the video.
        files: of each scene: names by what they are, as thumbnail and video.
    """
    return {
        "input": name,
        "framerate": framerate,
        "scenes": [_row(scene, framerate) | named for scene, named in zip(scenes, files, strict=True)],
    }


def table(scenes: Sequence[Scene], framerate: float) -> str:
    """Write the scenes as CSV, with the names that the JSON has."""
    rows = [_row(scene, framerate) for scene in scenes]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def edit_list(scenes: Sequence[Scene], name: str, framerate: float) -> str:
    """Write the scenes as a CMX 3600 list: a cut for each, and the result is as long as the source.

    Args:
        name: of the video; it is a comment after each event, as editing programs look for.
    """
    name = " ".join(name.split())
    lines = [f"TITLE: {name}", "FCM: NON-DROP FRAME"]
    first = scenes[0].start_frame
    for scene in scenes:
        frames = (scene.start_frame, scene.end_frame, scene.start_frame - first, scene.end_frame - first)
        codes = " ".join(timecode(frame, framerate) for frame in frames)
        lines += ["", f"{scene.number:03}  AX       V     C        {codes}", f"* FROM CLIP NAME: {name}"]
    return "\n".join(lines) + "\n"


def timecode(frame: int, framerate: float) -> str:
    """Count a frame as hours, minutes, seconds and frames, without leaving numbers out: 29.97 is counted as 30."""
    whole = max(1, round(framerate))
    seconds, frames = divmod(frame, whole)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frames:02}"


def _row(scene: Scene, framerate: float) -> dict[str, Any]:
    return {
        "number": scene.number,
        "startFrame": scene.start_frame,
        "endFrame": scene.end_frame,
        "startSeconds": round(scene.start_seconds, 6),
        "endSeconds": round(scene.end_seconds, 6),
        "startTimecode": timecode(scene.start_frame, framerate),
        "endTimecode": timecode(scene.end_frame, framerate),
        "beginsWith": scene.begins_with,
        "score": scene.score,
    }
