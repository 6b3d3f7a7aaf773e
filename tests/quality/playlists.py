"""Reads HLS playlists, as far as checking them needs (RFC 8216)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


@dataclass(frozen=True)
class Rendition:
    """A media playlist: one rung, or one sound."""

    path: Path
    attributes: dict[str, str]  #: what the master playlist says of it
    init: Path
    segments: list[Path]
    seconds: list[float]

    @property
    def peak_bits_per_second(self) -> float:
        """The rate of the run of segments that has most bits for its time, as RFC 8216, section 4.1, defines it.

        A run lasts from half of the longest segment's time to one and a half times of it.
        """
        target, bits = max(self.seconds), [8 * segment.stat().st_size for segment in self.segments]
        found = [sum(bits) / sum(self.seconds)]
        for first in range(len(bits)):
            for last in range(first + 1, len(bits) + 1):
                seconds = sum(self.seconds[first:last])
                if seconds > 1.5 * target + 0.001:
                    break
                if seconds >= 0.5 * target:
                    found.append(sum(bits[first:last]) / seconds)
        return max(found)


@dataclass(frozen=True)
class Master:
    """A master playlist."""

    variants: list[Rendition]
    sounds: list[Rendition]
    texts: list[str]  #: what it says of each subtitle
    iframes: list[dict[str, str]]


def master(path: Path) -> Master:
    """Read a master playlist and the media playlists that it names."""
    variants: list[Rendition] = []
    sounds: list[Rendition] = []
    texts: list[str] = []
    iframes: list[dict[str, str]] = []
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        tag, _, rest = line.partition(":")
        attributes = {key: value.strip('"') for key, value in _ATTRIBUTE.findall(rest)}
        if tag == "#EXT-X-STREAM-INF":
            variants.append(_rendition(path.parent / lines[number + 1], attributes))
        elif tag == "#EXT-X-I-FRAME-STREAM-INF":
            iframes.append(attributes)
        elif tag == "#EXT-X-MEDIA" and attributes["TYPE"] == "AUDIO" and "URI" in attributes:
            sounds.append(_rendition(path.parent / attributes["URI"], attributes))
        elif tag == "#EXT-X-MEDIA" and attributes["TYPE"] == "SUBTITLES":
            texts.append(rest)
    return Master(variants, sounds, texts, iframes)


def _rendition(path: Path, attributes: dict[str, str]) -> Rendition:
    text = path.read_text()
    named = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text)
    found = re.findall(r"#EXTINF:([\d.]+),[^\n]*\n(?:#[^\n]*\n)*([^#\n]+)", text)
    assert named is not None, f"{path} names no initialisation segment"
    return Rendition(
        path,
        attributes,
        path.parent / named[1],
        [path.parent / uri for _, uri in found],
        [float(seconds) for seconds, _ in found],
    )
