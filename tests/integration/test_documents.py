"""Real documents through a real worker; what comes out is looked at as a user would."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image

from tests.resources.pdfs import Leaf, assembled, written
from tests.resources.workers import ROOT, Worker

DOCUMENTS = ROOT / "tests" / "resources" / "documents"
MULTI_PAGE = DOCUMENTS / "multi_page.pdf"
LOREM = "Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam"


class Office:
    """Sends documents through a worker of the document service."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._count = 0

    def begin(self, document: Path, *, append: Sequence[Path] = (), **spec: Any) -> str:
        self._count += 1
        token = f"d{self._count}.1"
        (self.worker.inputs / token).mkdir()
        files = []
        for number, path in enumerate([document, *append]):
            shutil.copy(path, self.worker.inputs / token / str(number))
            about = {"path": str(number), "name": path.name, "size": path.stat().st_size, "sha256": "0" * 64}
            files.append({"field": "append" if number else "document_url", **about})
        named = {"append": {path.name: str(path) for path in append}} if append else {}
        self.worker.begin(token, {"documentUrl": document.name} | named | spec, inputs=files)
        return token

    def make(self, document: Path, *formats: str, **spec: Any) -> tuple[Path, dict[str, Any]]:
        """Run a job that must succeed; give its out directory and its result."""
        token = self.begin(document, outputFormats=list(formats) or ["text"], **spec)
        last = self.worker.ending(token)
        assert last["type"] == "result", last
        return self.worker.spool / token / "out", last["result"]

    def markdown(self, document: Path, **spec: Any) -> str:
        return (self.make(document, "markdown", **spec)[0] / "document.md").read_text()

    def text(self, document: Path, **spec: Any) -> str:
        return (self.make(document, "text", **spec)[0] / "document.txt").read_text()

    def failure(self, document: Path, *formats: str, **spec: Any) -> dict[str, Any]:
        """Run a job that must fail."""
        token = self.begin(document, outputFormats=list(formats) or ["text"], **spec)
        error: dict[str, Any] = self.worker.ending(token)["error"]
        return error


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Worker(tmp_path_factory.mktemp("document"), service="document") as worker:
        yield Office(worker)


# --- what comes out


def test_a_pdf_becomes_all_that_is_asked_for_in_one_job(office: Office) -> None:
    out, result = office.make(
        MULTI_PAGE,
        *("text", "markdown", "html", "json", "preview"),
        preview={"pages": "all", "width": 120, "height": 160, "format": "png", "contactSheet": True},
    )
    names = [output["path"] for output in result["outputs"]]
    previews = [f"preview-{page:04}.png" for page in range(1, 6)]
    files = ["document.txt", "document.md", "document.html", "document.json"]
    assert names == [*files, *previews, "contact-sheet.png"]
    assert all(output["size"] == (out / output["path"]).stat().st_size for output in result["outputs"])
    assert result["details"]["input"]["pageCount"] == 5
    lines = (out / "document.md").read_text().splitlines()
    assert sum(line.startswith("#") for line in lines) == 11
    assert any(line.endswith(" Pre-Digital Era (19th - Early 20th Century)") for line in lines)
    assert any(line.startswith("- **WordStar (1978)**: Developed for the CP/M") for line in lines)
    assert any(line.startswith("3. **Templates**: Pre-designed formats") for line in lines)
    html = (out / "document.html").read_text()
    assert '<li dir="auto" value="3"><strong>Templates</strong>: Pre-designed' in html
    document = json.loads((out / "document.json").read_text())
    pages = document["pages"]
    assert (document["format"], document["pageCount"], document["outline"]) == ("pdf", 5, [])
    assert [page["number"] for page in pages] == [1, 2, 3, 4, 5]
    word = pages[0]["words"][0]
    assert (word["text"], round(word["box"]["left"])) == ("The", 72)
    assert all("kind" in block for page in pages for block in page["blocks"])
    with Image.open(out / "preview-0003.png") as picture:
        assert picture.format == "PNG"
        assert picture.height == 160 or picture.width == 120


def test_only_the_pages_that_are_asked_for_are_read(office: Office) -> None:
    out, result = office.make(MULTI_PAGE, "text", "json", pages="2,4-")
    pages = json.loads((out / "document.json").read_text())["pages"]
    assert [page["number"] for page in pages] == [2, 4, 5]
    assert result["details"]["input"]["pagesRead"] == "2,4-5"
    assert "The Evolution of the Word Processor" not in (out / "document.txt").read_text()


