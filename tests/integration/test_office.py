"""Real office documents through a real worker, with LibreOffice beside it."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pypdf
import pypdfium2
import pytest
from PIL import Image

from tests.integration.test_documents import DOCUMENTS, MULTI_PAGE, Office, led
from tests.resources.offices import changed, compound, docx, paragraph
from tests.resources.waiting import until
from tests.resources.workers import Worker, is_alive

FORMATTING = DOCUMENTS / "formatting.docx"
LINES = (
    "*italic*\n\n**bold**\n\nunderline\n\n[hyperlink](https://github.com/DS4SD/docling)\n",
    "- *Italic bullet 1*\n- **Bold bullet 2**\n- Underline bullet 3\n- Some *italic* **bold** underline\n  - Nested",
)
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
LOCKED_SHOW = struct.pack("<HHIIII", 0, 4086, 20, 20, 0xF3D1C4DF, 0)  # CurrentUserAtom, MS-PPT 2.3.2
LETTER = "The quick brown fox"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Worker(tmp_path_factory.mktemp("office"), service="document") as worker:
        yield Office(worker)


def words_of(pdf: Path) -> str:
    """The text of all pages."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())
    finally:
        document.close()


def size_of(pdf: Path) -> tuple[int, int]:
    """The first page's, in points."""
    with pypdfium2.PdfDocument(pdf) as document:
        width, height = document[0].get_size()
        return round(width), round(height)


def rtf(path: Path, text: str) -> Path:
    path.write_text(rf"{{\rtf1\ansi {text}}}")
    return path


# --- what is read


@pytest.mark.parametrize("name", ["formatting.docx", "formatting.odt", "formatting.doc"])
def test_a_text_is_the_same_in_whatever_format_it_comes(office: Office, name: str) -> None:
    markdown = office.markdown(DOCUMENTS / name)
    assert all(lines in markdown for lines in LINES)
    assert "This is a header" not in markdown  # it belongs to pages


def test_rtf_is_read(office: Office, tmp_path: Path) -> None:
    source = rtf(tmp_path / "letter.rtf", r"Dear {\b reader}\par {\i Yours}")
    assert office.markdown(source) == "Dear **reader**\n\n*Yours*\n"


def test_headings_lists_tables_and_notes_of_a_docx(office: Office, tmp_path: Path) -> None:
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kinds = ("styles", "numbering", "footnotes")
    listed = '<w:pPr><w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>{}</w:t></w:r>'
    cell = "<w:tc><w:tcPr>{}</w:tcPr>" + paragraph("{}") + "</w:tc>"
    body = (
        '<w:p><w:pPr><w:pStyle w:val="T"/></w:pPr><w:r><w:t>Report</w:t></w:r></w:p>'
        '<w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>Part</w:t></w:r></w:p>'
        '<w:p><w:r><w:t>Said</w:t></w:r><w:r><w:footnoteReference w:id="7"/></w:r>'
        "<w:del><w:r><w:delText>taken out</w:delText></w:r></w:del>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>"
        + "".join(f"<w:p>{listed.format(*item)}</w:p>" for item in ((0, "first"), (1, "deeper"), (0, "next")))
        + "<w:tbl><w:tr>"
        + cell.format('<w:gridSpan w:val="2"/>', "wide")
        + "</w:tr><w:tr>"
        + cell.format('<w:vMerge w:val="restart"/>', "tall")
        + cell.format("", "b")
        + "</w:tr><w:tr>"
        + cell.format("<w:vMerge/>", "")
        + cell.format("", "c")
        + "</w:tr></w:tbl>"
    )
    parts = {
        "word/styles.xml": f'<w:styles {w}><w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="H"><w:name w:val="heading 1"/></w:style></w:styles>',
        "word/numbering.xml": f'<w:numbering {w}><w:abstractNum w:abstractNumId="0">'
        '<w:lvl w:ilvl="0"><w:start w:val="4"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
        '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%2)"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>',
        "word/footnotes.xml": f'<w:footnotes {w}><w:footnote w:id="7">{paragraph("By whom?")}</w:footnote>'
        "</w:footnotes>",
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(f'<Relationship Id="{kind}" Type="{relations}/{kind}" Target="{kind}.xml"/>' for kind in kinds)
        + "</Relationships>",
    }
    out, _ = office.make(docx(tmp_path / "report.docx", body, parts), "markdown", "html", tables="json")
    assert (out / "document.md").read_text() == (
        "# Report\n\n## Part\n\nSaid[^1]\n\n4. first\n   - a) deeper\n5. next\n\n"
        "| wide | wide |\n| --- | --- |\n| tall | b |\n| tall | c |\n\n[^1]: By whom?\n"
    )
    html = (out / "document.html").read_text()
    assert 'colspan="2"' in html
    assert 'rowspan="2"' in html
    assert len(json.loads((out / "tables" / "table-001.json").read_text())) > 0


