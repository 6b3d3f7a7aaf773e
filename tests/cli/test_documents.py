"""What a person gets who asks for a document: files that find each other."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from tests.conftest import Pitchey
from tests.resources.pdfs import Leaf, written
from tests.resources.workers import ROOT

MULTI_PAGE = ROOT / "tests" / "resources" / "documents" / "multi_page.pdf"


def test_a_document_finds_its_pictures_where_they_are_written(pitchey: Pitchey) -> None:
    Image.new("RGB", (40, 30), "red").save(pitchey.cwd / "red.png")
    written(pitchey.cwd / "text.pdf", [Leaf().text(50, 60, "A picture follows.")])
    asked = ("run", "document", "text.pdf", "--file", "red.png", "--extract-images", "-o", "out", "--output-formats")
    pitchey.ok(*asked, "markdown,html,preview")
    folder = pitchey.cwd / "out" / "text"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert [name for name in found if not name.startswith("images/")] == [
        "document.html",
        "document.md",
        "preview.jpg",
    ]
    for text, link in (("document.md", r"!\[[^\]]*\]\(([^)]+)\)"), ("document.html", r'<img src="([^"]+)"')):
        links = re.findall(link, (folder / text).read_text())
        assert len(links) == 1
        with Image.open(folder / links[0]) as linked:
            assert linked.size == (40, 30)
    again = pitchey(*asked, "markdown")
    assert again.code == 2
    assert "document.md exists" in again.err


def test_parts_and_pictures_of_pages_have_a_folder_and_one_file_has_none(pitchey: Pitchey) -> None:
    pitchey.ok("run", "document", MULTI_PAGE, "--output-formats", "pdf", "--split-every", "2", "-o", "parts")
    names = sorted(path.name for path in (pitchey.cwd / "parts" / "multi_page" / "parts").iterdir())
    assert names == ["part-001.pdf", "part-002.pdf", "part-003.pdf"]
    pitchey.ok("run", "document", MULTI_PAGE, "--output-formats", "preview,pdf", "--pages", "2-3", "-o", "whole")
    assert sorted(path.name for path in (pitchey.cwd / "whole").iterdir()) == [
        "multi_page-preview.jpg",
        "multi_page.pdf",
    ]


def test_more_documents_follow_the_first_in_the_order_they_are_named(pitchey: Pitchey) -> None:
    for name in ("b", "a"):
        written(pitchey.cwd / f"{name}.pdf", [Leaf().text(50, 60, f"The page of {name}")])
    pitchey.ok(
        *("run", "document", MULTI_PAGE, "--file", "b.pdf", "--file", "a.pdf"),
        *("--output-formats", "text", "-o", "out"),
    )
    text = (pitchey.cwd / "out" / "multi_page.txt").read_text()
    assert text.index("WordStar") < text.index("The page of b") < text.index("The page of a")


def test_what_a_folder_holds_and_no_job_is_made_of_is_told(pitchey: Pitchey, tmp_path: Path) -> None:
    folder = tmp_path / "mix"
    folder.mkdir()
    for name in ("a.txt", "b.xyz", ".hidden.xyz"):
        (folder / name).write_text("Words.\n")
    (folder / "gone.txt").symlink_to(tmp_path / "nowhere")
    answer = pitchey.ok("submit", "document", str(folder))
    assert len(answer.out.split()) == 1
    assert "note: 2 files are left out" in answer.err and "b.xyz, gone.txt" in answer.err


def test_an_empty_file_in_a_folder_fails_by_itself(pitchey: Pitchey, tmp_path: Path) -> None:
    folder = tmp_path / "mix"
    folder.mkdir()
    (folder / "a.txt").write_text("Words.\n")
    (folder / "b.txt").touch()
    answer = pitchey("run", "document", str(folder), "-o", str(tmp_path / "out"), "--engine", "process")
    assert answer.code == 1 and "b.txt is empty" in answer.err
    assert (tmp_path / "out" / "a.txt").read_text().strip() == "Words."
    refused = pitchey("run", "document", str(folder / "b.txt"), "-o", str(tmp_path / "out"), "--engine", "process")
    assert refused.code == 2 and "b.txt is empty" in refused.err
