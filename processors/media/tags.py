"""Pure: tags and chapters as the file of metadata that ffmpeg reads, and a cover as the comment of Ogg."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from processors.media.chapters import Part, comments
from processors.media.codecs import Container
from processors.media.cover import Cover

#: of the containers' own making: what they say of a file that is made anew is not true any more
_STALE = re.compile(
    r"^(major_brand|minor_version|compatible_brands|encoder|creation_time|duration|handler_name|vendor_id|"
    r"metadata_block_picture|coverart|replaygain_.*|r128_.*_gain|itunsmpb|itunnorm|chapter\d{3}.*|bps(-.*)?|"
    r"number_of_(frames|bytes)(-.*)?|_statistics_.*|timecode|length|tlen|language)$",
    re.IGNORECASE,
)
_SPECIAL = re.compile(r"([=;#\\\n])")
_COMMENTED: tuple[Container, ...] = ("ogg", "opus")  # have no stream of a cover: it is a comment


def merged(own: Sequence[Mapping[str, str]], wanted: Mapping[str, str] | None) -> dict[str, str]:
    """The tags of a result: those of the file, unless others are wanted. An empty one takes a tag away."""
    found: dict[str, str] = {}
    for tags in own:
        found |= {key.lower(): value for key, value in tags.items() if value and not _STALE.match(key)}
    found |= {key.lower(): value for key, value in (wanted or {}).items()}
    return {key: value for key, value in found.items() if value}


def metadata(
    tags: Mapping[str, str], parts: Sequence[Part], container: Container, *, is_opus: bool, cover: Cover | None
) -> str:
    """Write the file. FFmpeg writes chapters into MP3, M4A and Opus by itself; of Ogg Vorbis and FLAC it drops them."""
    written = dict(tags)
    if container in ("ogg", "flac") and not is_opus:
        written |= comments(parts)
    if container in _COMMENTED and cover is not None:
        written["METADATA_BLOCK_PICTURE"] = base64.b64encode(cover.block).decode()
    lines = [";FFMETADATA1", *(f"{_escaped(key)}={_escaped(value)}" for key, value in written.items())]
    for part in parts:
        start, end = round(part.start * 1000), max(round(part.end * 1000), round(part.start * 1000) + 1)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={start}", f"END={end}", f"title={_escaped(part.title)}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""))
