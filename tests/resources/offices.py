"""Writes small office files for tests: a DOCX of the paragraphs that one wants, changed copies of real files, bombs."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"


def docx(path: Path, body: str, parts: Mapping[str, str | bytes] | None = None) -> Path:
    """Write a DOCX with this body."""
    content_types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/word/document.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    relations = (
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{_MAIN}" Target="word/document.xml"/>'
        "</Relationships>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", content_types)
        archive.writestr("_rels/.rels", relations)
        archive.writestr("word/document.xml", f"<w:document {_W}><w:body>{body}</w:body></w:document>")
        for name, data in (parts or {}).items():
            archive.writestr(name, data)
    return path


def paragraph(text: str) -> str:
    """A paragraph of a DOCX."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def changed(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Copy an archive, with each part as `change` gives it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
    return target


def inflating(path: Path, megabytes: int = 200) -> Path:
    """A DOCX that unpacks to much."""
    with zipfile.ZipFile(docx(path, paragraph("small")), "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/zeros.bin", bytes(megabytes << 20))
    return path


def nested(path: Path, depth: int = 5) -> Path:
    """A DOCX in a DOCX in a DOCX, and so on."""
    inner: dict[str, str | bytes] = {}
    for _ in range(depth):
        inner = {"word/embeddings/inner.docx": docx(path, paragraph("inner"), inner).read_bytes()}
    return docx(path, paragraph("outer"), inner)


def crowded(path: Path, entries: int = 25_000) -> Path:
    """A DOCX of very many parts."""
    return docx(path, paragraph("crowded"), {f"word/{number}": b"" for number in range(entries)})
