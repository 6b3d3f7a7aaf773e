"""Documents that mean harm: each gets the right text or one clear error, and the instance goes on as before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String
from PIL import Image

from tests.integration.test_documents import DOCUMENTS, Office
from tests.resources.pdfs import (
    Leaf,
    acting,
    assembled,
    deep_nesting,
    endless_tree,
    forms_in_themselves,
    inflating,
    written,
)
from tests.resources.workers import Worker

MOST_SECONDS = 120.0  # for the worst of them on a machine that is busy; the limit of a page is as long
MOST_MEMORY_BYTES = 900 * 1024 * 1024


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Worker(tmp_path_factory.mktemp("hostile"), service="document") as worker:
        yield Office(worker)


@pytest.fixture(autouse=True)
def healthy(office: Office) -> Iterator[None]:
    """After each of them the worker serves, and nothing of the attempt is left."""
    yield
    assert "crazy ones" in office.text(DOCUMENTS / "crazyones.pdf")
    assert office.worker.health()["attempts"] == []
    assert office.worker.strays() == []


def test_a_page_larger_than_any_paper(office: Office, tmp_path: Path) -> None:
    path = written(tmp_path / "huge.pdf", [Leaf(1_000_000, 1_000_000).text(100, 100, "Large", 50)])
    out, _ = office.make(path, "text", "markdown", "preview")
    assert (out / "document.txt").read_text() == "Large\n"
    with Image.open(out / "preview.jpg") as picture:
        assert max(picture.size) <= 1131


def test_a_picture_that_unpacks_to_a_gigapixel(office: Office) -> None:
    out, result = office.make(DOCUMENTS / "jbig2_bomb.pdf", "preview")
    with Image.open(out / "preview.jpg") as picture:
        assert max(picture.size) <= 1131
    assert result["outputs"][0]["size"] < 200_000


def test_a_tree_of_pages_without_an_end(office: Office, tmp_path: Path) -> None:
    error = office.failure(endless_tree(tmp_path / "endless.pdf"), "text", "preview")
    assert error["code"] in ("damaged_document", "too_many_pages")


def test_arrays_in_arrays(office: Office, tmp_path: Path) -> None:
    out, _ = office.make(deep_nesting(tmp_path / "deep.pdf"), "text", "preview", metadata=True)
    assert (out / "document.txt").read_text() == ""


@pytest.mark.parametrize("make", [forms_in_themselves, inflating])
def test_a_page_that_takes_all_memory_is_named(office: Office, tmp_path: Path, make: object) -> None:
    assert callable(make)
    path: Path = make(tmp_path / "bomb.pdf")
    started = time.monotonic()
    token = office.begin(path, outputFormats=["markdown"])
    last = office.worker.ending(token)
    assert last["error"]["code"] == "page_unreadable"
    assert last["error"]["message"].startswith("Page 1 of bomb.pdf cannot be read: its reading ")
    assert time.monotonic() - started < MOST_SECONDS
    assert last["metrics"]["peakRssBytes"] < MOST_MEMORY_BYTES


def test_a_page_that_crashes_loses_no_other(office: Office, tmp_path: Path) -> None:
    """The same bomb as the third of twelve pages: it alone is named, and without it the rest is there."""
    leaves = [Leaf().text(50, 60, f"This is page {number}.") for number in range(1, 13)]
    good = written(tmp_path / "good.pdf", leaves)
    text = office.text(good)
    assert [f"This is page {number}." in text for number in range(1, 13)] == [True] * 12
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(12))
    objects: dict[int, str | tuple[str, bytes]] = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Count 12/Kids[{kids}]/MediaBox[0 0 200 200]>>",
        60: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        61: (
            "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 61 0 R>>>>",
            b"/X Do /X Do",
        ),
    }
    for index in range(12):
        resources = "<</Font<</F 60 0 R>>/XObject<</X 61 0 R>>>>"
        objects[4 + 2 * index] = f"<</Type/Page/Parent 2 0 R/Resources{resources}/Contents {5 + 2 * index} 0 R>>"
        words = f"BT /F 12 Tf 20 100 Td (Page number {index + 1}) Tj ET".encode()
        objects[5 + 2 * index] = ("", words + (b" /X Do" if index == 2 else b""))
    path = assembled(tmp_path / "third.pdf", objects)
    assert office.failure(path, "markdown")["message"].startswith("Page 3 of third.pdf cannot be read")
    rest = office.text(path, pages="1-2,4-12")
    assert [f"Page number {number}\n" in rest for number in range(1, 13)] == [number != 3 for number in range(1, 13)]


def test_html_that_is_nested_deep_or_without_end(office: Office, tmp_path: Path) -> None:
    page = tmp_path / "deep.html"
    page.write_text("<!doctype html>" + "<div><b>" * 900 + "the text" + "<table><tr><td colspan=99999999>" * 300)
    assert "the text" in office.markdown(page)
    page.write_text("<!doctype html>" + "<table><tr><td>" * 2_000 + "the text")
    assert "the text" in office.markdown(page)
    cell = f"<td colspan={'9' * 5000} rowspan=1000>wide</td>"
    page.write_text("<!doctype html><table>" + f"<tr>{'<td colspan=1000 rowspan=1000>x' * 40}{cell}</tr>" * 800)
    assert "wide" in office.markdown(page)
    page.write_text("<!doctype html>" + "<div><b>" * 50_000 + "the text")
    assert office.failure(page)["code"] == "nested_too_deep"


def test_markdown_that_is_nested_without_end(office: Office, tmp_path: Path) -> None:
    page = tmp_path / "deep.md"
    page.write_text("[" * 2_000 + "text" + "*a **b " * 500)
    assert "text" in office.markdown(page)
    page.write_text(">" * 20_000 + "text")
    assert office.failure(page)["code"] == "nested_too_deep"


@pytest.mark.parametrize("spec", [{}, {"split": {"every": 1}}])
@pytest.mark.parametrize("make", [endless_tree, deep_nesting])
def test_nothing_that_is_hostile_keeps_the_writing_of_pdfs(
    office: Office, tmp_path: Path, make: Callable[[Path], Path], spec: dict[str, Any]
) -> None:
    """A tree without an end is refused; what is nested too deep is written without it, or refused."""
    token = office.begin(make(tmp_path / "hostile.pdf"), outputFormats=["pdf", "pdfa"], **spec)
    last = office.worker.ending(token)
    if last["type"] == "error":
        assert last["error"]["code"] in ("damaged_document", "too_many_pages", "not_archivable")
        assert last["error"]["message"].startswith("hostile.pdf ")
    assert last["metrics"]["peakRssBytes"] < MOST_MEMORY_BYTES
    assert make is not endless_tree or last["type"] == "error"


@pytest.mark.parametrize("make", [forms_in_themselves, inflating])
def test_a_bomb_is_passed_on_as_it_is_and_is_no_archive(
    office: Office, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path / "bomb.pdf")
    _, result = office.make(path, "pdf")
    assert result["outputs"][0]["size"] < 2 * path.stat().st_size + 10_000
    started = time.monotonic()
    token = office.begin(path, outputFormats=["pdfa"])
    last = office.worker.ending(token)
    assert last["type"] == "error"
    assert "bomb.pdf cannot " in last["error"]["message"]
    assert time.monotonic() - started < MOST_SECONDS
    assert last["metrics"]["peakRssBytes"] < MOST_MEMORY_BYTES


def test_what_acts_is_told_and_not_done(office: Office, tmp_path: Path) -> None:
    out, _ = office.make(acting(tmp_path / "acting.pdf"), "text", "preview", metadata=True)
    found = json.loads((out / "metadata.json").read_text())
    assert (out / "document.txt").read_text() == "The text stays\n"
    assert found["active"]["JavaScript"] >= 3
    assert found["active"]["Launch"] >= 1
    assert [(field["name"], field["value"]) for field in found["fields"]] == [("name", "Ada")]


def test_texts_that_are_no_unicode_make_no_pdf_unreadable(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "surrogates.pdf"
    lone = String(b"\xfe\xff\xd8\x00\x00A")
    with pikepdf.open(written(tmp_path / "a.pdf", [Leaf().text(50, 60, "Read")])) as pdf:
        pdf.docinfo["/Title"] = pdf.docinfo["/Author"] = lone
        pdf.Root.PageLabels = Dictionary(Nums=Array([0, Dictionary(P=lone)]))
        entry = pdf.make_indirect(Dictionary(Title=lone, Dest=Array([pdf.pages[0].obj, Name.Fit])))
        pdf.Root.Outlines = pdf.make_indirect(Dictionary(First=entry, Last=entry, Count=1))
        entry.Parent = pdf.Root.Outlines
        pdf.save(path)
    out, result = office.make(path, "text", metadata=True)
    assert (out / "document.txt").read_text().strip() == "Read"
    found = json.loads((out / "metadata.json").read_text())
    said = {result["details"]["input"]["title"], found["properties"]["Author"], found["outline"][0]["title"]}
    assert said | {found["pages"][0]["label"]} == {"\ufffdA"}


def test_notes_that_all_pages_share_fill_no_memory(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "notes.pdf"
    with pikepdf.new() as pdf:
        contents = String("x" * 9_999)
        note = Dictionary(Type=Name.Annot, Subtype=Name.Text, Rect=Array([0, 0, 10, 10]), Contents=contents)
        shared = pdf.make_indirect(Array([pdf.make_indirect(note)] * 300))
        for _ in range(10):
            pdf.add_blank_page(page_size=(100, 100)).obj["/Annots"] = shared
        pdf.save(path)
    found = json.loads((office.make(path, "preview", metadata=True)[0] / "metadata.json").read_text())
    assert found["annotations"] == {"text": 3000}
    assert 3_900_000 < sum(len(note["text"]) for note in found["notes"]) <= 4_000_000