def test_bookmarks_of_a_docx_are_its_headings(office: Office, tmp_path: Path) -> None:
    marked = '<w:bookmarkStart w:id="{0}" w:name="_Toc{0}"/>'
    heading = '<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr>{}<w:r><w:t>{}</w:t></w:r></w:p>'
    link = '<w:p><w:hyperlink w:anchor="_Toc{}"><w:r><w:t>{}</w:t></w:r></w:hyperlink></w:p>'
    field = (
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/><w:instrText> HYPERLINK \\l "_Toc2" </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>field</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
    )
    body = link.format(1, "one") + field + link.format(9, "none") + heading.format(marked.format(1), "First")
    body += marked.format(2) + heading.format("", "Second")
    out, _ = office.make(docx(tmp_path / "contents.docx", body), "html", "markdown")
    assert led(out) == [("one", "First"), ("field", "Second")]
    assert "[one](#first)\n\n[field](#second)\n\nnone\n" in (out / "document.md").read_text()


def test_slides_come_in_their_order_with_notes_and_pictures(office: Office) -> None:
    out, result = office.make(DOCUMENTS / "slides.pptx", "markdown", "json", extractImages=True)
    text = (out / "document.md").read_text()
    places = [
        text.index(words) for words in ("# The river", "## What lives there", "- Otters\n  - They swim", "Ask who")
    ]
    assert places == sorted(places)
    picture = next(output["path"] for output in result["outputs"] if output["role"] == "image")
    assert f"![A red square]({picture})" in text
    with Image.open(out / picture) as image:
        assert (image.size, image.mode) == ((40, 30), "RGBA")
    assert [page["number"] for page in json.loads((out / "document.json").read_text())["pages"]] == [1, 2, 3]
    assert "Otters" not in office.markdown(DOCUMENTS / "slides.pptx", pages="1,3")


def test_sheets_have_values_dates_and_merged_cells(office: Office) -> None:
    text = office.markdown(DOCUMENTS / "sheet.xlsx")
    assert text == (
        "# Budget\n\n| Item | Amount | Due | Paid |\n| --- | --- | --- | --- |\n| Paper | 12.5 | 2024-02-29 | TRUE |\n"
        "| Ink | 7 | 2024-03-01 14:30 | FALSE |\n| Both | 19.5 | in all | in all |\n\n"
        "# Notes & more\n\n| far \\| away |\n| --- |\n"
    )


def test_a_book_is_read_chapter_by_chapter(office: Office) -> None:
    out, result = office.make(DOCUMENTS / "book.epub", "markdown", extractImages=True)
    text = (out / "document.md").read_text()
    assert text.index("# One") < text.index("# Two") < text.index("1. first\n2. second\n   - deeper")
    picture = next(output["path"] for output in result["outputs"] if output["role"] == "image")
    assert f"]({picture})" in text
    assert result["details"]["input"]["title"] == "The Book"


def test_what_an_office_file_says_of_itself(office: Office) -> None:
    out, _ = office.make(DOCUMENTS / "slides.pptx", "text", metadata=True)
    found = json.loads((out / "metadata.json").read_text())
    assert (found["title"], found["pageCount"], found["properties"]["creator"]) == ("Rivers", 3, "A. Writer")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("locked.docx", "Bold bullet 2"),
        ("locked.doc", "Bold bullet 2"),
        ("locked.odt", "Dear reader"),
        ("locked.xls", "Paper"),
    ],
)
def test_a_password_opens_a_document(office: Office, name: str, words: str) -> None:
    out, result = office.make(DOCUMENTS / name, "text", "pdf", password="geheim")
    assert words in (out / "document.txt").read_text()
    assert words in words_of(out / "document.pdf")
    assert result["details"]["input"]["encrypted"] is True


