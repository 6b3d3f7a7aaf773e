"""PDF/A-2b: what is written is judged by a validator that approves of nothing that it does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, pdfa
from PIL import Image, ImageChops

from tests.integration.test_documents import DOCUMENTS, MULTI_PAGE, Office
from tests.integration.test_documents_paper import everything, texts, titles
from tests.resources.pdfs import Leaf, acting, assembled, written
from tests.resources.workers import Worker


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Worker(tmp_path_factory.mktemp("archive"), service="document") as worker:
        yield Office(worker)


def archived(
    office: Office, path: Path, *, unknown: frozenset[str] = frozenset(), **spec: Any
) -> tuple[Path, dict[str, Any], list[str]]:
    """Make an archive that the validator approves of; its path, what is told of it, and the notes.

    Args:
        unknown: what the validator says that it does not check, and nothing else.
    """
    out, result = office.make(path, "pdfa", **spec)
    target = out / "document-a.pdf"
    report = pdfa.validate_written(target, "2b")
    assert {finding.rule for finding in report.unsupported} == unknown, report.summary()
    assert not report.violations, report.summary()
    return target, result["outputs"][0]["details"], result["details"].get("notes", [])


def looks(path: Path, page: int = 0) -> Image.Image:
    with pypdfium2.PdfDocument(path) as document:
        return document[page].render(scale=1, may_draw_forms=True).to_pil().convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that are clearly not the same."""
    assert one.size == other.size
    histogram = ImageChops.difference(one, other).convert("L").histogram()
    return sum(histogram[64:]) / (one.width * one.height)


@pytest.mark.parametrize(
    "name", ["outline.pdf", "crazyones.pdf", "right_to_left.pdf", "owner_password.pdf", "commented.pdf"]
)
def test_a_pdf_keeps_its_text_and_looks_and_is_not_drawn_anew(office: Office, name: str) -> None:
    target, details, _ = archived(office, DOCUMENTS / name)
    assert details["conformance"] == "PDF/A-2b"
    assert "pagesRedrawn" not in details
    assert texts(target) == texts(DOCUMENTS / name)
    assert difference(looks(target), looks(DOCUMENTS / name)) < 0.02


def test_an_outline_and_links_stay(office: Office) -> None:
    target, _, _ = archived(office, DOCUMENTS / "outline.pdf")
    with pikepdf.open(target) as pdf, pikepdf.open(DOCUMENTS / "outline.pdf") as source:
        assert titles(pdf) == titles(source)
        assert [len(page.get("/Annots", ())) for page in pdf.pages] == [9, 0, 0, 0]


def test_fonts_that_are_not_there_become_those_that_are_as_wide(office: Office, tmp_path: Path) -> None:
    leaf = Leaf()
    for number, font in enumerate("FBIM"):
        leaf.text(50, 60 + 40 * number, "Grüße, “quoted” – 100 €", 20, font)
    source = written(tmp_path / "fonts.pdf", [leaf], title="Fünf")
    target, details, notes = archived(office, source)
    assert "pagesRedrawn" not in details
    assert texts(target) == texts(source)
    assert any("Liberation" in note for note in notes)
    places = zip(places_of(target), places_of(source), strict=True)
    assert max(abs(one - other) for one, other in places) < 1.0


def places_of(path: Path) -> list[float]:
    """How far from the left each character of the first page stands."""
    with pypdfium2.PdfDocument(path) as document:
        text = document[0].get_textpage()
        shown = [index for index in range(text.count_chars()) if text.get_text_range(index, 1).strip()]
        return [text.get_charbox(index, loose=True)[0] for index in shown]