def test_columns_are_read_one_after_the_other(office: Office, tmp_path: Path) -> None:
    left = [f"left {number} {LOREM[:36]}" for number in range(12)]
    right = [f"right {number} {LOREM[:36]}" for number in range(12)]
    leaf = Leaf().text(120, 60, "A heading above both of the columns", 18, "B")
    for number in range(12):  # as programs write that do not care: line by line over the whole page
        leaf.text(50, 100 + 14 * number, left[number], 10).text(310, 100 + 14 * number, right[number], 10)
    text = office.markdown(written(tmp_path / "columns.pdf", [leaf]))
    assert text.startswith("# A heading above both of the columns")
    places = [text.index(line) for line in (*left, *right)]
    assert places == sorted(places)


def test_a_drawn_table_keeps_its_spans_and_becomes_csv(office: Office, tmp_path: Path) -> None:
    leaf = Leaf().text(50, 60, LOREM)
    for y in (100, 140, 160):
        leaf.rule(50, y, 350, y)
    leaf.rule(150, 120, 350, 120)
    for x, top in ((50, 100), (150, 100), (250, 120), (350, 100)):
        leaf.rule(x, top, x, 160)
    leaf.text(55, 125, "Who").text(160, 114, "What, twice").text(160, 134, "first").text(260, 134, "second")
    leaf.text(55, 154, "Ada").text(160, 154, "1,5").text(260, 154, "a | b")
    out, result = office.make(written(tmp_path / "table.pdf", [leaf]), "markdown", "html", tables="csv")
    table = [line for line in (out / "document.md").read_text().splitlines() if line.startswith("|")]
    assert table == [
        "| Who | What, twice | What, twice |",
        "| --- | --- | --- |",
        "| Who | first | second |",
        "| Ada | 1,5 | a \\| b |",
    ]
    html = (out / "document.html").read_text()
    assert '<th rowspan="2" dir="auto">Who</th>' in html
    assert '<th colspan="2" dir="auto">What, twice</th>' in html
    csv = [output for output in result["outputs"] if output["role"] == "table"]
    assert [output["path"] for output in csv] == ["tables/table-001.csv"]
    assert (out / "tables/table-001.csv").read_bytes().splitlines()[2] == b'Ada,"1,5",a | b'


def test_headers_and_footers_leave_when_asked(office: Office, tmp_path: Path) -> None:
    leaves = [
        Leaf().text(50, 40, "The running title", 9).lines(50, 100, [LOREM] * 10).text(290, 820, f"{number}", 9)
        for number in range(1, 5)
    ]
    path = written(tmp_path / "running.pdf", leaves)
    assert office.markdown(path).count("The running title") == 4
    for bare in (office.markdown(path, removeHeaders=True), office.text(path, removeHeaders=True)):
        assert "The running title" not in bare
        assert bare.count("Lorem ipsum") == 40


def test_code_keeps_its_lines_and_notes_become_notes(office: Office, tmp_path: Path) -> None:
    leaf = Leaf().lines(50, 60, [LOREM] * 8)
    leaf.lines(60, 200, ["def add(a, b):", "    return a + b"], 10, "M")
    leaf.text(50, 760, "1", 6).text(54, 763, "A note below the text.", 8)
    text = office.markdown(written(tmp_path / "code.pdf", [leaf]))
    assert "```\ndef add(a, b):\n    return a + b\n```" in text
    assert "<sup>1</sup> A note below the text." in text  # nothing refers to it


def test_the_outline_says_how_deep_a_heading_is(office: Office, tmp_path: Path) -> None:
    leaf = Leaf().text(50, 60, "First part").lines(50, 90, [LOREM] * 4).text(50, 170, "A detail of it")
    path = written(tmp_path / "outline.pdf", [leaf.lines(50, 200, [LOREM] * 4)], outline=[("First part", 1)])
    assert office.markdown(path).startswith("# First part\n")
    assert "# A detail" not in office.markdown(path)


