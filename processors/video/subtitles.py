"""Pure: what becomes of subtitles.

Those of DVDs and Blu-rays are pictures; MP4 and WebM hold text only. A picture can be burnt in, and is left
out elsewhere, with a word in the result: a job never fails for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ffmpeg

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.filters import Filter
from processors.ffmpeg.program import FFMPEG
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.streams import Probe, Subtitle
from processors.ffmpeg.tasks import Source
from processors.specs import VideoSpec
from processors.worker.context import Rejected

BURNT = "burnt.ass"  #: in the out directory; a name of ours, because it stands among filters
STYLED = ("ass", "ssa")  #: codecs of texts that say how they look
CODECS: Mapping[str, str] = {"mp4": "mov_text", "webm": "webvtt"}


@dataclass(frozen=True, slots=True)
class Captions:
    """What becomes of the subtitles of a file, and of one that is given beside it."""

    kept: Sequence[Subtitle] = ()  #: tracks of the file that become tracks
    extracted: Sequence[Subtitle] = ()  #: tracks of the file that become WebVTT files
    burnt: Subtitle | None = None  #: the track of the file that becomes part of the picture
    is_file_kept: bool = False  #: the file that is given becomes a track
    is_file_extracted: bool = False
    is_file_burnt: bool = False
    notes: Sequence[str] = field(default_factory=list)  #: sentences for the user

    @property
    def tracks(self) -> int:
        """The tracks of the output."""
        return len(self.kept) + self.is_file_kept

    @property
    def has_default(self) -> bool:
        """Whether a track of the output shows by itself."""
        return any(each.is_default for each in self.kept)

    @property
    def has_burnt_text(self) -> bool:
        """Whether the picture has text that libass draws."""
        return self.is_file_burnt or (self.burnt is not None and self.burnt.is_text)


def captions(spec: VideoSpec, probe: Probe, name: str) -> Captions:
    """Say what becomes of subtitles.

    Raises:
        Rejected: what is to be burnt in is not there.
    """
    has_file = spec.subtitle_url is not None
    texts = [each for each in probe.subtitles if each.is_text]
    notes = [
        f"Subtitle track {number} ({_called(each)}) was left out: it is pictures, and only text can be kept."
        for number, each in enumerate(probe.subtitles, start=1)
        if not each.is_text and spec.subtitles in ("keep", "extract")
    ]
    match spec.subtitles:
        case "keep":
            return Captions(kept=texts, is_file_kept=has_file, notes=notes)
        case "extract":
            if not texts and not has_file:
                notes.append("There are no subtitles to extract.")
            return Captions(extracted=texts, is_file_extracted=has_file, notes=notes)
        case "burn":
            return Captions(is_file_burnt=True) if has_file else Captions(burnt=_track(spec, probe, name))
        case _:
            return Captions()


def burning(part: Cut) -> list[Filter]:
    """Draw the text of `BURNT`, whose times are those of the uncut file."""
    draw = Filter("subtitles", options={"filename": BURNT})
    if not part.start:
        return [draw]
    return [
        Filter("setpts", [f"PTS+{part.start:.6f}/TB"]),
        draw,
        Filter("setpts", [f"PTS-{part.start:.6f}/TB"]),
    ]


def turned_as_written(script: str) -> str:
    """Let the first strong letter of each line say where it begins: else what runs from right to left would not.

    Only for a script that was made of a file without styles: an author's own says by itself how it is laid out.
    """
    lines = script.splitlines()
    return "\n".join(
        # The last field is the encoding; -1 is libass's word for it.
        f"{line.rpartition(',')[0]},-1" if line.startswith("Style:") else line
        for line in lines
    )


def convert(source: Source, track: str, output: str, codec: str, *, charset: str | None = None) -> tuple[str, ...]:
    """Say how one text track becomes a file, as a whole.

    Args:
        track: as ffmpeg calls it: its index, or s:0.
        charset: of a file that is not UTF-8.
    """
    safety: dict[str, Any] = {**SAFE_INPUT, **SAFE_DECODER} | ({} if charset is None else {"sub_charenc": charset})
    media = ffmpeg.input(str(source.path), **safety)
    step = ffmpeg.output(media[track], output, **{"c:s": codec})
    return tuple(step.compile(cmd=list(FFMPEG), overwrite_output=True))


def charset(data: bytes) -> str | None:
    """Find the encoding of a file of text: None for UTF-8, and for what says by its first bytes what it is."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Where only the end of a text of UTF-8 fails, it was cut inside of a character.
        is_cut = error.reason == "unexpected end of data" and not data[: error.start].isascii()
        return None if is_cut else "CP1252"
    return None


def _track(spec: VideoSpec, probe: Probe, name: str) -> Subtitle:
    if spec.subtitle_track > len(probe.subtitles):
        there = ", ".join(f"{number} ({_called(each)})" for number, each in enumerate(probe.subtitles, start=1))
        hint = f"It has {there}." if there else "It has none; name a file of subtitles as subtitleUrl."
        raise Rejected("no_such_track", f"{name} has no subtitle track {spec.subtitle_track} to burn in.", hint)
    return probe.subtitles[spec.subtitle_track - 1]


def _called(track: Subtitle) -> str:
    return ", ".join(filter(None, [track.language or "no language", track.title]))