@pytest.mark.parametrize("name", ["locked.docx", "locked.doc", "locked.odt", "locked.xls"])
@pytest.mark.parametrize(
    ("password", "code", "said"),
    [
        (None, "password_needed", "{} is protected with a password."),
        ("", "password_needed", "{} is protected with a password."),
        ("wrong", "wrong_password", "The password does not open {}."),
    ],
)
def test_a_password_is_missing_or_wrong(office: Office, name: str, password: str | None, code: str, said: str) -> None:
    for formats in (("text",), ("pdf",)):
        error = office.failure(DOCUMENTS / name, *formats, password=password)
        assert (error["code"], error["reason"], error["message"]) == (code, "rejected", said.format(name))


def test_a_password_that_is_not_needed_does_not_matter(office: Office) -> None:
    assert "Bold bullet 2" in office.text(DOCUMENTS / "formatting.doc", password="geheim")


def test_a_locked_presentation_of_the_old_format_is_refused(office: Office, tmp_path: Path) -> None:
    source = compound(tmp_path / "show.ppt", {"PowerPoint Document": bytes(5000), "Current User": LOCKED_SHOW})
    for password in (None, "geheim"):
        error = office.failure(source, password=password)
        assert (error["code"], error["reason"]) == ("unknown_encryption", "rejected")
        assert "PPTX" in error["hint"]


# --- what is made


@pytest.mark.parametrize("name", ["formatting.docx", "slides.pptx", "sheet.xlsx", "book.epub", "formatting.html"])
def test_it_becomes_a_pdf(office: Office, name: str) -> None:
    out, _ = office.make(DOCUMENTS / name, "pdf")
    words = {"slides.pptx": "What lives there", "sheet.xlsx": "Paper", "book.epub": "second"}.get(name, "bold")
    assert words in words_of(out / "document.pdf")


@pytest.mark.parametrize(
    ("name", "paper"),
    [
        ("formatting.docx", rb"<w:pgSz[^>]*/>"),
        ("formatting.odt", rb' fo:page-(width|height)="[^"]*"'),
        ("sheet.xlsx", rb"<pageSetup[^>]*/>"),
    ],
)
def test_what_names_no_paper_is_laid_out_on_a4(office: Office, tmp_path: Path, name: str, paper: bytes) -> None:
    source = changed(DOCUMENTS / name, tmp_path / name, lambda _, data: re.sub(paper, b"", data))
    out, _ = office.make(source, "pdf")
    assert size_of(out / "document.pdf") == (595, 842)


@pytest.mark.parametrize(
    ("named", "points"), [("", (595, 842)), (r"\paperw12240\paperh15840 ", (612, 792)), (r"\paperw6000 ", (300, 792))]
)
def test_an_rtf_has_the_paper_that_it_names(
    office: Office, tmp_path: Path, named: str, points: tuple[int, int]
) -> None:
    out, _ = office.make(rtf(tmp_path / "letter.rtf", f"{named}Dear reader"), "pdf")
    assert size_of(out / "document.pdf") == points


def test_a_book_keeps_its_title_and_its_author(office: Office) -> None:
    out, _ = office.make(DOCUMENTS / "book.epub", "pdf", "docx")
    about = pypdf.PdfReader(out / "document.pdf").metadata
    assert about is not None
    assert (about.title, about.author) == ("The Book", "A. Writer")
    core = zipfile.ZipFile(out / "document.docx").read("docProps/core.xml").decode()
    assert "<dc:creator>A. Writer</dc:creator>" in core


def test_pdfa_says_that_it_is_and_embeds_its_fonts(office: Office) -> None:
    out, result = office.make(FORMATTING, "pdfa")
    reader = pypdf.PdfReader(out / "document-a.pdf")
    xmp = reader.xmp_metadata
    assert xmp is not None
    assert b"<pdfaid:part>2</pdfaid:part>" in xmp.stream.get_data().replace(b" ", b"") or b'pdfaid:part="2"' in (
        xmp.stream.get_data()
    )
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]  # type: ignore[index]
    assert fonts
    assert "/OutputIntents" in reader.trailer["/Root"]  # type: ignore[operator]
    assert result["outputs"][0]["details"]["conformance"] == "PDF/A-2b"


