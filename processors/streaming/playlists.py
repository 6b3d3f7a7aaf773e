"""Pure: reads the playlists of HLS (RFC 8216) and the manifest of DASH (ISO/IEC 23009-1), as far as we look at them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_REPRESENTATION = re.compile(
    r'<Representation [^>]*bandwidth="(?P<said>\d+)"(?:(?!</Representation>).)*? media="(?P<folder>[^"]*)/[^"/]*"',
    re.DOTALL,
)
_GROUP = re.compile(r',AUDIO="[^"]*"')
_NAMESPACE = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A tag with attributes, and the address that belongs to it."""

    tag: str
    attributes: Mapping[str, str]
    uri: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One entry of a media playlist."""

    uri: str
    seconds: float


def attributes_of(text: str) -> dict[str, str]:
    """Read an attribute list; quotes are taken off."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def master_entries(text: str) -> list[Entry]:
    """Read a master playlist: its variants (EXT-X-STREAM-INF), renditions and I-frame variants, in their order."""
    entries: list[Entry] = []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        tag, _, rest = line.partition(":")
        if tag == "#EXT-X-STREAM-INF":
            entries.append(Entry(tag, attributes_of(rest), following))
        elif tag in ("#EXT-X-MEDIA", "#EXT-X-I-FRAME-STREAM-INF"):
            attributes = attributes_of(rest)
            entries.append(Entry(tag, attributes, attributes.get("URI", "")))
    return entries


def media_segments(text: str) -> list[Segment]:
    """Read the segments of a media playlist."""
    segments: list[Segment] = []
    seconds = 0.0
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#EXTINF:"):
            seconds = float(line.removeprefix("#EXTINF:").partition(",")[0])
        elif line and not line.startswith("#"):
            segments.append(Segment(line, seconds))
    return segments


def represented(text: str) -> dict[str, int]:
    """Give the bandwidth that a manifest says of each folder of segments."""
    found: dict[str, int] = {}
    for each in ElementTree.fromstring(text).iterfind(".//mpd:Representation", _NAMESPACE):
        template = each.find("mpd:SegmentTemplate", _NAMESPACE)
        if template is not None:
            found[template.get("media", "").rpartition("/")[0]] = int(each.get("bandwidth", "0"))
    return found


def raised_master(text: str, needed: Mapping[str, int]) -> str:
    """Raise each variant's BANDWIDTH to what its folder needs at least.

    Packager looks at segments one by one; RFC 8216 at runs of them, which may have a higher rate at the end.
    """
    lines = text.splitlines(keepends=True)
    for number, (line, following) in enumerate(pairwise(lines)):
        least = needed.get(following.strip().rpartition("/")[0], 0)
        if line.startswith("#EXT-X-STREAM-INF:") and int(attributes_of(line)["BANDWIDTH"]) < least:
            lines[number] = re.sub(r"(?<![A-Z-])BANDWIDTH=\d+", f"BANDWIDTH={least}", line)
    return "".join(lines)


def with_default_sound(text: str) -> str:
    """Make the first sound the default one, if none is: Packager finds the default by its language, if it has one."""
    lines = text.splitlines(keepends=True)
    sounds = [number for number, line in enumerate(lines) if line.startswith("#EXT-X-MEDIA:TYPE=AUDIO,")]
    if sounds and not any(attributes_of(lines[number]).get("DEFAULT") == "YES" for number in sounds):
        lines[sounds[0]] = lines[sounds[0]].replace(",DEFAULT=NO", ",DEFAULT=YES")
    return "".join(lines)


def as_variants(text: str) -> str:
    """Make each rate of one sound a variant of its own.

    Packager lists them as choices of one group, as languages are: a player that takes a lower variant would still play
    the group's default. RFC 8216, 4.3.4.2.1: renditions of one group differ in their content, and not in their rate.
    """
    lines = [_GROUP.sub("", line) for line in text.splitlines() if not line.startswith("#EXT-X-MEDIA:TYPE=AUDIO")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def raised_manifest(text: str, needed: Mapping[str, int]) -> str:
    """Raise each representation's bandwidth to what its folder needs at least."""

    def raised(found: re.Match[str]) -> str:
        least = needed.get(found["folder"], 0)
        return found[0].replace(f'bandwidth="{found["said"]}"', f'bandwidth="{max(least, int(found["said"]))}"')

    return _REPRESENTATION.sub(raised, text)


def peak_bandwidth(sizes: Sequence[int], seconds: Sequence[float], target_seconds: float) -> float:
    """The highest rate of any run of segments that lasts from half of the target duration to one and a half.

    As RFC 8216, section 4.3.4.2, says what BANDWIDTH is. What is shorter than half of it as a whole has one rate.
    """
    if 0 < sum(seconds) < 0.5 * target_seconds:
        return 8 * sum(sizes) / sum(seconds)
    peak = 0.0
    for first in range(len(sizes)):
        size, length = 0, 0.0
        for each, duration in zip(sizes[first:], seconds[first:], strict=True):
            size, length = size + each, length + duration
            if length > 1.5 * target_seconds:
                break
            if length >= 0.5 * target_seconds:
                peak = max(peak, 8 * size / length)
    return peak
