"""Writes small office files for tests: a DOCX of the paragraphs that one wants, changed copies of real files, bombs."""

from __future__ import annotations

import struct
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


def compound(path: Path, streams: Mapping[str, bytes]) -> Path:
    """A file of streams as Office wrote them until 2007, with sectors of 512 bytes, and of 64 for what is small."""
    sector, small, least, end, none = 512, 64, 4096, 0xFFFFFFFE, 0xFFFFFFFF

    def chained(data: bytes, table: list[int], size: int) -> bytes:
        """Pad to whole sectors, and enter them at the end of a table."""
        count = -(-len(data) // size)
        first = len(table)
        table += [*range(first + 1, first + count), end] if count else []
        return data.ljust(count * size, b"\0")

    table: list[int] = [0xFFFFFFFD]  # its own sector comes first
    small_table: list[int] = []
    body, holder, starts = b"", b"", {}
    for name, data in streams.items():
        if len(data) < least:
            starts[name] = len(small_table)
            holder += chained(data, small_table, small)
        else:
            starts[name] = len(table)
            body += chained(data, table, sector)
    holder_start = len(table) if holder else end
    body += chained(holder, table, sector)
    names = list(streams)
    entries = [("Root Entry", 5, none, 1, holder_start, len(holder))]
    for number, name in enumerate(names, start=1):
        entries.append((name, 2, number + 1 if number < len(names) else none, none, starts[name], len(streams[name])))
    directory = b"".join(
        struct.pack(
            "<64sHBBIII36xII4x",
            *(name.encode("utf-16-le"), 2 * len(name) + 2, kind, 1, none, following, child, start, size),
        )
        for name, kind, following, child, start, size in entries
    )
    directory_start = len(table)
    body += chained(directory, table, sector)
    small_start = len(table) if small_table else end
    body += chained(struct.pack(f"<{len(small_table)}I", *small_table), table, sector)
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + struct.pack(
        "<16xHHHHH6xIIIIIIIIII",
        *(0x3E, 3, 0xFFFE, 9, 6, 0, 1, directory_start, 0, least, small_start, int(bool(small_table)), end, 0, 0),
    )
    listed = head.ljust(sector, b"\xff")
    path.write_bytes(listed + struct.pack(f"<{len(table)}I", *table).ljust(sector, b"\xff") + body)
    return path
