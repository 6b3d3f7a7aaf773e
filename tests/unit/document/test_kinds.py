"""What a file is does not hang on its name."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from processors.document.kinds import kind_of
from processors.worker.context import Rejected


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"junk before\n%PDF-1.4\n", "pdf"),
        (b"{\\rtf1 text}", "rtf"),
        (b"\x89PNG\r\n\x1a\n....", "png"),
        (b"II*\x00....", "tiff"),
        (b"GIF89a....", "gif"),
        (b"BM" + bytes(12) + b"\x28\x00\x00\x00", "bmp"),
        (b"BMW is no picture.", "text"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
        (b"\xef\xbb\xbf\n <!DOCTYPE html><p>a", "html"),
        (b"<div>a</div>", "html"),
        (b"a < b and c > d", "text"),
        ("Ärger".encode("utf-16"), "text"),
        ("Ärger".encode("cp1252"), "text"),
    ],
)
def test_files_are_known_by_what_is_in_them(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "file.docx"
    path.write_bytes(data)
    assert kind_of(path, path.name) == kind


@pytest.mark.parametrize(
    ("part", "data", "kind"),
    [
        ("word/document.xml", b"<x/>", "docx"),
        ("xl/workbook.xml", b"<x/>", "xlsx"),
        ("mimetype", b"application/epub+zip", "epub"),
        ("mimetype", b"application/vnd.oasis.opendocument.text", "odt"),
    ],
)
def test_packed_formats_are_told_apart(tmp_path: Path, part: str, data: bytes, kind: str) -> None:
    path = tmp_path / "file.pdf"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(part, data)
    assert kind_of(path, path.name) == kind


def test_a_suffix_counts_for_markdown_alone(tmp_path: Path) -> None:
    path = tmp_path / "0"
    path.write_text("# Title")
    assert (kind_of(path, "a.md"), kind_of(path, "a.txt"), kind_of(path, "a.pdf")) == ("markdown", "text", "text")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\x00\x01\x02" * 100, b"PK\x03\x04 and then nothing"])
def test_what_is_no_document_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "0"
    path.write_bytes(data)
    with pytest.raises(Rejected, match=r"report\.pdf"):
        kind_of(path, "report.pdf")
