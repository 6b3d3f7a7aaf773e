"""Pure: what a file seems to be that is no media file: so that somebody knows what to give instead."""

from __future__ import annotations

import re

HEAD_BYTES = 512  #: that are looked at

_LISTS = re.compile(
    rb"#EXTM3U|ffconcat|file ['\"/\w]|\[playlist\]|v=0\r?\n|(<\?xml.*)?<(MPD|playlist|smil|asx)",
    re.DOTALL | re.IGNORECASE,
)
_DRAWINGS = re.compile(rb"<\?xml.*<svg|<svg", re.S | re.I)
_KINDS = {
    b"%PDF-": "a PDF: the document service reads it",
    b"\x89PNG": "a picture, and no video",
    b"\xff\xd8\xff": "a picture, and no video",
    b"GIF8": "a picture, and no video",
    b"PK\x03\x04": "a ZIP archive, or a document: unpack it first",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"<!DOCTYPE html": "a web page: was it saved in place of the file?",
    b"<html": "a web page: was it saved in place of the file?",
}


def guess(head: bytes) -> str:
    """Say in half a sentence what a file is by its first bytes, with the way out; empty where they tell nothing."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if _LISTS.match(start):
        return "a playlist, which names other files, and none of those is opened: give the media file itself"
    if _DRAWINGS.match(start):
        return "a drawing (SVG), and no video"
    for beginning, kind in _KINDS.items():
        if start[: len(beginning)].lower() == beginning.lower():
            return kind
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(head) - 3 or not head:  # else only the last character was cut
            return ""
        text = head[: error.start].decode("utf-8")
    return "text, and no media file" if _is_lines(text) else ""


def _is_lines(text: str) -> bool:
    return bool(text.strip()) and all(line.isprintable() or "\t" in line for line in text.splitlines())
