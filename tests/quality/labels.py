"""Tags, chapters and covers: a sound and a video that have all of them, and what is left of them in what was made."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.quality import checks

TAGS = {"title": "A walk; there", "artist": "Ann"}
CHAPTERS = ((0.0, "Out"), (1.0, "Back"))
SECONDS = 2.0
_ROUNDING = 0.002  # seconds of a chapter: formats count in milliseconds
_WITHOUT_CHAPTERS = {".wav"}
_WITH_COVER = {".mp3", ".m4a", ".ogg", ".opus", ".flac"}


def labelled(sound: Path, video: Path, folder: Path) -> list[Path]:
    """Make a sound and a video of the beginnings of others, with tags and chapters; the sound has a cover."""
    text = ";FFMETADATA1\n" + "".join(f"{key}={value.replace(';', chr(92) + ';')}\n" for key, value in TAGS.items())
    ends = [*(start for start, _ in CHAPTERS[1:]), SECONDS]
    for (start, title), end in zip(CHAPTERS, ends, strict=True):
        text += f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start * 1000:.0f}\nEND={end * 1000:.0f}\ntitle={title}\n"
    about, cover = folder / "about.txt", folder / "cover.png"
    about.write_text(text)
    _ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=1", "-frames:v", "1", cover)
    made = [folder / "labelled.m4a", folder / "labelled.mp4"]
    own = ("-map_metadata", "1", "-map_chapters", "1", "-t", f"{SECONDS}")
    _ffmpeg("-i", sound, "-i", about, "-i", cover, "-map", "0:a:0", "-map", "2", *own, "-c:a", "aac", "-c:v", "copy",
            "-disposition:v", "attached_pic", made[0])  # fmt: skip
    _ffmpeg("-i", video, "-i", about, "-map", "0:v:0", *own, "-c:v", "libx264", "-preset", "ultrafast", made[1])
    return made


def missing(made: Path, *, has_cover: bool) -> Iterator[str]:
    """Say what of the labels is not in a file that was made of a labelled one."""
    found = checks.streams(made)
    tags: dict[str, str] = {}
    for each in (*(stream.get("tags", {}) for stream in found.streams), found.format.get("tags", {})):
        tags |= {key.lower(): value for key, value in each.items()}
    for key, value in TAGS.items():
        if tags.get(key) != value:
            yield f"its {key} is {tags.get(key)}"
    if made.suffix not in _WITHOUT_CHAPTERS:
        chapters = [(float(each["start_time"]), each.get("tags", {}).get("title")) for each in found.chapters]
        is_same = len(chapters) == len(CHAPTERS) and all(
            abs(said - start) <= _ROUNDING and called == title
            for (said, called), (start, title) in zip(chapters, CHAPTERS, strict=True)
        )
        if not is_same:
            yield f"its chapters are {chapters}"
    if has_cover and made.suffix in _WITH_COVER:
        covers = [each for each in found.streams if each["disposition"]["attached_pic"]]
        if [(each["width"], each["height"]) for each in covers] != [(64, 64)]:
            yield "its cover is missing"


def _ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)