def test_pages_of_the_pdf_can_be_chosen(office: Office) -> None:
    out, _ = office.make(FORMATTING, "pdf", pages="2")
    document = pypdfium2.PdfDocument(out / "document.pdf")
    assert len(document) == 1
    assert "The second page" in words_of(out / "document.pdf")
    assert office.failure(FORMATTING, "text", pages="2")["code"] == "no_pages"


def test_pages_are_counted_in_the_whole_document(office: Office, tmp_path: Path) -> None:
    out, _ = office.make(FORMATTING, "pdf", pages="2", rotate={"degrees": 90, "pages": "2"})
    made = pypdf.PdfReader(out / "document.pdf")
    assert [page.rotation for page in made.pages] == [90]
    assert "The second page" in made.pages[0].extract_text()
    assert office.failure(FORMATTING, "pdf", pages="9")["code"] == "no_such_page"
    out, _ = office.make(FORMATTING, "pdf", append=[FORMATTING], pages="2,5")
    assert words_of(out / "document.pdf").count("The second page") == 2
    out, _ = office.make(FORMATTING, "pdfa", pages="2")
    assert len(pypdf.PdfReader(out / "document-a.pdf").pages) == 1


def test_pages_that_mean_two_things_are_refused(office: Office, tmp_path: Path) -> None:
    for name, formats in (
        ("formatting.docx", ["docx"]),
        ("sheet.xlsx", ["text", "pdf"]),
        ("book.epub", ["markdown", "preview"]),
    ):
        error = office.failure(DOCUMENTS / name, *formats, pages="1")
        assert error["code"] == "no_pages"
        assert name in error["message"]


def test_a_slide_that_is_hidden_is_no_page(office: Office, tmp_path: Path) -> None:
    slides = DOCUMENTS / "slides.pptx"

    def hide(name: str, data: bytes) -> bytes:
        return data.replace(b"<p:sld ", b'<p:sld show="0" ', 1) if name == "ppt/slides/slide2.xml" else data

    assert "Otters" in office.text(slides, pages="2")
    hiding = changed(slides, tmp_path / "hiding.pptx", hide)
    out, _ = office.make(hiding, "text", "pdf", pages="2")
    assert "Otters" not in office.text(hiding)
    [title] = [line for line in (out / "document.txt").read_text().splitlines() if line][:1]
    assert title in words_of(out / "document.pdf")  # both are what was the third slide


CHOSEN = (
    "<mc:AlternateContent xmlns:mc='http://schemas.openxmlformats.org/markup-compatibility/2006'><mc:Choice>{}</mc:Choice>"
    "<mc:Fallback>{}</mc:Fallback></mc:AlternateContent>"
)


def test_what_a_slide_has_for_newer_programs_is_read_once(office: Office, tmp_path: Path) -> None:
    def put(name: str, data: bytes) -> bytes:
        if name != "ppt/slides/slide2.xml":
            return data
        boxes = [
            "<p:sp><p:nvSpPr><p:cNvPr id='90' name='x'/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/>"
            f"<a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody></p:sp>"
            for words in ("the newer", "the older")
        ]
        made = CHOSEN.format(*boxes) + CHOSEN.format("<p14:ink xmlns:p14='urn:x'/>", boxes[1].replace("older", "ink"))
        return data.replace(b"</p:spTree>", made.encode() + b"</p:spTree>")

    text = office.text(changed(DOCUMENTS / "slides.pptx", tmp_path / "choices.pptx", put))
    assert [text.count(words) for words in ("the newer", "the older", "the ink", "Otters")] == [1, 0, 1, 1]


