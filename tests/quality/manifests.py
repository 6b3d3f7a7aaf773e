"""Reads DASH manifests as far as checking them needs (ISO/IEC 23009-1): segments of a template, with a timeline."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from tests.quality.playlists import Rendition

_NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"
_INHERITED = ("width", "height", "frameRate", "codecs", "mimeType", "contentType")  # said of a set, or of each in it


def representations(path: Path) -> list[Rendition]:
    """Read what a manifest offers; attributes are those of the representation and of the set that it is in."""
    found: list[Rendition] = []
    for group in ElementTree.parse(path).iter(f"{_NAMESPACE}AdaptationSet"):
        for each in group.iter(f"{_NAMESPACE}Representation"):
            template = each.find(f"{_NAMESPACE}SegmentTemplate")
            if template is None:  # texts are one file
                continue
            inherited = {key: group.attrib[key] for key in _INHERITED if key in group.attrib}
            scale, number = int(template.get("timescale", "1")), int(template.get("startNumber", "1"))
            seconds = [
                int(entry.attrib["d"]) / scale
                for entry in template.iter(f"{_NAMESPACE}S")
                for _ in range(1 + int(entry.get("r", "0")))
            ]
            init = path.parent / template.attrib["initialization"]
            media = template.attrib["media"].replace("$Number%05d$", "{:05d}")
            segments = [path.parent / media.format(number + index) for index in range(len(seconds))]
            found.append(Rendition(init, inherited | each.attrib, init, segments, seconds))
    return found
