"""Pure: tags and chapters as the file of metadata that ffmpeg reads, and a cover as the comment of Ogg."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from processors.ffmpeg.chapters import comments
from processors.ffmpeg.sound_codecs import Container
from processors.media.chapters import Part
from processors.media.cover import Cover

#: of the containers' own making: what they say of a file that is made anew is not true any more
_STALE = re.compile(
    r"^(major_brand|minor_version|compatible_brands|encoder|creation_time|duration|handler_name|vendor_id|"
    r"metadata_block_picture|coverart|replaygain_.*|r128_.*_gain|itunsmpb|itunnorm|chapter\d{3}.*|bps(-.*)?|"
    r"number_of_(frames|bytes)(-.*)?|_statistics_.*|timecode|length|tlen|language)$",
    re.IGNORECASE,
)
_SPECIAL = re.compile(r"([=;#\\\n])")
_IN_OGG: tuple[Container, ...] = ("ogg", "opus")  # have no stream of a cover: it is a comment
COMMENTED: tuple[Container, ...] = (*_IN_OGG, "flac")  #: have chapters as comments


def merged(own: Sequence[Mapping[str, str]], wanted: Mapping[str, str] | None) -> dict[str, str]:
    """The tags of a result: those of the file, unless others are wanted. An empty one takes a tag away."""
    found: dict[str, str] = {}
    for tags in own:
        found |= {key.lower(): value for key, value in tags.items() if value and not _STALE.match(key)}
    found |= {key.lower(): value for key, value in (wanted or {}).items()}
    return {key: value for key, value in found.items() if value}


def metadata(tags: Mapping[str, str], parts: Sequence[Part], container: Container, *, cover: Cover | None) -> str:
    """Write the file.

    FFmpeg writes chapters into MP3 and M4A by itself. Of Ogg Vorbis and FLAC it drops them, and in Opus it rounds their
    seconds up and leaves the milliseconds as they are, so that 2.5 becomes 3.5: there they are comments.
    """
    written = dict(tags)
    if container in COMMENTED:
        written |= comments((part.start, part.title, part.url) for part in parts)
    if container in _IN_OGG and cover is not None:
        written["METADATA_BLOCK_PICTURE"] = base64.b64encode(cover.block).decode()
    lines = [";FFMETADATA1", *(f"{_escaped(key)}={_escaped(value)}" for key, value in written.items())]
    for part in () if container in COMMENTED else parts:
        start, end = round(part.start * 1000), max(round(part.end * 1000), round(part.start * 1000) + 1)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={start}", f"END={end}", f"title={_escaped(part.title)}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    clean = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    # FFmpeg takes a backslash before the end of a line for one that escapes it, though it is escaped itself.
    return _SPECIAL.sub(r"\\\1", re.sub(r"\\(?=\n|$)", r"\\ ", clean))
