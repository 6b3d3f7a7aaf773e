"""A person's document through the queue and a real, limited container, on Docker and on Podman."""

from __future__ import annotations

import json

import pypdfium2
import pytest

from tests.conftest import RESOURCES, Pitchey

DOCUMENTS = RESOURCES / "documents"


def test_one_command_gives_markdown_json_and_a_picture(contained: Pitchey) -> None:
    path = DOCUMENTS / "multi_page.pdf"
    contained.ok("run", "document", path, "--output-formats", "markdown,json,preview", "-o", "out")
    names = sorted(path.name for path in (contained.cwd / "out").iterdir())
    assert names == ["multi_page-preview.jpg", "multi_page.json", "multi_page.md"]
    text = (contained.cwd / "out" / "multi_page.md").read_text()
    assert sum(line.startswith("#") for line in text.splitlines()) == 11
    assert len(json.loads((contained.cwd / "out" / "multi_page.json").read_text())["pages"]) == 5


@pytest.mark.by_turns
def test_office_files_become_markdown_and_pdf(contained: Pitchey) -> None:
    """LibreOffice is another here than on the machine that runs the tests, and so is its root, which is read-only."""
    names = ("formatting.docx", "formatting.odt", "sheet.xlsx", "slides.pptx", "book.epub")
    paths = [DOCUMENTS / name for name in names]
    contained.ok("run", "document", *paths, "--output-formats", "markdown,pdf", "-o", "out")
    out = contained.cwd / "out"
    assert len(list(out.glob("*.md"))) == len(names)
    pdfs = list(out.glob("*.pdf"))
    assert len(pdfs) == len(names)
    assert all(path.read_bytes().startswith(b"%PDF-") and path.stat().st_size > 5000 for path in pdfs)
    locked = ("run", "document", DOCUMENTS / "locked.docx", "--output-formats", "text", "-o", "out")
    contained.ok(*locked, "--password", "geheim")
    assert "Bold bullet 2" in (contained.cwd / "out" / "locked.txt").read_text()


@pytest.mark.by_turns
def test_a_folder_of_documents_good_and_bad_is_told_apart(contained: Pitchey) -> None:
    folder = contained.cwd / "in"
    folder.mkdir()
    for name in ("crazyones.pdf", "r6_user_password.pdf", "formatting.html"):
        (folder / name).write_bytes((DOCUMENTS / name).read_bytes())
    answer = contained("run", "document", folder, "--output-formats", "text", "-o", "out")
    assert answer.code == 1
    assert "r6_user_password.pdf is protected with a password." in answer.out + answer.err
    assert sorted(path.name for path in (contained.cwd / "out").iterdir()) == ["crazyones.txt", "formatting.txt"]


def test_a_scan_becomes_text_and_a_pdf_that_can_be_searched(contained: Pitchey) -> None:
    scan = DOCUMENTS / "scans" / "phototest_upside_down.png"
    options = ("--ocr-enabled", "--language", "eng+deu+fra+ita+nld+por+spa", "--output-formats", "text,json,pdf")
    contained.ok("run", "document", scan, *options, "-o", "out")
    text = (contained.cwd / "out" / "phototest_upside_down.txt").read_text()
    assert " ".join(text.split()).startswith("This is a lot of 12 point text to test the ocr code and see if it works")
    [page] = json.loads((contained.cwd / "out" / "phototest_upside_down.json").read_text())["pages"]
    assert (page["method"], page["turned"]) == ("ocr", 180)
    made = pypdfium2.PdfDocument(contained.cwd / "out" / "phototest_upside_down.pdf")
    assert "The quick brown dog" in made[0].get_textpage().get_text_range()
