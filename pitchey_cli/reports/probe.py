"""What is in a media file, as the video service's probe.json says it: a line, its streams, its chapters. Pure.

All of it comes from a file that anybody may have made, so every text is shown without what a terminal would obey.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pitchey_cli.reports.tables import cell, plain_table
from pitchey_cli.reports.wording import duration, printable, size

Document = Mapping[str, Any]

_ROTATION_SIGN = "°"
_SQUARE = ("1:1", "1/1", "1", 1, 1.0)
_UNTOLD = (None, "", "unknown", "unspecified")  #: what FFmpeg writes where a file does not say
_CHANNELS = {1: "mono", 2: "stereo"}


def table(name: str, document: Document) -> RenderableType:
    """One file: what it is, its streams, its chapters and its tags."""
    parts: list[RenderableType] = [_heading(name, document)]
    if streams := document.get("streams"):
        parts.append(_streams(streams))
    if chapters := document.get("chapters"):
        parts.append(_chapters(chapters))
    if tags := document.get("tags"):
        parts.append(cell("tags: " + ", ".join(f"{key}={value}" for key, value in tags.items())))
    return Group(*parts)


def _heading(name: str, document: Document) -> Text:
    said = [str(document.get("format") or "unknown format"), duration(document.get("durationSeconds"))]
    said += [size(document["size"])] if document.get("size") is not None else []
    said += [rate] if (rate := _rate(document.get("bitrate"))) else []
    return Text.assemble((printable(name), "bold"), printable(f": {', '.join(said)}"))


def _streams(streams: Sequence[Document]) -> RenderableType:
    found = plain_table("#", "kind", "codec", "what", "language", "rate", "duration", right=("#", "rate", "duration"))
    for stream in streams:
        long = stream.get("durationSeconds")
        found.add_row(
            str(stream.get("index", "")),
            cell(str(stream.get("kind") or "?")),
            cell(_codec(stream)),
            cell(", ".join(_what(stream))),
            cell(str(stream.get("language") or "")),
            _rate(stream.get("bitrate")),
            duration(long) if long is not None else "",
        )
    return found


def _codec(stream: Document) -> str:
    codec = str(stream.get("codec") or "unknown")
    return codec if stream.get("profile") in _UNTOLD else f"{codec} ({stream['profile']})"


def _what(stream: Document) -> Iterator[str]:
    kinds = {"video": _picture, "audio": _sound}
    if (of_its_kind := kinds.get(str(stream.get("kind")))) is not None:
        yield from of_its_kind(stream)
    if stream.get("title"):
        yield f"“{stream['title']}”"
    if stream.get("isDefault"):
        yield "default"


def _picture(stream: Document) -> Iterator[str]:
    width, height = stream.get("width"), stream.get("height")
    if width and height:
        yield f"{width}x{height}"
    stored = stream.get("storedWidth"), stream.get("storedHeight")
    if all(stored) and stored != (width, height):
        yield f"stored as {stored[0]}x{stored[1]}"
    if stream.get("sampleAspect") not in (*_SQUARE, *_UNTOLD):
        yield f"pixels {stream['sampleAspect']}"
    if stream.get("rotation"):
        yield f"turned by {stream['rotation']:g}{_ROTATION_SIGN}"
    if stream.get("framerate"):
        variable = " (variable)" if stream.get("isVariable") else ""
        yield f"{_number(stream['framerate'])} fps{variable}"
    if stream.get("pixelFormat") not in _UNTOLD:
        yield str(stream["pixelFormat"])
    if stream.get("isHdr"):
        yield f"HDR ({stream.get('colorTransfer') or 'unknown transfer'})"
    elif stream.get("colorSpace") not in _UNTOLD:
        yield str(stream["colorSpace"])
    if stream.get("isInterlaced"):
        yield "interlaced"


def _sound(stream: Document) -> Iterator[str]:
    channels = stream.get("channels")
    layout = stream.get("layout") or _CHANNELS.get(channels or 0) or (f"{channels} channels" if channels else "")
    if layout:
        yield str(layout)
    if stream.get("sampleRate"):
        yield f"{stream['sampleRate'] / 1000:g} kHz"
    if stream.get("bitDepth"):
        yield f"{stream['bitDepth']} bit"


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, int | float) else str(value)


def _rate(bits: float | None) -> str:
    """Bits per second, as people say them."""
    if not bits:
        return ""
    return f"{bits / 1_000_000:.3g} Mb/s" if bits >= 1_000_000 else f"{bits / 1000:.3g} kb/s"


def _chapters(chapters: Sequence[Document]) -> RenderableType:
    found = plain_table("chapter", "start", "end", "title", right=("chapter", "start", "end"))
    for number, chapter in enumerate(chapters, start=1):
        times = [_clock(chapter.get(key)) for key in ("start", "end")]
        found.add_row(str(number), *times, cell(str(chapter.get("title") or "")))
    return found


def _clock(seconds: float | None) -> str:
    """A moment of a recording: 1:02:03.5."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(float(seconds), 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    whole, fraction = divmod(round(rest * 1000), 1000)
    tail = f"{whole:02d}" + (f".{fraction:03d}".rstrip("0") if fraction else "")
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