def test_what_cannot_be_mended_is_drawn_with_its_text(office: Office, tmp_path: Path) -> None:
    leaves = [Leaf().text(50, 60, "Letters"), Leaf(400, 300, rotate=90).text(30, 40, "abc", 30).text(30, 90, "Find me")]
    path = written(tmp_path / "symbols.pdf", leaves)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        symbol = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Symbol)
        fonts = Dictionary({**dict(pdf.pages[1].Resources.Font.items()), "/F": pdf.make_indirect(symbol)})
        pdf.pages[1].Resources = Dictionary(Font=fonts)
        content = pdf.pages[1].Contents.read_bytes().replace(b"/F 11", b"/B 11")
        pdf.pages[1].Contents = pdf.make_stream(content)
        pdf.pages[1].UserUnit = 4
        pdf.save(path)
    target, details, notes = archived(office, path)
    assert details["pagesRedrawn"] == "2"
    assert "Page 2 is a picture" in notes[-1]
    assert "Find me" in texts(target)[1]
    assert difference(looks(target, 1), looks(path, 1)) < 0.02
    assert texts(target)[0].strip() == "Letters"
    with pikepdf.open(target) as made:
        assert float(made.pages[1].UserUnit) == 4  # a poster is as large as it was
    out, _ = office.make(path, "preview", metadata=True)
    pages = json.loads((out / "metadata.json").read_text())["pages"]
    assert [(page["width"], page["height"]) for page in pages] == [(595, 842), (1200, 1600)]


def test_ink_becomes_light_and_hidden_layers_stay_hidden(office: Office, tmp_path: Path) -> None:
    layer = "<</Type/OCG/Name(Secret)>>"
    objects: dict[int, str | tuple[str, bytes]] = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: "<</Type/Pages/Count 1/Kids[4 0 R]>>",
        4: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 5 0 R"
        "/Resources<</Properties<</L 7 0 R>>>>/Group<</S/Transparency/CS/DeviceCMYK>>>>",
        5: ("", b"0 1 1 0 k 0 100 100 100 re f /OC /L BDC 0 g 100 0 100 100 re f EMC"),
        7: layer,
    }
    unknown = frozenset({"pikepdf:optional-content", "pikepdf:schema-Properties"})
    target, details, _ = archived(office, assembled(tmp_path / "ink.pdf", objects), unknown=unknown)
    assert "pagesRedrawn" not in details
    assert looks(target).getpixel((50, 50)) == (255, 0, 0)
    assert looks(target).getpixel((150, 150)) == (0, 0, 0)
    objects[1] = "<</Type/Catalog/Pages 2 0 R/OCProperties<</OCGs[7 0 R]/D<</OFF[7 0 R]>>>>>>"
    target, details, _ = archived(office, assembled(tmp_path / "hidden.pdf", objects))
    assert details["pagesRedrawn"] == "1"
    assert looks(target).getpixel((150, 150)) == (255, 255, 255)


def test_forms_notes_and_files_become_what_an_archive_may_have(office: Office, tmp_path: Path) -> None:
    with pikepdf.open(DOCUMENTS / "form.pdf") as pdf:
        field = next(iter(pdf.acroform.fields))
        field.set_value("Ada Lovelace", True)
        pdf.attachments["data.csv"] = pikepdf.AttachedFileSpec(pdf, b"1,2,3")
        pdf.save(tmp_path / "filled.pdf")
    target, _, notes = archived(office, tmp_path / "filled.pdf")
    assert "Ada Lovelace" in texts(target)[0]
    assert any("attached" in note for note in notes)
    assert any("fields are text" in note for note in notes)
    target, _, _ = archived(office, DOCUMENTS / "commented.pdf")
    with pikepdf.open(target) as pdf:
        said = [str(note.Contents) for note in pdf.pages[0].Annots if note.Subtype == Name.Text]
    assert said[0] == "Note in second paragraph"


def test_nothing_acts_in_an_archive(office: Office, tmp_path: Path) -> None:
    target, _, _ = archived(office, acting(tmp_path / "acting.pdf"))
    inside = everything(target)
    assert not [word for word in (b"JavaScript", b"Launch", b"RichMedia", b"/XFA", b"/AcroForm") if word in inside]
    assert b"http://a.b/" in inside
    assert "The text stays" in texts(target)[0]


