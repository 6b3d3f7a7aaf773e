"""Pictures that mean harm, and readings that fail: one clear error each, and the instance goes on as before."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import psutil
import pytest
from PIL import Image

from processors.document import apart
from processors.document.ocr import engine
from processors.worker.context import Rejected
from tests.integration.test_documents import DOCUMENTS, Office
from tests.resources.pdfs import Leaf
from tests.resources.scans import picture, scanned
from tests.resources.workers import Worker

SCANS = DOCUMENTS / "scans"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Worker(tmp_path_factory.mktemp("hostile-ocr"), service="document") as worker:
        yield Office(worker)


def _is_healthy(office: Office) -> None:
    assert "crazy ones" in office.text(DOCUMENTS / "crazyones.pdf")
    assert office.worker.health()["attempts"] == []
    assert office.worker.strays() == []


def _png(path: Path, width: int, height: int) -> Path:
    """A PNG that says how large it is, and has next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b""))
    return path


def test_a_picture_that_says_it_is_gigantic(office: Office, tmp_path: Path) -> None:
    error = office.failure(_png(tmp_path / "vast.png", 100_000, 100_000), ocrEnabled=True)
    assert error["code"] == "picture_too_large"
    assert "100000 x 100000" in error["message"]
    assert "100 million" in error["message"]
    _is_healthy(office)


def test_a_picture_that_ends_too_early(office: Office, tmp_path: Path) -> None:
    note = picture(Leaf(300, 160).text(30, 40, "Cut off", 14), tmp_path)
    for name in ("cut.tif", "cut.png", "cut.jpg"):
        whole = tmp_path / f"whole-{name}"
        note.save(whole)
        path = tmp_path / name
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        error = office.failure(path, ocrEnabled=True)
        assert error["code"] == "damaged_picture", error
        assert name in error["message"]
    _is_healthy(office)


def test_an_empty_scan_is_no_empty_success(office: Office, tmp_path: Path) -> None:
    path = scanned(tmp_path / "empty.pdf", [Image.new("L", (800, 600), 250)])
    for formats in (["text"], ["markdown", "json"]):
        error = office.failure(path, *formats, ocrEnabled=True)
        assert error["code"] == "no_text_found"
        assert "empty.pdf" in error["message"]
    _is_healthy(office)


@pytest.mark.parametrize("formats", [["pdf"], ["pdfa", "preview"], ["text", "pdf"]])
def test_an_empty_scan_is_a_page_all_the_same_where_pages_are_asked_for(
    office: Office, tmp_path: Path, formats: list[str]
) -> None:
    path = scanned(tmp_path / "empty.pdf", [Image.new("L", (800, 600), 250)])
    out, result = office.make(path, *formats, ocrEnabled=True)
    assert any("No text was found in empty.pdf" in note for note in result["details"]["notes"])
    made = next(each for each in sorted(out.iterdir()) if each.suffix == ".pdf")
    with pikepdf.open(made) as pdf:
        assert len(pdf.pages) == 1
    _is_healthy(office)


def test_what_claims_to_be_a_picture_and_is_none(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "none.tif"
    path.write_bytes(b"II*\x00" + bytes(range(256)) * 4)
    assert office.failure(path, ocrEnabled=True)["code"] == "damaged_picture"
    loop = tmp_path / "loop.tif"  # a page that is followed by itself
    Image.new("1", (64, 64)).save(loop)
    data = bytearray(loop.read_bytes())
    [start] = struct.unpack("<I", data[4:8])
    [count] = struct.unpack("<H", data[start : start + 2])
    data[start + 2 + 12 * count : start + 6 + 12 * count] = struct.pack("<I", start)
    loop.write_bytes(bytes(data))
    assert office.failure(loop, ocrEnabled=True)["code"] in ("damaged_picture", "no_text_found")
    _is_healthy(office)


def _impostor(directory: Path, does: str) -> Path:
    """A tesseract that knows its languages, and then does something else."""
    directory.mkdir()
    program = directory / "tesseract"
    real = shutil.which("tesseract")
    program.write_text(f'#!/bin/sh\n[ "$1" = --list-langs ] && exec {real} "$@"\n{does}\n')
    program.chmod(0o755)
    return directory


@pytest.mark.parametrize(
    ("does", "code", "says"),
    [
        ("kill -KILL $$", "page_killed", "memory"),
        ("kill -ABRT $$", "page_unreadable", "memory"),
        ("echo It went wrong. >&2; exit 1", "ocr_failed", "It went wrong."),
    ],
)
def test_a_reading_that_is_killed_is_told_with_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, code: str, says: str
) -> None:
    monkeypatch.setenv("PATH", f"{_impostor(tmp_path / 'bin', does)}:{os.environ['PATH']}")
    with Worker(tmp_path / "worker", service="document") as worker:
        office = Office(worker)
        error = office.failure(SCANS / "phototest.tif", ocrEnabled=True)
        assert error["code"] == code
        assert error["message"].startswith("Page 1 of phototest.tif cannot be read: ")
        assert says in error["message"]
        _is_healthy(office)


def test_a_reading_that_is_killed_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PATH", f"{_impostor(tmp_path / 'bin', 'kill -KILL $PPID')}:{os.environ['PATH']}")
    with Worker(tmp_path / "worker", service="document") as worker:
        office = Office(worker)
        assert office.failure(SCANS / "phototest.tif", ocrEnabled=True)["code"] == "page_killed"
        left = [each.name for each in (tmp_path / "tmp").iterdir()]
    assert not [each for each in left if each.startswith("tess")], left


def test_a_reading_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setenv("PATH", f"{_impostor(tmp_path / 'bin', f'echo $$ > {pid}; exec sleep 60')}:{os.environ['PATH']}")
    with pytest.raises(Rejected, match="takes longer"):
        engine.read(SCANS / "phototest.tif", "eng", dpi=200, seconds=1)
    assert not psutil.pid_exists(int(pid.read_text()))


def test_tesseract_has_no_more_memory_than_a_page_may_have() -> None:
    path = SCANS / "phototest.tif"
    few = apart.Limits(memory_bytes=-apart._address_space() + 100 * 1024 * 1024)
    with pytest.raises(Rejected) as raised:
        apart.call(lambda: len(engine.read(path, "eng", dpi=200, seconds=30)), "a scan", allowed=few)
    assert raised.value.code == "page_unreadable"
