"""What a file is does not hang on its name."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from pydantic import TypeAdapter

from processors.document.kinds import kind_of
from processors.document.model import Page
from processors.document.office.package import Package
from processors.document.paper import pictures
from processors.document.text import html
from processors.worker.context import Rejected


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"junk before\n%PDF-1.4\n", "pdf"),
        (b"\x00\x01\x02\x80%PDF-1.4\n", "pdf"),
        (b"A PDF begins with `%PDF-1.7`.", "text"),
        (b"{\\rtf1 a\n%PDF-1.4\n}", "rtf"),
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


def broken(part: str, data: bytes) -> bytes:
    """An archive whose one part is packed, and not as it says."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(part, data)
            start = len(archive.infolist()[0].FileHeader())
        packed = bytearray(file.getvalue())
    packed[start : start + 8] = b"\xff" * 8  # there is no block of such a kind
    return bytes(packed)


def test_an_archive_that_cannot_be_unpacked_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "0"
    path.write_bytes(broken("mimetype", b"application/epub+zip"))
    with pytest.raises(Rejected, match=r"book\.epub is cut off or damaged"):
        kind_of(path, "book.epub")


def test_an_archive_within_an_archive_that_cannot_be_unpacked_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "0"
    path.write_bytes(broken("word/embeddings/sheet.xlsx", bytes(1000)))
    with pytest.raises(Rejected, match=r"report\.docx is cut off or damaged"):
        Package(path, "report.docx")


def test_a_tiff_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "scan.tiff"
    first, second = (Image.new("L", (20, 20), number) for number in range(2))
    first.save(path, save_all=True, append_images=[second])
    data = path.read_bytes()
    codes = set()
    for length in range(8, len(data), 3):
        path.write_bytes(data[:length])
        try:
            pictures.frames_of(path, "scan.tiff")
        except Rejected as error:
            codes.add(error.code)
    assert codes == {"damaged_picture"}


def test_tables_in_captions_of_tables_have_a_bottom() -> None:
    page, _, _ = html.page_of("<table><caption>a" * 400 + "<p>the last word")
    assert "the last word" in json.dumps(TypeAdapter(Page).dump_python(page, mode="json"))