def test_what_is_hidden_in_a_docx_stays_hidden(office: Office, tmp_path: Path) -> None:
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    vanish, field = "<w:rPr><w:vanish/></w:rPr>", '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    styles = "".join(
        f'<w:style w:type="{kind}" w:styleId="{kind}"><w:name w:val="Hidden {kind}"/>{vanish}</w:style>'
        for kind in ("character", "paragraph")
    )
    shown = '<w:rPr><w:vanish w:val="0"/></w:rPr>'
    body = (
        f"<w:p><w:r><w:t>One</w:t></w:r><w:r>{vanish}<w:t>SECRET</w:t><w:footnoteReference w:id='7'/></w:r></w:p>"
        f"<w:p>{field.format('begin')}<w:r><w:instrText>HYPERLINK &quot;http://a.b/&quot;</w:instrText></w:r>"
        f"{field.format('separate')}<w:r>{vanish}<w:t>SECRET</w:t></w:r><w:r><w:t>Two</w:t></w:r>"
        f"{field.format('end')}</w:p>"
        '<w:p><w:r><w:rPr><w:rStyle w:val="character"/></w:rPr><w:t>SECRET</w:t></w:r><w:r><w:t>Three</w:t></w:r></w:p>'
        f'<w:p><w:pPr><w:pStyle w:val="paragraph"/></w:pPr><w:r><w:t>SECRET</w:t></w:r>'
        f"<w:r>{shown}<w:t>Four</w:t></w:r></w:p>"
        f"<w:tbl><w:tr><w:trPr><w:hidden/></w:trPr><w:tc>{paragraph('SECRET')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{paragraph('Five')}</w:tc><w:tc>{paragraph('Six')}</w:tc></w:tr></w:tbl>"
    )
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "word/styles.xml": f"<w:styles {w}>{styles}</w:styles>",
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="s" Type="{relations}/styles" Target="styles.xml"/></Relationships>',
    }
    text = office.text(docx(tmp_path / "hidden.docx", body, parts))
    assert text.split() == ["One", "Two", "Three", "Four", "Five", "Six"]


def test_a_book_without_a_word_is_said_to_be_empty(office: Office, tmp_path: Path) -> None:
    def empty(name: str, data: bytes) -> bytes:
        return re.sub(rb"<body.*</body>", b"<body/>", data, flags=re.DOTALL) if name.endswith("html") else data

    book = changed(DOCUMENTS / "book.epub", tmp_path / "empty.epub", empty)
    for spec in ({}, {"pages": "1"}):
        error = office.failure(book, "text", **spec)
        assert (error["code"], error["retryable"]) == ("empty_document", False)


def test_a_table_that_is_wider_than_word_opens_loses_no_column(office: Office, tmp_path: Path) -> None:
    wide = tmp_path / "wide.html"
    cells = "".join(f"<td>a{number}" for number in range(62)) + "<td colspan=2>across" + "<td>b64<td>b65"
    rows = [f"<tr>{cells}", "<tr>" + "".join(f"<td>c{number}" for number in range(66))]
    wide.write_text(f"<!doctype html><table>{''.join(rows)}</table>")
    out, _ = office.make(wide, "docx", "pdf")
    made = office.text(out / "document.docx").split()
    shown = "".join(words_of(out / "document.pdf").split())
    for text in ("a61", "across", "b64", "b65", "c62", "c63", "c65"):
        assert made.count(text) == 1
        assert text in shown
    with zipfile.ZipFile(out / "document.docx") as archive:
        tables = archive.read("word/document.xml").split(b"<w:tbl>")[1:]
    assert [table.count(b"<w:gridCol ") for table in tables] == [63, 3]


def test_an_appended_document_that_fails_is_named(office: Office, tmp_path: Path) -> None:
    cut_off = tmp_path / "second.docx"
    cut_off.write_bytes(FORMATTING.read_bytes()[:-400])
    for bad in (cut_off, DOCUMENTS / "locked.docx"):
        error = office.failure(FORMATTING, "pdf", append=[bad])
        assert bad.name in error["message"]
        assert FORMATTING.name not in error["message"]


def test_docx_out_of_markdown_reads_back_as_it_was(office: Office, tmp_path: Path) -> None:
    text = (
        "# Title\n\nSome *soft* and **loud** `code` and a [link](https://example.org/?a=1&b=2).\n\n"
        "1. one\n2. two\n   - deeper\n\nbetween\n\n3. three\n4. four\n\n```\nx < y\n  z\n```\n\n"
        "| a | b |\n| --- | --- |\n| 1 | & |\n"
    )
    source = tmp_path / "notes.md"
    source.write_text(text)
    out, _ = office.make(source, "docx", "pdf")
    assert office.markdown(out / "document.docx") == text
    assert "3. three" in words_of(out / "document.pdf")  # so LibreOffice counts as we do