def test_pictures_scans_and_chosen_pages_are_archived(office: Office, tmp_path: Path) -> None:
    Image.new("CMYK", (60, 40), (255, 0, 0, 0)).save(tmp_path / "ink.jpg", quality=95)
    target, _, _ = archived(office, tmp_path / "ink.jpg", append=[DOCUMENTS / "crazyones.pdf"])
    assert len(texts(target)) == 2
    red, green, blue = looks(target).getpixel((20, 15))
    assert red < 60 < min(green, blue)
    target, details, _ = archived(office, DOCUMENTS / "outline.pdf", pages="2-3", rotate={"degrees": 90})
    assert details["pages"] == 2
    with pypdfium2.PdfDocument(target) as document:
        width, height = document[0].get_size()
    assert width > height


def test_a_scan_that_is_read_is_an_archive_that_can_be_searched(office: Office) -> None:
    target, details, _ = archived(office, DOCUMENTS / "scans" / "phototest.tif", ocrEnabled=True)
    assert "pagesRedrawn" not in details
    assert "quick brown" in texts(target)[0]


def test_a_page_larger_than_any_paper_is_made_as_large_as_one_may_be(office: Office, tmp_path: Path) -> None:
    path = written(tmp_path / "huge.pdf", [Leaf(1_000_000, 500_000).text(100, 100, "Large", 50_000)])
    target, details, _ = archived(office, path)
    assert details["pagesRedrawn"] == "1"
    with pypdfium2.PdfDocument(target) as document:
        width, height = document[0].get_size()
    assert (round(width), round(height)) == (14_400, 7_200)


def test_shades_are_not_drawn_anew(office: Office) -> None:
    """The validator does not know shades; what it says of this file is that alone."""
    unknown = frozenset({"pikepdf:shading", "pikepdf:schema-Resources"})
    target, details, _ = archived(office, MULTI_PAGE, unknown=unknown)
    assert "pagesRedrawn" not in details
    assert texts(target) == texts(MULTI_PAGE)


def test_a_file_is_as_an_archive_says_it_is(office: Office) -> None:
    """Clauses that can be seen in the bytes, without the validator that the service itself asks."""
    target, _, _ = archived(office, DOCUMENTS / "crazyones.pdf")
    data = target.read_bytes()
    first, second = data.splitlines()[:2]
    assert first.startswith(b"%PDF-1.")
    assert second.startswith(b"%")
    assert all(byte > 127 for byte in second[1:5])
    assert data.rstrip().endswith(b"%%EOF")
    with pikepdf.open(target) as pdf:
        assert len(pdf.trailer.ID) == 2
        assert "/Encrypt" not in pdf.trailer
        (intent,) = pdf.Root.OutputIntents
        assert (intent.S, intent.DestOutputProfile.N) == (Name.GTS_PDFA1, 3)
        assert intent.DestOutputProfile.read_bytes()[36:40] == b"acsp"
        packet = pdf.Root.Metadata
        assert "/Filter" not in packet
        assert b"<pdfaid:part>2</pdfaid:part>" in packet.read_bytes() or b'pdfaid:part="2"' in packet.read_bytes()
        for each in pdf.objects:
            if isinstance(each, Dictionary) and each.get("/Type") == Name.FontDescriptor:
                assert {"/FontFile", "/FontFile2", "/FontFile3"} & {*each.keys()}
            if isinstance(each, pikepdf.Stream):
                filters = each.get("/Filter", Array())
                assert Name.LZWDecode not in (filters if isinstance(filters, Array) else [filters])


@pytest.mark.parametrize("path", sorted((DOCUMENTS / "bad").glob("*.pdf")), ids=lambda path: path.stem)
def test_every_broken_file_gives_a_copy_an_archive_and_parts_or_one_clear_error(office: Office, path: Path) -> None:
    if path.stem == "invalid":
        for spec in ({}, {"split": {"every": 1}}):
            error = office.failure(path, "pdf", "pdfa", metadata=True, **spec)
            assert error["code"] == "damaged_document"
        return
    out, _ = office.make(path, "pdf", "pdfa", metadata=True)
    assert pdfa.validate_written(out / "document-a.pdf", "2b").passed
    assert texts(out / "document.pdf") == texts(path)
    out, result = office.make(path, "pdf", split={"every": 1})
    assert len(result["outputs"]) == len(texts(path))