def test_tags_say_what_is_a_heading(office: Office, tmp_path: Path) -> None:
    content = b"/H2 <</MCID 0>> BDC BT /F 11 Tf 50 750 Td (Not large, not bold) Tj ET EMC"
    content += b" /P <</MCID 1>> BDC BT /F 11 Tf 50 700 Td (The text of it, as large.) Tj ET EMC"
    objects: dict[int, str | tuple[str, bytes]] = {
        1: "<</Type/Catalog/Pages 2 0 R/MarkInfo<</Marked true>>/StructTreeRoot 10 0 R>>",
        2: "<</Type/Pages/Count 1/Kids[4 0 R]>>",
        4: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/StructParents 0/Contents 5 0 R"
        "/Resources<</Font<</F 6 0 R>>>>>>",
        5: ("", content),
        6: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        10: "<</Type/StructTreeRoot/K[11 0 R 12 0 R]/ParentTree 13 0 R>>",
        11: "<</Type/StructElem/S/H2/P 10 0 R/Pg 4 0 R/K 0>>",
        12: "<</Type/StructElem/S/P/P 10 0 R/Pg 4 0 R/K 1>>",
        13: "<</Nums[0[11 0 R 12 0 R]]>>",
    }
    text = office.markdown(assembled(tmp_path / "tagged.pdf", objects))
    assert text == "## Not large, not bold\n\nThe text of it, as large.\n"


def test_a_sentence_goes_on_in_the_next_column(office: Office, tmp_path: Path) -> None:
    leaf = Leaf()
    for x, words in ((50, "of the left column and it goes on"), (310, "without an end in the right one")):
        leaf.lines(x, 100, [words] * 8)
    text = office.markdown(written(tmp_path / "goes_on.pdf", [leaf]))
    assert text.count("\n\n") == 0
    assert "it goes on without an end" in text


def test_many_pages_are_all_there_in_their_order(office: Office, tmp_path: Path) -> None:
    path = written(tmp_path / "many.pdf", [Leaf().text(50, 60, f"Page number {n}.") for n in range(1, 301)])
    out, result = office.make(path, "text", "markdown")
    expected = [f"Page number {number}." for number in range(1, 301)]
    assert (out / "document.txt").read_text().split("\n\n") == [*expected[:-1], expected[-1] + "\n"]
    assert (out / "document.md").read_text().split("\n\n") == [*expected[:-1], expected[-1] + "\n"]
    assert result["details"]["input"]["pagesRead"] == "1-300"


def test_a_job_that_is_cancelled_leaves_nothing_running(office: Office, tmp_path: Path) -> None:
    path = written(tmp_path / "long.pdf", [Leaf().lines(50, 60, [LOREM] * 50) for _ in range(1500)])
    token = office.begin(path, outputFormats=["markdown"])
    with office.worker.follow(token) as events:
        for event in events:
            if event["type"] == "progress" and event["stage"] == "read":
                break
    assert office.worker.http.delete(f"/attempts/{token}?grace=10").status_code == 202
    assert office.worker.ending(token)["error"]["code"] == "cancelled"
    assert office.worker.strays() == []


def led(out: Path) -> list[tuple[str, str]]:
    """The links within an HTML: their texts, and the texts of the headings that they lead to."""
    text = (out / "document.html").read_text()
    titles = dict(re.findall(r'<h\d id="([^"]+)"[^>]*>([^<]*)', text))
    return [(said, titles[name]) for name, said in re.findall(r'<a href="#([^"]*)"[^>]*>([^<]*)', text)]


def test_links_of_a_pdf_lead_to_its_headings(office: Office) -> None:
    out, _ = office.make(DOCUMENTS / "outline.pdf", "html", "markdown")
    found = led(out)
    assert len(found) == 9
    assert [title.split()[-1] for _, title in found] == ["Foo", "Bar", "Baz"] * 3
    assert all(said.split()[-1] == title.split()[-1] for said, title in found)
    assert "](#1-foo)" in (out / "document.md").read_text()


def test_links_of_html_lead_to_its_headings(office: Office, tmp_path: Path) -> None:
    source = tmp_path / "page.html"
    source.write_text(
        '<p><a href="#b">to B</a> <a href="#old">to C</a> <a href="#in">also</a> <a href="#none">nowhere</a></p>'
        '<div id="b"><h2>Part B</h2></div><p id="x">x</p><a name="old"></a><h2>Part <i id="in">C</i></h2>'
    )
    text = (office.make(source, "html")[0] / "document.html").read_text()
    assert re.findall('<a href="#([^"]*)"', text) == ["part-b", "part-c", "part-c"]
    assert re.findall('<h2 id="([^"]*)"', text) == ["part-b", "part-c"]