def test_docx_out_of_a_pdf_and_of_slides_keeps_structure_and_pictures(office: Office) -> None:
    out, _ = office.make(MULTI_PAGE, "docx")
    text = office.markdown(out / "document.docx")
    assert text.count("\n#") + text.startswith("#") == 11
    out, _ = office.make(DOCUMENTS / "slides.pptx", "docx")
    with zipfile.ZipFile(out / "document.docx") as archive:
        assert [name for name in archive.namelist() if name.startswith("word/media/")]
    assert "## What lives there" in office.markdown(out / "document.docx")


# --- the process beside


def offices(office: Office) -> list[psutil.Process]:
    """The processes beside the attempts: the one that waits, and the one with LibreOffice."""
    return psutil.Process(office.worker.pid).children(recursive=True)


def test_libreoffice_is_loaded_once_and_each_document_has_a_fork_of_it(office: Office) -> None:
    office.make(FORMATTING, "pdf")
    before = {process.pid for process in offices(office)}
    assert len(before) == 2
    office.make(DOCUMENTS / "slides.pptx", "pdf")
    assert {process.pid for process in offices(office)} == before


def test_when_libreoffice_dies_the_next_document_has_a_new_one(office: Office) -> None:
    office.make(FORMATTING, "pdf")
    loaded = offices(office)[-1]
    loaded.kill()
    until(lambda: not is_alive(loaded.pid), "it is dead")
    out, _ = office.make(FORMATTING, "pdf")
    assert "bold" in words_of(out / "document.pdf")


def test_a_conversion_that_hangs_is_done_once_more_by_a_new_libreoffice(office: Office, tmp_path: Path) -> None:
    office.make(FORMATTING, "pdf")
    loaded = offices(office)[-1]
    rows = "".join(f"<w:tr>{f'<w:tc>{paragraph(LETTER)}</w:tc>' * 4}</w:tr>" for _ in range(1500))
    token = office.begin(docx(tmp_path / "long.docx", f"<w:tbl>{rows}</w:tbl>"), outputFormats=["pdf"])
    until(lambda: len(loaded.children()) == 1, "its fork works")
    loaded.children()[0].suspend()
    last = office.worker.ending(token)
    assert last["type"] == "result", last
    assert LETTER in words_of(office.worker.spool / token / "out" / "document.pdf")
    said = [event["line"] for event in office.worker.events(token) if event["type"] == "log"]
    assert any("hangs; long.docx is converted once more" in line for line in said)
    assert not loaded.is_running()


def test_a_cold_libreoffice_converts_one_file_after_another_and_at_once(tmp_path: Path) -> None:
    for start in range(2):
        (directory := tmp_path / str(start)).mkdir()
        with Worker(directory, "--slots", "4", service="document") as worker:
            office = Office(worker)
            tokens = [office.begin(DOCUMENTS / "formatting.odt", outputFormats=["pdf", "pdfa"]) for _ in range(4)]
            assert [worker.ending(token)["type"] for token in tokens] == ["result"] * 4
            loaded = offices(office)[-1]
            assert loaded.num_threads() == 1  # another one would hold locks that a fork never gets
            assert not list((Path(loaded.cwd()) / "office").glob("fork-*"))


def test_a_cancelled_conversion_leaves_nothing_running(office: Office, tmp_path: Path) -> None:
    office.make(FORMATTING, "pdf")
    rows = "".join(f"<w:tr>{f'<w:tc>{paragraph(LETTER)}</w:tc>' * 12}</w:tr>" for _ in range(4000))
    token = office.begin(docx(tmp_path / "long.docx", f"<w:tbl>{rows}</w:tbl>"), outputFormats=["pdf"])
    until(lambda: len(offices(office)) == 4, "its fork works")  # two beside, the attempt and the fork
    office.worker.http.delete(f"/attempts/{token}")
    assert office.worker.ending(token)["error"]["code"] == "cancelled"
    until(lambda: len(offices(office)) == 2, "the fork is gone")


def test_all_of_it_ends_with_the_worker(tmp_path: Path) -> None:
    with Worker(tmp_path, service="document") as worker:
        Office(worker).make(FORMATTING, "pdf")
        beside = psutil.Process(worker.pid).children(recursive=True)
        os.kill(worker.pid, signal.SIGKILL)
        until(lambda: not any(process.is_running() for process in beside), "they are gone")
