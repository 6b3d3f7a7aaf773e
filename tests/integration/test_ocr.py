"""Scans and pictures through a real worker and a real tesseract; what is read is looked at as a user would."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, String
from PIL import Image, ImageChops, ImageOps
from pypdf import PdfWriter

from processors.document.model import Box
from tests.integration.test_documents import DOCUMENTS, Office
from tests.resources.pdfs import Leaf, written
from tests.resources.scans import DPI, picture, places, scanned, share
from tests.resources.workers import Worker

SCANS = DOCUMENTS / "scans"
PHOTO_TEST = (
    "This is a lot of 12 point text to test the ocr code and see if it works on all types of file format. "
    "The quick brown dog jumped over the lazy fox. The quick brown dog jumped over the lazy fox. "
    "The quick brown dog jumped over the lazy fox. The quick brown dog jumped over the lazy fox."
)
NOTE = ["Whatever is written here", "can be selected afterwards", "exactly where it stands."]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Worker(tmp_path_factory.mktemp("ocr"), service="document") as worker:
        yield Office(worker)


@pytest.fixture
def note(tmp_path: Path) -> Image.Image:
    """A scan of three lines."""
    return picture(_note(), tmp_path)


def _note() -> Leaf:
    return Leaf(300, 160).lines(30, 40, NOTE, 14)


def _pages(out: Path) -> Any:
    return json.loads((out / "document.json").read_text())["pages"]


def _flat(text: str) -> str:
    return " ".join(text.split())


# --- what is read


def test_a_picture_is_no_text_until_it_may_be_read(office: Office) -> None:
    error = office.failure(SCANS / "phototest.tif")
    assert error["code"] == "no_text"
    assert "ocrEnabled" in error["hint"]
    out, result = office.make(SCANS / "phototest.tif", "text", "json", ocrEnabled=True)
    assert _flat((out / "document.txt").read_text()) == PHOTO_TEST
    assert result["details"]["input"]["format"] == "tiff"
    said = result["details"]["ocr"]
    assert (said["pages"], said["language"], said["byPage"][0]["page"]) == ("1", "eng", 1)
    assert 0.85 < said["confidence"] <= 1
    [page] = _pages(out)
    assert (page["method"], page["confidence"]) == ("ocr", said["byPage"][0]["confidence"])
    assert all(0 <= word["confidence"] <= 1 for word in page["words"])
    assert (round(page["width"]), round(page["height"])) == (230, 173)  # 640 by 480 pixels, 200 to an inch


@pytest.mark.parametrize(("name", "turned"), [("phototest_turned_right.png", 270), ("phototest_upside_down.png", 180)])
def test_a_page_that_lies_the_wrong_way_is_read_and_said_to_be_turned(office: Office, name: str, turned: int) -> None:
    out, result = office.make(SCANS / name, "text", "json", "pdf", ocrEnabled=True)
    assert _flat((out / "document.txt").read_text()) == PHOTO_TEST
    assert result["details"]["ocr"]["byPage"][0]["turned"] == turned
    [page] = _pages(out)
    assert page["width"] > page["height"]
    first = [word for word in page["words"] if word["text"] in ("This", "test", "the")]
    assert first[0]["box"]["left"] < first[1]["box"]["left"] < first[2]["box"]["left"]
    [selected] = places(out / "document.pdf", "code")
    [code] = [word for word in page["words"] if word["text"] == "code"]
    assert share(selected, Box(**code["box"])) > 0.6  # the PDF shows the page the right way up


@pytest.mark.parametrize("degrees", [3, -2])
def test_a_page_that_is_askew_is_read_and_its_words_are_where_they_are(
    office: Office, tmp_path: Path, note: Image.Image, degrees: int
) -> None:
    truth = places(tmp_path / "to-scan.pdf", "selected")[0]
    askew = note.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    out, result = office.make(scanned(tmp_path / "askew.pdf", [askew]), "text", "json", "pdf", ocrEnabled=True)
    assert (out / "document.txt").read_text() == "\n".join(NOTE) + "\n"
    selectable = pypdfium2.PdfDocument(out / "document.pdf")[0].get_textpage().get_text_range()
    assert selectable.splitlines() == NOTE
    assert abs(result["details"]["ocr"]["byPage"][0]["skew"] - degrees) < 0.3
    x, y = (truth.left + truth.right) / 2 - 150, (truth.top + truth.bottom) / 2 - 80
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    width, height = (72 * side / DPI for side in askew.size)
    middle = (x * cos + y * sin + width / 2, y * cos - x * sin + height / 2)
    [word] = [word for word in _pages(out)[0]["words"] if word["text"] == "selected"]
    assert Box(**word["box"]).holds(*middle)
    assert places(out / "document.pdf", "selected")[0].holds(*middle)


def test_the_pages_of_a_tiff_are_pages(office: Office, tmp_path: Path) -> None:
    leaves = [Leaf(300, 100).text(30, 50, f"This is page {name}.", 16) for name in ("one", "two", "three")]
    first, *rest = [picture(leaf, tmp_path).convert("1") for leaf in leaves]
    path = tmp_path / "pages.tif"
    first.save(path, save_all=True, append_images=rest, dpi=(DPI, DPI), compression="group4")
    token = office.begin(path, outputFormats=["text"], ocrEnabled=True, pageMarkers=True)
    events = office.worker.events(token)
    assert events[-1]["type"] == "result"
    text = (office.worker.spool / token / "out" / "document.txt").read_text()
    assert text == "This is page one.\n\fThis is page two.\n\fThis is page three.\n"
    told = [event["fraction"] for event in events if event.get("fraction") is not None]
    assert told == sorted(told) and told[-1] == 1


def test_only_pages_without_text_are_read(office: Office, tmp_path: Path, note: Image.Image) -> None:
    stamp = Leaf().text(140, 780, "17", 9)
    stamp.commands = ["BT /F 9 Tf 1 0 0 1 140 8 Tm (17) Tj ET"]  # at the foot of the scan
    full = Leaf()
    full.commands = [f"BT /F 4 Tf 1 0 0 1 20 {y} Tm ({LOREM}) Tj ET" for y in range(10, 60, 5)]
    path = scanned(tmp_path / "mixed.pdf", [note, (note, stamp), (note, full)])
    out, result = office.make(path, "text", "json", "pdf", ocrEnabled=True)
    pages = _pages(out)
    assert [page["method"] for page in pages] == ["ocr", "ocr", "text"]
    assert result["details"]["ocr"]["pages"] == "1-2"
    words = [word["text"] for word in pages[1]["words"]]
    assert words.count("17") == 1
    assert [word for word in words if word != "17"] == " ".join(NOTE).split()
    document = pypdfium2.PdfDocument(out / "document.pdf")
    texts = [page.get_textpage().get_text_range() for page in document]
    assert _flat(texts[0]) == " ".join(NOTE)
    assert texts[1].count("17") == 1
    assert "selected" not in texts[2]
    everything = office.make(path, "json", ocrEnabled=True, ocrMode="force")[0]
    assert [page["method"] for page in _pages(everything)] == ["ocr", "ocr", "ocr"]


LOREM = "Lorem ipsum dolor sit amet, consetetur sadipscing elitr"


def test_redo_replaces_what_was_read_before(office: Office, tmp_path: Path, note: Image.Image) -> None:
    older = Leaf()
    older.commands = [f"BT /F 9 Tf 3 Tr 1 0 0 1 30 {100 - 20 * n} Tm (Misread nonsense {n}) Tj ET" for n in range(8)]
    path = scanned(tmp_path / "older.pdf", [(note, older)])
    assert "Misread" in office.text(path, ocrEnabled=True)
    for mode in ("redo", "force"):
        out, _ = office.make(path, "text", "pdf", ocrEnabled=True, ocrMode=mode)
        assert _flat((out / "document.txt").read_text()) == " ".join(NOTE)
        text = pypdfium2.PdfDocument(out / "document.pdf")[0].get_textpage().get_text_range()
        assert _flat(text) == " ".join(NOTE)


def test_text_that_is_seen_and_wrong_is_drawn_and_read_anew_by_force(office: Office, tmp_path: Path) -> None:
    path = written(tmp_path / "seen.pdf", [_note()])
    out, _ = office.make(path, "text", "pdf", ocrEnabled=True, ocrMode="force")
    assert _flat((out / "document.txt").read_text()) == " ".join(NOTE)
    text = pypdfium2.PdfDocument(out / "document.pdf")[0].get_textpage().get_text_range()
    assert _flat(text) == " ".join(NOTE)  # once
    assert _likeness(path, out / "document.pdf") > 0.97


def test_a_real_layer_of_another_program_is_replaced(office: Office) -> None:
    before = office.text(SCANS / "graph_ocred.pdf", ocrEnabled=True).split()
    out, result = office.make(SCANS / "graph_ocred.pdf", "text", "pdf", ocrEnabled=True, ocrMode="redo")
    after = (out / "document.txt").read_text().split()
    assert result["details"]["ocr"]["pages"] == "1"
    hidden = pypdfium2.PdfDocument(out / "document.pdf")[0].get_textpage().get_text_range().split()
    assert set(before) - set(after)
    assert not (set(before) - set(after)) & set(hidden)
    assert len(hidden) > 0.8 * len(after)


# --- a PDF that can be searched


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_layer_is_laid_where_the_words_are_and_nothing_else_changes(
    office: Office, tmp_path: Path, note: Image.Image, rotate: int
) -> None:
    truth = {word: places(tmp_path / "to-scan.pdf", word)[0] for word in ("Whatever", "selected", "stands")}
    # The file has the picture turned, and says how to show it upright.
    path = scanned(tmp_path / "scan.pdf", [note.rotate(rotate, expand=True)])
    path.write_bytes(path.read_bytes().replace(b"/MediaBox", b"/Rotate %d/MediaBox" % rotate))
    out, result = office.make(path, "pdf", ocrEnabled=True)
    assert [output["path"] for output in result["outputs"]] == ["document.pdf"]
    made = out / "document.pdf"
    for word, box in truth.items():
        [found] = places(made, word)
        assert share(found, box) > 0.8, word
        assert abs(found.left - box.left) < 2
        assert abs(found.right - box.right) < 5  # all characters of the layer are as wide
    assert _likeness(path, made) == 1.0
    assert made.stat().st_size < path.stat().st_size + 3000


def _likeness(one: Path, other: Path) -> float:
    """How alike the first pages of two PDFs look, from 0 to 1."""
    first, second = (pypdfium2.PdfDocument(path)[0].render(scale=1.5, grayscale=True).to_pil() for path in (one, other))
    histogram = ImageChops.difference(first.convert("L"), second.convert("L")).histogram()
    return 1 - sum(level * count for level, count in enumerate(histogram)) / (255 * first.width * first.height)


def test_only_the_pages_that_were_asked_for_are_in_the_pdf(office: Office, tmp_path: Path, note: Image.Image) -> None:
    path = scanned(tmp_path / "three.pdf", [ImageOps.invert(note), note, ImageOps.invert(note)])
    out, _ = office.make(path, "pdf", ocrEnabled=True, pages="2")
    document = pypdfium2.PdfDocument(out / "document.pdf")
    assert len(document) == 1
    assert "can be selected" in document[0].get_textpage().get_text_range()


def test_what_is_read_of_some_pages_takes_nothing_from_the_pdf(
    office: Office, tmp_path: Path, note: Image.Image
) -> None:
    path = tmp_path / "layers.pdf"
    with pikepdf.open(scanned(tmp_path / "two.pdf", [note, note])) as pdf:
        layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String("Off")))
        pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=Dictionary(OFF=Array([layer])))
        pdf.Root.Lang = String("en")
        pdf.docinfo["/Title"] = String("A title")
        pdf.attachments["data.csv"] = pikepdf.AttachedFileSpec(pdf, b"1,2,3", mime_type="text/csv")
        page = pdf.pages[0]
        page.Resources.Properties = Dictionary(L=layer)
        page.contents_add(b"/OC /L BDC 1 0 0 rg 0 0 400 400 re f EMC")
        pdf.save(path)
    out, _ = office.make(path, "pdf", ocrEnabled=True, pages="1")
    with pikepdf.open(out / "document.pdf") as made:
        assert len(made.pages) == 1
        assert [spec.get_file().read_bytes() for spec in made.attachments.values()] == [b"1,2,3"]
        assert (str(made.Root.Lang), str(made.docinfo["/Title"])) == ("en", "A title")
    assert _likeness(path, out / "document.pdf") == 1.0  # what is off stays off


def test_pages_that_are_turned_or_cut_are_those_of_the_scan(office: Office, tmp_path: Path, note: Image.Image) -> None:
    path = scanned(tmp_path / "two.pdf", [ImageOps.invert(note), note])
    out, _ = office.make(path, "pdf", ocrEnabled=True, pages="2", rotate={"degrees": 90, "pages": "2"})
    document = pypdfium2.PdfDocument(out / "document.pdf")
    assert [page.get_rotation() for page in document] == [90]
    assert "can be selected" in document[0].get_textpage().get_text_range()
    out, result = office.make(path, "pdf", ocrEnabled=True, pages="2", split={"every": 1})
    [part] = result["outputs"]
    assert "can be selected" in pypdfium2.PdfDocument(out / part["path"])[0].get_textpage().get_text_range()


def test_a_scan_that_is_encrypted_can_be_searched_with_its_password(
    office: Office, tmp_path: Path, note: Image.Image
) -> None:
    writer = PdfWriter(clone_from=scanned(tmp_path / "plain.pdf", [note]))
    writer.encrypt("secret", algorithm="RC4-128")
    path = tmp_path / "encrypted.pdf"
    writer.write(path)
    out, _ = office.make(path, "pdf", ocrEnabled=True, password="secret")
    text = pypdfium2.PdfDocument(out / "document.pdf")[0].get_textpage().get_text_range()
    assert _flat(text) == " ".join(NOTE)


def test_a_stamp_upon_an_empty_scan_stays(office: Office, tmp_path: Path) -> None:
    stamp = Leaf()
    stamp.commands = ["BT /F 9 Tf 3 Tr 1 0 0 1 30 20 Tm (Received today) Tj ET"]
    path = scanned(tmp_path / "stamped.pdf", [(Image.new("L", (800, 600), 250), stamp)])
    assert office.text(path, ocrEnabled=True) == "Received today\n"


# --- structure


def test_columns_of_a_scan_are_read_one_after_the_other(office: Office, tmp_path: Path) -> None:
    names = "Adam Berta Caesar Dora Emil Frida".split()
    left, right = ([f"{name}{what}" for name in names] for what in ("'s quick brown fox", " jumped over a dog"))
    leaf = Leaf(420, 220).text(90, 40, "A heading over both", 18, "B").lines(30, 80, left, 10).lines(230, 80, right, 10)
    path = scanned(tmp_path / "columns.pdf", [picture(leaf, tmp_path, dpi=250)], dpi=250)
    out, _ = office.make(path, "markdown", "text", ocrEnabled=True)
    # Line by line, each column as a whole.
    texts = (out / "document.txt").read_text()
    assert [line for line in texts.splitlines() if line] == [
        "A heading over both",
        *left,
        *(line.strip() for line in right),
    ]
    text = (out / "document.md").read_text()
    assert text.startswith("# A heading over both\n")
    found = [text.index(line) for line in (*left, *right)]
    assert found == sorted(found)


def test_a_table_and_bullets_of_a_scan_are_a_table_and_bullets(office: Office, tmp_path: Path) -> None:
    leaf = Leaf(420, 300).text(30, 40, "What there is to eat today", 11)
    for number, row in enumerate((("Name", "Price", "Count"), ("Apples", "12,50", "300"), ("Pears", "14,75", "120"))):
        for x, cell in zip((30, 150, 270), row, strict=True):
            leaf.text(x, 80 + 20 * number, cell, 11)
    for number, item in enumerate(("Bring a bag with you", "Pay when you leave here")):
        leaf.text(30, 180 + 18 * number, "•", 11).text(48, 180 + 18 * number, item, 11)
    path = scanned(tmp_path / "table.pdf", [picture(leaf, tmp_path, dpi=250)], dpi=250)
    out, _ = office.make(path, "markdown", "text", ocrEnabled=True)
    assert "Name\tPrice\tCount\nApples\t12,50\t300\nPears\t14,75\t120\n" in (out / "document.txt").read_text()
    text = (out / "document.md").read_text()
    assert "| Apples | 12,50 | 300 |" in text
    assert "- Bring a bag with you\n- Pay when you leave here" in text


# --- pictures of all kinds


def _cmyk(image: Image.Image) -> Image.Image:
    return image.convert("RGB").convert("CMYK")


def _alpha(image: Image.Image) -> Image.Image:
    ink = Image.new("RGBA", image.size, (0, 0, 0, 255))
    ink.putalpha(ImageOps.invert(image))
    return ink


def _palette(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image, "navy", "ivory").quantize(16)


def _sixteen_bits(image: Image.Image) -> Image.Image:
    return image.convert("I").point(lambda value: value * 257).convert("I;16")


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        (".jpg", _cmyk),
        (".png", _alpha),
        (".png", _palette),
        (".png", _sixteen_bits),
        (".gif", _palette),
        (".bmp", lambda image: image),
        (".webp", lambda image: image.convert("RGB")),
        (".tif", _cmyk),
    ],
)
def test_pictures_are_read_whatever_their_colours(
    office: Office, tmp_path: Path, note: Image.Image, suffix: str, make: Callable[[Image.Image], Image.Image]
) -> None:
    path = tmp_path / f"note{suffix}"
    make(note).save(path, dpi=(DPI, DPI))
    assert _flat(office.text(path, ocrEnabled=True)) == " ".join(NOTE)


@pytest.mark.parametrize(("orientation", "how"), [(6, Image.Transpose.ROTATE_90), (5, Image.Transpose.TRANSPOSE)])
def test_a_photograph_is_shown_as_its_camera_was_held(
    office: Office, tmp_path: Path, note: Image.Image, orientation: int, how: Image.Transpose
) -> None:
    path = tmp_path / "photograph.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    note.transpose(how).save(path, exif=exif, dpi=(DPI, DPI))
    out, result = office.make(path, "text", "preview", "json", ocrEnabled=True)
    assert _flat((out / "document.txt").read_text()) == " ".join(NOTE)
    assert "turned" not in result["details"]["ocr"]["byPage"][0]
    with Image.open(out / "preview.jpg") as preview:
        assert preview.width > preview.height
    assert round(_pages(out)[0]["width"]) == 300


# --- languages


def test_a_language_that_is_not_there_is_named_with_those_that_are(office: Office) -> None:
    error = office.failure(SCANS / "phototest.tif", ocrEnabled=True, language="eng+xyz")
    assert error["code"] == "language_not_installed"
    assert "xyz" in error["message"]
    assert "eng" in error["message"].partition("installed is")[2]
    assert "tesseract-ocr-xyz" in error["hint"]
    assert "document.ocr_languages" in error["hint"]


def test_the_language_is_found(office: Office, tmp_path: Path) -> None:
    lines = [
        "Der Ausschuß kam zusammen, um über die Pläne",
        "für die neue Brücke über den Fluß zu sprechen.",
        "Mehrere fragten, wieviel sie kosten würde und ob",
        "die alte nicht schöner wäre als ihre Nachfolgerin.",
    ]
    path = scanned(tmp_path / "german.pdf", [picture(Leaf(380, 140).lines(30, 40, lines, 14), tmp_path)])
    out, result = office.make(path, "text", ocrEnabled=True, language="auto")
    said = result["details"]["ocr"]
    [page] = said["languageByPage"]
    assert (said["language"], page["page"], page["language"], page["clear"]) == ("deu", 1, "deu", True)
    assert 0.7 < page["confidence"] <= 1
    assert result["outputs"][0]["details"]["language"] == "deu"
    assert "notes" not in result["details"]
    assert "über die Pläne für die neue Brücke" in _flat((out / "document.txt").read_text())


def test_what_a_page_leaves_open_or_closes_too_much_does_not_move_its_text(
    office: Office, tmp_path: Path, note: Image.Image
) -> None:
    def corners(path: Path) -> list[tuple[float, float]]:
        out, _ = office.make(path, "pdf", ocrEnabled=True)
        page = pypdfium2.PdfDocument(out / "document.pdf")[0].get_textpage()
        return [page.get_charbox(index)[:2] for index in range(20)]

    plain = scanned(tmp_path / "plain.pdf", [note])
    odd = tmp_path / "odd.pdf"
    with pikepdf.open(plain) as pdf:
        pdf.pages[0].contents_add(pdf.make_stream(b"Q Q 3 0 0 3 40 40 cm q"))
        pdf.save(odd)
    for here, there in zip(corners(plain), corners(odd), strict=True):
        assert here == pytest.approx(there, abs=1)