def test_links_are_kept_and_lead_nowhere_dangerous(office: Office, tmp_path: Path) -> None:
    leaf = Leaf().lines(50, 60, [LOREM, "Read this page.", "Do not click here."])
    leaf.link(50, 64, 140, 78, "https://example.org/a").link(50, 79, 160, 93, "javascript:alert\\(1\\)")
    out, _ = office.make(written(tmp_path / "links.pdf", [leaf]), "markdown", "html")
    assert "[Read this page.](https://example.org/a)" in (out / "document.md").read_text()
    assert 'href="https://example.org/a"' in (out / "document.html").read_text()
    assert "javascript:" not in (out / "document.md").read_text() + (out / "document.html").read_text()


def test_arabic_is_in_the_order_of_its_letters(office: Office) -> None:
    path = DOCUMENTS / "right_to_left.pdf"
    for text in (office.text(path), office.markdown(path)):
        assert "وحل المشكلات" in " ".join(text.split())
        assert "خلال" in text  # its lam and alef are one glyph


def test_a_turned_page_is_read_and_pictured_upright(office: Office, tmp_path: Path) -> None:
    leaf = Leaf(rotate=90)
    for number in range(6):  # what is upright on a page that is turned is written upwards
        leaf.commands.append(f"BT /F 11 Tf 0 1 -1 0 {100 + 15 * number} 100 Tm (turned {number} {LOREM}) Tj ET")
    out, _ = office.make(written(tmp_path / "turned.pdf", [leaf]), "markdown", "preview")
    text = " ".join((out / "document.md").read_text().split())
    assert text.startswith("turned 0 Lorem ipsum")
    assert text.index("turned 4") < text.index("turned 5")
    with Image.open(out / "preview.jpg") as picture:
        assert picture.width > picture.height


def test_pictures_come_out_with_their_mask(office: Office, tmp_path: Path) -> None:
    objects: dict[int, str | tuple[str, bytes]] = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: "<</Type/Pages/Count 1/Kids[4 0 R]>>",
        4: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<</XObject<</P 6 0 R>>/Font<</F 8 0 R>>>>"
        "/Contents 5 0 R>>",
        5: ("", b"BT /F 12 Tf 20 150 Td (Beside a picture) Tj ET q 80 0 0 80 20 20 cm /P Do Q"),
        6: (
            "/Type/XObject/Subtype/Image/Width 2/Height 1/BitsPerComponent 8/ColorSpace/DeviceRGB/SMask 7 0 R",
            b"\xff\x00\x00\x00\x00\xff",
        ),
        7: ("/Type/XObject/Subtype/Image/Width 2/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray", b"\xff\x00"),
        8: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    out, result = office.make(assembled(tmp_path / "masked.pdf", objects), "markdown", extractImages=True)
    [image] = [output["path"] for output in result["outputs"] if output["role"] == "image"]
    assert f"![]({image})" in (out / "document.md").read_text()
    with Image.open(out / image) as picture:
        assert picture.mode == "RGBA"
        colours = {picture.getpixel((x, 0)) for x in (0, picture.width - 1)}
    assert (255, 0, 0, 255) in colours
    assert any(isinstance(colour, tuple) and colour[3] == 0 for colour in colours)


