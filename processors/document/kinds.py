"""What a file is, by what is in it: its name is not believed."""

from __future__ import annotations

import mmap
import re
import zipfile
from pathlib import Path
from typing import Literal

from processors.document import compound
from processors.unpacking import UNPACKING
from processors.worker.context import Rejected

Kind = Literal[
    "pdf",
    "docx", "odt", "rtf", "doc", "pptx", "odp", "ppt", "xlsx", "ods", "xls", "locked", "epub",
    "html", "markdown", "text",
    "png", "jpeg", "tiff", "webp", "gif", "bmp",
]  # fmt: skip

TEXTS: frozenset[Kind] = frozenset({"html", "markdown", "text"})
#: what office programs write; `locked` is DOCX, XLSX or PPTX with a password
OFFICE: frozenset[Kind] = frozenset(
    {"docx", "odt", "rtf", "doc", "pptx", "odp", "ppt", "xlsx", "ods", "xls", "locked", "epub"}
)

#: what Pillow opens; each of its pages becomes one of a PDF
PICTURES: frozenset[Kind] = frozenset({"png", "jpeg", "tiff", "webp", "gif", "bmp"})

_HEAD_BYTES = 4096
_PDF = b"%PDF-"
_PDF_WITHIN_BYTES = 1024  # readers find the mark of a PDF as far in as that
_PDF_FURTHER_IN = re.compile(rb"(?:^|[^\t\x20-\x7e])%PDF-\d")  # and not in a sentence
_MARKS: tuple[tuple[bytes, Kind], ...] = (
    (b"{\\rtf", "rtf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))
_PARTS: tuple[tuple[str, Kind], ...] = (
    ("word/document.xml", "docx"),
    ("ppt/presentation.xml", "pptx"),
    ("xl/workbook.xml", "xlsx"),
)
_TYPES: dict[bytes, Kind] = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.presentation": "odp",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/epub+zip": "epub",
}
_STREAMS: tuple[tuple[str, Kind], ...] = (
    ("EncryptedPackage", "locked"),
    ("WordDocument", "doc"),
    ("PowerPoint Document", "ppt"),
    ("Workbook", "xls"),
    ("Book", "xls"),
)
_HTML_TAGS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<table", b"<div", b"<p>", b"<h1")
_MARKDOWN_SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
_CAN = (
    "It can be PDF, DOCX, ODT, RTF, PPTX, XLSX, EPUB, HTML, Markdown, text, "
    "or a picture as PNG, JPEG, TIFF, WebP, GIF or BMP."
)


def kind_of(path: Path, name: str) -> Kind:
    """Say what a file is.

    Args:
        name: what the user calls it; of a text, its suffix alone can tell Markdown.

    Raises:
        Rejected: it is none of what the service reads.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip(b"\x00 \t\r\n"):
        raise Rejected("empty_document", f"{name} is empty.")
    if head.startswith(_PDF):
        return "pdf"
    for mark, kind in _MARKS:
        if head.startswith(mark):
            return kind
    if head[:2] == b"BM" and head[14:18] in _BMP_HEADERS:
        return "bmp"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"PK\x03\x04"):
        return _packed(path, name)
    if head.startswith(compound.MARK):
        return _compound(path, name)
    if _PDF_FURTHER_IN.search(head[:_PDF_WITHIN_BYTES]):
        return "pdf"
    return _written(head, name)


def _packed(path: Path, name: str) -> Kind:
    """Tell the formats that are ZIP files apart."""
    try:
        with zipfile.ZipFile(path) as archive:
            for part, kind in _PARTS:
                if part in archive.NameToInfo:
                    return kind
            if (info := archive.NameToInfo.get("mimetype")) is not None and info.file_size < 200:
                for mark, kind in _TYPES.items():
                    if archive.read(info).strip() == mark:
                        return kind
    except UNPACKING as error:
        raise _damaged(name, "it cannot be unpacked") from error
    raise Rejected("not_a_document", f"{name} is a ZIP file, but not a document.", _CAN)


def _compound(path: Path, name: str) -> Kind:
    """Tell the formats that are files of streams apart, by the names of those."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            names = compound.Compound(data).names
        except ValueError as error:
            raise _damaged(name, str(error)) from error
        for stream, kind in _STREAMS:
            if stream in names:
                return kind
    raise Rejected("not_a_document", f"{name} is an old office file, but not a document.", _CAN)


def _damaged(name: str, why: str) -> Rejected:
    return Rejected("damaged_document", f"{name} is cut off or damaged: {why}.", "Copy or download it again.")


def _written(head: bytes, name: str) -> Kind:
    """Tell texts apart, and from what is none."""
    is_wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not is_wide and (b"\x00" in head or sum(byte < 9 or 14 <= byte < 27 for byte in head) > len(head) / 50):
        raise Rejected("not_a_document", f"{name} is not a document that can be read.", _CAN)
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if begin.startswith((b"<!doctype html", b"<html")) or (
        begin.startswith(b"<") and any(tag in begin for tag in _HTML_TAGS)
    ):
        return "html"
    return "markdown" if Path(name).suffix.lower() in _MARKDOWN_SUFFIXES else "text"