@pytest.mark.parametrize(
    ("more", "at_the_top"),
    [
        ("/SMask 7 0 R", (255, 0, 0, 0)),
        ("/Mask[240 255 0 15 0 15]", (255, 0, 0, 0)),
        ("/Decode[1 0 1 0 1 0]", (0, 255, 255, 255)),
        ("", (255, 0, 0, 255)),
    ],
)
def test_a_jpeg_comes_out_as_the_pdf_shows_it(
    office: Office, tmp_path: Path, more: str, at_the_top: tuple[int, ...]
) -> None:
    with io.BytesIO() as file:
        Image.new("RGB", (64, 64), (255, 0, 0)).save(file, "JPEG", quality=95)
        jpeg = file.getvalue()
    picture = "/Type/XObject/Subtype/Image/Width 64/Height 64/BitsPerComponent 8"
    objects: dict[int, str | tuple[str, bytes]] = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: "<</Type/Pages/Count 1/Kids[4 0 R]/Resources 9 0 R/MediaBox[0 0 200 200]>>",
        9: "<</XObject<</P 6 0 R>>/Font<</F 8 0 R>>>>",
        4: "<</Type/Page/Parent 2 0 R/Contents 5 0 R>>",
        5: ("", b"BT /F 12 Tf 20 150 Td (Beside a picture) Tj ET q 80 0 0 80 20 20 cm /P Do Q"),
        8: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        6: (f"{picture}/ColorSpace/DeviceRGB/Filter/DCTDecode{more}", jpeg),
        7: (f"{picture}/ColorSpace/DeviceGray", bytes(64 * 32) + b"\xff" * 64 * 32),
    }
    out, result = office.make(assembled(tmp_path / "a.pdf", objects), "json", extractImages=True)
    [image] = [output["path"] for output in result["outputs"] if output["role"] == "image"]
    with Image.open(out / image) as found:
        assert found.format == ("PNG" if more else "JPEG")
        colour = found.convert("RGBA").getpixel((9, 9))
    assert isinstance(colour, tuple)
    assert colour[3] == at_the_top[3] == 0 or colour == pytest.approx(at_the_top, abs=3)


def test_a_text_whose_encoding_is_guessed_says_so(office: Office, tmp_path: Path) -> None:
    for encoding, notes in (("utf-8", 0), ("cp1252", 1)):
        path = tmp_path / f"{encoding}.txt"
        path.write_bytes("Ärger".encode(encoding))
        out, result = office.make(path)
        assert (out / "document.txt").read_text() == "Ärger\n"
        assert len(result["details"].get("notes", ())) == notes
    path.write_bytes("テキスト、です。".encode("cp932"))
    error = office.failure(path)
    assert (error["code"], error["retryable"]) == ("unknown_encoding", False)


def test_what_a_pdf_says_of_itself(office: Office, tmp_path: Path) -> None:
    out, _ = office.make(DOCUMENTS / "form.pdf", metadata=True)
    found = json.loads((out / "metadata.json").read_text())
    assert [(field["name"], field["type"]) for field in found["fields"]] == [("foo", "text")]
    assert (found["form"], found["annotations"]) == ("AcroForm", {"widget": 1})
    leaves = [Leaf().text(50, 60, "One", font="B"), Leaf(300, 200).text(50, 60, "Two").link(0, 0, 9, 9, "http://a.b/")]
    path = written(tmp_path / "titled.pdf", leaves, title="A title", outline=[("One", 1), ("Two", 2)])
    found = json.loads((office.make(path, metadata=True)[0] / "metadata.json").read_text())
    assert found["properties"]["Title"] == "A title"
    assert [font["name"] for font in found["fonts"]] == ["Helvetica", "Helvetica-Bold"]
    assert (found["words"], found["hiddenText"]) == (2, False)
    assert [(entry["level"], entry["title"], entry["page"]) for entry in found["outline"]] == [
        (1, "One", 1),
        (1, "Two", 2),
    ]
    assert [(page["width"], page["annotations"]) for page in found["pages"]] == [(595, {}), (300, {"link": 1})]
    hidden = written(tmp_path / "hidden.pdf", [Leaf().text(50, 60, "Seen").text(50, 90, "and not seen", mode=3)])
    found = json.loads((office.make(hidden, metadata=True)[0] / "metadata.json").read_text())
    assert (found["words"], found["hiddenText"]) == (4, True)
    found = json.loads((office.make(DOCUMENTS / "owner_password.pdf", metadata=True)[0] / "metadata.json").read_text())
    assert found["encryption"]["revision"] == 6


def test_html_and_markdown_come_in_as_well(office: Office, tmp_path: Path) -> None:
    page = tmp_path / "page.txt"  # the name is not believed
    page.write_text(
        "<!doctype html><html lang='en'><title>T</title><h2>Head</h2><script>evil()</script>"
        "<ul><li>one<ul><li>two</ul></ul><img src='http://192.0.2.1/x.png' alt='seen'>"
        "<table><tr><th>a<th>b<tr><td colspan=2>c</table>"
    )
    out, result = office.make(page, "markdown", "text", "json")
    assert (out / "document.md").read_text() == (
        "## Head\n\n- one\n  - two\n\n<!-- image seen -->\n\n| a | b |\n| --- | --- |\n| c | c |\n"
    )
    assert result["details"]["input"] == {"format": "html", "title": "T", "language": "en"}
    notes = tmp_path / "notes.md"
    notes.write_text("---\nkey: value\n---\n# Title\n\n1. first\n2. [x] done\n\n`code` and *more*\n")
    assert office.markdown(notes) == "# Title\n\n1. first\n2. [x] done\n\n`code` and *more*\n"


def test_progress_goes_on_with_every_page(office: Office) -> None:
    token = office.begin(MULTI_PAGE, outputFormats=["markdown"])
    fractions = [event["fraction"] for event in office.worker.events(token) if event["type"] == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


# --- what does not go


def test_a_scan_is_no_empty_success(office: Office) -> None:
    error = office.failure(DOCUMENTS / "jbig2_bomb.pdf", "text", "markdown")
    assert (error["code"], error["reason"]) == ("no_text", "rejected")
    assert "ocrEnabled" in error["hint"]


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("aes_user_password.pdf", "asdfzxcv", None),
        ("aes_user_password.pdf", None, "password_needed"),
        ("aes_user_password.pdf", "wrong", "wrong_password"),
        ("r6_user_password.pdf", "asdfzxcv", None),
        ("r6_user_password.pdf", "", "password_needed"),
        ("rc4_user_password.pdf", "test", None),
        ("owner_password.pdf", None, None),
        ("owner_password.pdf", "not needed", None),
    ],
)
def test_passwords(office: Office, name: str, password: str | None, code: str | None) -> None:
    if code is None:
        assert office.text(DOCUMENTS / name, password=password).strip()
    else:
        error = office.failure(DOCUMENTS / name, password=password)
        assert (error["code"], error["reason"]) == (code, "rejected")
        assert name in error["message"]
        assert "--password" in error["hint"]


def test_what_cannot_be_asked_gets_one_clear_error(office: Office, tmp_path: Path) -> None:
    error = office.failure(MULTI_PAGE, pages="2-9")
    assert error["message"] == "multi_page.pdf has 5 pages, and no page 9."
    empty = tmp_path / "empty.pdf"
    empty.write_bytes(b"\n")
    assert office.failure(empty)["message"] == "empty.pdf is empty."
    noise = tmp_path / "noise.pdf"
    noise.write_bytes(bytes(range(256)) * 40)
    assert office.failure(noise)["code"] == "not_a_document"
    cut = tmp_path / "cut.pdf"
    cut.write_bytes(b"%PDF-1.7\n%%EOF\n")
    assert office.failure(cut)["code"] == "damaged_document"


def test_two_thousand_pages_take_no_more_memory_than_fifty_and_none_is_lost(office: Office, tmp_path: Path) -> None:
    def peak(pages: int, *formats: str, **spec: Any) -> tuple[int, Path, list[float]]:
        leaves = [
            Leaf().lines(50, 60, [f"Page {number} of many, line {line}" for line in range(3)], 9)
            for number in range(1, pages + 1)
        ]
        path = written(tmp_path / f"{pages}.pdf", leaves, outline=[("Begin", 1), ("End", pages)])
        token = office.begin(path, outputFormats=list(formats), **spec)
        last = office.worker.ending(token)
        assert last["type"] == "result", last
        told = [event["fraction"] for event in office.worker.events(token) if event["type"] == "progress"]
        return last["metrics"]["peakRssBytes"], office.worker.spool / token / "out", told

    few, _, _ = peak(50, "text", "markdown", "pdf")
    many, out, told = peak(2000, "text", "markdown", "pdf")
    text = (out / "document.txt").read_text()
    assert [f"Page {number} of many, line 2\n" in text for number in range(1, 2001)] == [True] * 2000
    assert many < few + 60 * 1024 * 1024
    moved = {fraction for fraction in told if fraction}  # the worker tells them as time goes by, not for each page
    assert len(moved) > 3 and max(moved) <= 1
    _, out, _ = peak(2000, "pdf", split={"every": 400})
    with pypdfium2.PdfDocument(out / "parts" / "part-005.pdf") as part:
        assert len(part) == 400
        assert part[399].get_textpage().get_text_range().startswith("Page 2000 of many")
